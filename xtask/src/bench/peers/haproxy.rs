//! HAProxy with its built-in rules.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use super::{Peer, answers, loopback};
use crate::bench::place::{self, fill};
use crate::bench::scenarios::{KEY, Scenario};
use crate::bench::service::{self, Service};

const CONFIG: &str = include_str!("../configs/haproxy.cfg");
const CHAIN: &str = include_str!("../configs/chain-haproxy.cfg");

/// Starts the peer.
pub(super) fn start(folder: &Path, scenario: Scenario, upstream: SocketAddr) -> anyhow::Result<(Service, SocketAddr)> {
    let program =
        place::program("haproxy").with_context(|| format!("haproxy is missing; {}", Peer::HaProxy.remedy()))?;
    let [port] = place::free_ports()?;
    let consumers = folder.join("consumers.map");
    place::write(&consumers, format!("{KEY} alice\n"))?;
    let chain = match scenario {
        Scenario::Chain => fill(CHAIN, &[("map", &*consumers.to_string_lossy())]),
        Scenario::Plain1k | Scenario::Body100k => String::new(),
    };
    let (port_text, upstream) = (port.to_string(), upstream.port().to_string());
    let values = [("chain", chain.as_str()), ("port", &port_text), ("upstream", &upstream)];
    let config = folder.join("haproxy.cfg");
    place::write(&config, fill(CONFIG, &values))?;

    let mut service = Service::start("haproxy", &program, &["-db", "-f", &*config.to_string_lossy()], folder)?;
    service.wait_until(|| answers(loopback(port)))?;
    Ok((service, loopback(port)))
}

/// `HAProxy 2.6.12`
pub(super) fn version() -> Option<String> {
    let (_, text) = service::output(&place::program("haproxy")?, &["-v"], Duration::from_secs(5)).ok()?;
    let number = text.split_whitespace().nth(2)?;
    Some(format!("HAProxy {}", number.split('-').next()?))
}
