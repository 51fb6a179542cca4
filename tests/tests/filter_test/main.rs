//! Stories of `tollgate filter test` and `tollgate filter replay`: cases in a file, on the gateway's own engine.
#![allow(clippy::unwrap_used, reason = "a story that cannot go on fails")]

mod chain;
mod documented;
mod outside;
mod refusals;
mod time;
mod work;

use std::path::Path;

use tollgate::filter_test::Tests;
use tollgate_tests::{Binary, Finished, Folder, RawFilter, guest, target_dir};

/// A folder with a guest's module and cases of it.
fn cases(of: &str, text: &str) -> Folder {
    let folder = Folder::new();
    folder.write(&format!("{of}.wasm"), guest(of));
    folder.write(&format!("{of}.cases.toml"), text);
    folder
}

fn tollgate(folder: &Folder, args: &[&str]) -> Finished {
    let state = target_dir().join("tmp/stories/state").display().to_string();
    let args: Vec<&str> = ["filter"].iter().chain(args).copied().chain(["--state-dir", &state]).collect();
    Binary::finish(folder.path(), &args)
}

/// What the command says about cases that all pass.
#[track_caller]
fn passes(of: &str, text: &str) -> String {
    let finished = tollgate(&cases(of, text), &["test"]);
    assert!(finished.status.success() && finished.stderr.is_empty(), "{}\n{}", finished.stdout, finished.stderr);
    finished.stdout
}

/// What it says about those that do not: the lines of the failures.
#[track_caller]
fn failures(of: &str, text: &str) -> Vec<String> {
    let finished = tollgate(&cases(of, text), &["test"]);
    assert_eq!(finished.status.code(), Some(1), "{}\n{}", finished.stdout, finished.stderr);
    let failures = finished.stdout.lines().filter_map(|line| line.strip_prefix("       "));
    failures.map(ToOwned::to_owned).collect()
}

/// What is wrong with a file, a problem a line.
#[track_caller]
fn problems(text: &str) -> Vec<String> {
    let finished = tollgate(&cases("body", text), &["test"]);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    let told = finished.stdout.lines().take_while(|line| !line.contains(" passed") && !line.contains("no case was"));
    told.map(ToOwned::to_owned).collect()
}

mod standard_filters {
    use super::*;

    #[test]
    fn keep_their_own_cases() {
        let filters = Path::new(env!("CARGO_MANIFEST_DIR")).join("../filters");
        let report = Tests::of(filters).state_dir(target_dir().join("tmp/stories/state")).run();
        report.assert_passed();
        let files: std::collections::BTreeSet<_> = report.cases.iter().map(|case| &case.file).collect();
        assert_eq!(files.len(), tollgate::bundled::names().len(), "each has some: {files:?}");
    }
}

mod the_report {
    use super::*;

    const TWO: &str = "config = { request = \"upper\" }\n\
        [[cases]]\nname = \"it shouts\"\nrequest = { body = \"ab\" }\nexpect = { upstream = { body = \"AB\" } }\n\
        [[cases]]\nname = \"it whispers\"\nrequest = { body = \"ab\" }\n[cases.expect]\noutcome = \"replied\"\n\
        [cases.expect.upstream]\nbody = \"ab\"\nfields = { x-a = \"1\" }\n";

    #[test]
    fn says_file_line_key_expected_and_got_of_each_failure() {
        let told = failures("body", TWO);
        assert_eq!(
            told,
            [
                "body.cases.toml:10: cases[1].expect.outcome: expected \"replied\", got \"forwarded\"",
                "body.cases.toml:12: cases[1].expect.upstream.body: expected \"ab\", got \"AB\"",
                "body.cases.toml:13: cases[1].expect.upstream.fields.x-a: expected \"1\", got nothing",
            ]
        );
    }

    #[test]
    fn counts_and_ends_with_an_exit_code() {
        let folder = cases("body", TWO);
        let all = tollgate(&folder, &["test"]);
        assert_eq!((all.status.code(), all.stderr.as_str()), (Some(1), "1 of 2 cases failed\n"));
        assert!(all.stdout.contains("ok     body.cases.toml:2: it shouts (3 hooks, "), "{}", all.stdout);
        assert!(all.stdout.ends_with("1 passed, 1 failed\n"), "{}", all.stdout);
        let one = tollgate(&folder, &["test", "body.cases.toml", "--filter", "shouts"]);
        assert!(one.status.success() && one.stdout.ends_with("1 passed, 0 failed\n"), "{one:?}");
        let none = tollgate(&folder, &["test", "--filter", "sings"]);
        assert_eq!((none.status.code(), none.stderr.as_str()), (Some(1), "no case was run; check --filter\n"));
    }

    #[test]
    fn is_json_or_junit_on_demand() {
        let folder = cases("body", TWO);
        let json = tollgate(&folder, &["test", "--format", "json"]).stdout;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &1.into()));
        assert_eq!(json["cases"][0]["name"], "it shouts");
        assert_eq!(json["cases"][1]["failures"][1]["key"], "cases[1].expect.upstream.body");
        assert_eq!(json["cases"][1]["failures"][1]["got"], "\"AB\"");
        let junit = tollgate(&folder, &["test", "--format", "junit"]).stdout;
        assert!(junit.contains("tests=\"2\" failures=\"1\" errors=\"0\""), "{junit}");
        assert!(junit.contains("expected &quot;ab&quot;, got &quot;AB&quot;"), "{junit}");
    }

    #[test]
    fn is_the_same_for_a_test_in_rust() {
        let folder = cases("body", TWO);
        let tests = Tests::of(folder.path()).state_dir(target_dir().join("tmp/stories/state"));
        tests.clone().only("shouts").run().assert_passed();
        let report = tests.run();
        assert!(!report.is_good());
        assert_eq!((report.failed(), report.cases[1].failures[0].got.as_str()), (1, "\"forwarded\""));
        // Another module in the place of the one that the file names.
        let other = Tests::of(folder.path()).module(folder.path().join("none.wasm")).run();
        assert!(other.cases[0].failures[0].got.contains("cannot be read"), "{:?}", other.cases[0].failures);
    }
}

mod files {
    use super::*;

    #[test]
    fn all_problems_are_told_at_once() {
        let text = "policy = 1\n[[cases]]\nnam = \"a\"\nrequest = { method = \"G T\", fields = { X-A = \"1\", x-b = true } }\n\
            expect = { clint = 1, outcome = \"gone\" }\n[[cases]]\nname = \"b\"\nresponse = { status = 99 }\nexpect = {}\n";
        let told = problems(text);
        assert!(told[0].starts_with("body.cases.toml:1: policy: unknown key; known keys: "), "{told:?}");
        assert_eq!(
            told[1..],
            [
                "body.cases.toml:2: cases[0].name: is missing; say what the case shows, as in name = \"a request without \
                 a key\"",
                "body.cases.toml:3: cases[0].nam: unknown key; did you mean \"name\"?",
                "body.cases.toml:4: cases[0].request.method: \"G T\" is not a method; write it like \"GET\"",
                "body.cases.toml:4: cases[0].request.fields.X-A: \"X-A\" is not the name of a field; write it in lower case",
                "body.cases.toml:4: cases[0].request.fields.x-b: is true, which is no value; write text, an array of \
                 texts, or false for no such field",
                "body.cases.toml:5: cases[0].expect.outcome: is not known; write \"forwarded\", \"replied\", \"denied\" or \"cut\"",
                "body.cases.toml:5: cases[0].expect.clint: unknown key; did you mean \"client\"?",
                "body.cases.toml:8: cases[1].response.status: 99 is out of range; write a number from 200 to 599",
                "body.cases.toml:9: cases[1].expect: expects nothing; say what is expected, as in client = { status = 200 }",
            ]
        );
    }

    #[test]
    fn a_folder_without_cases_and_an_unknown_filter_are_problems() {
        let folder = Folder::new();
        let finished = tollgate(&folder, &["test"]);
        assert!(finished.stdout.starts_with(".: there are no cases; write a file cases.toml"), "{finished:?}");
        folder.write(
            "x.cases.toml",
            "filter = \"heders\"\n[[cases]]\nname = \"a\"\nexpect = { outcome = \"forwarded\" }\n",
        );
        let finished = tollgate(&folder, &["test"]);
        assert!(
            finished.stdout.contains("x.cases.toml:1: filter: there is no module and no bundled filter"),
            "{finished:?}"
        );
        assert!(finished.stdout.contains("did you mean \"headers\"?"), "{finished:?}");
    }
}

mod bodies {
    use super::*;

    fn upper(cut: &str, expect: &str) -> String {
        format!(
            "config = {{ request = \"upper\", response = \"upper\" }}\n[[cases]]\nname = \"a\"\n\
             request = {{ body = {{ repeat = \"abcdefg\", times = 40 }}, cut = {cut} }}\n\
             response = {{ body = [\"x\", \"\", \"yz\"], trailers = {{ x-sum = \"1\" }} }}\nexpect = {{ {expect} }}\n"
        )
    }

    #[test]
    fn come_out_the_same_however_they_are_cut() {
        let expect = format!(
            "upstream = {{ body = \"{}\" }}, client = {{ body = \"XYZ\", trailers = {{ x-sum = \"1\" }} }}",
            "ABCDEFG".repeat(40)
        );
        for cut in ["\"any\"", "\"whole\"", "3", "[1, 64]"] {
            passes("body", &upper(cut, &expect));
        }
    }

    #[test]
    fn that_depend_on_the_cut_are_told_apart() {
        let text = "config = { request = \"wrap\" }\n[[cases]]\nname = \"a\"\nrequest = { body = \"abcd\", cut = \"any\" }\n\
                    expect = { outcome = \"forwarded\" }\n";
        let told = failures("body", text).join("\n");
        assert!(told.contains("expected the same for every cutting: GET / and the body \"<abcd>\""), "{told}");
        assert!(
            told.contains("got GET / and the body \"<a><b><c><d>\"") && told.contains("in pieces of 1 bytes"),
            "{told}"
        );
        passes(
            "body",
            &text.replace("\"any\"", "2").replace("outcome = \"forwarded\"", "upstream = { body = \"<ab><cd>\" }"),
        );
    }

    #[test]
    fn of_bytes_and_of_files_are_as_good_as_text() {
        let folder = cases(
            "body",
            "config = { request = \"upper\" }\n[[cases]]\nname = \"hex\"\nrequest = { body = { hex = \"61ff\" } }\n\
             expect = { upstream = { body = { hex = \"41ff\" }, changed = [\"body\"] } }\n[[cases]]\nname = \"file\"\n\
             request = { body = { file = \"long.txt\" } }\nexpect = { upstream = { body = { json = [\"A\"] } } }\n",
        );
        folder.write("long.txt", "[ \"a\" ]");
        let finished = tollgate(&folder, &["test"]);
        assert!(finished.status.success(), "{}", finished.stdout);
    }

    #[test]
    fn are_replied_to_by_their_hooks() {
        for (treatment, cut) in [("reply-at-once", "1"), ("reply-at-end", "\"any\""), ("reply-unheld", "2")] {
            let text = format!(
                "config = {{ request = \"{treatment}\" }}\n[[cases]]\nname = \"a\"\n\
                 request = {{ method = \"POST\", body = \"abcdef\", cut = {cut} }}\nexpect = {{ outcome = \"replied\" }}\n"
            );
            passes("body", &text);
        }
    }
}

mod faults {
    use super::*;

    fn misbehave(config: &str, policy: &str, expect: &str) -> String {
        format!(
            "{policy}\nconfig = {{ {config} }}\n[[cases]]\nname = \"a\"\nrequest = {{ body = \"b\" }}\nresponse = {{ body = \"c\" }}\nexpect = {{ {expect} }}\n"
        )
    }

    #[test]
    fn that_nobody_expected_fail_a_case() {
        let told =
            failures("misbehave", &misbehave("in = \"request-head\", do = \"panic\"", "", "client = { status = 503 }"));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("expected no fault, got trap in on-request-head: "), "{told:?}");
        assert!(told[0].contains("the inside of the filter"), "{told:?}");
    }

    #[test]
    fn of_every_hook_are_expected_by_class() {
        for (place, outcome) in [
            ("request-head", "denied"),
            ("request-body", "denied"),
            ("response-head", "forwarded"),
            ("response-body", "forwarded"),
        ] {
            let expect = format!("outcome = \"{outcome}\", faults = [\"trap\"]");
            passes("misbehave", &misbehave(&format!("in = \"{place}\", do = \"trap\""), "", &expect));
        }
        let end = "in = \"exchange-end\", do = \"trap\", state = true";
        passes("misbehave", &misbehave(end, "", "client = { status = 200 }, faults = [\"trap\"]"));
        let bypass = misbehave(
            "in = \"request-head\", do = \"fault\"",
            "on-fault = \"bypass\"",
            "outcome = \"forwarded\", faults = [\"reported\"]",
        );
        passes("misbehave", &bypass);
    }

    #[test]
    fn of_time_and_memory_have_their_class() {
        let slow =
            misbehave("in = \"request-head\", do = \"loop\"", "limits = { cpu = \"20ms\" }", "faults = [\"deadline\"]");
        passes("misbehave", &slow);
        let large = misbehave(
            "in = \"request-head\", do = \"eat-memory\"",
            "limits = { memory = \"4MiB\" }",
            "faults = [\"memory\"]",
        );
        passes("misbehave", &large);
    }

    #[test]
    fn name_the_functions_of_a_module_that_has_names() {
        let text = "filter = \"named\"\n[[cases]]\nname = \"a\"\nexpect = { outcome = \"denied\" }\n";
        let folder = Folder::new();
        folder.write("cases.toml", text);
        folder.write("named.wasm", named_module());
        let finished = tollgate(&folder, &["test"]);
        assert!(finished.stdout.contains("unreachable"), "{finished:?}");
        assert!(finished.stdout.contains("(in my_policy::look_up)"), "{finished:?}");
    }

    /// A filter whose request hook traps in a function with a name as Rust mangles it.
    fn named_module() -> Vec<u8> {
        const REQUEST_HEAD: u32 = 1;
        RawFilter::new(REQUEST_HEAD)
            .fields("(func $_ZN9my_policy7look_up17h0123456789abcdefE unreachable)")
            .export("on-request-head", "(call $_ZN9my_policy7look_up17h0123456789abcdefE) (i32.const 2048)")
            .build()
    }
}

mod budgets {
    use super::*;

    #[test]
    fn of_memory_and_time_are_held() {
        let text = |cost: &str| {
            format!(
                "config = {{ in = \"request-head\", do = \"eat-memory\", amount = 6 }}\n[[cases]]\nname = \"a\"\n\
                 expect = {{ outcome = \"forwarded\", cost = {{ {cost} }} }}\n"
            )
        };
        passes("misbehave", &text("memory = \"12MiB\", cpu = \"1s\""));
        let told = failures("misbehave", &text("memory = \"4MiB\""));
        assert!(told[0].contains("cost.memory: expected at most 4194304 bytes of memory, got "), "{told:?}");
        let told = failures("misbehave", &text("cpu = \"1us\""));
        assert!(told[0].contains("cost.cpu: expected at most 1 us of CPU time, got "), "{told:?}");
        assert!(told[0].ends_with(" in on-request-head"), "{told:?}");
    }
}

#[test]
fn a_budget_of_host_calls_is_held() {
    let text = |calls: u32| {
        format!(
            "config = {{ requests = 10, per = \"1s\" }}\nfilter = \"rate-limit\"\n[[cases]]\nname = \"a\"\n\
             expect = {{ outcome = \"forwarded\", cost = {{ host-calls = {calls} }} }}\n"
        )
    };
    passes("body", &text(1));
    let told = failures("body", &text(0));
    assert!(
        told[0].contains("cost.host-calls: expected at most 0 calls of the gateway, got 1 in on-request-head"),
        "{told:?}"
    );
}

mod facts {
    use super::*;

    #[test]
    fn are_those_of_the_case() {
        let text = "config = { in = \"request\", declare = [\"@client-address\", \"@tls-version\", \"@tls-sni\", \"@tls-subject\", \
             \"@spiffe-id\", \"@listener\", \"@route\", \"@consumer\", \"@attr:plan\", \":method\", \":path\", \":scheme\"] }\n\
             [[cases]]\nname = \"a\"\n[cases.request]\nmethod = \"PUT\"\npath = \"/a?b\"\nclient = \"[2001:db8::1]:7\"\n\
             listener = \"public\"\nroute = \"orders\"\nconsumer = \"alice\"\nattributes = { plan = \"gold\" }\n\
             tls = { version = \"TLSv1.2\", sni = \"a.test\", subject = \"CN=a\", spiffe-id = \"spiffe://a/b\" }\n\
             [cases.expect]\noutcome = \"replied\"\nconsumer = \"alice\"\nattributes = { plan = \"gold\", other = false }\n\
             client = { body = { regex = \"(?s)^@client-address=2001:db8::1\\n@tls-version=TLSv1.2\\n@tls-sni=a.test\\n\
             @tls-subject=CN=a\\n@spiffe-id=spiffe://a/b\\n@listener=public\\n@route=orders\\n@consumer=alice\\n\
             @attr:plan=gold\\n:method=PUT\\n:path=/a.b\\n:scheme=https$\" } }\n";
        passes("facts", &text.replace("\\n", "\\\\n"));
    }

    #[test]
    fn and_log_lines_are_seen() {
        let text = "limits = { cpu = \"500ms\" }\nconfig = { in = \"request-head\", do = \"flood-log\" }\n[[cases]]\nname = \"a\"\n\
                    expect = { log = [\"info: flood 0\", { regex = \"^info: flood 6[0-9]$\" }] }\n";
        passes("misbehave", text);
        let told = failures("misbehave", &text.replace("flood 0", "drought"));
        assert!(
            told[0].contains("expect.log[0]: expected something with \"info: drought\", got \"info: flood"),
            "{told:?}"
        );
    }
}

mod replays {
    use super::*;

    /// What a hook logs stands between what it does with stores, as it came.
    #[test]
    fn tell_in_order_what_a_hook_has_done() {
        let folder = cases(
            "state",
            "config = {}\n[[cases]]\nname = \"a\"\nstore = { visits = 3 }\n\
             request = { fields = { x-do = \"increment - visits 2 0\", x-note = \"yes\" } }\nexpect = { log = [\"info: after\"] }\n\
             [[cases.then]]\nrequest = { fields = { x-do = \"get - visits\" } }\n\
             expect = { client = { body = \"5\" } }\n",
        );
        let told = tollgate(&folder, &["replay", "state.cases.toml"]).stdout;
        for found in ["3", "5"] {
            let hook = format!(
                "  log    info: before\n  store  \"visits\" was \"{found}\"\n  log    info: after\n  out    reply 200\n"
            );
            assert!(told.contains(&hook), "{told}");
        }
        assert_eq!(told.matches("log ").count(), 4, "each line once:\n{told}");
    }

    #[test]
    fn show_hook_by_hook_what_went_in_and_out() {
        let folder = cases(
            "body",
            "config = { request = \"upper\", response = \"measure\" }\n[[cases]]\nname = \"both ways\"\n\
             request = { body = [\"ab\", \"c\"] }\nresponse = { body = \"four\" }\nexpect = { outcome = \"forwarded\" }\n",
        );
        let finished = tollgate(&folder, &["replay", "body.cases.toml"]);
        assert!(finished.status.success(), "{finished:?}");
        let told = finished.stdout;
        for part in [
            "both ways\nmodule ",
            "on-request-body  ",
            "  in     2 bytes: \"ab\"\n  out    replace by 2 bytes: \"AB\"",
            "  in     1 bytes, the last: \"c\"",
            "on-response-head  ",
            "  out    hold",
            "forwarded, the client gets 200",
        ] {
            assert!(told.contains(part), "{part:?} is missing:\n{told}");
        }
    }
}
