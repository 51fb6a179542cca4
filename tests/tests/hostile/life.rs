//! Modules that do harm before there is any exchange: they are refused, with their file, and what served before goes on.

use tollgate_tests::{RawFilter, TestGateway, Upstream};

/// Name, module, a part of what is said about it.
fn cases() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let good = || RawFilter::new(1);
    let configure = |body: &str| good().export("configure", body);
    let import = |import: &str| good().fields(import).build();
    let endless = "(loop $on (br $on))";
    let limiter = r#"(import "tollgate:filter/limiter@0.1.0" "take" (func $take (param i32 i32 i32 i64 i32 i32 i32)))"#;
    let take = "(call $take (i32.const 0) (i32.const 1) (i32.const 1) (i64.const 1) (i32.const 1) (i32.const 1)
        (i32.const 4200)) (i32.const 1024)";
    vec![
        ("start-traps", good().fields("(start $s) (func $s (unreachable))").build(), "unreachable"),
        ("start-loops", good().fields(&format!("(start $s) (func $s {endless})")).build(), "CPU time"),
        ("start-recurses", good().fields("(start $s) (func $s (call $s) (call $s))").build(), "stack"),
        (
            "start-grows",
            good()
                .fields("(start $s) (func $s (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable))")
                .build(),
            "limits.memory",
        ),
        ("initialize-traps", good().fields("(func (export \"_initialize\") (unreachable))").build(), "unreachable"),
        ("initialize-loops", good().fields(&format!("(func (export \"_initialize\") {endless})")).build(), "CPU time"),
        ("initialize-wants-more", good().fields("(func (export \"_initialize\") (param i32))").build(), "_initialize"),
        ("data-beyond", good().fields("(data (i32.const 262143) \"ab\")").build(), "out of bounds"),
        ("elements-beyond", good().fields("(table 1 funcref) (elem (i32.const 5) func 0)").build(), "out of bounds"),
        ("large-table", good().fields("(table 30000 funcref)").build(), "table"),
        ("configure-traps", configure("(unreachable)").build(), "unreachable"),
        ("configure-loops", configure(&format!("{endless} (i32.const 0)")).build(), "limits.configure"),
        ("configure-answers-nowhere", configure("(i32.const -4)").build(), "out of its memory's bounds"),
        (
            "configure-wants-facts-without-end",
            configure("(i32.store (i32.const 1036) (i32.const -1)) (i32.const 1024)").build(),
            "larger than memory",
        ),
        (
            "configure-wants-many-facts",
            configure("(i32.store (i32.const 1036) (i32.const 9000)) (i32.const 1024)").build(),
            "64 is the most",
        ),
        ("configure-takes", configure(take).fields(limiter).build(), "while no hook of an exchange runs"),
        ("no-hooks", RawFilter::new(0).build(), "subscribes to no hook"),
        ("ticks-all-the-time", good().every(1).build(), "a tick every 1 ms"),
        ("ticks-without-one", edited(good().every(500), "#on-tick", "#on-nothing"), "does not export `on-tick`"),
        ("ticks-of-another-shape", edited(good().every(500), "on-tick\") (result i32) (i32", "on-tick\") (result i64) (i64"), "on-tick"),
        ("unknown-hooks", RawFilter::new(128).build(), "subscribes to no hook"),
        ("realloc-nowhere", good().export("cabi_realloc", "(i32.const -8)").build(), "gave no room"),
        ("unknown-import", import(r#"(import "env" "exit" (func))"#), "env"),
        (
            "unknown-function",
            import(r#"(import "tollgate:filter/log@0.1.0" "read" (func (param i32)))"#),
            "does not fit the world",
        ),
        (
            "another-shape",
            import(r#"(import "tollgate:filter/log@0.1.0" "write" (func (param i64)))"#),
            "does not fit the world",
        ),
        ("a-memory-from-outside", import(r#"(import "tollgate:filter/log@0.1.0" "m" (memory 1))"#), "does not fit"),
        ("our-names", good().fields("(global (export \"tollgate:global/0\") (mut i32) (i32.const 0))").build(), "tollgate:global/"),
        ("huge-memory", edited(good(), "(memory (export \"memory\") 4)", "(memory (export \"memory\") 4096)"), "limits.memory"),
        ("no-memory", edited(good(), "(memory (export \"memory\") 4)", "(memory 4)"), "exports no memory"),
        ("no-realloc", edited(good(), "\"cabi_realloc\"", "\"something\""), "cabi_realloc"),
        ("half-of-the-hooks", edited(good(), "#on-response-body", "#on-nothing"), "on-response-body"),
        ("a-hook-of-another-shape", edited(good(), "(param $id i32) )", "(param $id i64))"), "on-exchange-end"),
    ]
}

/// A filter in whose text something is another.
fn edited(filter: RawFilter, from: &str, to: &str) -> Vec<u8> {
    let text = filter.text();
    assert!(text.contains(from), "{from}: {text}");
    RawFilter::of_text(&text.replace(from, to))
}

#[test]
fn what_does_harm_while_it_is_loaded_is_refused() {
    let mut wrong = Vec::new();
    for (name, module, expected) in cases() {
        for isolation in ["shared", "exchange"] {
            let gateway = TestGateway::new().upstream_at(([127, 0, 0, 1], 9).into()).module("m", &module);
            let policy = format!("filter = \"m\"\nisolation = {isolation:?}\nlimits.configure = \"20ms\"");
            let message = gateway.policy("10-m", &policy).check().err().unwrap_or_else(|| "nothing".into());
            if !message.starts_with("policies/") || !message.contains(expected) {
                wrong.push(format!("{name}: {message}"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn what_served_before_goes_on() {
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).module("10-m", RawFilter::new(1).build());
    let gateway = gateway.policy("10-m", "limits.configure = \"20ms\"").start();
    for (name, module, _) in cases() {
        gateway.change(|gateway| gateway.replace_module("10-m", &module));
        let status = gateway.policy("10-m");
        assert_eq!((&status["state"], gateway.get("/").status), (&"kept".into(), 200), "{name}: {status}");
    }
}
