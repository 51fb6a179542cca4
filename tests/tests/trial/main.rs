//! Stories of trials: a new version of a policy proves well and is for all, or is rolled back by itself.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod a_canary;
mod a_shadow;
mod at_once;

use std::path::Path;

use serde_json::Value;
use tollgate_tests::{Answer, Binary, RawFilter, Request, RunningGateway, TestGateway, Upstream, eventually, guest};

/// A policy that marks responses with its version.
fn mark(version: &str, trial: &str) -> String {
    format!("{trial}\n[config.response.set]\nx-version = {version:?}\n")
}

/// A policy that misbehaves in requests below `/bad`, if it is told what to do.
fn misbehave(deed: Option<&str>, more: &str) -> String {
    let config = deed.map(|deed| format!("config = {{ in = \"request-head\", do = {deed:?}, when = \"/bad\" }}"));
    format!("filter = \"m\"\n{}\n{more}\n", config.unwrap_or_default())
}

/// A gateway whose one policy behaves.
fn behaving(upstream: &Upstream, more: &str) -> RunningGateway {
    TestGateway::new()
        .upstream(upstream)
        .module("m", guest("misbehave"))
        .policy("10-m", &misbehave(None, more))
        .own_state()
        .start()
}

/// The version of the policy that marks responses that a client of that name gets.
fn version_for(gateway: &RunningGateway, user: &str) -> String {
    let response = gateway.send(Request::get("/").field("x-user", user));
    assert_eq!(response.status, 200);
    response.field("x-version").unwrap_or_default().to_owned()
}

fn version_of(gateway: &RunningGateway, policy: &str) -> String {
    gateway.policy(policy)["version"].as_str().unwrap().to_owned()
}

/// The stages of a policy, the newest first.
fn stages(gateway: &RunningGateway, policy: &str) -> Vec<Value> {
    gateway.admin(&format!("/history?policy={policy}")).json()["history"].as_array().unwrap().clone()
}

fn ended(gateway: &RunningGateway, policy: &str, outcome: &str) -> f64 {
    gateway.metric(&format!("tollgate_trials_total{{policy={policy:?},outcome={outcome:?}}}"))
}

/// What `tollgate` says to the gateway.
#[track_caller]
fn said(gateway: &RunningGateway, args: &[&str]) -> String {
    let state = gateway.path().join("state").display().to_string();
    let (command, rest) = args.split_first().unwrap();
    let finished = Binary::finish(Path::new("."), &[&[*command, "--state-dir", &state], rest].concat());
    assert!(finished.status.success(), "{finished:?}");
    finished.stdout
}

#[test]
fn what_is_written_about_trials_is_checked() {
    for (written, told) in [
        ("true", "trial: is true; leave it out to have new versions watched, or write a table"),
        ("{ mode = \"canari\" }", "trial.mode: \"canari\" is not known; write \"immediate\", \"canary\" or \"shadow\""),
        ("{ share = 0.1 }", "trial.share: says nothing in mode \"immediate\"; write mode = \"canary\", or remove it"),
        (
            "{ mode = \"canary\", watch = \"1s\" }",
            "trial.watch: says nothing in mode \"canary\"; write every, or remove it",
        ),
        ("{ mode = \"canary\", share = 0 }", "trial.share: is nobody; write at least 0.001"),
        (
            "{ mode = \"canary\", steps = [0.5, 0.1] }",
            "trial.steps: has to begin with a share and to grow; write it like [0.05, 0.25, 0.5]",
        ),
        (
            "{ mode = \"canary\", share = 0.1, steps = [0.5] }",
            "trial.share: is there beside steps; keep one of the two",
        ),
        ("{ mode = \"canary\", only = { header = \"x\" } }", "trial.only.value: is missing; add value = \"yes\""),
        ("{ fault = 0.1 }", "trial.fault: unknown key; did you mean \"faults\"?"),
    ] {
        let upstream = Upstream::start();
        let text = format!("trial = {written}\n");
        let problems = TestGateway::new().upstream(&upstream).policy("10-headers", &text).check().unwrap_err();
        assert_eq!(problems, format!("policies/10-headers.toml:1: {told}"));
    }
}
