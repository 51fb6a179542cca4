//! Stories of state that outlives exchanges: values, counters and leases in the gateway's own memory.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use tollgate_tests::{
    Answer, Request, RunningGateway, TestGateway, Upstream, eventually, example, guest, guest_component,
};

/// One route for each of three policies that run the same filter: `a` and `b` share a space, which `c` may read.
const SHARED: &str = r#"
[[listeners]]
address = "{listen}"
[upstreams.pool]
endpoints = ["{upstream}"]
[stores.sessions]
size = "64KiB"
[policies.a]
filter = "state.wasm"
grants = { store = ["sessions"] }
[policies.b]
filter = "state.wasm"
grants = { store = [{ name = "sessions", access = "write" }] }
[policies.c]
filter = "state.wasm"
grants = { store = [{ name = "sessions", access = "read" }] }
[[routes]]
path = { prefix = "/a" }
policies = ["a"]
upstream = "pool"
[[routes]]
path = { prefix = "/b" }
policies = ["b"]
upstream = "pool"
[[routes]]
path = { prefix = "/c" }
policies = ["c"]
upstream = "pool"
"#;

/// What the filter says to it.
#[track_caller]
fn ask(gateway: &RunningGateway, path: &str, deed: &str) -> String {
    let response = gateway.send(Request::get(path).field("x-do", deed));
    assert_eq!(response.status, 200, "{deed}");
    response.text()
}

/// With one worker, and so one instance, which remembers its lease.
fn alone(module: impl AsRef<[u8]>) -> (Upstream, RunningGateway) {
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).module("state", module).workers(1).start();
    (upstream, gateway)
}

#[track_caller]
fn does_everything(gateway: &RunningGateway) {
    let ask = |deed: &str| ask(gateway, "/", deed);
    for (deed, answer) in [
        ("get - k", "none"),
        ("set - k value 0", "done"),
        ("get - k", "value"),
        ("set - k  0", "done"),
        ("get - k", ""),
        ("swap - k other new 0", "false"),
        ("swap - k  new 0", "true"),
        ("swap - k - newer 0", "false"),
        ("get - k", "new"),
        ("append - k er", "newer"),
        ("increment - k 1 0", "NotACounter"),
        ("delete - k", "true"),
        ("delete - k", "false"),
        ("swap - k - 41 3600000", "true"),
        ("increment - k 1 0", "42"),
        ("increment - k -50 0", "-8"),
        ("get - k", "-8"),
        ("increment - k 9223372036854775807 0", "9223372036854775799"),
        ("increment - k 100 0", "NotACounter"),
        ("lease - k 3600000", "taken"),
        ("lease - k 3600000", "busy"),
        ("renew - k 3600000", "true"),
        ("release - k", "true"),
        ("release - k", "false"),
        ("lease - k 3600000", "taken"),
        ("get - *0", "TooLarge"),
        ("set - *1025 v 0", "TooLarge"),
        ("set - *1024 *65536 0", "done"),
        ("set - l *65537 0", "TooLarge"),
        ("get elsewhere k", "Denied"),
        ("set elsewhere k v 0", "Denied"),
        ("lease elsewhere k 1", "Denied"),
        ("take k 2", "allowed 1"),
        ("take k 2", "allowed 0"),
        ("take k 2", "refused 0"),
    ] {
        assert_eq!(ask(deed), answer, "{deed}");
    }
}

#[test]
fn a_filter_keeps_values_counters_and_leases() {
    let (_upstream, gateway) = alone(guest("state"));
    does_everything(&gateway);
}

#[test]
fn a_component_keeps_them_as_well() {
    let (_upstream, gateway) = alone(guest_component("state"));
    does_everything(&gateway);
}

#[test]
fn what_has_a_time_to_live_is_gone_after_it() {
    let (_upstream, gateway) = alone(guest("state"));
    ask(&gateway, "/", "set - v 1 20");
    ask(&gateway, "/", "increment - n 5 20");
    assert_eq!(ask(&gateway, "/", "lease - l 20"), "taken");
    eventually("the value is gone", || ask(&gateway, "/", "get - v") == "none");
    eventually("the counter begins anew", || ask(&gateway, "/", "increment - n 1 3600000") == "1");
    eventually("the lease is free", || ask(&gateway, "/", "lease - l 3600000") == "taken anew");
}

#[test]
fn all_workers_count_together() {
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).module("state", guest("state")).workers(4).start();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..25).for_each(|_| drop(ask(&gateway, "/", "increment - visits 1 0"))));
        }
    });
    assert_eq!(ask(&gateway, "/", "get - visits"), "200");
}

#[test]
fn policies_share_what_they_were_granted_and_nothing_else() {
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).config(SHARED).file("state.wasm", guest("state")).start();
    ask(&gateway, "/a", "set sessions k shared 0");
    ask(&gateway, "/a", "set - k own 0");
    for (path, deed, answer) in [
        ("/b", "get sessions k", "shared"),
        ("/b", "get - k", "none"),
        ("/c", "get sessions k", "shared"),
        ("/c", "set sessions k v 0", "ReadOnly"),
        ("/c", "increment sessions n 1 0", "ReadOnly"),
        ("/c", "lease sessions l 1", "ReadOnly"),
        ("/b", "lease sessions l 3600000", "taken"),
        ("/a", "lease sessions l 3600000", "busy"),
        ("/a", "delete sessions k", "true"),
        ("/b", "get sessions k", "none"),
        ("/a", "get - k", "own"),
    ] {
        assert_eq!(ask(&gateway, path, deed), answer, "{path}: {deed}");
    }
}

#[test]
fn a_full_space_takes_no_more_and_loses_nothing() {
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).config(SHARED).file("state.wasm", guest("state")).start();
    assert_eq!(ask(&gateway, "/a", "set sessions first *40000 0"), "done");
    assert_eq!(ask(&gateway, "/a", "set sessions second *40000 0"), "Full");
    assert_eq!(ask(&gateway, "/a", "set - second *40000 0"), "done", "the policy's own space is another");
    assert_eq!(ask(&gateway, "/b", "get sessions first").len(), 40_000);
    let value = |family: &str| gateway.metric(&format!("tollgate_store_{family}"));
    assert_eq!(value("refused_total{space=\"sessions\"}"), 1.0);
    assert_eq!(value("operations_total{space=\"sessions\",operation=\"set\"}"), 2.0);
    assert_eq!(value("operations_total{space=\"policy/a\",operation=\"set\"}"), 1.0);
    eventually("the size is told", || value("bytes{space=\"sessions\"}") == 40_133.0);
    assert_eq!(value("entries{space=\"sessions\"}"), 1.0);
    gateway.change(|gateway| gateway.write_config(&SHARED.replace("64KiB", "128KiB")));
    assert_eq!(ask(&gateway, "/a", "set sessions second *40000 0"), "done", "the bound has changed");
    assert_eq!(ask(&gateway, "/b", "get sessions first").len(), 40_000);
}

#[test]
fn state_survives_a_change_of_configuration_and_module() {
    let (_upstream, gateway) = alone(guest("state"));
    ask(&gateway, "/", "increment - visits 7 0");
    gateway.change(|gateway| gateway.write_policy("state", "limits.memory = \"8MiB\"\n[config]\n"));
    assert_eq!(ask(&gateway, "/", "increment - visits 1 0"), "8");
    gateway.change(|gateway| gateway.replace_module("state", guest_component("state")));
    assert_eq!(ask(&gateway, "/", "increment - visits 1 0"), "9");
}

#[test]
fn the_store_is_for_hooks_of_an_exchange() {
    let upstream = Upstream::start();
    let misplaced = |place: &str| {
        let config = format!("[config]\nmisplaced = {place:?}\n");
        TestGateway::new().upstream(&upstream).module("state", guest("state")).policy("state", &config)
    };
    let message = misplaced("configure").try_start().err().unwrap();
    assert!(message.contains("the store may not be called while no hook of an exchange runs"), "{message}");
    let gateway = misplaced("end").start();
    assert_eq!(ask(&gateway, "/", "get - k"), "none");
    let faults = || gateway.metric("tollgate_filter_faults_total{policy=\"state\",class=\"refused\"}");
    eventually("the fault is counted", || faults() == 1.0);
}

#[test]
fn a_grant_of_what_there_is_not_is_a_problem() {
    let gateway = TestGateway::new()
        .upstream(&Upstream::start())
        .config(&SHARED.replace("[\"sessions\"]", "[\"session\"]"))
        .file("state.wasm", guest("state"));
    let message = gateway.check().unwrap_err();
    assert_eq!(
        message,
        "tollgate.toml:10: policies.a.grants.store[0]: there is no store \"session\"; \
         add [stores.session] to the config file; did you mean \"sessions\"?"
    );
}

#[test]
fn the_example_bars_who_fails_to_log_in_too_often() {
    let upstream = Upstream::answering(Answer::status(401));
    let gateway = TestGateway::new()
        .upstream(&upstream)
        .module("login-guard", example("login-guard"))
        .policy("login-guard", "[config]\nattempts = 3\nwindow = 3600\n")
        .start();
    let statuses: Vec<_> = (0..5).map(|_| gateway.get("/login").status).collect();
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    assert_eq!(upstream.requests().len(), 3);
}
