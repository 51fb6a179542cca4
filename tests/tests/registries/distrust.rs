//! Versions that served before, held to whom is trusted today: what serves goes on, and nothing is begun with that is refused now.

use std::fs;

use tollgate_tests::{Binary, Finished, RunningGateway, eventually, filter};

use super::gateways::{ACME, CONFIG, Setting, serves};
use super::said;

/// Of whoever has the other key.
const OTHER: &str = "[[trust]]\nregistries = [\"*\"]\nkeys = [\"other.pub\"]\n";

/// From now on somebody else is trusted.
fn trust(gateway: &RunningGateway, trust: &str) {
    gateway.change(|gateway| gateway.write_config(&CONFIG.replace("{trust}", trust)));
}

/// Why the version that serves would be refused now.
fn distrust(gateway: &RunningGateway) -> Option<String> {
    gateway.policy("headers")["no-longer-trusted"].as_str().map(ToOwned::to_owned)
}

fn version(gateway: &RunningGateway) -> String {
    gateway.policy("headers")["version"].as_str().unwrap().to_owned()
}

fn operate(gateway: &RunningGateway, args: &[&str]) -> Finished {
    let state = gateway.path().join("state").display().to_string();
    let (command, rest) = args.split_first().unwrap();
    Binary::finish(gateway.path(), &[&[*command, "--state-dir", &state], rest].concat())
}

const REFUSAL: &str = "the module of \"headers\" is not trusted: none of its 1 signatures is by a key that is trusted";

#[test]
fn what_serves_goes_on_when_its_key_is_taken_away_through_a_restart_without_the_registry() {
    let mut setting = Setting::new();
    setting.push("1.wasm", &["--key", "acme.key"]);
    let gateway = setting.gateway(&setting.tag(), "every = \"1s\"", ACME).start();
    assert_eq!((distrust(&gateway), gateway.metric("tollgate_policies_no_longer_trusted")), (None, 0.0));
    trust(&gateway, OTHER);
    let is_told = |gateway: &RunningGateway| {
        assert!(distrust(gateway).unwrap().contains(REFUSAL), "{}", gateway.policy("headers"));
        assert_eq!(gateway.policy("headers")["state"], "kept");
        assert_eq!(gateway.metric("tollgate_policies_no_longer_trusted"), 1.0);
        assert!(serves(gateway));
    };
    is_told(&gateway);
    let before = version(&gateway);
    setting.registry.kill();
    let gateway = gateway.stop().try_restart().unwrap();
    is_told(&gateway);
    assert_eq!(version(&gateway), before);
    setting.registry.start_again();
    setting.push("2.wasm", &["--key", "other.key"]);
    eventually("one that is trusted is live", || distrust(&gateway).is_none());
    assert!(version(&gateway) != before && serves(&gateway));
    assert!(gateway.policy("headers")["trial"].is_null(), "there is nothing to go back to");
    assert_eq!(gateway.metric("tollgate_policies_no_longer_trusted"), 0.0);
}

#[test]
fn a_start_that_is_to_serve_what_is_written_and_nothing_else_refuses_it() {
    let setting = Setting::new();
    setting.push("1.wasm", &["--key", "acme.key"]);
    let gateway = setting.gateway(&setting.tag(), "", ACME).start();
    let files = gateway.stop().word("trust", OTHER);
    let refused = Binary::spawn(&[], &files.run_args(&["--no-last-known-good"])).wait();
    assert!(!refused.status.success() && refused.stderr.contains(REFUSAL), "{refused:?}");
}

#[test]
fn a_version_that_is_refused_now_is_not_gone_back_to() {
    let setting = Setting::new();
    let sign = |version: &str, key: &str| said(&setting.folder, &["sign", version, "--key", key]);
    let files = |who: &str| format!("[[trust]]\nfiles = [\"modules/*\"]\nkeys = [\"{who}.pub\"]\n");
    let both = "[[trust]]\nfiles = [\"modules/*\"]\nkeys = [\"acme.pub\", \"other.pub\"]\n";
    let put = |gateway: &RunningGateway, version: &str| {
        let read = |name: &str| fs::read(setting.folder.path().join(name)).unwrap();
        gateway.replace_file("modules/a.wasm.sig", read(&format!("{version}.sig")));
        gateway.replace_file("modules/a.wasm", read(version));
    };
    for (version, key) in [("1.wasm", "acme.key"), ("2.wasm", "other.key")] {
        sign(version, key);
    }
    let signature = fs::read(setting.folder.path().join("1.wasm.sig")).unwrap();
    let gateway = setting.gateway("modules/a.wasm", "trial = false", both).file("modules/a.wasm", filter("headers"));
    let gateway = gateway.file("modules/a.wasm.sig", signature).start();
    let first = version(&gateway);
    gateway.change(|gateway| put(gateway, "2.wasm"));
    let second = version(&gateway);
    assert_ne!(first, second, "{}", gateway.policy("headers"));
    trust(&gateway, &files("other"));
    assert_eq!(distrust(&gateway), None);
    for args in [&["rollback", "headers"][..], &["rollback", "headers", &first], &["pin", "headers", &first]] {
        let told = operate(&gateway, args);
        let expected = format!("what served before serves on: version {first} of \"headers\" may not serve any more");
        assert!(!told.status.success() && told.stderr.contains(&expected), "{told:?}");
        assert!(told.stderr.contains("the module of \"a\" is not trusted: none of its 1 signatures"), "{told:?}");
        assert_eq!((version(&gateway), gateway.policy("headers")["held"].is_null()), (second.clone(), true));
    }
    trust(&gateway, both);
    let told = operate(&gateway, &["rollback", "headers"]);
    assert!(told.status.success(), "{told:?}");
    assert_eq!(version(&gateway), first);
    // What was rolled back to is not taken down either.
    trust(&gateway, &files("other"));
    assert_eq!((version(&gateway), distrust(&gateway).is_some()), (first.clone(), true));
    let gateway = gateway.stop().try_restart().unwrap();
    assert_eq!((version(&gateway), distrust(&gateway).is_some(), serves(&gateway)), (first, true, true));
}

#[test]
fn what_is_pinned_is_there_after_a_restart_and_said_to_be_no_longer_trusted() {
    let setting = Setting::new();
    setting.push("1.wasm", &["--key", "acme.key"]);
    let gateway = setting.gateway(&setting.tag(), "", ACME).start();
    let pinned = version(&gateway);
    assert!(operate(&gateway, &["pin", "headers"]).status.success());
    trust(&gateway, OTHER);
    assert!(distrust(&gateway).unwrap().contains(REFUSAL), "{}", gateway.policy("headers"));
    let gateway = gateway.stop().try_restart().unwrap();
    assert_eq!((version(&gateway), serves(&gateway)), (pinned, true));
    assert_eq!(gateway.policy("headers")["held"]["how"], "pinned");
    assert!(distrust(&gateway).unwrap().contains(REFUSAL));
}

#[test]
fn a_signature_by_the_next_key_counts_for_what_is_kept() {
    let setting = Setting::new();
    setting.push("1.wasm", &["--key", "acme.key"]);
    let both = "[[trust]]\nregistries = [\"*\"]\nkeys = [\"other.pub\", \"acme.pub\"]\n";
    let gateway = setting.gateway(&setting.tag(), "every = \"1s\"", both).start();
    let first = version(&gateway);
    said(&setting.folder, &["sign", &setting.tag(), "--key", "other.key"]);
    trust(&gateway, OTHER);
    eventually("the signature is found", || gateway.policy("headers")["state"] == "live");
    assert_eq!((version(&gateway), distrust(&gateway)), (first.clone(), None));
    setting.push("2.wasm", &["--key", "other.key"]);
    eventually("the next version is live", || version(&gateway) != first);
    let told = operate(&gateway, &["rollback", "headers", &first]);
    assert!(told.status.success(), "{told:?}");
    assert_eq!((version(&gateway), distrust(&gateway)), (first, None));
}
