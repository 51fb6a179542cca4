//! Fields that a proxy adds, changes and takes away.

use super::*;

#[test]
fn fields_of_the_connection_stay_with_it() {
    let answer = Answer::ok("x")
        .field("connection", "x-hop")
        .field("x-hop", "1")
        .field("keep-alive", "timeout=5")
        .field("x-stays", "1");
    let upstream = Upstream::answering(answer);
    let gateway = before(&upstream);
    let request = Request::get("/")
        .field("connection", "keep-alive, X-Secret")
        .field("x-secret", "1")
        .field("keep-alive", "5")
        .field("proxy-connection", "keep-alive")
        .field("te", "gzip")
        .field("upgrade", "h2c")
        .field("x-stays", "1");
    let response = gateway.send(request);
    let request = upstream.request();
    for name in ["connection", "x-secret", "keep-alive", "proxy-connection", "te", "upgrade"] {
        assert_eq!(request.field(name), None, "{name}");
    }
    assert_eq!(request.field("x-stays"), Some("1"));
    assert_eq!(
        (response.field("x-hop"), response.field("keep-alive"), response.field("x-stays")),
        (None, None, Some("1"))
    );
}

#[test]
fn connection_cannot_name_what_the_message_needs() {
    let upstream = Upstream::start();
    let gateway = before(&upstream);
    let echo = gateway.send(Request::post("/", "text").field("connection", "host, content-length, close")).echo();
    assert_eq!((echo.field("host"), echo.body.as_str()), (Some("gateway.test"), "text"));
}

#[test]
fn the_upstream_learns_who_the_client_is() {
    let upstream = Upstream::start();
    let echo = before(&upstream).get("/").echo();
    assert_eq!(echo.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(echo.field("x-forwarded-proto"), Some("http"));
    assert_eq!(echo.field("x-forwarded-host"), Some("gateway.test"));
    assert_eq!(echo.field("forwarded"), None);
}

#[test]
fn what_the_client_says_about_itself_comes_before_what_the_gateway_saw() {
    let upstream = Upstream::start();
    let request = Request::get("/")
        .field("x-forwarded-for", "9.9.9.9")
        .field("x-forwarded-proto", "https")
        .field("x-forwarded-host", "evil.test")
        .field("forwarded", "for=9.9.9.9");
    let echo = before(&upstream).send(request).echo();
    assert_eq!(echo.field("x-forwarded-for"), Some("9.9.9.9, 127.0.0.1"));
    assert_eq!(echo.field("x-forwarded-proto"), Some("http"));
    assert_eq!(echo.field("x-forwarded-host"), Some("gateway.test"));
    assert_eq!(echo.fields.all("forwarded"), ["for=9.9.9.9", "for=127.0.0.1;proto=http"]);
}

#[test]
fn an_absolute_target_becomes_path_and_host() {
    let upstream = Upstream::start();
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    client.write("GET http://api.example.com:81/a?b HTTP/1.1\r\nhost: api.example.com:81\r\n\r\n");
    let echo = client.response().echo();
    assert_eq!((echo.path.as_str(), echo.field("host")), ("/a?b", Some("api.example.com:81")));
}

#[test]
fn a_client_that_expects_continue_is_told_to() {
    let upstream = Upstream::start();
    let gateway = before(&upstream);
    let mut client = gateway.connect();
    client.send(&Request::new("POST", "/").field("expect", "100-continue").field("content-length", "4"));
    assert_eq!(client.response().status, 100);
    client.write("body");
    let echo = client.response().echo();
    assert_eq!((echo.body.as_str(), echo.field("expect")), ("body", None));
}

#[test]
fn a_client_that_expects_continue_in_vain_is_not_told_to() {
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).config(
        "[[listeners]]\naddress = \"{listen}\"\n[upstreams.only]\nendpoints = [\"{upstream}\"]\n\
             [[routes]]\npath = { prefix = \"/known\" }\nupstream = \"only\"\n",
    );
    let gateway = gateway.start();
    let mut client = gateway.connect();
    client.send(&Request::new("POST", "/").field("expect", "100-continue").field("content-length", "4"));
    assert_eq!(client.response().status, 404);
}
