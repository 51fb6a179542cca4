//! What a filter reaches outside itself: callouts, stores, limits, secrets, and what earlier filters have found out.

use super::*;

/// A case of the guest that calls out.
fn asking(calls: &str, case: &str) -> String {
    format!(
        "grants = {{ callouts = [\"auth\", \"audit\"] }}\nconfig = {{ calls = [{calls}] }}\n[[cases]]\nname = \"a\"\n{case}\n"
    )
}

const AUTH: &str =
    "{ upstream = \"auth\", path = \"/check?a=1\", method = \"POST\", body = 3, field = [\"x-who\", \"amy\"] }";

#[test]
fn a_callout_is_checked_and_answered() {
    let case = "[[cases.callouts]]\nupstream = \"auth\"\n\
        request = { method = \"POST\", path = \"/check?a=1\", fields = { x-who = \"amy\", cookie = false }, body = { regex = \"^...$\" } }\n\
        answer = { status = 201, fields = { x-user = \"amy\" }, body = \"welcome\" }\n\
        [cases.expect]\nupstream = { fields = { x-told = { regex = \"^201 .*welcome\" } } }";
    passes("callout", &asking(AUTH, case));
    let told = failures("callout", &asking(AUTH, &case.replace("amy\", cookie", "bob\", cookie")));
    assert_eq!(
        told,
        ["callout.cases.toml:7: cases[0].callouts[0].request.fields.x-who: expected \"bob\", got \"amy\""]
    );
}

#[test]
fn a_callout_that_nobody_expects_fails_the_case_and_so_does_one_that_is_missing() {
    let told = failures("callout", &asking(AUTH, "expect = { outcome = \"forwarded\" }"));
    assert_eq!(told, ["callout.cases.toml:5: cases[0].callouts: expected no callout to \"auth\", got POST /check?a=1"]);
    let twice = "callouts = [{ upstream = \"auth\", answer = {}, times = 2 }, { upstream = \"audit\", fails = \"connect\" }]\n\
                 expect = { outcome = \"forwarded\" }";
    assert_eq!(
        failures("callout", &asking(AUTH, twice)),
        [
            "callout.cases.toml:5: cases[0].callouts[0]: expected 2 callouts to \"auth\", got 1",
            "callout.cases.toml:5: cases[0].callouts[1]: expected a callout to \"audit\", got none",
        ]
    );
    passes(
        "callout",
        &asking(
            AUTH,
            &twice.replace("times = 2", "times = 1").replace("fails = \"connect\"", "answer = {}, times = \"any\""),
        ),
    );
}

#[test]
fn callouts_of_one_upstream_are_told_apart_and_answered_in_order() {
    let calls = "{ upstream = \"auth\", path = \"/one\" }, { upstream = \"auth\", path = \"/two\", times = 2 }";
    let case = "[[cases.callouts]]\nupstream = \"auth\"\nrequest = { path = \"/two\" }\nanswer = { status = 202 }\n\
        [[cases.callouts]]\nupstream = \"auth\"\nrequest = { path = \"/one\" }\nanswer = { status = 201 }\n\
        [[cases.callouts]]\nupstream = \"auth\"\nanswer = { status = 203 }\n\
        [cases.expect]\nupstream = { fields = { x-told = { regex = \"^201 .*202 .*203 \" } } }";
    passes("callout", &asking(calls, case));
}

#[test]
fn a_callout_fails_as_the_case_says() {
    for (failure, told) in [
        ("unavailable", "Unavailable"),
        ("connect", "Connect"),
        ("timeout", "Timeout"),
        ("broken", "Broken"),
        ("too-large", "TooLarge"),
    ] {
        let case = format!(
            "callouts = [{{ upstream = \"auth\", fails = \"{failure}\" }}]\n\
             expect = {{ upstream = {{ fields = {{ x-told = {{ contains = \"{told}\" }} }} }} }}"
        );
        passes("callout", &asking(AUTH, &case));
    }
    let long = "callouts = [{ upstream = \"auth\", answer = { body = { repeat = \"x\", times = 70000 } } }]\n\
                expect = { upstream = { fields = { x-told = { contains = \"TooLarge\" } } } }";
    passes("callout", &asking(AUTH, long));
}

#[test]
fn an_answer_takes_time_that_nobody_waits_for() {
    let late = |after: &str| {
        format!(
            "callouts = [{{ upstream = \"auth\", answer = {{ status = 200 }}, after = \"{after}\" }}]\n\
             expect = {{ upstream = {{ fields = {{ x-told = true }} }} }}"
        )
    };
    let timed = AUTH.replace("body = 3", "timeout = 500");
    passes("callout", &asking(&timed, &late("500ms").replace("x-told = true", "x-told = { regex = \"^200\" }")));
    passes("callout", &asking(&timed, &late("501ms").replace("x-told = true", "x-told = { contains = \"Timeout\" }")));
}

#[test]
fn stores_are_filled_before_and_looked_into_afterwards() {
    let text = "config = {}\ngrants = { store = [\"sessions\"] }\n[[cases]]\nname = \"a\"\n\
        request = { fields = { x-do = \"increment - visits 2 0\" } }\nstore = { visits = 3, name = \"old\", gone = \"x\" }\n\
        stores.sessions = { amy = { value = \"here\", ttl = \"10s\" } }\n\
        [cases.expect]\nclient = { body = \"5\" }\nstore = { visits = \"5\", name = \"old\", other = false }\n\
        stores.sessions = { amy = { contains = \"er\" } }\n\
        [[cases.then]]\nrequest = { fields = { x-do = \"get sessions amy\" } }\nstore = { gone = false }\nafter = \"9999ms\"\n\
        [cases.then.expect]\nclient = { body = \"here\" }\nstore = { gone = false, name = true, visits = 5 }\n\
        [[cases.then]]\nafter = \"1ms\"\nexpect = { client = { body = \"none\" }, stores.sessions = { amy = false } }\n";
    passes("state", text);
    let told = failures("state", &text.replace("visits = \"5\"", "visits = \"6\""));
    assert_eq!(told, ["state.cases.toml:10: cases[0].expect.store.visits: expected \"6\", got \"5\""]);
}

#[test]
fn in_an_outage_stores_answer_nothing_and_keep_what_they_have() {
    let text = "config = {}\n[[cases]]\nname = \"a\"\nrequest = { fields = { x-do = \"increment - visits 2 0\" } }\n\
        store = { visits = 3 }\noutage = true\nexpect = { client = { body = \"Unavailable\" }, store = { visits = 3 } }\n\
        [[cases.then]]\nrequest = { fields = { x-do = \"get - visits\" } }\nexpect = { client = { body = \"Unavailable\" } }\n\
        [[cases.then]]\noutage = false\nexpect = { client = { body = \"3\" } }\n";
    passes("state", text);
}

#[test]
fn somebody_else_has_a_lease_until_its_time_is_over() {
    let text = "config = {}\n[[cases]]\nname = \"a\"\nrequest = { fields = { x-do = \"lease - leader 1000\" } }\n\
        store = { leader = { lease = \"5s\" } }\nexpect = { client = { body = \"busy\" } }\n\
        [[cases.then]]\nafter = \"5s\"\nexpect = { client = { body = \"taken\" } }\n";
    passes("state", text);
}

#[test]
fn a_limit_counts_by_the_time_of_the_case_or_says_what_the_case_says() {
    let text = "filter = \"rate-limit\"\nconfig = { requests = 2, per = \"1m\" }\n[[cases]]\nname = \"it counts\"\n\
        expect = { outcome = \"forwarded\" }\n[[cases.then]]\nexpect = { outcome = \"forwarded\" }\n\
        [[cases.then]]\nexpect = { client = { status = 429, fields = { retry-after = \"30\" } } }\n\
        [[cases.then]]\nafter = \"30s\"\nexpect = { outcome = \"forwarded\" }\n\
        [[cases]]\nname = \"it is told\"\nlimiter = { allowed = false, retry-after = \"7s\" }\n\
        expect = { client = { status = 429, fields = { retry-after = \"7\" } } }\n\
        [[cases.then]]\nlimiter = false\nexpect = { outcome = \"forwarded\" }\n";
    passes("body", text);
}

#[test]
fn secrets_are_those_of_the_case_and_change_in_it() {
    let text = "grants = { secrets = [\"key\"] }\nconfig = { use = [\"secret:key\"] }\n[defaults]\nsecrets = { key = \"first\" }\n\
        [[cases]]\nname = \"a\"\nexpect = { client = { body = \"secret:key=first\" } }\n\
        [[cases.then]]\nsecrets = { key = { hex = \"00ff\" } }\nexpect = { client = { body = \"secret:key=\\\\x00\\\\xff\" } }\n\
        [[cases.then]]\nexpect = { client = { body = { contains = \"xff\" } } }\n";
    passes("grants", &text.replace("grants = { secrets", "grants = { clock = true, random = true, secrets"));
}

#[test]
fn what_earlier_filters_have_found_out_is_there() {
    let text = "config = { do = \"tell\" }\n[[cases]]\nname = \"a\"\n\
        request.identity = { subject = \"amy\", issuer = \"login\", scopes = [\"read\", \"write\"], groups = [\"staff\"], claims = { eMail = \"a@b\" } }\n\
        [cases.expect]\nupstream = { fields = { x-known = \"amy of login called amy: read+write | staff | a@b\" } }\n\
        identity = { subject = \"amy\", issuer = true, scopes = [\"read\", \"write\"], groups = \"staff\", claims = { eMail = \"a@b\", age = false } }\n\
        [[cases]]\nname = \"b\"\nrequest = { class = \"gold\" }\nexpect = { class = \"gold\", identity = { subject = false }, \
        upstream = { fields = { x-known = \"nobody, class true\" } } }\n";
    passes("identity", text);
    let set = "config = { do = \"set\" }\n[[cases]]\nname = \"a\"\nrequest = { fields = { x-login = \"bob\", x-class = \"slow\" } }\n\
        expect = { class = \"slow\", identity = { subject = \"bob\", groups = [\"staff\", \"R&D, Berlin\"], scopes = { contains = \"write\" } } }\n";
    passes("identity", set);
    let told = failures("identity", &set.replace("subject = \"bob\"", "subject = \"amy\""));
    assert!(told[0].ends_with("cases[0].expect.identity.subject: expected \"amy\", got \"bob\""), "{told:?}");
}

#[test]
fn an_exchange_may_belong_to_a_trace() {
    let text = "config = { in = \"request\", declare = [\"@trace-id\", \"@span-id\"] }\n[[cases]]\nname = \"a\"\n\
        request = { trace = \"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\" }\n\
        expect = { client = { body = { regex = \"@trace-id=4bf92f3577b34da6a3ce929d0e0e4736\\n@span-id=00f067aa0ba902b7\" } } }\n";
    passes("facts", &text.replace("\\n@", "\\\\n@"));
}
