//! Stories of a gateway that several teams share: what each may have, attach and grant, and what becomes of what it may not.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod filters;
mod life;
mod listing;
mod refusals;
mod registries;

use tollgate_tests::{Request, Response, RunningGateway, TestGateway, Upstream};

const CONFIG: &str = "catalogue = \"catalogue.toml\"\npolicies-dir = \"policies\"\n[[listeners]]\naddress = \"{listen}\"\n\
    [upstreams.shop]\nendpoints = [\"{upstream}\"]\n[upstreams.pay]\nendpoints = [\"{upstream}\"]\n\
    [secrets.key]\nfile = \"key.txt\"\n[stores.shared]\n{more}\n[[routes]]\nname = \"all\"\nupstream = \"shop\"\n";

/// Two teams, the first with its requests and these keys besides.
fn catalogue(keys: &str) -> String {
    format!(
        "[teams.pay]\ndescription = \"Payments\"\nroutes = {{ hosts = [\"pay.test\"], paths = [\"/pay/*\"] }}\n\
         upstreams = [\"pay\"]\n{keys}\n[teams.search]\n"
    )
}

/// The routes of the first team.
fn routes(keys: &str) -> String {
    format!("[[routes]]\nhosts = [\"pay.test\"]\npath = {{ prefix = \"/pay\" }}\nupstream = \"pay\"\n{keys}\n")
}

/// A policy that marks responses.
fn mark(text: &str) -> String {
    format!("filter = \"headers\"\n[config.response.set]\nx-mark = {text:?}\n")
}

/// A gateway with that catalogue, and nothing of any team.
fn gateway(upstream: &Upstream, catalogue: &str) -> TestGateway {
    let gateway = TestGateway::new().upstream(upstream).config(CONFIG).word("more", "").workers(1);
    gateway.file("catalogue.toml", catalogue).file("key.txt", "secret")
}

/// A gateway whose first team has a policy on a route of its own.
fn with_pay(upstream: &Upstream, keys: &str, policy: &str) -> TestGateway {
    let gateway = gateway(upstream, &catalogue(keys));
    gateway
        .file("policies/pay/pay-mark.toml", policy)
        .file("policies/pay/pay.routes.toml", routes("policies = [\"pay-mark\"]"))
}

fn get(gateway: &RunningGateway, path: &str) -> Response {
    gateway.send(Request::get(path).field("host", "pay.test"))
}

/// What the team's policy has written on the response.
fn marked(gateway: &RunningGateway, path: &str) -> Option<String> {
    get(gateway, path).fields.get("x-mark").map(ToOwned::to_owned)
}
