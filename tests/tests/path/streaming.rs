//! Bodies that stream.

use super::*;

#[test]
fn each_piece_of_a_response_arrives_as_it_is_sent() {
    let gate = Gate::new();
    let upstream = Upstream::answering(Answer::status(200).chunk("first").wait(&gate).chunk("second"));
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    client.send(&Request::get("/"));
    client.head();
    assert_eq!(client.chunk(), Some(Chunk::Data(b"first".into())));
    gate.open();
    assert_eq!(client.chunk(), Some(Chunk::Data(b"second".into())));
    assert_eq!(client.chunk(), Some(Chunk::Last(Fields::default())));
}

#[test]
fn each_piece_of_a_request_arrives_as_it_is_sent() {
    let first = Gate::new();
    let seen = first.clone();
    let upstream = Upstream::with(move |call| {
        assert_eq!(call.read_chunk()?, Chunk::Data(b"first".into()));
        seen.open();
        let rest = call.read_body()?;
        call.answer(&Answer::ok(rest.body))
    });
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    client.send(&Request::new("POST", "/").chunks([]));
    client.write_chunk("first");
    first.wait();
    client.write_chunk("second");
    client.write_last_chunk();
    assert_eq!(client.response().text(), "second");
}

#[test]
fn a_client_that_does_not_read_holds_the_upstream_back() {
    let (taken, done) = (Arc::new(AtomicUsize::new(0)), Gate::new());
    let (count, end) = (Arc::clone(&taken), done.clone());
    let most: u64 = 256 << 20;
    let upstream = Upstream::with(move |call| {
        call.write(b"HTTP/1.1 200 OK\r\n\r\n")?;
        count.store(call.write_until_blocked(most)? as usize, Ordering::SeqCst);
        end.open();
        Ok(false)
    });
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    client.send(&Request::get("/"));
    client.head();
    done.wait();
    assert!(taken.load(Ordering::SeqCst) < most as usize, "everything was taken in, and kept somewhere");
    assert!(!client.some().is_empty());
}

#[test]
fn an_upstream_that_does_not_read_holds_the_client_back() {
    let release = Gate::new();
    let wait = release.clone();
    let upstream = Upstream::with(move |_| {
        wait.wait();
        Ok(false)
    });
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    let most: u64 = 256 << 20;
    client.send(&Request::new("POST", "/").field("content-length", &most.to_string()));
    assert!(client.write_until_blocked(most) < most, "everything was taken in, and kept somewhere");
    release.open();
}

#[test]
fn a_response_may_come_before_the_request_has_ended() {
    let upstream =
        Upstream::with(|call| call.answer(&Answer::status(413).field("connection", "close").body("too much").close()));
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    client.send(&Request::new("POST", "/").chunks([]));
    client.write_chunk("first");
    assert_eq!(client.response().status, 413);
}
