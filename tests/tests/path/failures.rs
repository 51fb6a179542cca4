//! Upstreams and clients that fail.

use super::*;

const NOT_VALID: &str = "the upstream gave no valid response";

#[test]
fn nobody_listens() {
    let port = ClosedPort::new();
    let gateway = TestGateway::new().upstream_at(port.address()).start();
    let response = gateway.get("/");
    assert_eq!((response.status, response.problem().as_str()), (502, NOT_VALID));
    assert_eq!(gateway.metric("tollgate_upstream_failures_total{upstream=\"upstream\"}"), 1.0);
}

#[test]
fn an_endpoint_that_refuses_is_passed_over() {
    let (port, upstream) = (ClosedPort::new(), Upstream::start());
    let gateway = TestGateway::new().upstream(&upstream).word("refusing", &port.address().to_string()).config(
        "[[listeners]]\naddress = \"{listen}\"\n[upstreams.two]\nendpoints = [\"{refusing}\", \"{upstream}\"]\n\
             [[routes]]\nupstream = \"two\"\n",
    );
    let gateway = gateway.start();
    for _ in 0..4 {
        assert_eq!(gateway.send(Request::post("/", "body")).echo().body, "body");
    }
}

#[test]
fn endpoints_take_turns() {
    let upstreams = [Upstream::start(), Upstream::start()];
    let gateway =
        TestGateway::new().upstream(&upstreams[0]).word("second", &upstreams[1].address().to_string()).config(
            "[[listeners]]\naddress = \"{listen}\"\n[upstreams.two]\nendpoints = [\"{upstream}\", \"{second}\"]\n\
             [[routes]]\nupstream = \"two\"\n",
        );
    let gateway = gateway.workers(1).start();
    (0..6).for_each(|_| assert_eq!(gateway.get("/").status, 200));
    assert_eq!(upstreams.map(|upstream| upstream.requests().len()), [3, 3]);
}

#[test]
fn what_is_no_response_is_a_bad_gateway() {
    for lie in [
        "",
        "220 mail.example.com ESMTP\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-le",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 9999 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    ] {
        let upstream = Upstream::answering(Answer::raw(lie).close());
        let response = before(&upstream).get("/");
        assert_eq!((response.status, response.problem().as_str()), (502, NOT_VALID), "{lie:?}");
    }
}

#[test]
fn a_response_with_too_large_a_head_is_a_bad_gateway() {
    let mut answer = Answer::ok("x");
    for index in 0..200 {
        answer = answer.field(&format!("x-{index}"), "1");
    }
    let upstream = Upstream::answering(answer);
    assert_eq!(before(&upstream).get("/").status, 502);
}

#[test]
fn what_an_upstream_sends_too_much_is_nobodys_response() {
    let one = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmine";
    let upstream = Upstream::answering(Answer::raw(format!("{one}{}", one.replace("mine", "evil"))));
    let gateway = before(&upstream);
    (0..3).for_each(|_| assert_eq!(gateway.get("/").text(), "mine"));
    assert_eq!(upstream.connections(), 3, "a connection that is out of step serves nobody");
}

#[test]
fn an_upstream_that_does_not_answer_in_time_is_a_gateway_timeout() {
    let gate = Gate::new();
    let upstream = Upstream::answering(Answer::after(&gate));
    let gateway = configured(&upstream, "", "first-byte-timeout = \"50ms\"");
    let response = gateway.get("/");
    assert_eq!((response.status, response.problem().as_str()), (504, "the upstream did not answer in time"));
    let response = gateway.send(Request::post("/", "body"));
    assert_eq!(response.status, 504);
    eventually("the upstream's connections are closed", || {
        gate.open();
        upstream.open_connections() == 0
    });
}

#[test]
fn a_response_that_is_cut_is_cut_for_the_client_too() {
    let short = Upstream::answering(Answer::ok("half").field("content-length", "8").close());
    let response = before(&short).connect().request(Request::get("/"));
    assert_eq!((response.status, response.complete, response.text().as_str()), (200, false, "half"));
    let chunked = Upstream::answering(Answer::status(200).chunk("half").close());
    let response = before(&chunked).connect().request(Request::get("/"));
    assert_eq!((response.complete, response.text().as_str()), (false, "half"));
}

#[test]
fn a_response_that_stands_still_is_cut() {
    let gate = Gate::new();
    let upstream = Upstream::answering(Answer::status(200).chunk("half").wait(&gate));
    let gateway = configured(&upstream, "[limits]\nbody-idle = \"50ms\"", "");
    let response = gateway.connect().request(Request::get("/"));
    assert_eq!((response.complete, response.text().as_str()), (false, "half"));
    gate.open();
}

#[test]
fn a_request_that_stands_still_is_given_up() {
    let upstream = Upstream::start();
    let gateway = configured(&upstream, "[limits]\nbody-idle = \"50ms\"", "");
    let mut client = gateway.connect();
    client.send(&Request::new("POST", "/").field("content-length", "8"));
    client.write("half");
    let response = client.response();
    assert_eq!((response.status, response.problem().as_str()), (400, "the request body ended early"));
    assert!(!upstream.request().complete);
}

#[test]
fn a_request_that_is_cut_is_cut_for_the_upstream_too() {
    let upstream = Upstream::start();
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    client.send(&Request::new("POST", "/").field("content-length", "8"));
    client.write("half");
    eventually("it is under way", || upstream.requests().len() == 1);
    drop(client);
    eventually("it is over", || upstream.open_connections() == 0);
    assert!(!upstream.request().complete);
}

#[test]
fn clients_that_say_nothing_are_closed() {
    let upstream = Upstream::start();
    let gateway = configured(&upstream, "[limits]\nheader-timeout = \"1s\"\nkeep-alive = \"1s\"", "");
    let (mut silent, mut slow, mut idle) = (gateway.connect(), gateway.connect(), gateway.connect());
    slow.write("GET / HTTP/1.1\r\nhost:");
    assert_eq!(idle.request(Request::get("/")).status, 200);
    [&mut silent, &mut slow, &mut idle].into_iter().for_each(Connection::expect_close);
    eventually("they are gone", || gateway.metric("tollgate_connections_open") == 0.0);
}
