//! What is wrong with what a case says of the outside, each with file, line, key and remedy.

use super::*;

#[test]
fn of_callouts_stores_and_secrets_all_problems_are_told_at_once() {
    let text = "grants = { callouts = [\"auth\"], secrets = [\"key\"] }\n[[cases]]\nname = \"a\"\nnow = \"noon\"\nrandom = \"\"\n\
        secrets = { other = \"x\", key = \"\" }\nlimiter = { remaining = 1 }\nstores = { sessions = { a = \"b\" } }\nstore = { a = { lease = \"1s\", value = \"x\" } }\n\
        [[cases.callouts]]\nupstream = \"audit\"\nfails = \"never\"\n[[cases.callouts]]\nupstream = \"auth\"\n\
        [[cases.callouts]]\nanswer = { status = 99 }\ntimes = \"often\"\n[cases.expect]\noutcome = \"forwarded\"\n";
    assert_eq!(
        problems(text),
        [
            "body.cases.toml:4: cases[0].now: is not a moment with a time zone, from 1970 on; write it like \"2026-01-01T00:00:00Z\"",
            "body.cases.toml:5: cases[0].random: is empty; write a number as seed, or bytes as in { hex = \"00ff\" }",
            "body.cases.toml:6: cases[0].secrets.other: is granted to no policy; write grants = { secrets = [\"other\"] } at the top of the file",
            "body.cases.toml:6: cases[0].secrets.key: is empty; write what the secret is",
            "body.cases.toml:7: cases[0].limiter.allowed: is missing; write allowed = false, or true",
            "body.cases.toml:8: cases[0].stores.sessions: is granted to no policy; write grants = { store = [\"sessions\"] } for the policy that uses it",
            "body.cases.toml:9: cases[0].store.a: is no entry; write { value = \"…\", ttl = \"10s\" }, or { lease = \"10s\" }",
            "body.cases.toml:11: cases[0].callouts[0].upstream: no policy is granted callouts to \"audit\"; write grants = { callouts = [\"audit\"] } for the policy that asks it",
            "body.cases.toml:12: cases[0].callouts[0].fails: \"never\" is not known; write one of unavailable, connect, timeout, broken, too-large",
            "body.cases.toml:13: cases[0].callouts[1]: has no single answer; write answer = { status = 200 } or fails = \"timeout\"",
            "body.cases.toml:15: cases[0].callouts[2].upstream: is missing; name the upstream that is asked",
            "body.cases.toml:16: cases[0].callouts[2].answer.status: 99 is out of range; write a number from 200 to 599",
            "body.cases.toml:17: cases[0].callouts[2].times: \"often\" is not known; write a number, or \"any\"",
        ]
    );
}

#[test]
fn a_secret_that_is_granted_needs_a_value() {
    let text = "grants = { secrets = [\"key\"] }\n[[cases]]\nname = \"a\"\nexpect = { outcome = \"forwarded\" }\n";
    assert_eq!(
        problems(text),
        [
            "body.cases.toml:2: cases[0]: has no secret \"key\", which a policy is granted; add secrets = { key = \"…\" } to the case, \
          or to [defaults]"
        ]
    );
}

#[test]
fn of_a_chain_and_of_what_is_known() {
    let text = "[[chain]]\nconfig = {}\n[[chain]]\nfilter = \"headers\"\n[[chain]]\nfilter = \"headers\"\n[[cases]]\nname = \"a\"\n\
        config.limit = {}\nstore = { a = \"b\" }\nrequest = { trace = \"00\", identity = { issuer = \"x\" } }\nexpect = { outcome = \"forwarded\" }\n";
    assert_eq!(
        problems(text),
        [
            "body.cases.toml:1: chain[0]: has no filter; write filter = \"NAME\" in each table of the chain",
            "body.cases.toml:5: chain[2]: there is another policy \"headers\"; give each its own name = \"…\"",
            "body.cases.toml:9: cases[0].config.limit: there is no policy \"limit\" in the chain; write config.NAME = { … } for one of , headers, headers",
            "body.cases.toml:10: cases[0].store: could be that of any policy; write stores = { \"policy/NAME\" = { … } } for the space of one policy of the chain",
            "body.cases.toml:11: cases[0].request.identity.subject: is missing; say who it is, as in subject = \"alice\"",
            "body.cases.toml:11: cases[0].request.trace: \"00\" is no traceparent; write it like \"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"",
        ]
    );
}
