//! HAProxy with its built-in rules.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use super::{Peer, Setting, answers, loopback};
use crate::bench::place::{self, fill};
use crate::bench::scenarios::{Downstream, KEY, Scenario, hosts_and_prefixes};
use crate::bench::service::{self, Service};

const CONFIG: &str = include_str!("../configs/haproxy.cfg");
const CHAIN: &str = include_str!("../configs/chain-haproxy.cfg");
const ROUTES: &str = "    use_backend %[base,map_beg(@map@,none)]";
const ALL: &str = "    default_backend origin";

/// Starts the peer.
pub(super) fn start(folder: &Path, setting: Setting) -> anyhow::Result<(Service, SocketAddr)> {
    let program =
        place::program("haproxy").with_context(|| format!("haproxy is missing; {}", Peer::HaProxy.remedy()))?;
    let [port] = place::free_ports()?;
    let rules = rules(folder, setting.scenario)?;
    let (port_text, upstream) = (port.to_string(), setting.upstream.port().to_string());
    let values = [
        ("rules", rules.as_str()),
        ("scheme", setting.scenario.downstream().scheme()),
        ("tls", &tls(setting)),
        ("port", &port_text),
        ("upstream", &upstream),
    ];
    let config = folder.join("haproxy.cfg");
    place::write(&config, fill(CONFIG, &values))?;

    let mut service = Service::start("haproxy", &program, &["-db", "-f", &*config.to_string_lossy()], folder)?;
    service.wait_until(|| answers(loopback(port), setting.scenario))?;
    Ok((service, loopback(port)))
}

/// What is done with each request, and where it goes.
fn rules(folder: &Path, scenario: Scenario) -> anyhow::Result<String> {
    let map = folder.join("rules.map");
    let (template, lines) = match scenario {
        Scenario::Chain | Scenario::ChainExchange => (CHAIN, format!("{KEY} alice\n")),
        Scenario::Routes1000 => (ROUTES, routes()),
        _ => (ALL, String::new()),
    };
    place::write(&map, lines)?;
    Ok(fill(template, &[("map", &*map.to_string_lossy())]))
}

/// A map of hosts and path prefixes, which HAProxy looks up in a tree; as rules it would try them one by one.
fn routes() -> String {
    let lines =
        |(host, prefixes): (String, [String; 10])| prefixes.map(|prefix| format!("{host}{prefix}/ origin\n")).concat();
    hosts_and_prefixes().map(lines).collect()
}

fn tls(setting: Setting) -> String {
    let protocol = match setting.scenario.downstream() {
        Downstream::Clear => return String::new(),
        Downstream::Tls => "http/1.1",
        Downstream::H2 => "h2",
    };
    format!("ssl crt {} ssl-min-ver TLSv1.3 alpn {protocol}", setting.certificate.both.display())
}

/// `HAProxy 2.6.12`
pub(super) fn version() -> Option<String> {
    let (_, text) = service::output(&place::program("haproxy")?, &["-v"], Duration::from_secs(5)).ok()?;
    let number = text.split_whitespace().nth(2)?;
    Some(format!("HAProxy {}", number.split('-').next()?))
}
