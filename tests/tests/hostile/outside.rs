//! Imports that reach beyond the exchange: callouts, clocks, random numbers, secrets. Policies are granted all of them.

use crate::case::{Case, Fate, Hook, deed};

/// What policies have besides. The upstream `silent` takes connections and never answers.
pub(crate) const POLICY: &str = r#"grants = { callouts = ["silent"], clock = true, random = true, secrets = ["key"] }"#;

/// How long a callout may take: each case that waits does so for the whole of it. To copy all memory takes a busy machine some time.
pub(crate) const LIMITS: &str = r#"memory = "4MiB", callout-timeout = "20ms", cpu = "25ms""#;

/// A good request at 4400: `GET /x` of `silent`. At 4500 there is one with content without end.
const CALLOUT: &str = r#"
    (import "tollgate:filter/callout@0.1.0" "send-all" (func $send (param i32 i32 i32)))
    (data (i32.const 4096) "\ff\fe\fd\fc") (data (i32.const 4112) "silent") (data (i32.const 4120) "GET") (data (i32.const 4128) "/x#y")
    (data (i32.const 4400) "\10\10\00\00\06\00\00\00\18\10\00\00\03\00\00\00\20\10\00\00\02\00\00\00")
    (data (i32.const 4500) "\10\10\00\00\06\00\00\00\18\10\00\00\03\00\00\00\20\10\00\00\02\00\00\00")
    (data (i32.const 4548) "\ff\ff\ff\ff")
    (func $request (param $body i32) (param $length i32)
        (i32.store (i32.const 4444) (local.get $body)) (i32.store (i32.const 4448) (local.get $length)))"#;

const CLOCK: &str = r#"
    (import "tollgate:filter/clock@0.1.0" "now" (func $now (result i64)))
    (import "tollgate:filter/clock@0.1.0" "monotonic" (func $monotonic (result i64)))"#;

const RANDOM: &str = r#"
    (import "tollgate:filter/random@0.1.0" "get-bytes" (func $bytes (param i32 i32)))
    (import "tollgate:filter/random@0.1.0" "get-u64" (func $number (result i64)))"#;

const SECRETS: &str = r#"
    (import "tollgate:filter/secrets@0.1.0" "get" (func $secret (param i32 i32 i32)))
    (data (i32.const 4096) "\ff\fe\fd\fc") (data (i32.const 4112) "key") (data (i32.const 4120) "another")"#;

/// Name, what is called, what becomes of it.
type Calls = &'static [(&'static str, &'static str, Fate)];

const REFUSED: Fate = Fate::Fault("refused");
const TRAP: Fate = Fate::Fault("trap");
const DEADLINE: Fate = Fate::Fault("deadline");

const OF_CALLOUT: Calls = &[
    ("calls-nowhere", "(call $send (i32.const -4) (i32.const 1) (i32.const 4200))", REFUSED),
    ("calls-without-end", "(call $send (i32.const 4400) (i32.const -1) (i32.const 4200))", REFUSED),
    ("calls-of-all-memory", "(call $send (i32.const 196608) (i32.const 960) (i32.const 4200))", Fate::Passes),
    ("calls-into-nowhere", "(call $send (i32.const 4400) (i32.const 1) (i32.const -4))", REFUSED),
    ("calls-crooked", "(call $send (i32.const 4401) (i32.const 1) (i32.const 4200))", REFUSED),
    ("calls-nobody", "(call $send (i32.const 196608) (i32.const 1) (i32.const 4200))", Fate::Passes),
    (
        "calls-another",
        "(i32.store8 (i32.const 4112) (i32.const 83)) (call $send (i32.const 4400) (i32.const 1) (i32.const 4200))",
        Fate::Passes,
    ),
    (
        "calls-no-text",
        "(i32.store (i32.const 4400) (i32.const 4096)) (i32.store (i32.const 4404) (i32.const 4))
         (call $send (i32.const 4400) (i32.const 1) (i32.const 4200))",
        REFUSED,
    ),
    (
        "calls-a-path-of-all-memory",
        "(i32.store (i32.const 4416) (i32.const 196608)) (i32.store (i32.const 4420) (i32.const 65536))
         (call $send (i32.const 4400) (i32.const 1) (i32.const 4200))",
        Fate::Passes,
    ),
    (
        "calls-a-fragment",
        "(i32.store (i32.const 4420) (i32.const 4)) (call $send (i32.const 4400) (i32.const 1) (i32.const 4200))",
        Fate::Passes,
    ),
    (
        "calls-with-fields-without-end",
        "(i32.store (i32.const 4440) (i32.const -1)) (call $send (i32.const 4400) (i32.const 1) (i32.const 4200))",
        REFUSED,
    ),
    (
        "calls-with-many-fields",
        "(i32.store (i32.const 4436) (i32.const 196608)) (i32.store (i32.const 4440) (i32.const 4000))
         (call $send (i32.const 4400) (i32.const 1) (i32.const 4200))",
        Fate::Passes,
    ),
    ("calls-with-content-without-end", "(call $send (i32.const 4500) (i32.const 1) (i32.const 4200))", REFUSED),
    (
        "calls-with-all-memory",
        "(call $request (i32.const 0) (i32.const 262144)) (call $send (i32.const 4400) (i32.const 1) (i32.const 4200))",
        Fate::Passes,
    ),
    (
        "calls-for-no-time",
        "(i32.store8 (i32.const 4452) (i32.const 1)) (call $send (i32.const 4400) (i32.const 1) (i32.const 4200))",
        Fate::Passes,
    ),
    (
        "calls-for-ever",
        "(i32.store8 (i32.const 4452) (i32.const 1)) (i32.store (i32.const 4456) (i32.const -1))
         (i32.store8 (i32.const 4460) (i32.const 1)) (i32.store (i32.const 4464) (i32.const -1))
         (call $send (i32.const 4400) (i32.const 1) (i32.const 4200))",
        Fate::Passes,
    ),
    (
        "calls-an-option-that-is-none",
        "(i32.store8 (i32.const 4452) (i32.const 7)) (call $send (i32.const 4400) (i32.const 1) (i32.const 4200))",
        REFUSED,
    ),
    (
        "calls-sixteen-at-once",
        "(memory.copy (i32.const 131072) (i32.const 4400) (i32.const 68))
         (memory.copy (i32.const 131140) (i32.const 131072) (i32.const 1020))
         (call $send (i32.const 131072) (i32.const 16) (i32.const 4200))",
        Fate::Passes,
    ),
    (
        "calls-without-pause",
        "(loop $on (call $send (i32.const 4400) (i32.const 1) (i32.const 4200)) (br $on))",
        DEADLINE,
    ),
    ("calls-and-crashes", "(call $send (i32.const 4400) (i32.const 1) (i32.const 4200)) (unreachable)", TRAP),
    ("calls-and-loops", "(call $send (i32.const 4400) (i32.const 1) (i32.const 4200)) (loop $on (br $on))", DEADLINE),
];

const OF_CLOCK: Calls = &[
    ("clock-flood", "(loop $on (drop (call $now)) (br $on))", DEADLINE),
    ("clock-to-wait", "(loop $on (drop (call $monotonic)) (br $on))", DEADLINE),
];

const OF_RANDOM: Calls = &[
    ("random-too-many", "(call $bytes (i32.const 1025) (i32.const 4200))", REFUSED),
    ("random-without-end", "(call $bytes (i32.const -1) (i32.const 4200))", REFUSED),
    ("random-none", "(call $bytes (i32.const 0) (i32.const 4200))", Fate::Passes),
    ("random-into-nowhere", "(call $bytes (i32.const 8) (i32.const -4))", REFUSED),
    ("random-flood", "(loop $on (call $bytes (i32.const 1024) (i32.const 4200)) (br $on))", DEADLINE),
    ("random-number-flood", "(loop $on (drop (call $number)) (br $on))", DEADLINE),
];

const OF_SECRETS: Calls = &[
    ("secret-nowhere", "(call $secret (i32.const -1) (i32.const 3) (i32.const 4200))", REFUSED),
    ("secret-without-end", "(call $secret (i32.const 0) (i32.const -1) (i32.const 4200))", REFUSED),
    ("secret-no-text", "(call $secret (i32.const 4096) (i32.const 4) (i32.const 4200))", REFUSED),
    ("secret-of-all-memory", "(call $secret (i32.const 196608) (i32.const 65536) (i32.const 4200))", Fate::Passes),
    ("secret-of-another", "(call $secret (i32.const 4120) (i32.const 7) (i32.const 4200))", Fate::Passes),
    ("secret-into-nowhere", "(call $secret (i32.const 4112) (i32.const 3) (i32.const -4))", REFUSED),
    ("secret-flood", "(loop $on (call $secret (i32.const 4112) (i32.const 3) (i32.const 4200)) (br $on))", DEADLINE),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (calls, fields) in [(OF_CALLOUT, CALLOUT), (OF_CLOCK, CLOCK), (OF_RANDOM, RANDOM), (OF_SECRETS, SECRETS)] {
        for (what, does, fate) in calls {
            cases.push(deed(what, Hook::RequestHead, does, fields, *fate));
        }
    }
    for hook in Hook::ALL.into_iter().filter(|hook| *hook != Hook::RequestHead) {
        // Nobody waits for an exchange that has ended.
        let fate = if hook == Hook::ExchangeEnd { REFUSED } else { Fate::Passes };
        cases.push(deed(
            "calls-who-is-silent",
            hook,
            "(call $send (i32.const 4400) (i32.const 1) (i32.const 4200))",
            CALLOUT,
            fate,
        ));
        cases.push(deed("calls-nowhere", hook, OF_CALLOUT[0].1, CALLOUT, REFUSED));
        cases.push(deed("random-too-many", hook, OF_RANDOM[0].1, RANDOM, REFUSED));
        cases.push(deed("secret-nowhere", hook, OF_SECRETS[0].1, SECRETS, REFUSED));
    }
    cases
}
