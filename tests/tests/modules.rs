//! Stories of modules that are no filters: what is wrong with them is said, and what served before keeps serving.

#![allow(missing_docs, reason = "each story is named after what it tells")]

use tollgate_tests::{RunningGateway, TestGateway, Upstream, filter, guest};

/// What the gateway says to a module at its start.
#[track_caller]
fn refusal(module: impl AsRef<[u8]>) -> String {
    let gateway = TestGateway::new().upstream_at(([127, 0, 0, 1], 9).into()).module("10-bad", module);
    gateway.check().expect_err("the module is bad")
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text is WebAssembly")
}

#[test]
fn garbage_is_no_module() {
    eprintln!("{}", refusal(b"#!/bin/sh\n"));
    eprintln!("{}", refusal(b""));
    let w = guest("inert-wasi");
    eprintln!("{}", refusal(&w[..w.len() / 2]));
    eprintln!("{}", refusal(&w[..4]));
    eprintln!("{}", refusal(&w[..8]));
    let w = guest("misbehave");
    eprintln!("{}", refusal(&w[..w.len() / 2]));
    eprintln!("{}", refusal(&w[..8]));
    eprintln!("{}", refusal(guest("wants-sockets")));
    eprintln!("{}", refusal(wat("(module (func (export \"run\")))")));
    eprintln!("{}", refusal(wat("(component)")));
    eprintln!(
        "{}",
        refusal(wat(
            "(component (core module $m (func (export \"f\"))) (core instance $i (instantiate $m)) (func $f (canon lift (core func $i \"f\"))) (export \"run\" (func $f)))"
        ))
    );
    eprintln!(
        "{}",
        refusal(wat(
            "(component (core module $m (func (export \"f\"))) (core instance $i (instantiate $m)) (func $f (canon lift (core func $i \"f\"))) (instance $h (export \"configure\" (func $f))) (export \"tollgate:filter/hooks@0.1.0\" (instance $h)))"
        ))
    );
    eprintln!("{}", refusal(wat("(component (import \"wasi:http/outgoing-handler@0.2.0\" (instance)))")));
    eprintln!("{}", refusal(wat("(component (import \"tollgate:filter/exchange@0.2.0\" (instance)))")));
    eprintln!("{}", refusal(wat("(component (import \"tollgate:filter/secrets@0.1.0\" (instance)))")));
    eprintln!("{}", refusal(wat("(component (import \"env\" (func)))")));
    eprintln!("{}", refusal(vec![0u8; (64 << 20) + 1]));
}
