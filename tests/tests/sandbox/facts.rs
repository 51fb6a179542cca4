//! What filters are told.

use super::*;

fn gateway(upstream: &Upstream, config: &str) -> RunningGateway {
    let gateway = TestGateway::new().upstream(upstream).module("facts", guest("facts"));
    let grants = "grants = { read = [\"*\", \"cookie\", \"set-cookie\"] }";
    gateway.policy("10-f", &format!("filter = \"facts\"\n{grants}\nconfig = {{ {config} }}")).workers(1).start()
}

/// What the guest says to a request with fields of every kind.
fn told(config: &str) -> String {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, config);
    let mut connection = gateway.connect();
    let head = [
        b"GET /a%20b?c=d HTTP/1.1\r\nHost: api.test:80\r\nX-Empty:\r\nX-Many: one\r\nx-many: two\r\n".as_slice(),
        b"X-Many:  three  \r\nCookie: a=1\r\nCookie: b=2\r\nX-Raw: \xff\xfe\r\nX-Long: ",
        &[b'x'; 3_000],
        b"\r\n\r\n",
    ];
    connection.write(head.concat());
    connection.response().text()
}

const NAMES: &str = r#"["x-absent", ":method", ":path", ":authority", ":scheme", "x-empty", "x-none", "x-many",
        "x-empty", "cookie", "x-raw", "@client-address", "@listener", "@route", "@consumer", "@attr:a", "host"]"#;

const VALUES: &str = "x-absent absent\n:method=GET\n:path=/a%20b?c=d\n:authority=api.test:80\n:scheme=http\nx-empty=\n\
        x-none absent\nx-many=one, two, three\nx-empty=\ncookie=a=1; b=2\nx-raw=\\xff\\xfe\n@client-address=127.0.0.1\n\
        @listener=listener-1\n@route=route-1\n@consumer absent\n@attr:a absent\nhost=api.test:80";

#[test]
fn declared_facts_come_with_the_call() {
    let names = NAMES.replace('\n', " ");
    assert_eq!(told(&format!("in = \"request\", declare = {names}")), VALUES);
}

#[test]
fn other_facts_can_be_asked_for() {
    let names = NAMES.replace('\n', " ");
    assert_eq!(told(&format!("in = \"request\", ask = {names}")), VALUES);
}

#[test]
fn values_of_one_name_can_be_had_one_by_one() {
    let told = told(r#"in = "request", each = ["x-many", "cookie", "x-none", "x-empty"]"#);
    assert_eq!(told, "x-many: one | two | three\ncookie: a=1 | b=2\nx-none: \nx-empty: ");
}

#[test]
fn all_fields_can_be_had() {
    let told = told(r#"in = "request", fields = true"#);
    for line in ["host: api.test:80", "x-empty: ", "x-many: three", "x-raw: \\xff\\xfe", "x-forwarded-for: 127.0.0.1"] {
        assert!(told.lines().any(|told| told == line), "no {line} in {told}");
    }
}

#[test]
fn the_longest_value_comes_whole() {
    let told = told(r#"in = "request", declare = ["x-long"]"#);
    assert_eq!(told.len(), "x-long=".len() + 3_000);
}

#[test]
fn an_edit_at_once_can_be_read_back_or_says_what_is_wrong() {
    let done = told(r#"in = "request", apply = "x-new", ask = ["x-new"]"#);
    assert_eq!(done, "apply x-new: done\nx-new=applied");
    let attribute = told(r#"in = "request", apply = "@attr:plan", ask = ["@attr:plan"]"#);
    assert_eq!(attribute, "apply @attr:plan: done\n@attr:plan=applied");
    let refused = told(r#"in = "request", apply = "content-length", ask = ["content-length"]"#);
    let reason =
        "\"content-length\" frames the message or belongs to the connection, which only the gateway may change";
    assert_eq!(refused, format!("apply content-length: {reason}\ncontent-length absent"));
}

#[test]
fn a_response_hook_sees_the_response_and_the_request() {
    let answer = Answer::status(418).field("set-cookie", "a=1").field("set-cookie", "b=2").field("x-own", "r");
    let upstream = Upstream::answering(answer);
    let names = r#"[":status", "x-own", "set-cookie", "x-none", "@request::path", "@request:x-own", "@route"]"#;
    let expected = ":status=418\nx-own=r\nset-cookie=a=1, b=2\nx-none absent\n@request::path=/p?q\n@request:x-own=q\n\
            @route=route-1";
    for how in ["declare", "ask"] {
        let gateway = gateway(&upstream, &format!("in = \"response\", {how} = {names}"));
        let response = gateway.send(Request::get("/p?q").field("x-own", "q"));
        assert_eq!(response.text(), expected, "{how}");
    }
    let gateway = gateway(&upstream, r#"in = "response", each = ["set-cookie"]"#);
    assert_eq!(gateway.get("/").text(), "set-cookie: a=1 | b=2");
}
