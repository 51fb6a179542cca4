//! The gateway itself.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::build::{self, Profile};

use super::{Peer, loopback};
use crate::bench::scenarios::{KEY_SHA256, Scenario};
use crate::bench::service::{self, Service};
use crate::bench::{http, place};

/// A running gateway with two workers.
pub(in crate::bench) struct Gateway {
    pub(in crate::bench) service: Service,
    pub(in crate::bench) address: SocketAddr,
}

impl Gateway {
    /// Starts it in front of `upstream` and waits until it says that it is ready.
    pub(in crate::bench) fn start(
        program: &Path,
        folder: &Path,
        policies: &Path,
        upstream: SocketAddr,
    ) -> anyhow::Result<Self> {
        ensure!(program.is_file(), "no gateway at {}; {}", program.display(), Peer::Tollgate.remedy());
        let [port, admin] = place::free_ports()?;
        let (listen, admin_text) = (loopback(port).to_string(), loopback(admin).to_string());
        let upstream = format!("http://{upstream}");
        let policies = policies.to_string_lossy();
        let args = [
            "run",
            "--listen",
            &listen,
            "--upstream",
            &upstream,
            "--policies",
            &policies,
            "--admin",
            &admin_text,
            "--workers",
            "2",
        ];
        let mut service = Service::start("tollgate", program, &args, folder)?;
        service
            .wait_until(|| http::get(loopback(admin), "/ready", &[]).is_ok_and(|response| response.status == 200))?;
        Ok(Self { service, address: loopback(port) })
    }

    /// For those who treat it like any peer.
    pub(super) fn into_parts(self) -> (Service, SocketAddr) {
        (self.service, self.address)
    }
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
pub(super) fn write_policies(folder: &Path, scenario: Scenario) -> anyhow::Result<()> {
    match scenario {
        Scenario::Plain1k | Scenario::Body100k => Ok(fs::create_dir_all(folder)?),
        Scenario::Chain => standard_policies(folder),
    }
}

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
