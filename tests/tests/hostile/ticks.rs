//! Harm in ticks: no exchange suffers from it, and what it is shows in the metrics.

use std::fmt::Write;

use tollgate_tests::{RawFilter, TestGateway, Upstream, eventually};

const OUTCOMES: &str = "tollgate_filter_ticks_total";

/// Name, what a tick does, fields of the module, its outcome.
const CASES: [(&str, &str, &str, &str); 9] = [
    ("traps", "(unreachable)", "", "trap"),
    ("loops", "(loop $on (br $on))", "", "deadline"),
    ("recurses", "(call $deeper)", "(func $deeper (call $deeper) (call $deeper))", "stack"),
    (
        "grows",
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)",
        "",
        "memory",
    ),
    (
        "looks-at-an-exchange",
        "(call $fields (i32.const 0) (i32.const 0) (i32.const 4200))",
        r#"(import "tollgate:filter/exchange@0.1.0" "fields" (func $fields (param i32 i32 i32)))"#,
        "refused",
    ),
    (
        "floods-the-log",
        "(loop $on (call $log (i32.const 3) (i32.const 8192) (i32.const 8) (i32.const 0) (i32.const 0)) (br $on))",
        r#"(import "tollgate:filter/log@0.1.0" "write" (func $log (param i32 i32 i32 i32 i32)))"#,
        "deadline",
    ),
    (
        "floods-the-store",
        "(loop $on (i32.store (i32.const 4300) (i32.add (i32.load (i32.const 4300)) (i32.const 1)))
         (call $set (i32.const 0) (i32.const 0) (i32.const 4300) (i32.const 4) (i32.const 131072) (i32.const 60000)
            (i64.const 0) (i32.const 4200)) (br $on))",
        r#"(import "tollgate:filter/store@0.1.0" "set" (func $set (param i32 i32 i32 i32 i32 i32 i64 i32)))"#,
        "deadline",
    ),
    (
        "calls-without-pause",
        "(loop $on (call $send (i32.const 131072) (i32.const 1) (i32.const 4200)) (br $on))",
        r#"(import "tollgate:filter/callout@0.1.0" "send-all" (func $send (param i32 i32 i32)))"#,
        "deadline",
    ),
    ("answers-nowhere", "(return (i32.const -4))", "", "refused"),
];

#[test]
fn harm_in_ticks_is_no_exchange_s() {
    let upstream = Upstream::start();
    let mut gateway = TestGateway::new().upstream(&upstream);
    let mut config = String::from(
        "policies-dir = \"policies\"\n[[listeners]]\naddress = \"{listen}\"\n[upstreams.all]\nendpoints = [\"{upstream}\"]\n",
    );
    for (name, does, fields, _) in CASES {
        let filter = RawFilter::new(1).every(100).fields(fields);
        gateway = gateway.module(name, filter.export("on-tick", &format!("{does} (i32.const 2048)")).build());
        let _ = write!(
            config,
            "[policies.{name}]\nlimits = {{ memory = \"4MiB\", tick-cpu = \"20ms\", tick-timeout = \"500ms\" }}\n\
             [[routes]]\npath = {{ prefix = \"/{name}\" }}\npolicies = [{name:?}]\nupstream = \"all\"\n"
        );
    }
    let gateway = gateway.config(&config).workers(1).start();
    for (name, _, _, outcome) in CASES {
        let counted = format!("{OUTCOMES}{{policy={name:?},outcome={outcome:?}}}");
        eventually("a tick has failed again", || gateway.metric(&counted) >= 2.0);
        assert_eq!(gateway.get(&format!("/{name}")).status, 200, "{name}");
        assert_eq!(gateway.policy(name)["state"], "live", "{name}");
    }
}
