//! Stories of requests that could be read in two ways: the corpus, in every segmentation, and nothing of it reaches an
//! upstream that is not certain.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tollgate_tests::{
    Case, Certain, Connection, Fate, Nginx, Recorder, RunningGateway, TestGateway, corpus, eventually,
};

const CONFIG: &str = "limits = { header-bytes = \"24KiB\", header-field-bytes = \"12KiB\" }\n\
    [[listeners]]\naddress = \"{listen}\"\n[upstreams.only]\nendpoints = [\"{upstream}\"]\n[[routes]]\nupstream = \"only\"\n";

fn before(recorder: &Recorder) -> RunningGateway {
    TestGateway::new().upstream_at(recorder.address()).config(CONFIG).workers(1).start()
}

const GOOD: &[u8] = b"GET /good HTTP/1.1\r\nHost: a.test\r\n\r\n";

fn good() -> Fate {
    Fate::Forwarded("GET /good".into(), Vec::new())
}

/// How a case is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    Whole,
    InPieces,
    AfterAGoodOne,
    BeforeAGoodOne,
}

/// Sends a case, compares the answers, and gives what is wrong.
fn play(gateway: &RunningGateway, recorder: &Recorder, case: &Case, manner: Manner) -> Result<(), String> {
    let (mut bytes, mut fates) = (case.bytes.clone(), case.fates.clone());
    match manner {
        Manner::AfterAGoodOne => {
            bytes.splice(0..0, GOOD.iter().copied());
            fates.insert(0, good());
        }
        Manner::BeforeAGoodOne => bytes.extend_from_slice(GOOD),
        Manner::Whole | Manner::InPieces => {}
    }
    let _ = recorder.take();
    let mut client = gateway.connect();
    let piece = if manner == Manner::InPieces { 1 + bytes.len() / 400 } else { bytes.len() };
    let _ = bytes.chunks(piece).all(|piece| client.try_write(piece));

    let mut closed = false;
    for fate in &fates {
        closed = answer(&mut client, fate, !case.name.starts_with("rfc3986"))?;
    }
    if manner == Manner::BeforeAGoodOne && !closed {
        fates.push(good());
        closed = answer(&mut client, &good(), true)?;
    }
    if closed {
        client.expect_close();
    }
    let expected: Vec<Certain> = fates.into_iter().filter_map(forwarded).collect();
    let seen = recorder.take();
    if seen == expected { Ok(()) } else { Err(format!("the upstream has seen {seen:?}, not {expected:?}")) }
}

/// Reads an answer; says whether it closes the connection.
fn answer(client: &mut Connection, fate: &Fate, closes: bool) -> Result<bool, String> {
    if let Fate::Forwarded(line, _) = fate {
        client.expect_answer_to(line.split(' ').next().unwrap_or_default());
    }
    let mut response = client.response();
    while response.status == 100 {
        response = client.response();
    }
    let closed = response.fields.all("connection").contains(&"close")
        || response.version == "HTTP/1.0" && response.fields.all("connection").is_empty();
    match fate {
        Fate::Forwarded(..) if response.status == 200 => Ok(closed),
        Fate::Refused(status) if response.status == *status => {
            let detail = response.problem();
            if detail.is_empty() {
                return Err("no reason is given".into());
            }
            if closes && !closed {
                return Err("the connection stays open".into());
            }
            Ok(closed)
        }
        fate => Err(format!("{} is answered, not {fate:?}: {}", response.status, response.text())),
    }
}

/// As `play`, where a case that hangs or makes no sense is wrong like others.
fn play_safely(gateway: &RunningGateway, recorder: &Recorder, case: &Case, manner: Manner) -> Result<(), String> {
    let played = catch_unwind(AssertUnwindSafe(|| play(gateway, recorder, case, manner)));
    played.unwrap_or_else(|panic| Err(panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "it panics".into())))
}

fn forwarded(fate: Fate) -> Option<Certain> {
    match fate {
        Fate::Forwarded(line, content) => Some(Certain { line, content }),
        Fate::Refused(_) | Fate::Cut => None,
    }
}

fn replay(manner: Manner) {
    let recorder = Recorder::start();
    let gateway = before(&recorder);
    let cases = corpus("requests");
    assert!(cases.len() >= 300, "only {} cases", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            play_safely(&gateway, &recorder, case, manner).err().map(|error| format!("{}: {error}", case.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    // What came after the answers, if anything did.
    assert_eq!(gateway.get("/good").status, 200);
    assert_eq!(recorder.take().len(), 1);
    assert!(recorder.doubts().is_empty(), "{:#?}", recorder.doubts());
}

#[test]
fn the_corpus_as_a_whole() {
    replay(Manner::Whole);
}

#[test]
fn the_corpus_in_pieces() {
    replay(Manner::InPieces);
}

#[test]
fn the_corpus_behind_a_good_request() {
    replay(Manner::AfterAGoodOne);
}

#[test]
fn the_corpus_before_a_good_request() {
    replay(Manner::BeforeAGoodOne);
}

#[test]
fn names_of_cases_are_unique() {
    let cases = corpus("requests");
    let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len());
}

#[test]
fn refusals_are_counted_by_reason() {
    let recorder = Recorder::start();
    let gateway = before(&recorder);
    for _ in 0..2 {
        let mut client = gateway.connect();
        client.write("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().status, 400);
        client.expect_close();
    }
    assert_eq!(gateway.metric("tollgate_invalid_requests_total{reason=\"host-count\"}"), 2.0);
}

#[test]
fn a_client_that_goes_on_sending_still_gets_its_answer() {
    let recorder = Recorder::start();
    let gateway = before(&recorder);
    let mut client = gateway.connect();
    client.write("GET / HTTP/1.1\r\nX : y\r\n\r\n");
    let _ = client.try_write(&[b'x'; 200 << 10]);
    let response = client.response();
    assert_eq!(
        (response.status, response.problem().as_str()),
        (400, "a field is a name, directly followed by a colon")
    );
    client.expect_close();
}

#[test]
fn a_body_that_turns_out_bad_ends_the_upstreams_request() {
    let recorder = Recorder::start();
    let gateway = before(&recorder);
    let mut client = gateway.connect();
    client.write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    eventually("it is under way", || gateway.metric("tollgate_upstream_requests_total{upstream=\"only\"}") == 1.0);
    client.write("5;\n");
    let response = client.response();
    assert_eq!((response.status, response.field("connection")), (400, Some("close")));
    client.expect_close();
    assert_eq!(recorder.take(), []);
    assert_eq!(gateway.metric("tollgate_invalid_requests_total{reason=\"line-end\"}"), 1.0);
}

/// How many requests of each case arrive here and there. Where more do here, the case says why.
#[test]
fn nginx_is_laxer_or_there_is_a_reason() {
    let recorder = Recorder::start();
    let nginx = Nginx::before(recorder.address());
    let (mut stricter, mut wrong) = (0, Vec::new());
    for case in corpus("requests") {
        let here = case.fates.iter().filter(|fate| matches!(fate, Fate::Forwarded(..))).count();
        let statuses = nginx.statuses(&case.bytes, case.fates.len());
        let there = statuses.iter().filter(|status| **status == 200).count();
        stricter += usize::from(here < there);
        match (&case.laxer, here > there) {
            (None, true) => wrong.push(format!("{}: laxer than nginx ({statuses:?}), without a reason", case.name)),
            (Some(_), false) => wrong.push(format!("{}: not laxer than nginx ({statuses:?})", case.name)),
            _ => {}
        }
        if here < there {
            eprintln!("stricter than nginx: {}", case.name);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(stricter > 20, "nginx was hardly asked: {stricter}");
}

mod paths {
    use tollgate_tests::Upstream;

    use super::*;

    /// Routes to `/admin` and to everything else, told apart by a field that the gateway adds.
    fn routed(upstream: &Upstream, first: &str) -> RunningGateway {
        let config = format!(
            "{first}\n[[listeners]]\naddress = \"{{listen}}\"\n[upstreams.only]\nendpoints = [\"{{upstream}}\"]\n\
             [policies.stamp]\nfilter = \"headers\"\nconfig = {{ request = {{ set = {{ x-admin = \"{{path}}\" }} }} }}\n\
             [[routes]]\npath = {{ prefix = \"/admin\" }}\npolicies = [\"stamp\"]\nupstream = \"only\"\n[[routes]]\nupstream = \"only\"\n"
        );
        let headers = tollgate_tests::filter("headers");
        TestGateway::new()
            .upstream(upstream)
            .module("headers", headers)
            .config(&format!("policies-dir = \"policies\"\n{config}"))
            .workers(1)
            .start()
    }

    #[test]
    fn what_routes_and_filters_see_is_what_the_upstream_gets() {
        let upstream = Upstream::start();
        let gateway = routed(&upstream, "");
        for target in [
            "/admin/x",
            "/%61dmin/x",
            "/a/../admin/x",
            "//admin//x",
            "/%2e/admin/./x",
            "/admin/%78",
            "/./a/%2E%2e/admin/x",
        ] {
            let echo = gateway.get(target).echo();
            assert_eq!((echo.path.as_str(), echo.field("x-admin")), ("/admin/x", Some("/admin/x")), "{target}");
        }
        for target in ["/%2561dmin/x", "/admi", "/adminx", "/a%20dmin", "/admin;x/x"] {
            let echo = gateway.get(target).echo();
            assert_eq!((echo.path.as_str(), echo.field("x-admin")), (target, None), "{target}");
        }
    }

    #[test]
    fn slashes_are_kept_where_one_says_so() {
        let upstream = Upstream::start();
        let gateway = routed(&upstream, "paths = { encoded-slash = \"keep\", merge-slashes = false }");
        assert_eq!(gateway.get("/a%2fb//c%5c").echo().path, "/a%2Fb//c%5C");
        for target in ["/a/..%2fadmin", "/..%5cadmin", "/%2e%2e%2fadmin"] {
            let response = gateway.get(target);
            assert_eq!((response.status, response.problem().as_str()), (400, "the path has a dot segment in disguise"));
        }
        assert_eq!(upstream.request().path, "/a%2Fb//c%5C");
    }

    #[test]
    fn a_route_that_no_request_can_have_is_rejected() {
        let upstream = Upstream::start();
        for (path, problem) in [
            ("/a/../b", "\"/a/../b\" is not in normal form; write \"/b\""),
            ("/%61", "\"/%61\" is not in normal form; write \"/a\""),
            (
                "/a%2Fb",
                "\"/a%2Fb\": the path has an encoded slash or backslash; requests with such paths are refused; see [paths]",
            ),
        ] {
            let config = format!("{CONFIG}path = {{ exact = \"{path}\" }}\n");
            let error = TestGateway::new().upstream(&upstream).config(&config).check().unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }
}
