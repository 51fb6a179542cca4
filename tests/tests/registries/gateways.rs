//! Gateways whose policies have their modules in registries and bundles.

use std::fs;
use std::net::TcpListener;

use serde_json::Value;
use tollgate_tests::{
    Binary, ClosedPort, Folder, Registry, RunningGateway, TestGateway, Upstream, append_section, eventually, filter,
};

use super::{P256, digest, make_keys, said};

pub(super) const CONFIG: &str = r#"
[[listeners]]
address = "{listen}"
[upstreams.a]
endpoints = ["{upstream}"]
[[routes]]
upstream = "a"
policies = ["headers"]
[policies.headers]
filter = "{filter}"
{more}
[policies.headers.config.response.set]
x-here = "yes"
{trust}
"#;

/// Of anybody.
const ANYBODY: &str = "[[trust]]\nregistries = [\"*\"]\nunsigned = \"warn\"\n";
/// Of whoever has the key.
pub(super) const ACME: &str = "[[trust]]\nregistries = [\"*\"]\nkeys = [\"acme.pub\"]\n";

/// A registry with a filter in two versions, and files of whoever works with it.
pub(super) struct Setting {
    pub(super) registry: Registry,
    pub(super) folder: Folder,
    upstream: Upstream,
}

impl Setting {
    pub(super) fn new() -> Self {
        let (registry, folder, upstream) = (Registry::start(), Folder::new(), Upstream::start());
        folder.write("1.wasm", filter("headers"));
        let mut second = filter("headers");
        append_section(&mut second, "note", b"another");
        folder.write("2.wasm", second);
        make_keys(folder.path(), "acme", P256);
        make_keys(folder.path(), "other", P256);
        Self { registry, folder, upstream }
    }

    /// Pushes a version under a tag; gives the artifact's digest.
    pub(super) fn push(&self, version: &str, more: &[&str]) -> String {
        let at = format!("{}/acme/headers:stable", self.registry.host());
        digest(&said(&self.folder, &[&["push", version, &at], more].concat()))
    }

    pub(super) fn tag(&self) -> String {
        format!("oci://{}/acme/headers:stable", self.registry.host())
    }

    pub(super) fn gateway(&self, filter: &str, more: &str, trust: &str) -> TestGateway {
        let key = |name: &str| fs::read(self.folder.path().join(name)).unwrap();
        let gateway = TestGateway::new().upstream(&self.upstream).config(CONFIG).own_state();
        let gateway = gateway.file("acme.pub", key("acme.pub")).file("other.pub", key("other.pub"));
        gateway.word("filter", filter).word("more", more).word("trust", trust)
    }
}

pub(super) fn serves(gateway: &RunningGateway) -> bool {
    gateway.get("/").field("x-here") == Some("yes")
}

fn source(gateway: &RunningGateway, key: &str) -> Value {
    gateway.policy("headers")["source"][key].clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Stages of the policy, the oldest first: stage, outcome, who.
fn history(gateway: &RunningGateway) -> Vec<(String, String, String)> {
    let page = gateway.admin("/history?policy=headers").json();
    let of = |record: &Value, key: &str| text(&record[key]).to_owned();
    let records = page["history"].as_array().unwrap().iter().rev();
    records.map(|record| (of(record, "stage"), of(record, "outcome"), of(record, "by"))).collect()
}

#[test]
fn a_module_by_its_digest_is_fetched_once() {
    let mut setting = Setting::new();
    let pushed = setting.push("1.wasm", &[]);
    let by_digest = format!("{}@{pushed}", setting.tag());
    let gateway = setting.gateway(&by_digest, "", ANYBODY).start();
    assert!(serves(&gateway));
    assert_eq!(source(&gateway, "artifact"), pushed);
    let stages: Vec<_> = history(&gateway).into_iter().map(|(stage, ..)| stage).collect();
    assert_eq!(stages[..2], ["fetch", "verify"]);
    setting.registry.kill();
    let gateway = gateway.stop().try_restart().unwrap();
    assert!(serves(&gateway));
    assert_eq!((source(&gateway, "artifact"), source(&gateway, "last-error")), (pushed.into(), Value::Null));
    assert_eq!(gateway.policy("headers")["state"], "live");
}

#[test]
fn a_tag_that_moves_is_a_change() {
    let setting = Setting::new();
    let first = setting.push("1.wasm", &[]);
    let gateway = setting.gateway(&setting.tag(), "every = \"1s\"", ANYBODY).start();
    assert_eq!(source(&gateway, "artifact"), first);
    let before = history(&gateway).len();
    let second = setting.push("2.wasm", &[]);
    eventually("the new version is live", || source(&gateway, "artifact") == second);
    assert!(serves(&gateway));
    let change = history(&gateway)[before..].to_vec();
    assert!(change.iter().all(|(_, outcome, by)| outcome == "done" && by == "registry"), "{change:?}");
    let stages: Vec<_> = change.iter().map(|(stage, ..)| stage.as_str()).collect();
    assert_eq!(stages.first().zip(stages.last()), Some((&"fetch", &"promote")));
    assert!(gateway.metric("tollgate_registry_looks_total{outcome=\"fetched\"}") >= 2.0);
}

#[test]
fn a_registry_that_is_down_changes_nothing_of_what_serves() {
    let mut setting = Setting::new();
    let pushed = setting.push("1.wasm", &[]);
    let gateway = setting.gateway(&setting.tag(), "every = \"1s\"", ANYBODY).start();
    setting.registry.kill();
    eventually("it is noticed", || text(&source(&gateway, "last-error")).contains("cannot be reached"));
    assert!(serves(&gateway) && gateway.policy("headers")["state"] == "live");
    assert!(gateway.metric("tollgate_registry_looks_total{outcome=\"failed\"}") > 0.0);
    let failed = ("fetch".to_owned(), "failed".to_owned(), "registry".to_owned());
    assert_eq!(history(&gateway).iter().filter(|record| **record == failed).count(), 1, "told once");
    // Nor does it change a start, or other changes.
    let gateway = gateway.stop().try_restart().unwrap();
    assert!(serves(&gateway));
    gateway.change(|gateway| gateway.write_config(&CONFIG.replace("\"yes\"", "\"indeed\"")));
    assert_eq!(gateway.get("/").field("x-here"), Some("indeed"));
    setting.registry.start_again();
    eventually("it is there again", || source(&gateway, "last-error").is_null());
    assert_eq!(source(&gateway, "artifact"), pushed);
}

#[test]
fn a_start_without_anything_says_what_cannot_be_had() {
    let setting = Setting::new();
    let nobody = ClosedPort::new();
    let filter = format!("oci://{}/acme/headers:1", nobody.address());
    let gateway = setting.gateway(&filter, "", ANYBODY);
    let refused = gateway.try_start().err().unwrap();
    assert!(refused.contains("policies.headers.filter: ") && refused.contains("cannot be fetched: "), "{refused}");
    let unknown = setting.gateway(&format!("{}@sha256:{}", setting.tag(), "0".repeat(64)), "", ANYBODY);
    let refused = unknown.try_start().err().unwrap();
    assert!(refused.contains("there is no acme/headers:sha256:000"), "{refused}");
}

#[test]
fn what_cannot_be_had_yet_is_live_when_it_can() {
    let setting = Setting::new();
    let gateway = setting.gateway("headers", "", ANYBODY).start();
    let later = CONFIG.replace("{filter}", &setting.tag()).replace("{more}", "every = \"1s\"");
    gateway.change(|gateway| gateway.write_config(&later));
    let policy = gateway.policy("headers");
    assert_eq!(policy["state"], "kept");
    assert!(text(&policy["last-error"]).contains("there is no acme/headers:stable"), "{policy}");
    assert!(serves(&gateway));
    let pushed = setting.push("1.wasm", &[]);
    eventually("it is live", || source(&gateway, "artifact") == pushed);
    assert_eq!(gateway.policy("headers")["state"], "live");
}

#[test]
fn a_version_that_is_rolled_back_stays_away_until_the_tag_moves_again() {
    let setting = Setting::new();
    let first = setting.push("1.wasm", &[]);
    let gateway = setting.gateway(&setting.tag(), "every = \"1s\"", ANYBODY).start();
    let old = gateway.policy("headers")["version"].clone();
    let second = setting.push("2.wasm", &[]);
    eventually("the new version is live", || source(&gateway, "artifact") == second);
    let state = gateway.path().join("state").display().to_string();
    let rolled_back = Binary::finish(gateway.path(), &["rollback", "--state-dir", &state, "headers"]);
    assert!(rolled_back.status.success(), "{rolled_back:?}");
    let looks = || gateway.metric("tollgate_registry_looks_total{outcome=\"unchanged\"}");
    let before = looks();
    eventually("the tag is looked at", || looks() > before);
    assert_eq!(gateway.policy("headers")["version"], old);
    // The registry has it by its digest still.
    said(&setting.folder, &["pull", &format!("{}@{first}", setting.tag()), "-o", "back.wasm"]);
    let mut third = filter("headers");
    append_section(&mut third, "note", b"a third");
    setting.folder.write("3.wasm", third);
    let third = setting.push("3.wasm", &[]);
    eventually("the next version is live", || source(&gateway, "artifact") == third);
    assert!(serves(&gateway));
}

#[test]
fn a_registry_that_never_answers_is_given_up() {
    let setting = Setting::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = silent.local_addr().unwrap().to_string();
    let gateway = setting.gateway("headers", "", ANYBODY).start();
    let filter = format!("oci://{host}/acme/headers:1");
    let bounded = format!("{CONFIG}\n[registries.\"{host}\"]\ntimeout = \"1s\"\n");
    gateway.change(|gateway| gateway.write_config(&bounded.replace("{filter}", &filter)));
    assert_eq!(gateway.policy("headers")["state"], "kept");
    assert!(text(&gateway.policy("headers")["last-error"]).contains("cannot be had within 1 s"));
    assert!(serves(&gateway));
}

mod trust {
    use super::*;

    #[test]
    fn goes_by_keys_and_nobody_else_is_run() {
        let setting = Setting::new();
        setting.push("1.wasm", &[]);
        let refused = setting.gateway(&setting.tag(), "", ACME).try_start().err().unwrap();
        assert!(refused.contains("the module of \"headers\" is not trusted: it is not signed"), "{refused}");
        let refused = setting.gateway(&setting.tag(), "", "").try_start().err().unwrap();
        assert!(refused.contains("nobody has said whom to trust with "), "{refused}");
        setting.push("1.wasm", &["--key", "other.key"]);
        let refused = setting.gateway(&setting.tag(), "", ACME).try_start().err().unwrap();
        assert!(refused.contains("none of its 1 signatures is by a key that is trusted"), "{refused}");
        setting.push("1.wasm", &["--key", "acme.key"]);
        let gateway = setting.gateway(&setting.tag(), "", ACME).start();
        assert!(serves(&gateway));
        assert_eq!(text(&source(&gateway, "signed-by")).len(), 12);
    }

    #[test]
    fn a_tag_that_moves_to_what_nobody_has_signed_is_rejected_until_somebody_has() {
        let setting = Setting::new();
        let first = setting.push("1.wasm", &["--key", "acme.key"]);
        let gateway = setting.gateway(&setting.tag(), "every = \"1s\"", ACME).start();
        let second = setting.push("2.wasm", &[]);
        eventually("it is rejected", || gateway.policy("headers")["state"] == "kept");
        assert!(serves(&gateway));
        let (stage, outcome, by) = history(&gateway).last().unwrap().clone();
        assert_eq!((stage.as_str(), outcome.as_str(), by.as_str()), ("verify", "failed", "registry"));
        assert_ne!(source(&gateway, "artifact"), second);
        said(&setting.folder, &["sign", &setting.tag(), "--key", "acme.key"]);
        eventually("it is live", || source(&gateway, "artifact") == second);
        assert!(first != second && gateway.policy("headers")["state"] == "live");
    }

    #[test]
    fn files_may_be_held_to_signatures_beside_them() {
        let setting = Setting::new();
        let trust = "[[trust]]\nfiles = [\"modules/*\"]\nkeys = [\"acme.pub\"]\n";
        let gateway = || setting.gateway("modules/a.wasm", "", trust).file("modules/a.wasm", filter("headers"));
        let refused = gateway().try_start().err().unwrap();
        assert!(refused.contains("the module of \"a\" is not trusted: it is not signed"), "{refused}");
        said(&setting.folder, &["sign", "1.wasm", "--key", "acme.key"]);
        let signature = fs::read(setting.folder.path().join("1.wasm.sig")).unwrap();
        let gateway = gateway().file("modules/a.wasm.sig", signature).start();
        assert!(serves(&gateway));
        gateway.change(|gateway| {
            gateway.replace_file("modules/a.wasm", fs::read(setting.folder.path().join("2.wasm")).unwrap())
        });
        let policy = gateway.policy("headers");
        assert_eq!(policy["state"], "kept", "the signature is of another module: {policy}");
    }
}

#[test]
fn a_bundle_is_a_file_like_any_other() {
    let setting = Setting::new();
    let first = setting.push("1.wasm", &["--key", "acme.key"]);
    let files =
        setting.gateway("oci:bundle:1", "", "[[trust]]\nregistries = [\"oci:bundle\"]\nkeys = [\"acme.pub\"]\n");
    let bundle = format!("oci:{}:1", files.folder().path().join("bundle").display());
    said(&setting.folder, &["pull", &setting.tag(), "-o", &bundle]);
    let gateway = files.start();
    assert!(serves(&gateway));
    assert_eq!(source(&gateway, "artifact"), first);
    let second = setting.push("2.wasm", &["--key", "acme.key"]);
    said(&setting.folder, &["pull", &setting.tag(), "-o", &bundle]);
    eventually("the new version is live", || source(&gateway, "artifact") == second);
    assert_eq!(gateway.policy("headers")["state"], "live");
}

#[test]
fn check_goes_to_no_network_unless_it_is_told_to() {
    let setting = Setting::new();
    setting.push("1.wasm", &[]);
    let gateway = setting.gateway(&setting.tag(), "", ANYBODY);
    gateway.check().unwrap();
    let args = gateway.source_args();
    let check = |more: &[&str]| {
        let args: Vec<&str> =
            ["check"].into_iter().chain(args.iter().map(String::as_str)).chain(more.iter().copied()).collect();
        Binary::finish(gateway.folder().path(), &args)
    };
    let said = check(&[]);
    assert!(
        said.stdout.contains(&format!("policy headers: {} was not fetched; --pull does", setting.tag())),
        "{said:?}"
    );
    let said = check(&["--pull"]);
    assert!(said.stdout.contains("policy headers: headers "), "{said:?}");
    drop(setting.registry);
    assert!(check(&[]).status.success());
    assert!(check(&["--pull"]).stderr.contains("cannot be reached"));
}

#[test]
fn what_is_written_wrong_is_told_at_once() {
    let setting = Setting::new();
    let by_digest = format!("{}@sha256:{}", setting.tag(), "0".repeat(64));
    let trust = "[[trust]]\nregistries = [\"ghcr.io/acme*\"]\n[[trust]]\nfiles = [\"a\"]\nkeys = [\"none.pub\"]\n\
                 [registries.\"a/b\"]\nmirrors = [\"x\"]\nca = \"none.pem\"\n";
    let problems = setting.gateway(&by_digest, "every = \"5m\"", trust).check().unwrap_err();
    for part in [
        "policies.headers.every: is about a tag in a registry that is followed",
        "trust[0]: has no keys, so nothing could be trusted",
        "trust[0].registries[0]: \"ghcr.io/acme*\" is no pattern of repositories",
        "trust[1].keys[0]: \"none.pub\" cannot be read",
        "registries.\"a/b\": is no host of a registry",
        "mirrors[0]: \"x\" is no registry",
        "ca: \"none.pem\" cannot be read",
    ] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
    let unversioned = setting.gateway("oci://ghcr.io/acme/headers", "", "").check().unwrap_err();
    assert!(unversioned.contains("policies.headers.filter: names no version; write it like"), "{unversioned}");
}
