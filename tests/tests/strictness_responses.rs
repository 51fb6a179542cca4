//! Stories of responses that could be read in two ways: the corpus, and what clients get of it.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tollgate_tests::{Answer, Case, Fate, Request, RunningGateway, TestGateway, Upstream, corpus};

const CONFIG: &str = "limits = { header-bytes = \"24KiB\", header-field-bytes = \"12KiB\" }\n\
    [[listeners]]\naddress = \"{listen}\"\n[upstreams.only]\nendpoints = [\"{upstream}\"]\n[[routes]]\nupstream = \"only\"\n";

/// Answers `/N` with the bytes of case N, whole or byte by byte, and everything else as it should.
fn upstream(cases: Arc<Vec<Case>>, in_pieces: bool) -> Upstream {
    Upstream::with(move |call| {
        let request = call.read_body()?;
        let Some(case) = request.path[1..].parse().ok().and_then(|number: usize| cases.get(number)) else {
            return call.answer(&Answer::ok("sane"));
        };
        let piece = if in_pieces { 1 + case.bytes.len() / 400 } else { case.bytes.len().max(1) };
        // The gateway may have had enough.
        let _ = case.bytes.chunks(piece).try_for_each(|piece| call.write(piece));
        Ok(case.is("open"))
    })
}

fn before(upstream: &Upstream) -> RunningGateway {
    TestGateway::new().upstream(upstream).config(CONFIG).workers(1).start()
}

/// Asks for a case, and gives what is wrong with the answer.
fn ask(gateway: &RunningGateway, number: usize, case: &Case) -> Result<(), String> {
    let method = if case.is("HEAD") { "HEAD" } else { "GET" };
    let mut client = gateway.connect();
    client.send(&Request::new(method, &format!("/{number}")));
    let answer = catch_unwind(AssertUnwindSafe(|| client.response())).ok();
    let said = format!("{answer:?}");
    let good = match (&case.fates[0], answer) {
        (Fate::Forwarded(status, content), Some(answer)) => {
            answer.complete && answer.status.to_string() == *status && answer.body == *content
        }
        (Fate::Refused(status), Some(answer)) => {
            answer.complete && answer.status == *status && (method == "HEAD" || !answer.problem().is_empty())
        }
        (Fate::Cut, Some(answer)) => {
            !answer.complete && (answer.body.is_empty() || contains(&case.bytes, &answer.body))
        }
        // Cut before its head had gone out.
        (Fate::Cut, None) => true,
        (_, None) => false,
    };
    if !good {
        return Err(format!("answered with {said}, not {:?}", case.fates));
    }
    // Whatever came too much is nobody's answer.
    match catch_unwind(AssertUnwindSafe(|| gateway.get("/sane").text())) {
        Ok(text) if text == "sane" => Ok(()),
        other => Err(format!("the next request is answered with {other:?}")),
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn replay(in_pieces: bool) {
    let cases = Arc::new(corpus("responses"));
    assert!(cases.len() >= 100, "only {} cases", cases.len());
    let upstream = upstream(Arc::clone(&cases), in_pieces);
    let gateway = before(&upstream);
    let wrong: Vec<String> = cases
        .iter()
        .enumerate()
        .filter_map(|(number, case)| ask(&gateway, number, case).err().map(|error| format!("{}: {error}", case.name)))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn the_corpus_as_a_whole() {
    replay(false);
}

#[test]
fn the_corpus_in_pieces() {
    replay(true);
}
