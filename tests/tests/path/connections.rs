//! Connections, kept and closed.

use super::*;

#[test]
fn a_connection_serves_many_requests_and_so_does_the_upstreams() {
    let upstream = Upstream::start();
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    for index in 0..5 {
        assert_eq!(client.request(Request::get(&format!("/{index}"))).echo().path, format!("/{index}"));
    }
    assert_eq!(gateway.get("/other").status, 200);
    assert_eq!(upstream.connections(), 1, "the worker uses its upstream connection again");
    assert_eq!(gateway.metric("tollgate_upstream_connects_total{upstream=\"upstream\"}"), 1.0);
}

#[test]
fn requests_at_the_same_time_have_connections_of_their_own() {
    let gate = Gate::new();
    let wait = gate.clone();
    let upstream = Upstream::with(move |call| {
        wait.wait();
        call.answer(&Answer::ok("done"))
    });
    let gateway = before(&upstream);
    let mut clients: Vec<_> = (0..4).map(|_| gateway.connect()).collect();
    clients.iter_mut().for_each(|client| client.send(&Request::get("/")));
    eventually("all four are under way", || upstream.requests().len() == 4);
    gate.open();
    assert!(clients.iter_mut().all(|client| client.response().text() == "done"));
    assert_eq!(upstream.connections(), 4);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::start();
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    client.write("GET /1 HTTP/1.1\r\nhost: a\r\n\r\nPOST /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nxGET /3 HTTP/1.1\r\nhost: a\r\n\r\n");
    let paths: Vec<_> = (0..3).map(|_| client.response().echo().path).collect();
    assert_eq!(paths, ["/1", "/2", "/3"]);
}

#[test]
fn a_client_that_wants_no_further_request_is_closed() {
    let upstream = Upstream::start();
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    let response = client.request(Request::get("/").field("connection", "close"));
    assert_eq!((response.status, response.field("connection")), (200, Some("close")));
    client.expect_close();
    assert_eq!(gateway.get("/").status, 200);
    assert_eq!(upstream.connections(), 1, "the client's wish is not the upstream's");
}

#[test]
fn an_upstream_that_wants_no_further_request_costs_the_client_nothing() {
    let upstream = Upstream::answering(Answer::ok("bye").field("connection", "close").close());
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    for _ in 0..3 {
        let response = client.request(Request::get("/"));
        assert_eq!((response.text().as_str(), response.field("connection")), ("bye", None));
    }
    assert_eq!(upstream.connections(), 3);
}

#[test]
fn a_pooled_connection_that_has_gone_stale_is_replaced() {
    let upstream = Upstream::start();
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    for round in 1..=5 {
        assert_eq!(client.request(Request::post("/", "body")).echo().body, "body");
        assert_eq!(upstream.connections(), round);
        upstream.close_connections();
    }
}

#[test]
fn http_10_is_served_without_chunks_and_closed() {
    let upstream = Upstream::answering(Answer::status(200).chunk("all ").chunk("of it"));
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    let response = client.request(Request::get("/").http_10());
    assert_eq!((response.version.as_str(), response.text().as_str()), ("HTTP/1.0", "all of it"));
    assert_eq!(response.field("transfer-encoding"), None);
    client.expect_close();
}

#[test]
fn http_10_needs_no_host() {
    let upstream = Upstream::start();
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    client.write("GET /old HTTP/1.0\r\n\r\n");
    assert_eq!(client.response().echo().path, "/old");
}

#[test]
fn a_client_that_goes_away_frees_the_upstream() {
    let (arrived, gone) = (Gate::new(), Gate::new());
    let gates = (arrived.clone(), gone.clone());
    let upstream = Upstream::with(move |call| {
        gates.0.open();
        call.wait_for_close();
        gates.1.open();
        Ok(false)
    });
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    client.send(&Request::get("/"));
    arrived.wait();
    drop(client);
    gone.wait();
    eventually("the exchange is over", || gateway.metric("tollgate_exchanges_open") == 0.0);
}

#[test]
fn a_client_that_goes_away_while_it_is_answered_frees_the_upstream() {
    let gone = Gate::new();
    let over = gone.clone();
    let upstream = Upstream::with(move |call| {
        call.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ndata\r\n")?;
        call.wait_for_close();
        over.open();
        Ok(false)
    });
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    client.send(&Request::get("/"));
    client.head();
    drop(client);
    gone.wait();
}
