//! Stories of filters that misbehave: what becomes of their own requests, and that nothing becomes of anything else.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(missing_docs, reason = "each story is named after what it tells")]

mod allowed;
mod bypass;
mod configure;
mod deny;
mod facts;
mod isolation;
mod log;
mod state;
mod wasi;

use std::thread;

use tollgate_tests::{
    Answer, Connection, Gate, Request, Response, RunningGateway, TestGateway, Upstream, eventually, guest,
};

/// What a client is told about a fault: nothing about its inside.
const DENIED: &str = "a policy could not be applied to this request";

/// What the guest says in its panics and faults.
const SECRET: &str = "the inside of the filter";

const CONFIG: &str = r#"
    policies-dir = "policies"
    [[listeners]]
    address = "{listen}"
    [upstreams.echo]
    endpoints = ["{upstream}"]
"#;

/// A gateway with a route and a policy for each deed: `/DEED/bad` misbehaves, and other paths below `/DEED` do not.
fn misbehaving(upstream: &Upstream, place: &str, deeds: &[(&str, &str)], on_fault: &str) -> RunningGateway {
    let policy_and_route = |(deed, _): &(&str, &str)| {
        // Tens of thousands of anything take their time.
        let cpu = if deed.contains("flood") { "10s" } else { "5ms" };
        format!(
            r#"
            [policies.{deed}]
            filter = "misbehave"
            config = {{ in = "{place}", do = "{deed}", when = "/{deed}/bad" }}
            limits = {{ cpu = "{cpu}" }}
            on-fault = "{on_fault}"
            [[routes]]
            path = {{ prefix = "/{deed}" }}
            policies = ["{deed}"]
            upstream = "echo"
            "#
        )
    };
    let config: String = deeds.iter().map(policy_and_route).collect();
    let gateway = TestGateway::new().upstream(upstream).module("misbehave", guest("misbehave"));
    gateway.config(&format!("{CONFIG}{config}")).workers(1).start()
}

/// How many faults of one class a policy had, if it had none of another.
#[track_caller]
fn faults(gateway: &RunningGateway, policy: &str, class: &str) -> f64 {
    let page = gateway.admin("/metrics").text();
    let of_policy = format!("tollgate_filter_faults_total{{policy={policy:?},");
    let all: Vec<&str> = page.lines().filter(|line| line.starts_with(&of_policy)).collect();
    assert!(all.iter().all(|line| line.contains(&format!("class={class:?}"))), "{class} is not the class: {all:?}");
    gateway.metric(&format!("tollgate_filter_faults_total{{policy={policy:?},class={class:?}}}"))
}

/// Whether a fault of that class costs the instance.
fn takes_the_instance(class: &str) -> bool {
    !matches!(class, "reported" | "answer")
}

/// What a filter can do wrong in any hook, with the class of the fault.
const ANYWHERE: [(&str, &str); 11] = [
    ("trap", "trap"),
    ("panic", "trap"),
    ("loop", "deadline"),
    ("eat-memory", "memory"),
    ("recurse", "stack"),
    ("fault", "reported"),
    ("foreign-exchange", "refused"),
    ("zero-requests", "refused"),
    ("zero-period", "refused"),
    ("zero-burst", "refused"),
    ("zero-cost", "refused"),
];

/// What a filter can do wrong with either head.
const WITH_A_HEAD: [(&str, &str); 11] = [
    ("bad-name", "answer"),
    ("line-break", "answer"),
    ("content-length", "answer"),
    ("relative-path", "answer"),
    ("unknown-fact", "answer"),
    ("flood-fields", "answer"),
    ("hold", "answer"),
    ("reply-informational", "answer"),
    ("reply-status-too-large", "answer"),
    ("reply-content-length", "answer"),
    ("reply-flood-fields", "answer"),
];

fn with_a_head(more: (&'static str, &'static str)) -> Vec<(&'static str, &'static str)> {
    ANYWHERE.into_iter().chain(WITH_A_HEAD).chain([more]).collect()
}
