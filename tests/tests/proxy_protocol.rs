//! Stories of the PROXY protocol: who the client is when a load balancer stands before the gateway.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use tollgate_tests::{Authority, Connection, Request, RunningGateway, TestGateway, Upstream, curl, eventually};

const V1: &str = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";

fn start(upstream: &Upstream, options: &str, limits: &str) -> RunningGateway {
    let config = format!(
        "[limits]\n{limits}\n[[listeners]]\naddress = \"{{listen}}\"\n{options}\n\
         [upstreams.only]\nendpoints = [\"{{upstream}}\"]\n[[routes]]\nupstream = \"only\"\n"
    );
    let authority = Authority::new();
    let pair = authority.server(&["gateway.test"]);
    let gateway = TestGateway::new().upstream(upstream).config(&config).workers(1);
    gateway.file("ca.pem", authority.pem()).file("one.pem", pair.cert).file("one.key", pair.key).start()
}

/// A header of version 2 with a client of 192.0.2.7 and one extension.
fn v2() -> Vec<u8> {
    let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f";
    let addresses = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 1, 187];
    [head.as_slice(), &addresses, &[4, 0, 0]].concat()
}

/// The client that the upstream is told, on a connection that begins like this.
fn client_of(mut connection: Connection) -> String {
    let echo = connection.request(Request::get("/")).echo();
    echo.field("x-forwarded-for").unwrap().to_owned()
}

fn begun(gateway: &RunningGateway, header: impl AsRef<[u8]>) -> Connection {
    let mut connection = gateway.connect();
    connection.write(header);
    connection
}

#[test]
fn the_header_says_who_the_client_is() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, "proxy-protocol = true", "");
    assert_eq!(client_of(begun(&gateway, V1)), "192.0.2.7");
    assert_eq!(client_of(begun(&gateway, v2())), "192.0.2.7");
    assert_eq!(client_of(begun(&gateway, "PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n")), "2001:db8::7");
    // The balancer itself, as in its checks.
    assert_eq!(client_of(begun(&gateway, "PROXY UNKNOWN\r\n")), "127.0.0.1");
    assert_eq!(client_of(begun(&gateway, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")), "127.0.0.1");
}

#[test]
fn a_header_may_come_in_pieces_and_with_the_request() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, "proxy-protocol = true", "");
    let mut pieces = gateway.connect();
    v2().iter().for_each(|byte| pieces.write([*byte]));
    assert_eq!(client_of(pieces), "192.0.2.7");
    let mut together = gateway.connect();
    together.write(format!("{V1}GET /a HTTP/1.1\r\nhost: a\r\n\r\n"));
    assert_eq!(together.response().echo().path, "/a");
}

#[test]
fn http2_and_tls_come_behind_it() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, "proxy-protocol = true", "");
    let url = format!("http://{}/", gateway.address());
    // curl sends its own address.
    let response = curl(&["--haproxy-protocol", "--http2-prior-knowledge", &url]).unwrap();
    assert_eq!((response.version.as_str(), response.echo().field("x-forwarded-for")), ("HTTP/2", Some("127.0.0.1")));
    let gateway = start(&upstream, "proxy-protocol = true\ntls = { cert = \"one.pem\", key = \"one.key\" }", "");
    let authority = gateway.path().join("ca.pem").display().to_string();
    let url = format!("https://gateway.test:{}/", gateway.address().port());
    let resolve = format!("gateway.test:{}:127.0.0.1", gateway.address().port());
    let response = curl(&["--haproxy-protocol", "--cacert", &authority, "--resolve", &resolve, &url]).unwrap();
    assert_eq!(response.echo().field("x-forwarded-proto"), Some("https"));
    assert_eq!(
        curl(&["--cacert", &authority, "--resolve", &resolve, &url]).unwrap_err(),
        35,
        "no handshake without it"
    );
}

#[test]
fn without_a_good_header_the_connection_is_closed_and_counted() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, "proxy-protocol = true", "");
    let long = format!("PROXY TCP4 {}", "1".repeat(200));
    let wrong = ["GET / HTTP/1.1\r\nhost: a\r\n\r\n", "PROXY TCP4 a b 1 2\r\n", "PROXY TCP4 192.0.2.7\n", &long];
    for header in wrong {
        begun(&gateway, header).expect_close();
    }
    eventually("all are counted", || gateway.metric("tollgate_proxy_protocol_errors_total") == wrong.len() as f64);
    assert!(upstream.requests().is_empty());
    assert_eq!(client_of(begun(&gateway, V1)), "192.0.2.7", "the listener goes on");
}

#[test]
fn only_those_who_are_trusted_may_say_who_their_clients_are() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, "proxy-protocol = { trusted = [\"10.0.0.0/8\", \"127.0.0.0/8\"] }", "");
    assert_eq!(client_of(begun(&gateway, V1)), "192.0.2.7");
    let gateway = start(&upstream, "proxy-protocol = { trusted = [\"10.0.0.0/8\"] }", "");
    begun(&gateway, V1).expect_close();
    eventually("it is counted", || gateway.metric("tollgate_proxy_protocol_errors_total") == 1.0);
}

#[test]
fn without_the_option_nobody_is_believed() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, "", "");
    let mut connection = begun(&gateway, format!("{V1}GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
    assert_eq!(connection.response().status, 400);
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_header_that_does_not_go_on_is_cut() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, "proxy-protocol = true", "header-timeout = \"1s\"");
    let (mut silent, mut slow) = (gateway.connect(), begun(&gateway, "PROXY TCP4 192"));
    silent.expect_close();
    slow.expect_close();
}
