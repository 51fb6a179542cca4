//! Imports with absurd arguments, at the wrong time, and without end.

use crate::answers::heavy;
use crate::case::{Case, Fate, Hook, case, deed};

const EXCHANGE: &str = r#"
    (import "tollgate:filter/exchange@0.1.0" "get" (func $get (param i32 i32 i32 i32 i32)))
    (import "tollgate:filter/exchange@0.1.0" "get-all" (func $get-all (param i32 i32 i32 i32 i32)))
    (import "tollgate:filter/exchange@0.1.0" "fields" (func $fields (param i32 i32 i32)))
    (import "tollgate:filter/exchange@0.1.0" "apply" (func $apply (param i32 i32 i32 i32)))
    (data (i32.const 4096) "\ff\fe\fd\fc") (data (i32.const 4112) "te")"#;

const LIMITER: &str = r#"
    (import "tollgate:filter/limiter@0.1.0" "take" (func $take (param i32 i32 i32 i64 i32 i32 i32)))"#;

const LOG: &str = r#"
    (import "tollgate:filter/log@0.1.0" "write" (func $log (param i32 i32 i32 i32 i32)))
    (data (i32.const 4096) "\ff\fe\fd\fc")"#;

/// Name, what is called, class of the fault if it is one.
type Calls = &'static [(&'static str, &'static str, Fate)];

const REFUSED: Fate = Fate::Fault("refused");

const OF_EXCHANGE: Calls = &[
    (
        "get-of-another",
        "(call $get (i32.const 4242) (i32.const 0) (i32.const 4112) (i32.const 2) (i32.const 4200))",
        REFUSED,
    ),
    (
        "get-of-the-next",
        "(call $get (i32.add (local.get $id) (i32.const 1)) (i32.const 0) (i32.const 4112) (i32.const 2) (i32.const 4200))",
        REFUSED,
    ),
    (
        "get-no-message",
        "(call $get (local.get $id) (i32.const 7) (i32.const 4112) (i32.const 2) (i32.const 4200))",
        REFUSED,
    ),
    ("get-nowhere", "(call $get (local.get $id) (i32.const 0) (i32.const -2) (i32.const 2) (i32.const 4200))", REFUSED),
    (
        "get-endless-name",
        "(call $get (local.get $id) (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 4200))",
        REFUSED,
    ),
    (
        "get-no-text",
        "(call $get (local.get $id) (i32.const 0) (i32.const 4096) (i32.const 4) (i32.const 4200))",
        REFUSED,
    ),
    (
        "get-into-nowhere",
        "(call $get (local.get $id) (i32.const 0) (i32.const 4112) (i32.const 2) (i32.const -4))",
        REFUSED,
    ),
    (
        "get-all-memory",
        "(call $get (local.get $id) (i32.const 0) (i32.const 65536) (i32.const 196608) (i32.const 4200))",
        Fate::Passes,
    ),
    (
        "get-all-nowhere",
        "(call $get-all (local.get $id) (i32.const 0) (i32.const -2) (i32.const 2) (i32.const 4200))",
        REFUSED,
    ),
    ("fields-of-another", "(call $fields (i32.const -1) (i32.const 0) (i32.const 4200))", REFUSED),
    ("fields-into-nowhere", "(call $fields (local.get $id) (i32.const 0) (i32.const -4))", REFUSED),
    (
        "fields-again-and-again",
        "(loop $on (call $fields (local.get $id) (i32.const 0) (i32.const 4200)) (br $on))",
        Fate::Fault("deadline"),
    ),
    ("apply-without-end", "(call $apply (local.get $id) (i32.const 4096) (i32.const -1) (i32.const 4200))", REFUSED),
    ("apply-nowhere", "(call $apply (local.get $id) (i32.const 262140) (i32.const 1) (i32.const 4200))", REFUSED),
    ("apply-many", "(call $apply (local.get $id) (i32.const 131072) (i32.const 6000) (i32.const 4200))", Fate::Passes),
    ("apply-to-another", "(call $apply (i32.const 77) (i32.const 65536) (i32.const 0) (i32.const 4200))", REFUSED),
];

const OF_LIMITER: Calls = &[
    ("take-nowhere", "(call $take (i32.const -1) (i32.const 9) (i32.const 1) (i64.const 1) (i32.const 1) (i32.const 1) (i32.const 4200))", REFUSED),
    ("take-endless-key", "(call $take (i32.const 0) (i32.const -1) (i32.const 1) (i64.const 1) (i32.const 1) (i32.const 1) (i32.const 4200))", REFUSED),
    ("take-key-of-all-memory", "(call $take (i32.const 0) (i32.const 262144) (i32.const 1) (i64.const 1) (i32.const 1) (i32.const 1) (i32.const 4200))", Fate::Passes),
    ("take-into-nowhere", "(call $take (i32.const 0) (i32.const 1) (i32.const 1) (i64.const 1) (i32.const 1) (i32.const 1) (i32.const -1))", REFUSED),
    ("take-none", "(call $take (i32.const 0) (i32.const 1) (i32.const 0) (i64.const 1) (i32.const 1) (i32.const 1) (i32.const 4200))", REFUSED),
    ("take-in-no-time", "(call $take (i32.const 0) (i32.const 1) (i32.const 1) (i64.const 0) (i32.const 1) (i32.const 1) (i32.const 4200))", REFUSED),
    ("take-at-no-cost", "(call $take (i32.const 0) (i32.const 1) (i32.const 1) (i64.const 1) (i32.const 1) (i32.const 0) (i32.const 4200))", REFUSED),
    ("take-all", "(call $take (i32.const 0) (i32.const 1) (i32.const -1) (i64.const -1) (i32.const -1) (i32.const -1) (i32.const 4200))", Fate::Passes),
    ("take-many-keys", "(loop $on (i32.store (i32.const 4300) (i32.add (i32.load (i32.const 4300)) (i32.const 1)))
        (call $take (i32.const 4300) (i32.const 4) (i32.const -1) (i64.const 1) (i32.const 1) (i32.const 1) (i32.const 4200)) (br $on))", Fate::Fault("deadline")),
];

const OF_LOG: Calls = &[
    ("log-no-level", "(call $log (i32.const 9) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))", REFUSED),
    ("log-nowhere", "(call $log (i32.const 3) (i32.const -1) (i32.const 9) (i32.const 0) (i32.const 0))", REFUSED),
    ("log-without-end", "(call $log (i32.const 3) (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0))", REFUSED),
    ("log-no-text", "(call $log (i32.const 3) (i32.const 4096) (i32.const 4) (i32.const 0) (i32.const 0))", REFUSED),
    (
        "log-all-memory",
        "(call $log (i32.const 3) (i32.const 8192) (i32.const 250000) (i32.const 0) (i32.const 0))",
        Fate::Passes,
    ),
    (
        "log-flood",
        "(loop $on (call $log (i32.const 3) (i32.const 8192) (i32.const 8) (i32.const 0) (i32.const 0)) (br $on))",
        Fate::Fault("deadline"),
    ),
    (
        "log-attributes-without-end",
        "(call $log (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const -1))",
        REFUSED,
    ),
    (
        "log-attributes-nowhere",
        "(call $log (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 262140) (i32.const 1))",
        REFUSED,
    ),
    (
        "log-many-attributes",
        "(call $log (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 131072) (i32.const 8000))",
        Fate::Passes,
    ),
];

const METRICS: &str = r#"
    (import "tollgate:filter/metrics@0.1.0" "define"
        (func $define (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "tollgate:filter/metrics@0.1.0" "get" (func $get (param i32 i32 i32) (result i32)))
    (import "tollgate:filter/metrics@0.1.0" "add" (func $add (param i32 i64)))
    (import "tollgate:filter/metrics@0.1.0" "observe" (func $observe (param i32 f64)))
    (data (i32.const 4096) "\ff\fe\fd\fc") (data (i32.const 4112) "abc")"#;

/// A call of `define`: kind, name, help, labels, buckets, and where the result goes.
macro_rules! define {
    ($kind:literal, $name:literal, $labels:literal, $buckets:literal, $at:literal) => {
        concat!(
            "(call $define (i32.const ",
            $kind,
            ") ",
            $name,
            " (i32.const 0) (i32.const 0) ",
            $labels,
            " ",
            $buckets,
            " (i32.const ",
            $at,
            "))"
        )
    };
}

const OF_METRICS: Calls = &[
    (
        "define-no-kind",
        define!(
            "9",
            "(i32.const 4112) (i32.const 3)",
            "(i32.const 0) (i32.const 0)",
            "(i32.const 0) (i32.const 0)",
            "4200"
        ),
        REFUSED,
    ),
    (
        "define-no-text",
        define!(
            "0",
            "(i32.const 4096) (i32.const 4)",
            "(i32.const 0) (i32.const 0)",
            "(i32.const 0) (i32.const 0)",
            "4200"
        ),
        REFUSED,
    ),
    (
        "define-all-memory",
        define!(
            "0",
            "(i32.const 131072) (i32.const 131072)",
            "(i32.const 0) (i32.const 0)",
            "(i32.const 0) (i32.const 0)",
            "4200"
        ),
        Fate::Passes,
    ),
    (
        "define-labels-without-end",
        define!(
            "0",
            "(i32.const 4112) (i32.const 3)",
            "(i32.const 0) (i32.const -1)",
            "(i32.const 0) (i32.const 0)",
            "4200"
        ),
        REFUSED,
    ),
    (
        "define-many-labels",
        define!(
            "0",
            "(i32.const 4112) (i32.const 3)",
            "(i32.const 131072) (i32.const 16000)",
            "(i32.const 0) (i32.const 0)",
            "4200"
        ),
        Fate::Passes,
    ),
    (
        "define-buckets-nowhere",
        define!(
            "2",
            "(i32.const 4112) (i32.const 3)",
            "(i32.const 0) (i32.const 0)",
            "(i32.const 0) (i32.const -1)",
            "4200"
        ),
        REFUSED,
    ),
    (
        "define-many-buckets",
        define!(
            "2",
            "(i32.const 4112) (i32.const 3)",
            "(i32.const 0) (i32.const 0)",
            "(i32.const 131072) (i32.const 16000)",
            "4200"
        ),
        Fate::Passes,
    ),
    (
        "define-into-nowhere",
        define!(
            "0",
            "(i32.const 4112) (i32.const 3)",
            "(i32.const 0) (i32.const 0)",
            "(i32.const 0) (i32.const 0)",
            "-4"
        ),
        REFUSED,
    ),
    ("get-no-metric", "(drop (call $get (i32.const 4242) (i32.const 0) (i32.const 0)))", REFUSED),
    ("get-values-without-end", "(drop (call $get (i32.const 0) (i32.const 0) (i32.const -1)))", REFUSED),
    ("add-to-nothing", "(call $add (i32.const 4242) (i64.const 1))", REFUSED),
    ("observe-nothing", "(call $observe (i32.const -1) (f64.const nan))", REFUSED),
];

const STORE: &str = r#"
    (import "tollgate:filter/store@0.1.0" "get" (func $get (param i32 i32 i32 i32 i32)))
    (import "tollgate:filter/store@0.1.0" "set" (func $set (param i32 i32 i32 i32 i32 i32 i64 i32)))
    (import "tollgate:filter/store@0.1.0" "increment" (func $increment (param i32 i32 i32 i32 i64 i64 i32)))
    (import "tollgate:filter/store@0.1.0" "acquire" (func $acquire (param i32 i32 i32 i32 i64 i32)))
    (data (i32.const 4096) "\ff\fe\fd\fc") (data (i32.const 4112) "abc")"#;

const OF_STORE: Calls = &[
    ("store-key-nowhere", "(call $get (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 9) (i32.const 4200))", REFUSED),
    ("store-key-without-end", "(call $get (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 4200))", REFUSED),
    ("store-space-no-text", "(call $get (i32.const 4096) (i32.const 4) (i32.const 4112) (i32.const 3) (i32.const 4200))", REFUSED),
    ("store-of-another", "(call $get (i32.const 4112) (i32.const 3) (i32.const 4112) (i32.const 3) (i32.const 4200))", Fate::Passes),
    ("store-key-of-all-memory", "(call $get (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 262144) (i32.const 4200))", Fate::Passes),
    ("store-into-nowhere", "(call $get (i32.const 0) (i32.const 0) (i32.const 4112) (i32.const 3) (i32.const -2))", REFUSED),
    ("store-value-nowhere", "(call $set (i32.const 0) (i32.const 0) (i32.const 4112) (i32.const 3) (i32.const -1) (i32.const 9) (i64.const 0) (i32.const 4200))", REFUSED),
    ("store-value-of-all-memory", "(call $set (i32.const 0) (i32.const 0) (i32.const 4112) (i32.const 3) (i32.const 0) (i32.const 262144) (i64.const -1) (i32.const 4200))", Fate::Passes),
    ("store-count-beyond", "(call $increment (i32.const 0) (i32.const 0) (i32.const 4112) (i32.const 3) (i64.const 0x7fffffffffffffff) (i64.const -1) (i32.const 4200))
        (call $increment (i32.const 0) (i32.const 0) (i32.const 4112) (i32.const 3) (i64.const 0x7fffffffffffffff) (i64.const -1) (i32.const 4200))", Fate::Passes),
    ("store-lease-for-ever", "(call $acquire (i32.const 0) (i32.const 0) (i32.const 4112) (i32.const 3) (i64.const -1) (i32.const 4200))", Fate::Passes),
    ("store-flood", "(loop $on (i32.store (i32.const 4300) (i32.add (i32.load (i32.const 4300)) (i32.const 1)))
        (call $set (i32.const 0) (i32.const 0) (i32.const 4300) (i32.const 4) (i32.const 131072) (i32.const 60000) (i64.const 0) (i32.const 4200))
        (br $on))", Fate::Fault("deadline")),
];

/// Those that use a store.
pub(crate) fn stores() -> Vec<Case> {
    OF_STORE.iter().map(|(what, does, fate)| deed(what, Hook::RequestHead, does, STORE, *fate)).collect()
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let much = heavy(20, 2_000)
        + "(call $apply (local.get $id) (i32.const 8192) (i32.const 2000) (i32.const 4200)) (i32.const 2048)";
    let fields = format!("{EXCHANGE} (data (i32.const 4112) \"x-name\")");
    cases.push(case("apply-much-memory", Hook::RequestHead, &much, &fields, Fate::Passes));
    for (calls, fields) in
        [(OF_EXCHANGE, EXCHANGE), (OF_LIMITER, LIMITER), (OF_LOG, LOG), (OF_METRICS, METRICS), (OF_STORE, STORE)]
    {
        for (what, does, fate) in calls {
            cases.push(deed(what, Hook::RequestHead, does, fields, *fate));
        }
    }
    let others = Hook::ALL.into_iter().filter(|hook| *hook != Hook::RequestHead);
    for hook in others {
        let look = "(call $fields (local.get $id) (i32.const 1) (i32.const 4200))";
        // Nobody's exchange runs once it has ended.
        let fate = if hook == Hook::ExchangeEnd { REFUSED } else { Fate::Passes };
        cases.push(deed("looks-at-fields", hook, look, EXCHANGE, fate));
        cases.push(deed("looks-at-another", hook, OF_EXCHANGE[0].1, EXCHANGE, REFUSED));
        let fate = if hook == Hook::ExchangeEnd { REFUSED } else { Fate::Passes };
        cases.push(deed("stores-in-another", hook, OF_STORE[3].1, STORE, fate));
        cases.push(deed("logs-nowhere", hook, OF_LOG[1].1, LOG, REFUSED));
    }
    cases
}
