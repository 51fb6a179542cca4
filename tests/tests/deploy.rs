//! Stories of deployment: what is remembered of changes, what serves after a restart, and what people may do about it.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use serde_json::Value;
use tollgate_tests::{Binary, RunningGateway, TestGateway, Upstream, guest};

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
        assert!(reason.starts_with("policies/10-headers.toml:1: config: request: "), "{newest}");
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
