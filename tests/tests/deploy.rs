//! Stories of deployment: what is remembered of changes, what serves after a restart, and what people may do about it.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use tollgate_tests::{
    Binary, Connection, Finished, RawFilter, Request, RunningGateway, TestGateway, Upstream, eventually, guest,
};

/// A policy that marks responses with its version.
fn mark(version: &str) -> String {
    format!("[config.response.set]\nx-version = {version:?}\n")
}

mod history {
    use super::*;

    /// The stages of a policy, the oldest first: stage, outcome.
    fn stages(gateway: &RunningGateway, policy: &str) -> Vec<(String, String)> {
        let page = gateway.admin(&format!("/history?policy={policy}")).json();
        let text = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let records = page["history"].as_array().unwrap().iter().rev();
        records.map(|record| (text(record, "stage"), text(record, "outcome"))).collect()
    }

    fn done(stages: &[&str]) -> Vec<(String, String)> {
        stages.iter().map(|stage| ((*stage).to_owned(), "done".to_owned())).collect()
    }

    const ALL: [&str; 5] = ["verify", "compile", "type-check", "configure", "promote"];

    #[test]
    fn tells_each_stage_of_each_change() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("10-headers", &mark("1")).start();
        assert_eq!(stages(&gateway, "10-headers"), done(&ALL));
        gateway.change(|gateway| gateway.write_policy("10-headers", &mark("2")));
        assert_eq!(stages(&gateway, "10-headers")[5..], done(&ALL));
        gateway.change(|gateway| gateway.write_policy("10-headers", "[config]\nrequest = 7"));
        let failed = stages(&gateway, "10-headers")[10..].to_vec();
        assert_eq!(failed.last().unwrap(), &("configure".to_owned(), "failed".to_owned()), "{failed:?}");
        let newest = gateway.admin("/history").json()["history"][0].clone();
        let reason = gateway.relative(newest["reason"].as_str().unwrap());
        assert!(reason.starts_with("policies/10-headers.toml:2: config.request: is a number"), "{newest}");
        assert!(newest["ms"].as_f64().unwrap() > 0.0 && newest["version"] != gateway.policy("10-headers")["version"]);
    }

    #[test]
    fn tells_nothing_of_what_changes_nothing_and_a_failure_once() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new()
            .upstream(&upstream)
            .policy("10-headers", &mark("1"))
            .module("20-m", guest("misbehave"))
            .start();
        gateway.change(|gateway| gateway.replace_module("20-m", "garbage"));
        let all = || gateway.admin("/history").json()["history"].as_array().unwrap().len();
        let before = all();
        assert_eq!(stages(&gateway, "20-m").last().unwrap(), &("compile".to_owned(), "failed".to_owned()));
        // A comment makes no other version.
        gateway.change(|gateway| gateway.write_policy("10-headers", &format!("# the same\n{}", mark("1"))));
        assert_eq!(all(), before);
        gateway.change(|gateway| gateway.replace_module("20-m", guest("misbehave")));
        gateway.change(|gateway| gateway.replace_module("20-m", "garbage"));
        assert!(all() > before, "a failure after a success is told again");
    }

    #[test]
    fn tells_of_a_change_that_was_rejected_as_a_whole() {
        let upstream = Upstream::start();
        let config = "[[listeners]]\naddress = \"{listen}\"\n[upstreams.a]\nendpoints = [\"{upstream}\"]\n[[routes]]\nupstream = \"a\"\n";
        let gateway = TestGateway::new().upstream(&upstream).config(config).start();
        gateway.change(|gateway| gateway.write_config("[["));
        let page = gateway.admin("/history").json();
        let newest: Vec<_> = page["history"].as_array().unwrap().iter().map(|record| record["stage"].clone()).collect();
        assert_eq!(newest, ["reject", "read", "settle"]);
    }

    #[test]
    fn is_told_by_a_command_while_nothing_runs_and_goes_on_after_a_restart() {
        let upstream = Upstream::start();
        let files = TestGateway::new().upstream(&upstream).own_state().policy("10-headers", &mark("1"));
        let state = files.folder().path().join("state").display().to_string();
        let binary = Binary::spawn(&[], &files.run_args(&[]));
        let _ = binary.address();
        let history = |more: &[&str]| {
            let args = [&["history", "--state-dir", &state], more].concat();
            let finished = Binary::finish(std::path::Path::new("."), &args);
            assert!(finished.status.success(), "{finished:?}");
            finished.stdout
        };
        let told = history(&["10-headers"]);
        assert!(told.lines().count() == 5 && told.contains(" promote"), "{told}");
        assert_eq!(history(&["20-other"]), "");
        let first: Value = serde_json::from_str(history(&["--json"]).lines().next().unwrap()).unwrap();
        assert_eq!((first["stage"].as_str(), first["by"].as_str()), (Some("verify"), Some("file")));
        drop(binary);
        assert_eq!(history(&["10-headers"]), told);
    }

    #[test]
    fn of_a_gateway_that_is_not_there_is_an_error() {
        let folder = tollgate_tests::Folder::new();
        let state = folder.path().display().to_string();
        let finished = Binary::finish(folder.path(), &["history", "--state-dir", &state]);
        assert!(finished.stderr.starts_with("no such gateway has kept anything in "), "{finished:?}");
        assert_eq!(finished.status.code(), Some(1));
    }
}

/// The version that marks a response.
fn version(gateway: &RunningGateway) -> Option<String> {
    gateway.get("/").field("x-version").map(ToOwned::to_owned)
}

/// What `tollgate` says about a gateway that keeps its state there.
fn tollgate(state: &Path, args: &[&str]) -> Finished {
    let (command, rest) = args.split_first().unwrap();
    let state = state.display().to_string();
    Binary::finish(Path::new("."), &[&[*command, "--state-dir", &state], rest].concat())
}

fn state_of(gateway: &RunningGateway) -> PathBuf {
    gateway.path().join("state")
}

/// As `tollgate`; it must have gone well.
#[track_caller]
fn said(gateway: &RunningGateway, args: &[&str]) -> String {
    let finished = tollgate(&state_of(gateway), args);
    assert!(finished.status.success(), "{finished:?}");
    finished.stdout
}

/// As `tollgate`; it must have been refused.
#[track_caller]
fn refused(gateway: &RunningGateway, args: &[&str]) -> String {
    let finished = tollgate(&state_of(gateway), args);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    finished.stderr
}

/// Waits until what serves is written down, which comes behind the swap.
#[track_caller]
fn written_down(gateway: &RunningGateway, policy: &str) {
    let serving = gateway.policy(policy)["version"].as_str().unwrap().to_owned();
    let state = state_of(gateway).join("gateways");
    eventually("it is written down", || {
        let homes = std::fs::read_dir(&state).into_iter().flatten().flatten();
        let texts = homes.filter_map(|home| std::fs::read_to_string(home.path().join("state.json")).ok());
        texts
            .map(|text| text.split("\"policies\":").nth(1).unwrap_or_default().to_owned())
            .any(|text| text.split('}').next().unwrap_or_default().contains(&serving))
    });
}

const CONFIG: &str = "policies-dir = \"policies\"\n[[listeners]]\naddress = \"{listen}\"\n[upstreams.a]\n\
                      endpoints = [\"{upstream}\"]\n[[routes]]\nupstream = \"a\"\npolicies = [\"headers\"]\n";

mod after_a_restart {
    use super::*;

    #[test]
    fn a_policy_that_is_broken_serves_as_it_did() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("10-headers", &mark("1")).start();
        written_down(&gateway, "10-headers");
        let files = gateway.stop().policy("10-headers", "[config]\nrequest = 7");
        let gateway = files.try_restart().unwrap();
        assert_eq!(version(&gateway).as_deref(), Some("1"));
        let policy = gateway.policy("10-headers");
        let error = gateway.relative(policy["last-error"].as_str().unwrap());
        assert!(
            policy["state"] == "kept" && error.starts_with("policies/10-headers.toml:2: config.request:"),
            "{policy}"
        );
        gateway.change(|gateway| gateway.write_policy("10-headers", &mark("2")));
        assert_eq!(
            (version(&gateway).as_deref(), gateway.policy("10-headers")["state"].as_str()),
            (Some("2"), Some("live"))
        );
    }

    #[test]
    fn a_policy_whose_module_is_gone_or_damaged_serves_as_it_did() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new()
            .upstream(&upstream)
            .module("m", guest("misbehave"))
            .policy("10-m", "filter = \"m\"\n")
            .start();
        written_down(&gateway, "10-m");
        let digest = gateway.policy("10-m")["digest"].clone();
        let files = gateway.stop().module("m", "garbage");
        let gateway = files.try_restart().unwrap();
        assert_eq!((&gateway.policy("10-m")["state"], &gateway.policy("10-m")["digest"]), (&"kept".into(), &digest));
        gateway.remove("m.wasm");
        let gateway = gateway.stop().try_restart().unwrap();
        assert_eq!((&gateway.policy("10-m")["state"], &gateway.policy("10-m")["digest"]), (&"kept".into(), &digest));
        assert!(gateway.get("/").echo().field("x-begun").is_some());
    }

    #[test]
    fn what_served_last_serves_where_the_configuration_is_no_good() {
        let upstream = Upstream::start();
        let files = TestGateway::new().upstream(&upstream).config(CONFIG).policy("10-headers", &mark("1"));
        let gateway = files.start();
        written_down(&gateway, "10-headers");
        // All of it is gone: the file, and the directory of policies.
        let good = std::fs::read_to_string(gateway.path().join("tollgate.toml")).unwrap();
        std::fs::remove_file(gateway.path().join("tollgate.toml")).unwrap();
        std::fs::rename(gateway.policies_dir(), gateway.path().join("away")).unwrap();
        let gateway = gateway.stop().try_restart().unwrap();
        assert_eq!(version(&gateway).as_deref(), Some("1"));
        assert_eq!((gateway.admin("/ready").status, gateway.metric("tollgate_last_known_good")), (200, 1.0));
        let page = gateway.policies();
        let told = gateway.relative(page["rejected-change"]["problems"].as_str().unwrap());
        assert!(told.starts_with("tollgate.toml: cannot be read: there is no such file"), "{told}");
        let newest = gateway.admin("/history").json()["history"].clone();
        assert!(newest.as_array().unwrap().iter().any(|record| record["stage"] == "recover"), "{newest:#}");
        // It is repaired while that serves.
        std::fs::rename(gateway.path().join("away"), gateway.policies_dir()).unwrap();
        gateway.write_policy("10-headers", &mark("2"));
        gateway.replace_file("tollgate.toml", good);
        eventually("what is written serves", || version(&gateway).as_deref() == Some("2"));
        eventually("and it says so", || gateway.metric("tollgate_last_known_good") == 0.0);
        assert!(gateway.policies()["rejected-change"].is_null());
    }

    #[test]
    fn a_route_that_names_a_policy_that_never_was_good_rejects_the_change_as_it_would_while_running() {
        let upstream = Upstream::start();
        let files = TestGateway::new().upstream(&upstream).config(CONFIG).policy("10-headers", &mark("1"));
        let gateway = files.start();
        written_down(&gateway, "10-headers");
        let text = std::fs::read_to_string(gateway.path().join("tollgate.toml")).unwrap();
        let files = gateway.stop().module("20-new", "garbage");
        files.folder().write("tollgate.toml", text.replace("[\"headers\"]", "[\"headers\", \"new\"]"));
        let gateway = files.try_restart().unwrap();
        assert_eq!((version(&gateway).as_deref(), gateway.metric("tollgate_last_known_good")), (Some("1"), 1.0));
    }

    #[test]
    fn a_policy_that_was_kept_is_kept() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("10-headers", &mark("1")).start();
        written_down(&gateway, "10-headers");
        // Broken while it runs, and another file has changed since.
        gateway.change(|gateway| gateway.write_policy("10-headers", "[config"));
        gateway.change(|gateway| gateway.write_policy("20-headers", "[config.request.set]\nx-other = \"1\"\n"));
        written_down(&gateway, "20-headers");
        let gateway = gateway.stop().try_restart().unwrap();
        assert_eq!(
            (version(&gateway).as_deref(), gateway.policy("10-headers")["state"].as_str()),
            (Some("1"), Some("kept"))
        );
        assert_eq!(gateway.get("/").echo().field("x-other"), Some("1"));
    }

    #[test]
    fn nothing_is_made_up_where_nothing_is_kept_or_what_is_kept_is_damaged() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("10-headers", &mark("1")).start();
        written_down(&gateway, "10-headers");
        let files = gateway.stop().policy("10-headers", "[config");
        let home =
            std::fs::read_dir(files.folder().path().join("state/gateways")).unwrap().next().unwrap().unwrap().path();
        let whole = std::fs::read(home.join("state.json")).unwrap();
        std::fs::write(home.join("state.json"), &whole[..whole.len() - 3]).unwrap();
        let told = |files: TestGateway| {
            let folder = files.folder().path().to_owned();
            let told = files.try_restart().map(|_| ()).unwrap_err();
            (told, folder)
        };
        let (message, _) = told(files);
        assert!(message.contains("10-headers.toml:1: not valid TOML"), "{message}");
    }

    #[test]
    fn a_version_whose_content_is_damaged_is_not_served() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).module("10-m", guest("misbehave")).start();
        written_down(&gateway, "10-m");
        let digest = gateway.policy("10-m")["digest"].as_str().unwrap().replace("sha256:", "");
        let files = gateway.stop().module("10-m", "garbage");
        let home =
            std::fs::read_dir(files.folder().path().join("state/gateways")).unwrap().next().unwrap().unwrap().path();
        let path = home.join("content").join(digest);
        let mut content = std::fs::read(&path).unwrap();
        *content.last_mut().unwrap() ^= 1;
        std::fs::write(&path, content).unwrap();
        let told = files.try_restart().map(|_| ()).unwrap_err();
        assert!(told.contains("10-m.wasm") && told.contains("does not begin as a WebAssembly file does"), "{told}");
    }

    #[test]
    fn a_flag_says_that_only_what_is_written_may_serve() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("10-headers", &mark("1")).start();
        written_down(&gateway, "10-headers");
        let files = gateway.stop().policy("10-headers", "[config");
        let flag = Binary::spawn(&[], &files.run_args(&["--no-last-known-good"])).wait();
        assert!(flag.status.code() == Some(1) && flag.stderr.contains("10-headers.toml:1: not valid TOML"), "{flag:?}");
    }
}

mod an_operator {
    use super::*;

    fn with_three_versions(upstream: &Upstream) -> (RunningGateway, Vec<String>) {
        let gateway = TestGateway::new().upstream(upstream).policy("10-headers", &mark("1")).start();
        let mut versions = Vec::new();
        for number in ["1", "2", "3"] {
            if number != "1" {
                gateway.change(|gateway| gateway.write_policy("10-headers", &mark(number)));
            }
            written_down(&gateway, "10-headers");
            versions.push(gateway.policy("10-headers")["version"].as_str().unwrap().to_owned());
        }
        (gateway, versions)
    }

    #[test]
    fn rolls_a_script_back_as_any_policy() {
        let script = |version: &str| format!("{{'allowed': true, 'headers': {{'x-version': {version:?}}}}}");
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).file("policies/10-mark.cel", script("1")).start();
        let version = || gateway.get("/").echo().field("x-version").map(ToOwned::to_owned);
        written_down(&gateway, "10-mark");
        gateway.change(|gateway| gateway.replace_file("policies/10-mark.cel", script("2")));
        written_down(&gateway, "10-mark");
        assert_eq!(version().as_deref(), Some("2"));
        said(&gateway, &["rollback", "10-mark"]);
        assert_eq!((version().as_deref(), gateway.policy("10-mark")["state"].as_str()), (Some("1"), Some("kept")));
        gateway.change(|gateway| gateway.replace_file("policies/10-mark.cel", script("3")));
        assert_eq!(version().as_deref(), Some("3"));
    }

    #[test]
    fn rolls_a_policy_back_until_it_is_changed() {
        let upstream = Upstream::start();
        let (gateway, versions) = with_three_versions(&upstream);
        let told = said(&gateway, &["rollback", "10-headers"]);
        assert_eq!(told, format!("10-headers is rolled back to {}\n", versions[1]));
        assert_eq!(version(&gateway).as_deref(), Some("2"));
        let policy = gateway.policy("10-headers");
        assert_eq!((&policy["state"], &policy["held"]["how"]), (&"kept".into(), &"rolled-back".into()), "{policy}");
        // Another change, and a restart, do not bring it back.
        gateway.change(|gateway| gateway.write_policy("20-headers", "[config.request.set]\nx-other = \"1\"\n"));
        assert_eq!(version(&gateway).as_deref(), Some("2"));
        let gateway = gateway.stop().try_restart().unwrap();
        assert_eq!(version(&gateway).as_deref(), Some("2"));
        // Once more: to the one before.
        said(&gateway, &["rollback", "10-headers"]);
        assert_eq!(version(&gateway).as_deref(), Some("1"));
        assert_eq!(
            refused(&gateway, &["rollback", "10-headers"]),
            "no version of \"10-headers\" before the one that serves is kept\n"
        );
        said(&gateway, &["rollback", "10-headers", &versions[1]]);
        assert_eq!(version(&gateway).as_deref(), Some("2"));
        gateway.change(|gateway| gateway.write_policy("10-headers", &mark("4")));
        assert_eq!(
            (version(&gateway).as_deref(), gateway.policy("10-headers")["state"].as_str()),
            (Some("4"), Some("live"))
        );
    }

    #[test]
    fn pins_a_version_whatever_files_say() {
        let upstream = Upstream::start();
        let (gateway, versions) = with_three_versions(&upstream);
        said(&gateway, &["pin", "10-headers", &versions[0]]);
        assert_eq!(version(&gateway).as_deref(), Some("1"));
        gateway.change(|gateway| gateway.write_policy("10-headers", &mark("4")));
        assert_eq!(version(&gateway).as_deref(), Some("1"));
        let gateway = gateway.stop().try_restart().unwrap();
        let policy = gateway.policy("10-headers");
        assert_eq!((version(&gateway).as_deref(), &policy["held"]["how"]), (Some("1"), &"pinned".into()));
        assert_eq!(
            refused(&gateway, &["rollback", "10-headers", &versions[1]]),
            "\"10-headers\" is pinned; unpin it first\n"
        );
        said(&gateway, &["unpin", "10-headers"]);
        assert_eq!(version(&gateway).as_deref(), Some("4"));
        assert_eq!(refused(&gateway, &["unpin", "10-headers"]), "\"10-headers\" is not pinned\n");
    }

    #[test]
    fn pauses_the_changes_of_a_policy() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("10-headers", &mark("1")).start();
        written_down(&gateway, "10-headers");
        said(&gateway, &["pause", "10-headers"]);
        gateway.change(|gateway| {
            gateway.write_policy("10-headers", &mark("2"));
            gateway.write_policy("20-headers", "[config.request.set]\nx-other = \"1\"\n");
        });
        eventually("others go on", || gateway.get("/").echo().field("x-other") == Some("1"));
        assert_eq!(version(&gateway).as_deref(), Some("1"));
        said(&gateway, &["resume", "10-headers"]);
        assert_eq!(version(&gateway).as_deref(), Some("2"));
    }

    #[test]
    fn pauses_all_changes_over_a_restart() {
        let upstream = Upstream::start();
        let files = TestGateway::new().upstream(&upstream).config(CONFIG).policy("10-headers", &mark("1"));
        let gateway = files.start();
        written_down(&gateway, "10-headers");
        said(&gateway, &["pause"]);
        let text = std::fs::read_to_string(gateway.path().join("tollgate.toml")).unwrap();
        gateway.replace_file("tollgate.toml", text.replace("[[routes]]", "[[routes]]\npath = { prefix = \"/only\" }"));
        gateway.write_policy("10-headers", &mark("2"));
        let gateway = gateway.stop().try_restart().unwrap();
        assert_eq!((version(&gateway).as_deref(), gateway.metric("tollgate_last_known_good")), (Some("1"), 0.0));
        said(&gateway, &["resume"]);
        assert_eq!((gateway.get("/").status, gateway.get("/only").field("x-version")), (404, Some("2")));
    }

    #[test]
    fn is_told_what_cannot_be() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("10-headers", &mark("1")).start();
        written_down(&gateway, "10-headers");
        let own = gateway.policy("10-headers")["version"].as_str().unwrap().to_owned();
        assert_eq!(refused(&gateway, &["rollback", "20-x"]), "no policy \"20-x\" serves\n");
        assert_eq!(
            refused(&gateway, &["pin", "10-headers", "0123456789ab"]),
            format!("version 0123456789ab of \"10-headers\" is not kept; kept are {own}\n")
        );
        assert_eq!(
            refused(&gateway, &["rollback", "10-headers", &own]),
            format!("version {own} of \"10-headers\" serves already\n")
        );
        assert_eq!(refused(&gateway, &["resume"]), "the gateway is not paused\n");
        let wrong = tollgate(&state_of(&gateway), &["pin", "10-headers", "latest"]);
        assert!(wrong.stderr.contains("is no version; write the 12 digits"), "{wrong:?}");
        assert_eq!(gateway.policy("10-headers")["held"], Value::Null);
    }

    #[test]
    fn is_written_into_the_history_with_all_that_was_wanted() {
        let upstream = Upstream::start();
        let (gateway, versions) = with_three_versions(&upstream);
        said(&gateway, &["rollback", "10-headers"]);
        refused(&gateway, &["pin", "10-headers", "0123456789ab"]);
        let page = gateway.admin("/history?policy=10-headers").json();
        let record = |stage: &str| {
            let found = page["history"].as_array().unwrap().iter().find(|record| record["stage"] == stage);
            found.unwrap_or_else(|| panic!("no {stage}: {page:#}")).clone()
        };
        let back = record("roll-back");
        assert_eq!((&back["version"], &back["outcome"]), (&versions[1].as_str().into(), &"done".into()));
        assert!(back["by"].as_str().unwrap().starts_with("user "), "{back}");
        assert!(back["from"].as_str().unwrap().ends_with("by admin.sock"), "{back}");
        assert_eq!(record("pin")["outcome"], "failed");
    }

    #[test]
    fn has_a_socket_that_is_its_own() {
        use std::os::unix::fs::PermissionsExt;
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("10-headers", &mark("1")).start();
        let home = std::fs::read_dir(state_of(&gateway).join("gateways")).unwrap().next().unwrap().unwrap().path();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&home.join("admin.sock")), mode(&home)), (0o600, 0o700));
        // The pages that anybody may see change nothing.
        let post = Connection::open(gateway.inner().admin_address().unwrap());
        let answer = { post }.request(Request::post("/policies/10-headers/pin", ""));
        assert_eq!(answer.status, 405);
        let stopped = gateway.stop();
        let finished = tollgate(&stopped.folder().path().join("state"), &["pause"]);
        assert!(finished.stderr.starts_with("no gateway runs with "), "{finished:?}");
    }
}

mod a_self_test {
    use super::*;

    const CASES: &str = "[[cases]]\nname = \"marks requests\"\n[cases.expect]\noutcome = \"forwarded\"\n\
                         upstream = { fields = { x-begun = \"1\" } }\n";

    fn with_cases(upstream: &Upstream) -> RunningGateway {
        let files = TestGateway::new().upstream(upstream).module("10-m", guest("misbehave"));
        files.file("policies/10-m.cases.toml", CASES).start()
    }

    #[test]
    fn is_run_before_a_version_is_live_and_its_file_is_no_policy() {
        let upstream = Upstream::start();
        let gateway = with_cases(&upstream);
        assert_eq!(gateway.policies()["policies"].as_array().unwrap().len(), 1);
        let page = gateway.admin("/history").json();
        let tests: Vec<_> =
            page["history"].as_array().unwrap().iter().filter(|record| record["stage"] == "self-test").collect();
        assert_eq!((tests.len(), &tests[0]["reason"]), (1, &"1 cases".into()), "{page:#}");
    }

    #[test]
    fn that_fails_keeps_the_version_before() {
        let upstream = Upstream::start();
        let gateway = with_cases(&upstream);
        let before = gateway.policy("10-m")["version"].clone();
        // A filter like any other, which does not do what the cases say.
        gateway.change(|gateway| gateway.replace_module("10-m", RawFilter::new(1).build()));
        let policy = gateway.policy("10-m");
        assert_eq!((&policy["state"], &policy["version"]), (&"kept".into(), &before));
        let error = gateway.relative(policy["last-error"].as_str().unwrap());
        assert!(error.starts_with("policies/10-m.cases.toml:1: the case \"marks requests\" fails: "), "{error}");
        let newest = gateway.admin("/history").json()["history"][0].clone();
        assert_eq!((&newest["stage"], &newest["outcome"]), (&"self-test".into(), &"failed".into()));
        // Cases that say otherwise let it through.
        let other = CASES.replace("x-begun = \"1\"", "x-begun = false");
        gateway.change(|gateway| gateway.replace_file("policies/10-m.cases.toml", other));
        assert_eq!(gateway.policy("10-m")["state"], "live");
    }

    #[test]
    fn that_is_no_good_is_told_with_its_line() {
        let upstream = Upstream::start();
        let files = TestGateway::new().upstream(&upstream).module("10-m", guest("misbehave"));
        let told = files.file("policies/10-m.cases.toml", "[[cases]]\nnam = 1\n").check().unwrap_err();
        assert!(told.contains("policies/10-m.cases.toml:2: cases[0].nam: unknown key"), "{told}");
    }
}

mod a_digest {
    use super::*;

    #[test]
    fn that_is_named_lets_no_other_module_in() {
        let upstream = Upstream::start();
        let files = TestGateway::new().upstream(&upstream).module("10-m", guest("misbehave"));
        let gateway = files.start();
        let digest = gateway.policy("10-m")["digest"].as_str().unwrap().to_owned();
        gateway.change(|gateway| gateway.write_policy("10-m", &format!("sha256 = {digest:?}\n")));
        assert_eq!(gateway.policy("10-m")["state"], "live");
        let before = gateway.policy("10-m")["version"].clone();
        gateway.change(|gateway| gateway.replace_module("10-m", RawFilter::new(1).build()));
        let policy = gateway.policy("10-m");
        assert_eq!((&policy["state"], &policy["version"]), (&"kept".into(), &before));
        let error = gateway.relative(policy["last-error"].as_str().unwrap());
        assert!(error.starts_with("policies/10-m.toml:1: sha256: the module of \"10-m\" is another one, "), "{error}");
        let newest = gateway.admin("/history").json()["history"][0].clone();
        assert_eq!((&newest["stage"], &newest["outcome"]), (&"verify".into(), &"failed".into()));
    }

    #[test]
    fn that_is_none_is_told() {
        let upstream = Upstream::start();
        let files = TestGateway::new().upstream(&upstream).policy("10-headers", "sha256 = \"abc\"\n");
        let told = files.check().unwrap_err();
        let expected =
            "policies/10-headers.toml:1: sha256: is no SHA-256 digest; write the 64 digits that sha256sum prints";
        assert_eq!(told, expected);
    }
}
