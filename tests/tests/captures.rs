//! Stories of captured faults: what is written down of an exchange in which a filter faults, and how it is run again.
#![allow(clippy::unwrap_used, reason = "a story that cannot go on fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tollgate_tests::{
    Answer, Binary, Finished, Request, RunningGateway, TestGateway, Upstream, eventually, example, guest, target_dir,
};

/// A gateway with one misbehaving policy.
fn gateway(upstream: &Upstream, config: &str, capture: &str) -> RunningGateway {
    let policy = format!("filter = \"misbehave\"\nconfig = {{ {config} }}\n{capture}\n");
    TestGateway::new().upstream(upstream).module("misbehave", guest("misbehave")).policy("10-bad", &policy).start()
}

fn captures(gateway: &RunningGateway) -> Vec<PathBuf> {
    let files = fs::read_dir(gateway.path().join("captures")).into_iter().flatten().flatten();
    let mut files: Vec<_> = files.map(|entry| entry.path()).filter(|path| !is_hidden(path)).collect();
    files.sort();
    files
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().unwrap().to_string_lossy().starts_with('.')
}

/// The one capture that there is, once it is there.
#[track_caller]
fn captured(gateway: &RunningGateway) -> (PathBuf, String) {
    eventually("a fault is captured", || !captures(gateway).is_empty());
    let file = captures(gateway).remove(0);
    let text = fs::read_to_string(&file).unwrap();
    (file, text)
}

fn filter(command: &str, file: &Path, more: &[&str]) -> Finished {
    let (file, state) = (file.display().to_string(), target_dir().join("tmp/stories/state").display().to_string());
    let args: Vec<&str> = ["filter", command, &file, "--state-dir", &state].iter().chain(more).copied().collect();
    Binary::finish(Path::new("."), &args)
}

#[test]
fn a_fault_is_written_down_and_happens_again_offline() {
    let upstream = Upstream::start();
    let gateway = gateway(
        &upstream,
        "in = \"request-head\", do = \"panic\", when = \"/bad\"",
        "grants = { store = [] }\n[capture]\ndirectory = \"../captures\"",
    );
    assert_eq!(gateway.get("/good").status, 200);
    assert_eq!(gateway.send(Request::get("/bad?page=2").field("x-kind", "odd")).status, 503);
    let (file, text) = captured(&gateway);
    assert!(text.contains("hook = \"on-request-head\"") && text.contains("fault = \"trap: "), "{text}");
    assert!(text.contains("grants = { \"store\" = [] }"), "what the policy is granted is there too: {text}");
    let replayed = filter("replay", &file, &[]);
    for part in [
        " (the captured one)\n",
        "on-request-head  ",
        "  in     :path = \"/bad?page=redacted\"",
        "  fault  trap: ",
        "the inside of the filter",
        "denied, the client gets 503",
        "captured: trap: ",
    ] {
        assert!(replayed.stdout.contains(part), "{part:?} is missing: {replayed:?}");
    }
    // The case holds as long as the fault is there, so it is a test of the repair too.
    assert!(filter("test", &file, &[]).status.success());
    let other = gateway.path().join("other.wasm");
    fs::write(&other, guest("facts")).unwrap();
    let other = filter("replay", &file, &["--module", &other.display().to_string()]);
    assert!(
        !other.status.success() && other.stderr.contains("config"),
        "it is configured for another module: {other:?}"
    );
}

#[test]
fn credentials_queries_and_bodies_are_hidden() {
    let upstream = Upstream::start();
    let capture = "[capture]\ndirectory = \"../captures\"\nquery = [\"page\"]\nredact = [\"x-patient\", \"when\"]";
    let gateway = gateway(&upstream, "in = \"request-body\", do = \"trap\", when = \"/\"", capture);
    let request = Request::post("/a?page=2&code=s3cret", "s3cret body")
        .field("authorization", "Bearer s3cret")
        .field("cookie", "id=s3cret")
        .field("x-api-key", "s3cret")
        .field("x-patient", "s3cret")
        .field("referer", "https://a.test/?s3cret")
        .field("x-kind", "odd");
    assert_eq!(gateway.send(request).status, 503);
    let (file, text) = captured(&gateway);
    assert!(!text.contains("s3cret"), "{text}");
    assert!(text.contains("path = \"/a?page=2&code=redacted\"") && text.contains("\"x-kind\" = \"odd\""), "{text}");
    assert!(text.contains("body = [{ repeat = \"x\", times = 11 }]"), "its shape is there: {text}");
    assert!(text.contains("\"when\" = \"redacted\""), "{text}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn both_messages_are_there_up_to_the_fault() {
    let answer = Answer::status(201).field("x-from", "upstream").field("set-cookie", "id=s3cret").body("content");
    let upstream = Upstream::answering(answer);
    let capture = "[capture]\ndirectory = \"../captures\"\nbodies = \"4B\"";
    let problem = TestGateway::new()
        .upstream(&upstream)
        .policy("10-headers", &format!("config = {{ request = {{ remove = [\"a\"] }} }}\n{capture}\n"))
        .check();
    assert!(problem.unwrap_err().contains("capture.bodies: \"4B\" is not a size"));
    let gateway = gateway(&upstream, "in = \"response-body\", do = \"trap\"", &capture.replace("\"4B\"", "4"));
    assert!(!gateway.connect().try_request(&Request::get("/")).unwrap().complete, "it is cut");
    let (file, text) = captured(&gateway);
    assert!(text.contains("status = 201") && text.contains("\"x-from\" = \"upstream\""), "{text}");
    assert!(text.contains("body = [\"cont\", { repeat = \"x\", times = 3 }]") && !text.contains("s3cret"), "{text}");
    assert!(filter("test", &file, &[]).status.success(), "it faults again: {:?}", filter("test", &file, &[]));
}

#[test]
fn what_upstreams_have_answered_is_there_and_is_answered_again() {
    let answer = Answer::status(500).field("x-reason", "tired").field("set-cookie", "id=s3cret").body("content");
    let upstream = Upstream::answering(answer);
    let policy = "filter = \"auth\"\ngrants = { callouts = [\"upstream\"] }\n\
        config = { upstream = \"upstream\", path = \"/check?code=s3cret\", fields = [\"x-user\"] }\n\
        [capture]\ndirectory = \"../captures\"\nbodies = 4\n";
    let gateway = TestGateway::new()
        .upstream(&upstream)
        .module("auth", example("callout-auth"))
        .policy("10-auth", policy)
        .start();
    assert_eq!(gateway.get("/orders").status, 503);
    let (file, text) = captured(&gateway);
    let part =
        "[[cases.callouts]]\n# GET /check?code=redacted\nupstream = \"upstream\"\nanswer = { status = 500, fields = { ";
    assert!(text.contains(part), "{text}");
    assert!(text.contains("body = [\"cont\", { repeat = \"x\", times = 3 }]"), "{text}");
    assert!(text.contains("\"x-reason\" = \"tired\"") && text.contains("\"set-cookie\" = \"redacted\""), "{text}");
    assert!(filter("test", &file, &[]).status.success(), "it faults again: {:?}", filter("test", &file, &[]));
    let replayed = filter("replay", &file, &[]).stdout;
    assert!(replayed.contains("  call   GET /check?code=s3cret of upstream: 500, 7 bytes\n"), "{replayed}");
    // The answer that it should have had.
    let repaired =
        text.replace("status = 500", "status = 204").replace("faults = [\"reported\"]", "outcome = \"forwarded\"");
    fs::write(&file, repaired).unwrap();
    assert!(filter("test", &file, &[]).status.success(), "{:?}", filter("test", &file, &[]));
}

#[test]
fn what_was_found_in_stores_is_there_and_is_found_again() {
    let upstream = Upstream::start();
    let policy = "filter = \"state\"\nconfig = { misplaced = \"end\" }\ngrants = { store = [] }\n[capture]\ndirectory = \"../captures\"\n";
    let gateway =
        TestGateway::new().upstream(&upstream).module("state", guest("state")).policy("10-state", policy).start();
    let visit = |deed: &str| gateway.send(Request::get("/").field("x-do", deed));
    assert_eq!(visit("increment - visits 6 0").text(), "6");
    let (first, text) = captured(&gateway);
    assert!(!text.contains("store ="), "there was nothing yet: {text}");
    fs::remove_file(first).unwrap();
    assert_eq!(visit("increment - visits 1 0").text(), "7");
    let (file, text) = captured(&gateway);
    assert!(text.contains("store = { \"visits\" = \"6\" }"), "{text}");
    assert!(filter("test", &file, &[]).status.success(), "{:?}", filter("test", &file, &[]));
    let replayed = filter("replay", &file, &[]).stdout;
    assert!(replayed.contains("  store  \"visits\" was \"6\"\n"), "{replayed}");
}

#[test]
fn secrets_are_not_there_but_the_time_is() {
    let upstream = Upstream::start();
    let gateway = TestGateway::new()
        .file("key", "s3cret")
        .module("grants", guest("grants"))
        .config(&format!(
            "[[listeners]]\naddress = \"127.0.0.1:0\"\n[upstreams.orders]\nendpoints = [\"{}\"]\n[secrets.key]\nfile = \"key\"\n\
             [[routes]]\nupstream = \"orders\"\npolicies = [\"bad\"]\n[policies.bad]\nfilter = \"policies/grants.wasm\"\n\
             grants = {{ secrets = [\"key\"], clock = true, random = true, read = [\"x-a\"] }}\nconfig = {{ use = [\"secret:key\", \"read:x-b\"] }}\n\
             capture = {{ directory = \"captures\" }}\n",
            upstream.address()
        ))
        .start();
    assert_eq!(gateway.get("/").status, 503);
    let (file, text) = captured(&gateway);
    assert!(!text.contains("s3cret") && text.contains("secrets = { \"key\" = \"redacted\" }"), "{text}");
    assert!(text.contains("\nnow = \"20") && text.contains("faults = [\"refused\"]"), "{text}");
    assert!(filter("test", &file, &[]).status.success(), "{:?}", filter("test", &file, &[]));
}

#[test]
fn there_are_no_more_than_are_wanted() {
    let upstream = Upstream::start();
    let capture = "[capture]\ndirectory = \"../captures\"\nmax = 2";
    let gateway = gateway(&upstream, "in = \"request-head\", do = \"trap\"", capture);
    for _ in 0..6 {
        assert_eq!(gateway.get("/").status, 503);
        eventually("it is written", || !captures(&gateway).is_empty());
    }
    eventually("there are two", || captures(&gateway).len() == 2);
    let gateway_folder = gateway.path().join("captures");
    gateway.shutdown();
    assert!(fs::read_dir(gateway_folder).map_or(0, Iterator::count) <= 2, "and no more when the last is written");
}

#[test]
fn nothing_is_captured_unless_it_is_asked_for() {
    let upstream = Upstream::start();
    for capture in ["", "capture = { directory = \"../captures\", on-fault = false }"] {
        let gateway = gateway(&upstream, "in = \"request-head\", do = \"trap\"", capture);
        assert_eq!(gateway.get("/").status, 503);
        let folder = gateway.path().join("captures");
        let files = gateway.inner().snapshot();
        assert!(files.policies.iter().all(|policy| policy.recorder.is_none()));
        assert!(!folder.exists());
    }
}

#[test]
fn a_change_of_what_is_captured_is_live() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, "in = \"request-head\", do = \"trap\"", "");
    assert_eq!(gateway.get("/").status, 503);
    gateway.change(|gateway| {
        let config = "config = { in = \"request-head\", do = \"trap\" }";
        gateway.write_policy(
            "10-bad",
            &format!("filter = \"misbehave\"\n{config}\n[capture]\ndirectory = \"../captures\"\n"),
        );
    });
    assert_eq!(gateway.get("/").status, 503);
    captured(&gateway);
}

#[test]
fn captures_need_a_folder_of_their_own() {
    let upstream = Upstream::start();
    for (directory, told) in [
        ("", "capture.directory: is missing; add directory = \"captures\", relative to this file"),
        ("directory = \".\"", "capture.directory: is the folder of this file; name one of its own, as \"../captures\""),
    ] {
        let policy = format!(
            "filter = \"headers\"\nconfig = {{ request = {{ remove = [\"a\"] }} }}\ncapture = {{ {directory} }}\n"
        );
        let problem = TestGateway::new().upstream(&upstream).policy("10-headers", &policy).check().unwrap_err();
        assert!(problem.contains(told), "{problem}");
    }
}
