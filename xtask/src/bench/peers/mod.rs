//! Who is measured: each peer as a reverse proxy with two workers, keep-alive on both sides and no access log.

mod haproxy;
mod nginx;
mod pingora;
mod tollgate;

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;

use anyhow::bail;

use super::scenarios::{Downstream, Scenario};
use super::service::Service;
use super::tls::Certificate;
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
    /// A small proxy on the library, with the chain compiled in.
    Pingora,
    /// This gateway.
    Tollgate,
    /// This gateway with no other route than the one that is asked for.
    TollgateOneRoute,
}

/// What a peer is set up for.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) scenario: Scenario,
    pub(super) upstream: SocketAddr,
    pub(super) gateway: &'a Path,
    pub(super) certificate: &'a Certificate,
}

impl Peer {
    /// All of them, in the order of the report.
    const ALL: [Self; 7] = [
        Self::Nginx,
        Self::NginxAgain,
        Self::NginxLua,
        Self::HaProxy,
        Self::Pingora,
        Self::Tollgate,
        Self::TollgateOneRoute,
    ];

    /// Those that run when none is named.
    pub(super) const USUAL: [Self; 6] =
        [Self::Nginx, Self::NginxLua, Self::HaProxy, Self::Pingora, Self::Tollgate, Self::TollgateOneRoute];

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
            Self::Pingora => "pingora",
            Self::Tollgate => "tollgate",
            Self::TollgateOneRoute => "one-route",
        }
    }

    /// Without a policy there is nothing for Lua to do, and where there is one route anyway, nothing to compare.
    pub(super) fn takes_part(self, scenario: Scenario) -> bool {
        match self {
            Self::NginxLua => scenario.is_chain(),
            Self::TollgateOneRoute => scenario == Scenario::Routes1000,
            Self::Pingora => matches!(scenario, Scenario::Plain1k | Scenario::Body100k) || scenario.is_chain(),
            Self::Nginx | Self::NginxAgain | Self::HaProxy | Self::Tollgate => true,
        }
    }

    /// Whether it is the gateway.
    pub(super) fn is_gateway(self) -> bool {
        matches!(self, Self::Tollgate | Self::TollgateOneRoute)
    }

    /// What it answers to the question for its version; nothing if it is not installed.
    pub(super) fn version(self, gateway: &Path) -> Option<String> {
        match self {
            Self::Nginx | Self::NginxAgain => nginx::version(),
            Self::NginxLua => {
                nginx::lua_modules().and_then(|_| nginx::version()).map(|nginx| format!("{nginx} with Lua"))
            }
            Self::HaProxy => haproxy::version(),
            Self::Pingora => pingora::version(),
            Self::Tollgate | Self::TollgateOneRoute => tollgate::version(gateway),
        }
    }

    /// What to do where it is not installed.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Nginx | Self::NginxAgain => "install the Debian package nginx",
            Self::NginxLua => "install the Debian packages nginx and libnginx-mod-http-lua",
            Self::HaProxy => "install the Debian package haproxy",
            Self::Pingora => "its build says above what it lacks; `--peer` names the peers to measure instead",
            Self::Tollgate | Self::TollgateOneRoute => {
                "run `cargo xtask build --release`, or name the binary with --gateway PATH"
            }
        }
    }

    /// Starts it and waits until it answers.
    pub(super) fn start(self, setting: Setting) -> anyhow::Result<Proxy> {
        let folder = place::fresh_folder(&format!("{}-{}", setting.scenario.name(), self.name()))?;
        let (service, address) = match self {
            Self::Nginx | Self::NginxAgain => nginx::start(&folder, setting, false)?,
            Self::NginxLua => nginx::start(&folder, setting, true)?,
            Self::HaProxy => haproxy::start(&folder, setting)?,
            Self::Pingora => pingora::start(&folder, setting)?,
            Self::Tollgate => tollgate::start(&folder, setting, true)?,
            Self::TollgateOneRoute => tollgate::start(&folder, setting, false)?,
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

/// Whether anything that speaks HTTP answers there, or with TLS, whether there is anything.
fn answers(address: SocketAddr, scenario: Scenario) -> bool {
    match scenario.downstream() {
        Downstream::Clear => http::get(address, "/1k", &[]).is_ok(),
        Downstream::Tls | Downstream::H2 => TcpStream::connect(address).is_ok(),
    }
}
