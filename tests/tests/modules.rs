//! Stories of modules that are no filters: what is wrong with them is said, and what served before keeps serving.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(missing_docs, reason = "each story is named after what it tells")]

use tollgate_tests::{RunningGateway, TestGateway, Upstream, filter, guest, leb128};

/// What the gateway says to a module at its start.
#[track_caller]
fn refusal(module: impl AsRef<[u8]>) -> String {
    let gateway = TestGateway::new().upstream_at(([127, 0, 0, 1], 9).into()).module("10-bad", module);
    let message = gateway.check().expect_err("the module is bad");
    assert!(gateway.try_start().is_err(), "the gateway starts with what it does not accept: {message}");
    message
}

const COPIED_WHOLE: &str = "rebuild it, or check that the file was copied whole";
const THIS_RELEASE: &str = "build it against the interface of this release";
const NOT_GRANTED: &str = "which filters are not granted; build without the feature that needs it";

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text is WebAssembly")
}

/// A component that exports one function under a name.
fn component_with_function(export: &str) -> Vec<u8> {
    wat(&format!(
        r#"(component
            (core module $code (func (export "f")))
            (core instance $code (instantiate $code))
            (func $f (canon lift (core func $code "f")))
            {export})"#
    ))
}

/// Modules that are no filters, with a part of what is said about each.
fn bad_modules() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let (core, component) = (guest("misbehave"), guest("inert-wasi"));
    vec![
        ("garbage", b"#!/bin/sh\n".to_vec(), "does not begin as a WebAssembly file does"),
        ("nothing", vec![], "the file is empty"),
        ("four bytes", core[..4].to_vec(), "does not begin as a WebAssembly file does"),
        ("half a component", component[..component.len() / 2].to_vec(), "unexpected end"),
        ("half a core module", core[..core.len() / 2].to_vec(), "unexpected end"),
        ("an empty component", wat("(component)"), "does not export tollgate:filter/hooks@0.1.0"),
        (
            "a plain core module",
            wat(r#"(module (func (export "run")))"#),
            "does not export tollgate:filter/hooks@0.1.0",
        ),
        ("another world", component_with_function(r#"(export "run" (func $f))"#), "does not export"),
        (
            "half of the interface",
            component_with_function(
                r#"(instance $hooks (export "configure" (func $f)))
                (export "tollgate:filter/hooks@0.1.0" (instance $hooks))"#,
            ),
            "does not have export `on-request-head`",
        ),
        ("sockets", guest("wants-sockets"), "imports wasi:sockets/"),
    ]
}

#[test]
fn what_is_not_webassembly_is_refused() {
    assert_eq!(
        refusal(b"#!/bin/sh\n"),
        format!(
            "policies/10-bad.wasm: not a WebAssembly component: it does not begin as a WebAssembly file does; {COPIED_WHOLE}"
        )
    );
    assert_eq!(
        refusal(b""),
        format!("policies/10-bad.wasm: not a WebAssembly component: the file is empty; {COPIED_WHOLE}")
    );
}

#[test]
fn half_a_file_is_refused_wherever_it_is_cut() {
    for module in [guest("misbehave"), guest("inert-wasi"), filter("headers")] {
        for eighth in 1..8 {
            let message = refusal(&module[..module.len() * eighth / 8]);
            assert!(message.starts_with("policies/10-bad.wasm: "), "{message}");
            assert!(message.ends_with(COPIED_WHOLE), "{message}");
        }
    }
}

#[test]
fn a_component_of_another_world_is_refused() {
    let message = refusal(component_with_function(r#"(export "run" (func $f))"#));
    let expected = "policies/10-bad.wasm: does not fit the world tollgate:filter@0.1.0: \
        it does not export tollgate:filter/hooks@0.1.0";
    assert_eq!(message, format!("{expected}; {THIS_RELEASE}"));
}

#[test]
fn a_component_with_other_hooks_is_refused() {
    let exports = r#"(instance $hooks (export "configure" (func $f)))
        (export "tollgate:filter/hooks@0.1.0" (instance $hooks))"#;
    let message = refusal(component_with_function(exports));
    assert!(message.contains("`tollgate:filter/hooks@0.1.0` does not have export `on-request-head`"), "{message}");
    assert!(message.ends_with(THIS_RELEASE), "{message}");
}

#[test]
fn an_import_that_is_not_granted_is_named() {
    for import in [
        "wasi:http/outgoing-handler@0.2.0",
        "wasi:sockets/tcp@0.2.6",
        "tollgate:filter/exchange@0.2.0",
        "tollgate:filter/files@0.1.0",
    ] {
        let message = refusal(wat(&format!("(component (import {import:?} (instance)))")));
        assert_eq!(message, format!("policies/10-bad.wasm: imports {import}, {NOT_GRANTED}"));
    }
}

#[test]
fn a_module_for_another_gateway_is_recognized() {
    let proxy = r#"(module (import "env" "proxy_log" (func (param i32 i32 i32) (result i32))) (func (export "proxy_on_context_create")))"#;
    let http = r#"(module (import "http_handler" "get_config" (func (param i32 i32) (result i32))) (func (export "handle_request")))"#;
    let service = component_with_function(
        r#"(instance $handler (export "handle" (func $f))) (export "wasi:http/incoming-handler@0.2.0" (instance $handler))"#,
    );
    for (module, what, remedy) in [
        (wat(proxy), "proxy-wasm (Envoy", "`proxy_on_request_headers` is `on-request-head`"),
        (wat(http), "http-wasm (Traefik", "`handle_request` is `on-request-head`"),
        (service, "wasi:http, which is a whole HTTP service", "let `wasmtime serve` run it as an upstream"),
    ] {
        let message = refusal(module);
        assert!(message.starts_with(&format!("policies/10-bad.wasm: made for {what}")), "{message}");
        assert!(message.contains("and not for tollgate:filter@0.1.0; ") && message.contains(remedy), "{message}");
    }
}

#[test]
fn a_standard_library_that_reaches_for_sockets_is_refused() {
    let message = refusal(guest("wants-sockets"));
    assert!(message.starts_with("policies/10-bad.wasm: imports wasi:sockets/"), "{message}");
    assert!(message.ends_with(NOT_GRANTED), "{message}");
}

#[test]
fn a_module_above_the_bound_is_not_even_read() {
    let gateway = TestGateway::new().upstream_at(([127, 0, 0, 1], 9).into()).module("10-bad", "");
    let file = gateway.folder().path().join("policies/10-bad.wasm");
    // A hole: it takes no room on the disk, and would take all memory.
    std::fs::File::options().write(true).open(file).unwrap().set_len(1 << 40).unwrap();
    let message = gateway.check().unwrap_err();
    let expected =
        "1099511627776 bytes are more than the 67108864 that are read; build it in release mode and strip it";
    assert_eq!(message, format!("policies/10-bad.wasm: {expected}"));
}

/// A section of a component or of a module.
fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb128(content.len()), content].concat()
}

/// The number of a type where it could also be a primitive one, which are negative numbers.
fn signed(index: usize) -> Vec<u8> {
    let mut bytes = leb128(index);
    if let Some(last) = bytes.last_mut().filter(|last| **last & 0x40 != 0) {
        *last |= 0x80;
        bytes.push(0);
    }
    bytes
}

/// What is nested so deep that whoever goes down into it needs more of a stack than there is.
fn bottomless() -> Vec<(&'static str, Vec<u8>)> {
    const LEVELS: usize = 1_000_000;
    let component = |types: &[u8]| [b"\0asm\x0d\0\x01\0", &*section(7, types)].concat();
    // One type: a component or an instance type of one declaration, which is a type, and so on.
    let nested = |open: &[u8]| component(&[b"\x01", &*open.repeat(LEVELS), b"\x73"].concat());
    // Each a list of the one before it.
    let lists: Vec<_> = (0..LEVELS / 4).flat_map(|before| [&[0x70], &*signed(before)].concat()).collect();
    let lists = component(&[leb128(LEVELS / 4 + 1), vec![0x73], lists].concat());
    // Each an instance with the one before it.
    let mut instances = String::from("(type (instance))");
    (0..10_000).for_each(|type_| {
        instances += &format!(r#"(type (instance (alias outer 1 {type_} (type)) (export "a" (instance (type 0)))))"#);
    });
    let mut components = b"\0asm\x0d\0\x01\0".to_vec();
    (0..3_000).for_each(|_| components = [b"\0asm\x0d\0\x01\0", &*section(4, &components)].concat());
    let inside = component(&[b"\x01", &*b"\x42\x01\x01".repeat(100), b"\x73"].concat());
    let inside = [b"\0asm\x0d\0\x01\0", &*section(4, &inside)].concat();
    // One function, which is blocks in blocks.
    let body = [b"\0", &*b"\x02\x40".repeat(LEVELS), &b"\x0b".repeat(LEVELS + 1)].concat();
    let code = [b"\x01", &*leb128(body.len()), &body].concat();
    let blocks = [b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0", &*section(10, &code)].concat();
    vec![
        ("component types", nested(b"\x41\x01\x01")),
        ("instance types", nested(b"\x42\x01\x01")),
        ("types of both kinds", nested(b"\x41\x01\x01\x42\x01\x01")),
        ("types that end in nothing", component(&[b"\x01", &*b"\x42\x01\x01".repeat(LEVELS)].concat())),
        ("types of a component inside", inside),
        ("lists", lists),
        ("instances", wat(&format!("(component {instances})"))),
        ("components", components),
        ("blocks", blocks),
    ]
}

#[test]
fn what_is_nested_without_bound_is_refused_and_ends_nobody() {
    for (name, module) in bottomless() {
        let message = refusal(module);
        let expected = match name {
            "lists" => "type nesting is too deep",
            "instances" => "the compiler fails over it",
            "components" | "blocks" => "does not export tollgate:filter/hooks@0.1.0",
            _ => "its types are nested more than 32 levels deep",
        };
        assert!(message.starts_with("policies/10-bad.wasm: ") && message.contains(expected), "{name}: {message}");
    }
}

#[test]
fn all_bad_modules_are_reported_at_once() {
    let modules = bad_modules();
    let gateway = TestGateway::new().upstream_at(([127, 0, 0, 1], 9).into());
    let gateway = modules
        .iter()
        .enumerate()
        .fold(gateway, |gateway, (number, (_, module, _))| gateway.module(&format!("{number}-bad"), module));
    let message = gateway.check().unwrap_err();
    assert_eq!(message.lines().count(), modules.len(), "{message}");
    for (line, (name, _, expected)) in message.lines().zip(&modules) {
        assert!(line.contains(expected), "{name}: {line}");
    }
}

#[test]
fn a_core_module_with_metadata_is_a_filter() {
    let upstream = Upstream::start();
    assert_eq!(guest("misbehave")[4..8], [1, 0, 0, 0], "the guest should be a core module");
    let gateway = TestGateway::new().upstream(&upstream).module("10-m", guest("misbehave")).start();
    assert_eq!(version(&gateway), "misbehave");
}

#[test]
fn a_component_is_a_filter() {
    let upstream = Upstream::start();
    assert_eq!(guest("inert-wasi")[4..8], [0x0d, 0, 1, 0], "the guest should be a component");
    let gateway = TestGateway::new().upstream(&upstream).module("10-m", guest("inert-wasi")).start();
    assert_eq!(version(&gateway), "inert-wasi");
}

/// Which of two modules has seen a request.
#[track_caller]
fn version(gateway: &RunningGateway) -> &'static str {
    let echo = gateway.get("/").echo();
    match (echo.field("x-begun"), echo.field("x-wasi")) {
        (Some(_), None) => "misbehave",
        (None, Some(_)) => "inert-wasi",
        (None, None) => "none",
        both => panic!("{both:?}"),
    }
}

#[test]
fn a_bad_module_keeps_the_one_before_it_and_a_good_one_goes_live() {
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).module("10-m", guest("misbehave")).start();
    let digest = gateway.policy("10-m")["digest"].clone();
    for (name, module, expected) in bad_modules() {
        gateway.change(|gateway| gateway.replace_module("10-m", module));
        assert_eq!(version(&gateway), "misbehave", "{name}");
        let policy = gateway.policy("10-m");
        let error = gateway.relative(policy["last-error"].as_str().unwrap_or_default());
        assert_eq!(policy["state"], "kept", "{name}: {policy}");
        assert_eq!(policy["digest"], digest, "{name}: {policy}");
        assert!(error.starts_with("policies/10-m.wasm: ") && error.contains(expected), "{name}: {error}");
    }
    gateway.change(|gateway| gateway.replace_module("10-m", guest("inert-wasi")));
    assert_eq!(version(&gateway), "inert-wasi");
    let policy = gateway.policy("10-m");
    assert_eq!((&policy["state"], &policy["last-error"]), (&"live".into(), &serde_json::Value::Null));
    assert_ne!(policy["digest"], digest);
}

#[test]
fn a_new_policy_with_a_bad_module_is_left_out_until_it_is_good() {
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).start();
    gateway.change(|gateway| gateway.replace_module("10-m", guest("wants-sockets")));
    let policy = gateway.policy("10-m");
    assert_eq!((&policy["state"], &policy["digest"]), (&"failed".into(), &serde_json::Value::Null));
    assert!(policy["last-error"].as_str().unwrap_or_default().contains("wasi:sockets/"), "{policy}");
    assert_eq!(version(&gateway), "none");
    gateway.change(|gateway| gateway.replace_module("10-m", guest("inert-wasi")));
    assert_eq!((version(&gateway), &gateway.policy("10-m")["state"]), ("inert-wasi", &"live".into()));
}

#[test]
fn one_bad_module_does_not_hold_up_a_good_one() {
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).module("10-m", guest("misbehave")).start();
    gateway.change(|gateway| gateway.replace_module("20-bad", b"garbage"));
    gateway.change(|gateway| gateway.replace_module("10-m", guest("inert-wasi")));
    assert_eq!(version(&gateway), "inert-wasi");
    assert_eq!(gateway.policy("20-bad")["state"], "failed");
}

#[test]
fn a_config_file_that_routes_to_a_policy_that_never_was_ready_is_rejected() {
    const CONFIG: &str = r#"
        policies-dir = "policies"
        [[listeners]]
        address = "{listen}"
        [upstreams.echo]
        endpoints = ["{upstream}"]
        [[routes]]
        policies = [POLICIES]
        upstream = "echo"
    "#;
    let upstream = Upstream::start();
    let config = CONFIG.replace("POLICIES", "\"m\"");
    let gateway = TestGateway::new().upstream(&upstream).module("10-m", guest("misbehave")).config(&config).start();
    gateway.change(|gateway| gateway.replace_module("20-n", b"garbage"));
    gateway.change(|gateway| gateway.write_config(&CONFIG.replace("POLICIES", "\"m\", \"n\"")));
    let page = gateway.policies();
    let problems = page["rejected-change"]["problems"].as_str().unwrap_or_default();
    assert!(problems.contains("20-n.wasm: not a WebAssembly component"), "{page:#}");
    assert_eq!(version(&gateway), "misbehave");
    gateway.change(|gateway| gateway.replace_module("20-n", guest("inert-wasi")));
    let echo = gateway.get("/").echo();
    assert!(echo.field("x-begun").is_some() && echo.field("x-wasi").is_some(), "{echo:?}");
    assert!(gateway.policies()["rejected-change"].is_null());
}
