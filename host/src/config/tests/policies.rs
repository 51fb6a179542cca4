//! Policies: the directory, the tables of the config file, and the code behind them.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, time::Duration};

use http::StatusCode;

use super::super::{FaultAnswer, Isolation, OnFault, PolicyLimits, Share};
use super::*;
use crate::telemetry::FaultClass;

fn problems(folder: &Folder, config: &Config, name: &str) -> Vec<String> {
    folder.show(entry(config, name).policy.as_ref().expect_err("the policy has problems"))
}

#[test]
fn a_policy_is_a_module_a_toml_or_both() {
    let folder = Folder::new()
        .file("policies/30-mine.wasm", "")
        .file("policies/20-rate-limit.toml", "[config]\nrequests = 5\n")
        .file("policies/10-other.wasm", "")
        .file(
            "policies/10-other.toml",
            "on-fault = \"bypass\"\nisolation = \"exchange\"\n\n[config]\nwhen = 2024-01-02\n",
        );
    let config = folder.load_dir();
    assert_eq!(names(&config), ["10-other", "20-rate-limit", "30-mine"]);
    assert_eq!(config.routes[0].policies, names(&config));
    assert_eq!(code(&config, "10-other"), "10-other.wasm");
    assert_eq!(code(&config, "20-rate-limit"), "bundled rate-limit");
    assert_eq!(code(&config, "30-mine"), "30-mine.wasm");
    let other = policy(&config, "10-other");
    assert_eq!((other.on_fault, other.isolation), (OnFault::all(FaultAnswer::Bypass), Isolation::Exchange));
    assert_eq!(other.config, serde_json::json!({ "when": "2024-01-02" }));
    assert_eq!((other.place.line, &other.place.file), (Some(4), &folder.path("policies/10-other.toml")));
    let mine = policy(&config, "30-mine");
    assert_eq!(mine.config, serde_json::json!({}));
    assert_eq!((&mine.limits, mine.isolation), (&PolicyLimits::default(), Isolation::Shared));
    assert_eq!((mine.place.line, &mine.place.file), (None, &folder.path("policies/30-mine.wasm")));
    assert_eq!(config.files.len(), 4);
}

#[test]
fn limits_are_within_bounds() {
    let good = "filter = \"headers\"\nlimits = { cpu = \"20ms\", memory = \"1MiB\", body = \"4KiB\", configure = \"2s\", recycle = 1000, exchange-cpu = \"9ms\", exchanges = 7 }\n";
    let bad = "filter = \"headers\"\non-fault = \"open\"\nisolation = \"none\"\n[limits]\ncpu = \"11s\"\nmemory = 1000\nfuel = 1\n";
    let folder = Folder::new().file("policies/a.toml", good).file("policies/b.toml", bad);
    let config = folder.load_dir();
    let limits = &policy(&config, "a").limits;
    assert_eq!((limits.cpu, limits.memory, limits.body), (Duration::from_millis(20), 1 << 20, 4 << 10));
    assert_eq!((limits.configure, limits.recycle), (Duration::from_secs(2), Some(1000)));
    assert_eq!((limits.exchange_cpu, limits.exchanges), (Some(Duration::from_millis(9)), Some(7)));
    assert_eq!(
        problems(&folder, &config, "b"),
        [
            "policies/b.toml:2: on-fault: \"open\" is not known; write \"deny\" or \"bypass\"",
            "policies/b.toml:3: isolation: \"none\" is not known; write \"shared\" or \"exchange\"",
            "policies/b.toml:5: limits.cpu: \"11s\" is out of range; \
             write a duration from \"1ms\" to \"10s\", in ms, s, m or h",
            "policies/b.toml:6: limits.memory: \"1000\" is out of range; \
             write a size from \"64KiB\" to \"1GiB\", in KiB, MiB or GiB, or a plain number of bytes",
            "policies/b.toml:7: limits.fuel: unknown key; \
             known keys: body, callout-body, callout-timeout, callouts, configure, cpu, \
             exchange-cpu, exchanges, instances, memory, recycle, store, tick-cpu, tick-timeout",
        ]
    );
}

#[test]
fn faults_are_answered_by_class() {
    let good = "filter = \"headers\"\non-fault = { status = 500, deadline = \"bypass\", state-lost = \"deny\" }\n";
    let other = "filter = \"headers\"\non-fault = { default = \"bypass\", trap = \"deny\" }\n";
    let bad = "filter = \"headers\"\non-fault = { status = 200, dedline = \"deny\", trap = true, memory = \"open\" }\n";
    let files = [("a", good), ("b", other), ("c", bad)];
    let folder =
        files.iter().fold(Folder::new(), |folder, (name, text)| folder.file(&format!("policies/{name}.toml"), text));
    let config = folder.load_dir();
    let of = |policy_name: &str, class| policy(&config, policy_name).on_fault.of(class);
    let denied = |status| FaultAnswer::Deny(StatusCode::from_u16(status).unwrap());
    assert_eq!(of("a", FaultClass::Deadline), FaultAnswer::Bypass);
    assert_eq!((of("a", FaultClass::Trap), of("a", FaultClass::StateLost)), (denied(500), denied(500)));
    assert_eq!((of("b", FaultClass::Trap), of("b", FaultClass::Memory)), (denied(503), FaultAnswer::Bypass));
    assert_eq!(
        problems(&folder, &config, "c"),
        [
            "policies/c.toml:2: on-fault.status: 200 is out of range; write a number from 400 to 599",
            "policies/c.toml:2: on-fault.trap: is a boolean, not a string; put it in quotes: \"…\"",
            "policies/c.toml:2: on-fault.memory: \"open\" is not known; write \"deny\" or \"bypass\"",
            "policies/c.toml:2: on-fault.dedline: unknown key; did you mean \"deadline\"?",
        ]
    );
}

#[test]
fn quarantine_says_what_is_done_instead() {
    let good = "filter = \"headers\"\nquarantine = { faults = 3, within = \"1m\", share = 0.1, action = \"bypass\" }\n";
    let bad = "filter = \"headers\"\n[quarantine]\nfaults = 0\nprobe = \"2h\"\n";
    let folder = Folder::new().file("policies/a.toml", good).file("policies/b.toml", bad);
    let config = folder.load_dir();
    let quarantine = policy(&config, "a").quarantine.unwrap();
    assert_eq!((quarantine.faults, quarantine.within), (3, Duration::from_secs(60)));
    assert_eq!((quarantine.share, quarantine.action), (Share::per_mille(100), FaultAnswer::Bypass));
    assert_eq!(quarantine.probe, Duration::from_secs(5));
    assert_eq!(
        problems(&folder, &config, "b"),
        [
            "policies/b.toml:2: quarantine.action: is missing; \
             write action = \"deny\", or \"bypass\" if requests may go on without the filter",
            "policies/b.toml:3: quarantine.faults: 0 is out of range; write a number from 1 to 1000000",
            "policies/b.toml:4: quarantine.probe: \"2h\" is out of range; \
             write a duration from \"1ms\" to \"1h\", in ms, s, m or h",
        ]
    );
}

#[test]
fn what_is_granted_is_there() {
    let file = |grants: &str| format!("filter = \"headers\"\n[grants]\n{grants}");
    let folder = Folder::new()
        .file("policies/a.toml", file("callouts = [\"upstream\"]\n"))
        .file("policies/b.toml", file("callouts = [\"upstream\", \"upstrem\"]\n"))
        .file("policies/c.toml", file("callouts = []\nfiles = 1\n"));
    let config = folder.load_dir();
    assert_eq!(policy(&config, "a").grants.callouts[0].name, "upstream");
    assert_eq!(
        problems(&folder, &config, "b"),
        ["policies/b.toml:3: grants.callouts[1]: there is no upstream \"upstrem\"; did you mean \"upstream\"?"]
    );
    assert_eq!(
        problems(&folder, &config, "c"),
        [
            "policies/c.toml:3: grants.callouts: is empty; name upstreams, or leave it out",
            "policies/c.toml:4: grants.files: unknown key; known keys: body, callouts, clock, random, read, secrets, store, write",
        ]
    );
    let inline = "policies.c = { filter = \"headers\", grants = { callouts = [\"order\"] } }\n";
    assert_eq!(
        Folder::with_more(inline).problems(),
        ["tollgate.toml:3: policies.c.grants.callouts[0]: there is no upstream \"order\"; did you mean \"orders\"?"]
    );
}

#[test]
fn a_problem_stays_with_its_policy() {
    let folder = Folder::new()
        .file("policies/10-api-key.toml", "")
        .file("policies/20-broken.toml", "[config\n")
        .file("policies/30-unknown.toml", "filter = \"heders\"\nkeys = 1\n")
        .file("policies/40-none.toml", "")
        .file("policies/50-large.toml", "#".repeat(1024 * 1024 + 1))
        .file("policies/60-binary.toml", b"\n\n\xfe");
    let config = folder.load_dir();
    assert_eq!(config.routes[0].policies.len(), 6);
    assert_eq!(code(&config, "10-api-key"), "bundled api-key");
    assert_eq!(
        problems(&folder, &config, "20-broken"),
        ["policies/20-broken.toml:1: not valid TOML: unclosed table, expected `]`"]
    );
    assert_eq!(
        problems(&folder, &config, "30-unknown"),
        [
            "policies/30-unknown.toml:1: filter: there is no module and no bundled filter \"heders\"; \
             did you mean \"headers\"?",
            "policies/30-unknown.toml:2: keys: unknown key; \
             known keys: capture, config, every, filter, grants, isolation, limits, on-fault, quarantine, sha256, store, \
             trial",
        ]
    );
    assert_eq!(
        problems(&folder, &config, "40-none"),
        ["policies/40-none.toml: filter: there is no 40-none.wasm or none.wasm and no bundled filter \"none\"; \
          add filter = \"NAME\"; known filters: api-key, headers, rate-limit"]
    );
    assert_eq!(
        problems(&folder, &config, "50-large"),
        ["policies/50-large.toml: cannot be read: larger than 1MiB; keep the file below 1MiB"]
    );
    assert_eq!(
        problems(&folder, &config, "60-binary"),
        ["policies/60-binary.toml:3: not valid UTF-8; save the file as UTF-8"]
    );
}

#[test]
fn other_files_are_ignored() {
    let mut folder = Folder::new().file("policies/sub.toml/api-key.toml", "").file("policies/headers.toml", "");
    for name in [".hidden.toml", ".#headers.toml", "headers.toml~", ".headers.toml.swp", "x.tmp", "4913", "README.md"] {
        folder = folder.file(&format!("policies/{name}"), "garbage");
    }
    assert_eq!(names(&folder.load_dir()), ["headers"]);
}

#[test]
fn the_order_is_that_of_the_bytes() {
    let mut folder = Folder::new();
    for name in ["9-a", "10-a", "B", "a", "a.b", "a-b", "ä"] {
        folder = folder.file(&format!("policies/{name}.wasm"), "");
    }
    assert_eq!(names(&folder.load_dir()), ["10-a", "9-a", "B", "a", "a-b", "a.b", "ä"]);
}

#[test]
fn a_file_name_that_is_not_utf8_is_a_problem_of_its_own() {
    let folder = Folder::new().file("policies/headers.toml", "");
    let name = OsStr::from_bytes(b"10-\xff.wasm");
    fs::write(folder.path("policies").join(name), "").unwrap();
    let config = folder.load_dir();
    assert_eq!(names(&config), ["10-\\xFF", "headers"]);
    let problems = problems(&folder, &config, "10-\\xFF");
    assert!(problems[0].ends_with("the file name is not valid UTF-8; rename the file"), "{problems:?}");
}

#[test]
fn a_link_that_leads_nowhere_is_a_problem() {
    let folder = Folder::new().file("policies/headers.toml", "");
    std::os::unix::fs::symlink("nowhere", folder.path("policies/api-key.toml")).unwrap();
    let config = folder.load_dir();
    assert_eq!(
        problems(&folder, &config, "api-key"),
        ["policies/api-key.toml: cannot be read: there is no such file; write it again, or remove the link"]
    );
}

#[test]
fn a_module_that_another_policy_names_is_a_library() {
    let folder = Folder::new()
        .file("policies/lib.wasm", "")
        .file("policies/10-first.toml", "filter = \"lib\"")
        .file("policies/api-key.wasm", "")
        .file("policies/20-api-key.toml", "")
        .file("policies/30-own.wasm", "")
        .file("policies/30-own.toml", "")
        .file("policies/40-second.toml", "filter = \"own\"");
    let config = folder.load_dir();
    assert_eq!(names(&config), ["10-first", "20-api-key", "30-own", "40-second"]);
    assert_eq!(code(&config, "10-first"), "lib.wasm");
    assert_eq!(code(&config, "20-api-key"), "api-key.wasm");
    assert_eq!(code(&config, "40-second"), "30-own.wasm");
    assert!(config.files.contains(&folder.path("policies/lib.wasm")));
}

#[test]
fn a_library_stays_one_while_its_policy_is_broken() {
    for broken in
        ["filter = \"lib\"\n[", "filter = \"lib\nx = 1", " filter= 'lib' # [\n]", "filter = \"lib\"\nfuel = 1"]
    {
        let folder = Folder::new().file("policies/lib.wasm", "").file("policies/10-first.toml", broken);
        let config = folder.load_dir();
        assert_eq!(names(&config), ["10-first"], "{broken}");
        assert!(entry(&config, "10-first").policy.is_err());
    }
}

#[test]
fn a_policy_of_the_file_may_use_a_module() {
    let policies = "[policies.a]\nfilter = \"lib\"\n[policies.b]\nfilter = \"built/x.wasm\"\n[policies.headers]\n";
    let folder = Folder::with(format!("policies-dir = \"policies\"\n{LEAST}{policies}"))
        .file("policies/10-lib.wasm", "")
        .file("policies/20-other.wasm", "")
        .file("built/x.wasm", "");
    let config = folder.load();
    assert_eq!(names(&config), ["20-other", "a", "b", "headers"]);
    assert_eq!(code(&config, "a"), "10-lib.wasm");
    assert_eq!(code(&config, "b"), "x.wasm");
    assert_eq!(code(&config, "headers"), "bundled headers");
    assert_eq!(policy(&config, "headers").place.line, Some(8));
    assert!(config.files.contains(&folder.path("built/x.wasm")));
}

#[test]
fn problems_of_policies_in_the_file_are_problems_of_the_file() {
    let policies =
        "[policies.a]\nfilter = \"x.wasm\"\n[policies.b]\n[policies.headers]\n[policies.c]\nfilter = \"cors\"\n";
    let folder = Folder::with(format!("{LEAST}policies-dir = \".\"\n{policies}")).file("headers.toml", "");
    let problems = folder.problems();
    assert!(problems[0].starts_with("tollgate.toml:5: policies.a.filter: there is no module"), "{problems:#?}");
    assert!(problems[1].starts_with("tollgate.toml:6: policies.b: there is no b.wasm and no bundled filter \"b\";"));
    assert!(problems[2].starts_with("tollgate.toml:7: policies.headers: there is also a policy \"headers\" in"));
    assert!(problems[3].starts_with("tollgate.toml:9: policies.c.filter: there is no module and no bundled filter"));
    assert_eq!(problems.len(), 4, "{problems:#?}");
}

#[test]
fn a_directory_that_is_missing_is_one_problem() {
    let routes = "[policies.a]\nfilter = \"mine\"\n[[routes]]\nupstream = \"orders\"\npolicies = [\"mine\"]\n";
    let folder = Folder::with(format!("{LEAST}policies-dir = \"policies\"\n{routes}"));
    let problems = folder.problems();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].starts_with("tollgate.toml:3: policies-dir: there is no directory"), "{problems:#?}");
    assert!(problems[0].contains("; create it with mkdir -p "), "{problems:#?}");
    let folder = folder.file("policies", "");
    assert!(folder.problems()[0].contains("is not a directory; name the folder"));
}

#[test]
fn values_of_config_are_never_shown() {
    let secret = "hunter2";
    for text in [
        format!("filter = \"headers\"\n[config]\nkey = \"{secret}\nb = 1\n"),
        format!("filter = \"headers\"\nconfig = \"{secret}\"\n"),
        format!("filter = \"headers\"\n[config]\nkey = \"{secret}\"\nn = nan\nlist = [1, 99999999999999999999]\n"),
        format!("filter = \"headers\"\nkey = \"{secret}\"\n"),
        format!("filter = \"headers\"\n[config]\nkey = {secret}\n"),
    ] {
        let folder = Folder::new().file("policies/a.toml", &text);
        let config = folder.load_dir();
        let problems = problems(&folder, &config, "a");
        assert!(!problems.is_empty() && !problems.concat().contains(secret), "{problems:#?}");
    }
}

#[test]
fn numbers_that_json_cannot_hold_are_problems() {
    let text = "filter = \"headers\"\n[config]\nn = nan\nlist = [1,\n99999999999999999999]\nbig = 0xFFFFFFFFFFFFFFFF\n";
    let folder = Folder::new().file("policies/a.toml", text);
    assert_eq!(
        problems(&folder, &folder.load_dir(), "a"),
        [
            "policies/a.toml:3: config.n: is not a finite number; write a number that JSON can hold",
            "policies/a.toml:5: config.list[1]: does not fit in 64 bits; write a number that JSON can hold",
        ]
    );
}
