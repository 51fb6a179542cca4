//! The gateway itself.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::build::{self, Profile};

use super::{Peer, Setting, loopback};
use crate::bench::scenarios::{KEY_SHA256, Scenario, hosts_and_prefixes};
use crate::bench::service::{self, Service};
use crate::bench::{http, place};

/// A running gateway with two workers.
pub(in crate::bench) struct Gateway {
    pub(in crate::bench) service: Service,
    pub(in crate::bench) address: SocketAddr,
}

impl Gateway {
    /// Starts it in front of `upstream` with a directory of policies, and waits until it says that it is ready.
    pub(in crate::bench) fn start(
        program: &Path,
        folder: &Path,
        policies: &Path,
        upstream: SocketAddr,
    ) -> anyhow::Result<Self> {
        let [port] = place::free_ports()?;
        let (listen, upstream) = (loopback(port).to_string(), format!("http://{upstream}"));
        let policies = policies.to_string_lossy();
        let source = ["--listen", &listen, "--upstream", &upstream, "--policies", &policies];
        Self::start_from(&source, port, program, folder)
    }

    /// The same with a bound of connections, as the default leaves half of the descriptors to upstreams.
    pub(in crate::bench) fn start_with_connections(
        program: &Path,
        folder: &Path,
        upstream: SocketAddr,
        connections: u32,
    ) -> anyhow::Result<Self> {
        standard_policies(&folder.join("policies"))?;
        let [port] = place::free_ports()?;
        let listen = loopback(port);
        let config = format!(
            "policies-dir = \"policies\"\n[limits]\nconnections = {connections}\n[[listeners]]\naddress = \"{listen}\"\n\
             [upstreams.origin]\nendpoints = [\"{upstream}\"]\n[[routes]]\nupstream = \"origin\"\n\
             policies = [\"10-api-key\", \"20-rate-limit\", \"30-headers\"]\n"
        );
        let file = folder.join("tollgate.toml");
        place::write(&file, config)?;
        Self::start_from(&["--config", &*file.to_string_lossy()], port, program, folder)
    }

    /// In front of an upstream that takes its time, with so many requests that wait for it at most, through the standard
    /// policies or none.
    pub(in crate::bench) fn start_waiting(
        program: &Path,
        folder: &Path,
        upstream: SocketAddr,
        requests: u32,
        through_filters: bool,
    ) -> anyhow::Result<Self> {
        standard_policies(&folder.join("policies"))?;
        let [port] = place::free_ports()?;
        let listen = loopback(port);
        let policies = if through_filters { STANDARD.as_slice() } else { &[] };
        let config = format!(
            "policies-dir = \"policies\"\n[limits]\nconnections = {requests}\nrequests = {requests}\n\
             upstream-first-byte = \"1h\"\n[[listeners]]\naddress = \"{listen}\"\n\
             [upstreams.origin]\nendpoints = [\"{upstream}\"]\n[[routes]]\nupstream = \"origin\"\npolicies = {policies:?}\n"
        );
        let file = folder.join("tollgate.toml");
        place::write(&file, config)?;
        Self::start_from(&["--config", &*file.to_string_lossy()], port, program, folder)
    }

    fn start_from(source: &[&str], port: u16, program: &Path, folder: &Path) -> anyhow::Result<Self> {
        ensure!(program.is_file(), "no gateway at {}; {}", program.display(), Peer::Tollgate.remedy());
        let [admin] = place::free_ports()?;
        let admin_text = loopback(admin).to_string();
        let args = [&["run"], source, &["--admin", &admin_text, "--workers", "2"]].concat();
        let mut service = Service::start("tollgate", program, &args, folder)?;
        service
            .wait_until(|| http::get(loopback(admin), "/ready", &[]).is_ok_and(|response| response.status == 200))?;
        Ok(Self { service, address: loopback(port) })
    }
}

/// Starts the peer: with a directory of policies, or where that cannot say it, with a configuration file.
pub(super) fn start(folder: &Path, setting: Setting, all_routes: bool) -> anyhow::Result<(Service, SocketAddr)> {
    let Setting { scenario, upstream, gateway, .. } = setting;
    let running = if scenario.downstream().is_tls() || scenario == Scenario::Routes1000 {
        let [port] = place::free_ports()?;
        let file = folder.join("tollgate.toml");
        place::write(&file, config(setting, loopback(port), all_routes))?;
        Gateway::start_from(&["--config", &*file.to_string_lossy()], port, gateway, folder)?
    } else {
        let policies = folder.join("policies");
        write_policies(&policies, scenario)?;
        Gateway::start(gateway, folder, &policies, upstream)?
    };
    Ok((running.service, running.address))
}

fn config(setting: Setting, listen: SocketAddr, all_routes: bool) -> String {
    let mut text = format!("[[listeners]]\naddress = \"{listen}\"\n");
    if setting.scenario.downstream().is_tls() {
        let (cert, key) = (setting.certificate.cert.display(), setting.certificate.key.display());
        text.push_str(&format!("tls = {{ cert = \"{cert}\", key = \"{key}\", profile = \"modern\" }}\n"));
    }
    text.push_str(&format!("[upstreams.origin]\nendpoints = [\"{}\"]\n", setting.upstream));
    match setting.scenario {
        Scenario::Routes1000 => text.push_str(&routes(setting.scenario, all_routes)),
        _ => text.push_str("[[routes]]\nupstream = \"origin\"\n"),
    }
    text
}

/// All of them, or the one that the requests take.
fn routes(scenario: Scenario, all: bool) -> String {
    let asked = scenario.headers().first().map(|(_, host)| *host);
    let mut text = String::new();
    for (host, prefixes) in hosts_and_prefixes() {
        for prefix in prefixes {
            if all || asked == Some(&*host) && scenario.path().starts_with(&format!("{prefix}/")) {
                text.push_str(&format!(
                    "[[routes]]\nhosts = [\"{host}\"]\npath = {{ prefix = \"{prefix}\" }}\nupstream = \"origin\"\n"
                ));
            }
        }
    }
    text
}

/// The gateway to measure: the one that was named, or a fresh release build.
pub(in crate::bench) fn build(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(path) = named {
        return fs::canonicalize(path)
            .with_context(|| format!("no gateway at {}; {}", path.display(), Peer::Tollgate.remedy()));
    }
    build::gateway(place::workspace()?, Profile::Release)
}

/// `tollgate 0.1.0`
pub(super) fn version(program: &Path) -> Option<String> {
    let (status, text) = service::output(program, &["--version"], Duration::from_secs(5)).ok()?;
    status.success().then(|| text.trim().to_owned())
}

/// A policy directory for the scenario: empty, or the three standard policies.
fn write_policies(folder: &Path, scenario: Scenario) -> anyhow::Result<()> {
    match scenario {
        Scenario::Chain => standard_policies(folder),
        Scenario::ChainExchange => {
            standard_policies(folder)?;
            STANDARD.iter().try_for_each(|name| {
                let file = folder.join(format!("{name}.toml"));
                let policy = fs::read_to_string(&file)?;
                place::write(&file, format!("isolation = \"exchange\"\n{policy}"))
            })
        }
        _ => Ok(fs::create_dir_all(folder)?),
    }
}

/// Their names, in their order.
const STANDARD: [&str; 3] = ["10-api-key", "20-rate-limit", "30-headers"];

/// The three standard policies: key, limit, header edit.
pub(in crate::bench) fn standard_policies(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let api_key =
        format!("[config]\nheader = \"x-api-key\"\nkeys = [{{ consumer = \"alice\", sha256 = \"{KEY_SHA256}\" }}]\n");
    place::write(&folder.join("10-api-key.toml"), api_key)?;
    let rate_limit = "[config]\nrequests = 1000000\nper = \"1s\"\nburst = 1000000\nkey = \"consumer\"\n";
    place::write(&folder.join("20-rate-limit.toml"), rate_limit)?;
    write_headers_policy(&folder.join("30-headers.toml"), "tollgate")
}

/// The header policy, with the value of `x-gateway` that tells one version from another.
pub(in crate::bench) fn write_headers_policy(file: &Path, gateway: &str) -> anyhow::Result<()> {
    let text = format!(
        "[config.request.set]\nx-consumer = \"{{consumer}}\"\n\n[config.response]\nremove = [\"server\"]\n\n\
         [config.response.set]\nx-gateway = \"{gateway}\"\n"
    );
    place::write(file, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_route_is_one_of_the_thousand() {
        let (all, one) = (routes(Scenario::Routes1000, true), routes(Scenario::Routes1000, false));
        assert_eq!((all.matches("[[routes]]").count(), one.matches("[[routes]]").count()), (1000, 1));
        assert!(all.contains(&one));
    }
}
