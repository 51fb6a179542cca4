//! Who is measured: each peer as a reverse proxy with two workers, keep-alive on both sides and no access log.

mod haproxy;
mod nginx;
mod tollgate;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::bail;

use super::scenarios::Scenario;
use super::service::Service;
use super::{http, place};

pub(super) use nginx::Upstream;
pub(super) use tollgate::{Gateway, build as build_gateway, standard_policies, write_headers_policy};

/// A reverse proxy that the bench knows to set up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Peer {
    /// nginx with its built-in directives: all ratios are to this one.
    Nginx,
    /// The same once more: how far its ratio is from 1 is the error of the figures.
    NginxAgain,
    /// nginx with the chain written in Lua.
    NginxLua,
    /// HAProxy with its built-in rules.
    HaProxy,
    /// This gateway.
    Tollgate,
}

impl Peer {
    /// All of them, in the order of the report.
    const ALL: [Self; 5] = [Self::Nginx, Self::NginxAgain, Self::NginxLua, Self::HaProxy, Self::Tollgate];

    /// Those that run when none is named.
    pub(super) const USUAL: [Self; 4] = [Self::Nginx, Self::NginxLua, Self::HaProxy, Self::Tollgate];

    /// The peer of that name.
    pub(super) fn parse(name: &str) -> anyhow::Result<Self> {
        match Self::ALL.into_iter().find(|peer| peer.name() == name) {
            Some(peer) => Ok(peer),
            None => bail!("no peer `{name}`; there are {}", Self::ALL.map(Self::name).join(", ")),
        }
    }

    /// Its name on the command line and in the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::NginxAgain => "nginx-again",
            Self::NginxLua => "nginx-lua",
            Self::HaProxy => "haproxy",
            Self::Tollgate => "tollgate",
        }
    }

    /// Without a policy there is nothing for Lua to do; nginx itself stands for it.
    pub(super) fn takes_part(self, scenario: Scenario) -> bool {
        self != Self::NginxLua || scenario == Scenario::Chain
    }

    /// What it answers to the question for its version; nothing if it is not installed.
    pub(super) fn version(self, gateway: &Path) -> Option<String> {
        match self {
            Self::Nginx | Self::NginxAgain => nginx::version(),
            Self::NginxLua => {
                nginx::lua_modules().and_then(|_| nginx::version()).map(|nginx| format!("{nginx} with Lua"))
            }
            Self::HaProxy => haproxy::version(),
            Self::Tollgate => tollgate::version(gateway),
        }
    }

    /// What to do where it is not installed.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Nginx | Self::NginxAgain => "install the Debian package nginx",
            Self::NginxLua => "install the Debian packages nginx and libnginx-mod-http-lua",
            Self::HaProxy => "install the Debian package haproxy",
            Self::Tollgate => "run `cargo xtask build --release`, or name the binary with --gateway PATH",
        }
    }

    /// Starts it in front of `upstream`, set up for `scenario`, and waits until it answers.
    pub(super) fn start(self, scenario: Scenario, upstream: SocketAddr, gateway: &Path) -> anyhow::Result<Proxy> {
        let folder = place::fresh_folder(&format!("{}-{}", scenario.name(), self.name()))?;
        let (service, address) = match self {
            Self::Nginx | Self::NginxAgain => nginx::start(&folder, scenario, false, upstream)?,
            Self::NginxLua => nginx::start(&folder, scenario, true, upstream)?,
            Self::HaProxy => haproxy::start(&folder, scenario, upstream)?,
            Self::Tollgate => {
                let policies = folder.join("policies");
                tollgate::write_policies(&policies, scenario)?;
                Gateway::start(gateway, &folder, &policies, upstream)?.into_parts()
            }
        };
        Ok(Proxy { peer: self, address, service })
    }
}

/// A running peer.
pub(super) struct Proxy {
    pub(super) peer: Peer,
    pub(super) address: SocketAddr,
    pub(super) service: Service,
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Whether anything that speaks HTTP answers there.
fn answers(address: SocketAddr) -> bool {
    http::get(address, "/1k", &[]).is_ok()
}
