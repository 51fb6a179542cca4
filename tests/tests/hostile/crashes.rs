//! What ends a hook, in every hook.

use crate::case::{Case, Fate, Hook, deed};

/// Name, what it does, fields of the module, class of the fault.
const CRASHES: [(&str, &str, &str, &str); 12] = [
    ("trap", "(unreachable)", "", "trap"),
    ("loop", "(loop $on (br $on))", "", "deadline"),
    ("call-loop", "(loop $on (call $nothing) (br $on))", "(func $nothing)", "deadline"),
    ("recursion", "(call $deeper)", "(func $deeper (call $deeper) (call $deeper))", "stack"),
    ("divide", "(drop (i32.div_u (i32.const 1) (i32.const 0)))", "", "trap"),
    ("overflow", "(drop (i32.trunc_f64_s (f64.const 1e300)))", "", "trap"),
    ("read-beyond", "(drop (i32.load offset=4294967292 (i32.const -1)))", "", "trap"),
    ("write-beyond", "(i64.store (i32.const 0x7fffffff) (i64.const -1))", "", "trap"),
    ("fill-beyond", "(memory.fill (i32.const 0) (i32.const 1) (i32.const -1))", "", "trap"),
    ("call-nothing", "(call_indirect (i32.const 0))", "(table 1 funcref)", "trap"),
    // Until no more is given, and then it goes wrong over that.
    (
        "memory-bomb",
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)",
        "",
        "memory",
    ),
    (
        "table-bomb",
        "(loop $more (br_if $more (i32.ne (table.grow (ref.null func) (i32.const 1000)) (i32.const -1)))) (unreachable)",
        "(table 1 funcref)",
        "trap",
    ),
];

/// What is only strange: it goes on.
const STRANGE: [(&str, &str, &str); 3] = [
    ("memory-at-once", "(drop (memory.grow (i32.const -1)))", ""),
    ("table-at-once", "(drop (table.grow (ref.null func) (i32.const -1)))", "(table 1 funcref)"),
    ("eats-all", "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))", ""),
];

pub(crate) fn cases() -> Vec<Case> {
    let crash = |hook| {
        CRASHES.into_iter().map(move |(what, does, fields, class)| deed(what, hook, does, fields, Fate::Fault(class)))
    };
    let strange =
        |hook| STRANGE.into_iter().map(move |(what, does, fields)| deed(what, hook, does, fields, Fate::Passes));
    Hook::ALL.into_iter().flat_map(|hook| crash(hook).chain(strange(hook))).collect()
}
