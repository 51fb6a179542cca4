//! Stories of the examples that are filters: each with its own cases, and where it stands before an upstream.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(missing_docs, reason = "each story is named after what it tells")]

use std::time::{Duration, SystemTime};

use tollgate::filter_test::Tests;
use tollgate_tests::{Answer, Chunk, Gate, Request, TestGateway, Upstream, example, target_dir};

const WITH_CASES: [&str; 3] = ["json-transform", "redact", "signed-url"];

#[test]
fn each_keeps_the_cases_that_it_carries() {
    for name in WITH_CASES {
        let module = target_dir().join("examples").join(name).with_extension("wasm");
        let report = Tests::of(module).state_dir(target_dir().join("tmp/stories/state")).run();
        report.assert_passed();
        assert!(report.cases.len() >= 3, "{name} has {} cases", report.cases.len());
    }
}

/// A gateway with one policy of that example.
fn gateway(upstream: &Upstream, name: &str, policy: &str) -> TestGateway {
    let policy = format!("filter = {name:?}\n{policy}");
    TestGateway::new().upstream(upstream).module(name, example(name)).policy("10-p", &policy).workers(1)
}

mod json_transform {
    use super::*;

    const POLICY: &str = "limits.body = \"1KiB\"\n[config]\nrequest = { set = { \"/source\" = \"gateway\" } }\n\
        response = { remove = [\"/items/*/cost\"] }\n";

    #[test]
    fn bodies_are_changed_on_their_way() {
        let answer = Answer::status(200).field("content-type", "application/json; charset=utf-8");
        let upstream = Upstream::answering(answer.chunk(r#"{"items":[{"id":1,"#).chunk(r#""cost":5}]}"#));
        let gateway = gateway(&upstream, "json-transform", POLICY).start();
        let request = Request::new("POST", "/").field("content-type", "application/json");
        let response =
            gateway.send(request.field("accept-encoding", "gzip").chunks([r#"{"n":12345678901"#, "234567890}"]));
        assert_eq!(response.text(), r#"{"items":[{"id":1}]}"#);
        let seen = upstream.request();
        assert_eq!(String::from_utf8_lossy(&seen.body), r#"{"n":12345678901234567890,"source":"gateway"}"#);
        assert_eq!(seen.field("accept-encoding"), None);
    }

    #[test]
    fn a_body_beyond_the_bound_is_refused_either_way() {
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(1024));
        let answer = Answer::status(200).field("content-type", "application/json").body(large.clone());
        let upstream = Upstream::answering(answer);
        let gateway = gateway(&upstream, "json-transform", POLICY).start();
        let request = Request::post("/", large).field("content-type", "application/json");
        assert_eq!((gateway.send(request).status, gateway.get("/").status), (413, 502));
    }
}

mod redact {
    use super::*;

    #[test]
    fn a_body_is_masked_as_it_comes() {
        let gate = Gate::new();
        let answer =
            Answer::status(200).chunk("a bed of tulips, and tu").wait(&gate).chunk("lips for 4111-1111-1111-1111");
        let upstream = Upstream::answering(answer);
        let policy = "config = { words = [\"tulip\"], cards = true }";
        let gateway = gateway(&upstream, "redact", policy).start();
        let mut client = gateway.connect();
        client.send(&Request::get("/"));
        assert_eq!(client.head().status(), Some(200));
        let first = client.chunk().unwrap();
        assert_eq!(first, Chunk::Data(b"a bed of *****s, and ".to_vec()), "it does not wait for the end");
        gate.open();
        let mut rest = Vec::new();
        while let Some(Chunk::Data(data)) = client.chunk() {
            rest.extend_from_slice(&data);
        }
        assert_eq!(String::from_utf8(rest).unwrap(), "*****s for ****-****-****-1111");
    }
}

mod signed_url {
    use super::*;
    use std::process::Command;

    const CONFIG: &str = r#"
        policies-dir = "policies"
        [[listeners]]
        address = "{listen}"
        [secrets.signing-key]
        file = "key.txt"
        [upstreams.files]
        endpoints = ["{upstream}"]
        [policies.p]
        filter = "signed-url"
        grants = { clock = true, secrets = ["signing-key"] }
        [[routes]]
        policies = ["p"]
        upstream = "files"
    "#;

    /// Signs as the README says.
    fn sign(path: &str, expires: SystemTime) -> String {
        let seconds = expires.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let link = format!("{path}?expires={seconds}");
        let script = "printf '%s' \"$1\" | openssl dgst -sha256 -hmac first-key -hex | sed 's/.*= //'";
        let signed = Command::new("sh").args(["-c", script, "sh", &link]).output().unwrap();
        format!("{link}&signature={}", String::from_utf8(signed.stdout).unwrap().trim())
    }

    #[test]
    fn links_are_good_for_their_time_and_their_key() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).config(CONFIG).module("signed-url", example("signed-url"));
        let gateway = gateway.file("key.txt", "first-key\n").workers(1).start();
        let now = SystemTime::now();
        let link = sign("/files/a%20b.pdf", now + Duration::from_secs(3600));
        assert_eq!(gateway.get(&link).echo().path, "/files/a%20b.pdf");
        assert_eq!(gateway.get(&link.replace("a%20b", "secret")).status, 403);
        assert_eq!(gateway.get("/files/a%20b.pdf").status, 403);
        assert_eq!(gateway.get(&sign("/files/a%20b.pdf", now - Duration::from_secs(1))).status, 403);
        gateway.change(|gateway| gateway.replace_file("key.txt", "second-key\n"));
        assert_eq!(gateway.get(&link).status, 403, "the key has been exchanged");
        assert_eq!(upstream.requests().len(), 1);
    }
}
