//! The functions by which the gateway hands a filter lists and has their room freed again.

use crate::case::{Case, Fate, Hook, deed};

const GET: &str = r#"(import "tollgate:filter/exchange@0.1.0" "get" (func $get (param i32 i32 i32 i32 i32)))
    (data (i32.const 4112) "te")"#;

const LOG: &str = r#"(import "tollgate:filter/log@0.1.0" "write" (func $log (param i32 i32 i32 i32 i32)))"#;

const REFUSED: Fate = Fate::Fault("refused");
const TRAP: Fate = Fate::Fault("trap");

/// Name, what `cabi_realloc` does, fields of the module, what becomes of it.
const REALLOC: [(&str, &str, &str, Fate); 13] = [
    ("trap", "(unreachable)", "", TRAP),
    ("loop", "(loop $on (br $on)) (i32.const 65536)", "", Fate::Fault("deadline")),
    (
        "recursion",
        "(call $deeper)",
        "(func $deeper (result i32) (drop (call $deeper)) (call $deeper))",
        Fate::Fault("stack"),
    ),
    ("nowhere", "(i32.const -16)", "", REFUSED),
    ("the-end", "(i32.const 262144)", "", REFUSED),
    ("almost-the-end", "(i32.const 262142)", "", REFUSED),
    ("null", "(i32.const 0)", "", Fate::Passes),
    ("the-answer-s-place", "(i32.const 1000000)", "", REFUSED),
    ("grows", "(i32.mul (memory.grow (i32.const 2)) (i32.const 65536))", "", Fate::Passes),
    (
        "grows-too-far",
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)",
        "",
        Fate::Fault("memory"),
    ),
    (
        "logs",
        "(call $log (i32.const 3) (i32.const 8192) (i32.const 9) (i32.const 0) (i32.const 0)) (i32.const 65536)",
        LOG,
        Fate::Passes,
    ),
    // The first call from here hands over a value, for which the gateway calls here again.
    (
        "calls-back",
        "(call $get (i32.const 0) (i32.const 0) (i32.const 4112) (i32.const 2) (i32.const 4200)) (i32.const 65536)",
        GET,
        Fate::Fault("stack"),
    ),
    (
        "calls-of-another",
        "(call $get (i32.const 99) (i32.const 0) (i32.const 4112) (i32.const 2) (i32.const 4200)) (i32.const 65536)",
        GET,
        REFUSED,
    ),
];

/// The same for the function that frees an answer.
const POST: [(&str, &str, &str, Fate); 6] = [
    ("trap", "(unreachable)", "", TRAP),
    ("loop", "(loop $on (br $on))", "", Fate::Fault("deadline")),
    ("recursion", "(call $deeper)", "(func $deeper (call $deeper) (call $deeper))", Fate::Fault("stack")),
    ("shreds", "(memory.fill (i32.const 4096) (i32.const 255) (i32.const 250000))", "", Fate::Passes),
    (
        "logs-nowhere",
        "(call $log (i32.const 3) (i32.const -1) (i32.const 9) (i32.const 0) (i32.const 0))",
        LOG,
        REFUSED,
    ),
    ("grows", "(drop (memory.grow (i32.const 1)))", "", Fate::Passes),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for hook in [Hook::RequestBody, Hook::RequestTrailers, Hook::ResponseBody, Hook::ResponseTrailers] {
        for (what, does, fields, fate) in REALLOC {
            let mut case = deed(&format!("realloc-{what}"), hook, "", fields, fate);
            // What is configured is handed over as well.
            let does = format!("(if (i32.eqz (global.get $configured)) (then (return (i32.const 65536)))) {does}");
            let configured = "(global.set $configured (i32.const 1)) (i32.const 1024)";
            case.filter = case.filter.fields("(global $configured (mut i32) (i32.const 0))");
            case.filter = case.filter.export("cabi_realloc", &does).export("configure", configured);
            cases.push(case);
        }
    }
    for hook in [Hook::RequestHead, Hook::RequestBody, Hook::ResponseHead, Hook::ResponseTrailers] {
        for (what, does, fields, fate) in POST {
            let post = format!(
                "(func (export \"cabi_post_tollgate:filter/hooks@0.1.0#{}\") (param $answer i32) {does})",
                hook.name()
            );
            cases.push(deed(&format!("post-{what}"), hook, "", &format!("{fields} {post}"), fate));
        }
    }
    cases
}
