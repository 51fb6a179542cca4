//! What is the same whenever and wherever a case is run: time and random numbers.

use super::*;

const GRANTED: &str =
    "grants = { clock = true, random = true, secrets = [\"key\"] }\n[defaults]\nsecrets = { key = \"x\" }\n";

fn using(uses: &str, cases: &str) -> String {
    format!("config = {{ use = [{uses}] }}\n{GRANTED}{cases}\n")
}

#[test]
fn time_stands_still_unless_the_case_says_otherwise() {
    let now = |moment: &str, seconds: u64| {
        format!("[[cases]]\nname = \"{seconds}\"\n{moment}\nexpect = {{ client = {{ body = \"now={seconds}\" }} }}\n")
    };
    let cases = [
        now("", 1_767_225_600),
        now("now = \"2026-01-01T00:00:01Z\"", 1_767_225_601),
        now("now = 2026-01-01T01:00:02+01:00", 1_767_225_602),
        now("now = { at = \"2026-01-01T00:00:03Z\", step = \"1s\" }", 1_767_225_603),
    ];
    let then = "[[cases.then]]\nexpect = { client = { body = \"now=1767225604\" } }\n\
                [[cases.then]]\nafter = \"1m\"\nexpect = { client = { body = \"now=1767225665\" } }\n\
                [[cases.then]]\nnow = \"2025-01-01T00:00:00Z\"\nexpect = { client = { body = \"now=1735689600\" } }\n\
                [[cases.then]]\nafter = \"1s\"\nexpect = { client = { body = \"now=1735689601\" } }\n";
    passes("grants", &using("\"now\"", &(cases.concat() + then)));
    passes(
        "grants",
        &using("\"monotonic\"", "[[cases]]\nname = \"a\"\nexpect = { client = { body = \"monotonic=true\" } }"),
    );
}

#[test]
fn random_numbers_are_always_the_same() {
    let text = using(
        "\"random\"",
        "[[cases]]\nname = \"bytes\"\nrandom = { hex = \"0102030405060708\" }\nexpect = { client = { body = \"random=102030405060708\" } }\n\
         [[cases]]\nname = \"a seed\"\nrandom = 7\nexpect = { client = { body = \"random=SEED\" } }\n",
    );
    let told = failures("grants", &text);
    assert_eq!(told.len(), 1, "{told:?}");
    let (_, got) = told[0].split_once("got \"random=").unwrap();
    let got = got.trim_end_matches('"');
    passes("grants", &text.replace("SEED", got));
    assert_ne!(failures("grants", &text.replace("random = 7", "random = 8")), told, "another seed");
}
