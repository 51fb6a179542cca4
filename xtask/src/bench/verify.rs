//! Before anything is measured: does each peer do the work that the others do?

use anyhow::{Context, ensure};

use super::http::{self, Response};
use super::peers::{Peer, Proxy};
use super::scenarios::{Downstream, Scenario};
use super::tls;

/// Asks the peer once for everything that the scenario stands for.
pub(super) fn verify(proxy: &Proxy, scenario: Scenario) -> anyhow::Result<()> {
    check(proxy, scenario).with_context(|| {
        format!(
            "{} does not do the work of {}, so its figures would mean nothing; mend its configuration (below \
             target/bench) or leave it out with --peer",
            proxy.peer.name(),
            scenario.name()
        )
    })
}

fn check(proxy: &Proxy, scenario: Scenario) -> anyhow::Result<()> {
    let response = get(proxy, scenario, scenario.path(), scenario.headers())?;
    let length = response.body.len();
    ensure!(response.status == 200, "status {} instead of 200", response.status);
    ensure!(length == scenario.body_length(), "{length} bytes instead of {}", scenario.body_length());
    let seen = get(proxy, scenario, scenario.inspection(), scenario.headers())?.body;
    let seen = String::from_utf8_lossy(&seen);
    ensure!(seen.contains("for=127.0.0.1;"), "the upstream saw no X-Forwarded-For of the client: {seen}");
    let proto = format!("proto={};", scenario.downstream().scheme());
    ensure!(seen.contains(&proto), "the upstream saw no X-Forwarded-Proto as it should be: {seen}");
    match scenario {
        Scenario::Chain | Scenario::ChainExchange => check_chain(proxy, &response, &seen),
        Scenario::Routes1000 => check_routes(proxy),
        _ => Ok(()),
    }
}

fn check_chain(proxy: &Proxy, response: &Response, seen: &str) -> anyhow::Result<()> {
    ensure!(response.field("x-gateway").is_some(), "no x-gateway in the response");
    ensure!(seen.contains("consumer=alice;"), "the upstream saw no x-consumer: {seen}");
    let keeps_server = matches!(proxy.peer, Peer::Nginx | Peer::NginxAgain);
    ensure!(keeps_server || response.field("server").is_none(), "the response still has a server field");
    let refused = get(proxy, Scenario::Chain, Scenario::Chain.path(), &[])?.status;
    ensure!(refused == 401, "status {refused} instead of 401 without a key");
    let refused = get(proxy, Scenario::Chain, Scenario::Chain.path(), &[("x-api-key", "wrong")])?.status;
    ensure!(refused == 401, "status {refused} instead of 401 with a wrong key");
    Ok(())
}

/// Another host and path that has a route (but with one route), and one that has none.
fn check_routes(proxy: &Proxy) -> anyhow::Result<()> {
    let scenario = Scenario::Routes1000;
    let inspection = scenario.inspection();
    let expected = if proxy.peer == Peer::TollgateOneRoute { 404 } else { 200 };
    let status = get(proxy, scenario, inspection, &[("host", "host-99.test")])?.status;
    ensure!(status == expected, "status {status} instead of {expected} for another host");
    let status = get(proxy, scenario, "/other/1k", &[("host", "host-50.test")])?.status;
    ensure!(status != 200, "status 200 for a path without a route");
    Ok(())
}

fn get(proxy: &Proxy, scenario: Scenario, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<Response> {
    let context = || format!("GET {path} failed");
    match scenario.downstream() {
        Downstream::Clear => http::get(proxy.address, path, headers).with_context(context),
        downstream => tls::get(proxy.address, downstream, path, headers).with_context(context),
    }
}
