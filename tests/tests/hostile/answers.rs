//! Answers that cannot be read, or that ask for what cannot be.

use crate::case::{Case, Fate, Hook, case};

pub(crate) fn cases() -> Vec<Case> {
    let answering = Hook::ALL.into_iter().filter(|hook| *hook != Hook::ExchangeEnd);
    let any = answering.flat_map(of_any);
    let heads = Hook::HEADS.into_iter().flat_map(of_head);
    let bodies = Hook::BODIES.into_iter().flat_map(of_body);
    any.chain(heads).chain(bodies).collect()
}

/// An answer at 2048 of which these words are not zero.
fn words(words: &[(u32, u32)]) -> String {
    let store =
        |(offset, word): &(u32, u32)| format!("(i32.store (i32.const {}) (i32.const {:#x}))", 2048 + offset, word);
    words.iter().map(store).collect::<String>() + "(i32.const 2048)"
}

/// Things to point at: what is no UTF-8 at 4096, a name at 4112, an edit of that name and no value at 4128.
const THINGS: &str = r#"(data (i32.const 4096) "\ff\fe\fd\fc")
    (data (i32.const 4112) "x-name")
    (data (i32.const 4128) "\00\00\00\00\10\10\00\00\06\00\00\00\00\00\00\00\00\00\00\00")
    (data (i32.const 4160) "\00\00\00\00\00\10\00\00\04\00\00\00\00\00\00\00\00\00\00\00")
    (data (i32.const 4192) "\09\00\00\00\10\10\00\00\06\00\00\00\00\00\00\00\00\00\00\00")
    (data (i32.const 4224) "\00\00\00\00\10\10\00\00\06\00\00\00\f0\ff\ff\ff\ff\ff\ff\7f")"#;

/// Elements from 8192 on, edits of 20 bytes or fields of 16, whose values are all the same half of memory.
pub(crate) fn heavy(size: u32, count: u32) -> String {
    let field = size - 16;
    format!(
        "(local $i i32) (local $at i32)
        (memory.fill (i32.const 131072) (i32.const 120) (i32.const 131072))
        (loop $on
            (local.set $at (i32.add (i32.const 8192) (i32.mul (local.get $i) (i32.const {size}))))
            (i32.store (local.get $at) (i32.const 1))
            (i32.store offset={field} (local.get $at) (i32.const 4112))
            (i32.store offset={} (local.get $at) (i32.const 6))
            (i32.store offset={} (local.get $at) (i32.const 131072))
            (i32.store offset={} (local.get $at) (i32.const 131072))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $on (i32.lt_u (local.get $i) (i32.const {count}))))",
        field + 4,
        field + 8,
        field + 12
    )
}

fn make(what: &str, hook: Hook, body: &str, fate: Fate) -> Case {
    case(what, hook, body, THINGS, fate)
}

fn of_any(hook: Hook) -> Vec<Case> {
    let (refused, edits) = (Fate::Fault("refused"), hook.edits());
    let list = |at, count| words(&[(edits, at), (edits + 4, count)]);
    let address = |at: &str| format!("(i32.const {at})");
    vec![
        make("answer-nowhere", hook, &address("-1"), refused),
        make("answer-beyond", hook, &address("262144"), refused),
        make("answer-half-beyond", hook, &address("262142"), refused),
        make(
            "answer-overwritten",
            hook,
            "(memory.fill (i32.const 0) (i32.const 255) (i32.const 262144)) (i32.const 2048)",
            refused,
        ),
        make("answer-unaligned", hook, &address("2049"), Fate::Passes),
        make("unknown-result", hook, &words(&[(0, 7)]), refused),
        make("error-nowhere", hook, &words(&[(0, 1), (4, 0xffff_ff00), (8, 0x7fff_ffff)]), refused),
        make("error-no-text", hook, &words(&[(0, 1), (4, 4096), (8, 4)]), refused),
        make("error-of-much-text", hook, &words(&[(0, 1), (4, 8192), (8, 57_344)]), Fate::Fault("reported")),
        make("edits-without-end", hook, &list(4128, u32::MAX), refused),
        make("edits-beyond", hook, &list(262_140, 1), refused),
        make("edits-too-many", hook, &list(8192, 5_000), Fate::Fault("answer")),
        make("edits-of-much-memory", hook, &(heavy(20, 1_000) + &list(8192, 1_000)), Fate::Fault("answer")),
        make("edit-unknown", hook, &list(4192, 1), refused),
        make("edit-no-text", hook, &list(4160, 1), refused),
        make("edit-value-nowhere", hook, &list(4224, 1), refused),
    ]
}

fn of_head(hook: Hook) -> Vec<Case> {
    let (refused, answer) = (Fate::Fault("refused"), Fate::Fault("answer"));
    // `reply` begins at 8: status, fields, body.
    let reply = |words_of_reply: &[(u32, u32)]| {
        let mut all = vec![(4, 2)];
        all.extend(words_of_reply);
        words(&all)
    };
    vec![
        make("unknown-action", hook, &words(&[(4, 9)]), refused),
        make("hold-blindly", hook, &words(&[(4, 1)]), answer),
        make("reply-status-0", hook, &reply(&[(8, 0)]), answer),
        make("reply-status-100", hook, &reply(&[(8, 100)]), answer),
        make("reply-status-65535", hook, &reply(&[(8, 65_535)]), answer),
        make("reply-fields-without-end", hook, &reply(&[(8, 200), (12, 4096), (16, u32::MAX)]), refused),
        make("reply-field-without-name", hook, &reply(&[(8, 200), (12, 8192), (16, 1)]), answer),
        make("reply-of-much-memory", hook, &(heavy(16, 3_000) + &reply(&[(8, 200), (12, 8192), (16, 3_000)])), answer),
        make("reply-body-nowhere", hook, &reply(&[(8, 200), (20, 4096), (24, u32::MAX)]), refused),
        make("reply-of-all-memory", hook, &reply(&[(8, 418), (20, 0), (24, 262_144)]), Fate::Replies(418)),
    ]
}

fn of_body(hook: Hook) -> Vec<Case> {
    let (refused, answer) = (Fate::Fault("refused"), Fate::Fault("answer"));
    vec![
        make("unknown-action", hook, &words(&[(4, 9)]), refused),
        make("replace-by-nowhere", hook, &words(&[(4, 1), (8, 4096), (12, u32::MAX)]), refused),
        make("replace-by-all-memory", hook, &words(&[(4, 1), (8, 0), (12, 262_144)]), Fate::Passes),
        make("release-nothing", hook, &words(&[(28, 1)]), Fate::Passes),
        make("edit-too-late", hook, &words(&[(32, 4128), (36, 1)]), answer),
        make("reply-status-0", hook, &words(&[(4, 2)]), answer),
    ]
}
