//! Routes: what they match, and what is wrong with them.

use http::Method;

use super::super::{HeaderMatch, HostPattern, ListenerSet, PathMatch, QueryMatch, ValueMatch};
use super::*;

fn route(text: &str) -> Folder {
    Folder::with_more(&format!("[[routes]]\nupstream = \"orders\"\n{text}\n"))
}

/// The only problem of a route, from its key on.
fn problem(text: &str) -> String {
    let problems = route(text).problems();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems[0].strip_prefix("tollgate.toml:5: routes[0].").expect("it is on line 5").to_owned()
}

#[test]
fn conditions_are_read() {
    let config = route(
        r#"
        listeners = ["listener-1"]
        hosts = ["API.example.com.", "*.Example.org", "[::1]", "127.0.0.1"]
        methods = ["GET", "PURGE"]
        headers = { X-Version = "2", x-any = { present = true }, x-re = { regex = "a|b" } }
        query = { version = "2", "a b" = { present = true } }
        path.regex = "/v[0-9]+/.*"
        "#,
    )
    .load();
    let route = &config.routes[0];
    assert_eq!(route.listeners, ListenerSet::Only(vec![0]));
    assert!(route.listeners.contains(0) && !route.listeners.contains(1));
    let exact = |host: &str| HostPattern::Exact(host.to_owned());
    let wildcard = HostPattern::Wildcard("example.org".to_owned());
    assert_eq!(route.hosts, [exact("api.example.com"), wildcard, exact("[::1]"), exact("127.0.0.1")]);
    assert_eq!(route.methods, [Method::GET, Method::from_bytes(b"PURGE").unwrap()]);
    let headers: Vec<&str> = route.headers.iter().map(|header| header.name.as_str()).collect();
    assert_eq!(headers, ["x-version", "x-any", "x-re"]);
    let [HeaderMatch { value: exact, .. }, HeaderMatch { value: present, .. }, HeaderMatch { value: regex, .. }] =
        route.headers.as_slice()
    else {
        panic!("three headers")
    };
    assert!(matches!(exact, ValueMatch::Exact(value) if value == "2"));
    assert!(matches!(present, ValueMatch::Present));
    assert!(matches!(regex, ValueMatch::Regex(regex) if regex.is_match("b") && !regex.is_match("ab")));
    let [QueryMatch { name, value: ValueMatch::Exact(value) }, QueryMatch { value: ValueMatch::Present, .. }] =
        route.query.as_slice()
    else {
        panic!("two parameters")
    };
    assert_eq!((name.as_str(), value.as_str()), ("version", "2"));
    assert!(matches!(&route.path, PathMatch::Regex(regex) if regex.is_match("/v1/x") && !regex.is_match("/a/v1/x")));
}

#[test]
fn a_prefix_has_no_slash_at_its_end() {
    for (written, kept) in [("/orders/", "/orders"), ("/", "/"), ("/a/b", "/a/b")] {
        let config = route(&format!("path.prefix = {written:?}")).load();
        assert!(matches!(&config.routes[0].path, PathMatch::Prefix(prefix) if prefix == kept), "{written}");
    }
    let config = route("path.exact = \"/orders/\"").load();
    assert!(matches!(&config.routes[0].path, PathMatch::Exact(path) if path == "/orders/"));
    assert!(matches!(route("").load().routes[0].path, PathMatch::Any));
}

#[test]
fn each_wrong_condition_has_its_message() {
    for (written, message) in [
        (
            "hosts = [\"a:80\"]",
            "hosts[0]: \"a:80\" has a port; write the host only; name listeners to tell ports apart",
        ),
        ("hosts = [\"*\"]", "hosts[0]: \"*\" matches every host; leave hosts out to match any"),
        (
            "hosts = [\"a.*.b\"]",
            "hosts[0]: \"a.*.b\" has a * elsewhere than first; write a host, or \"*.\" and a domain",
        ),
        ("hosts = [\"http://a\"]", "hosts[0]: \"http://a\" is a URL, not a host; write the host only"),
        ("hosts = [\"a..b\"]", "hosts[0]: \"a..b\" is not a host; write a host such as \"api.example.com\""),
        ("hosts = [\"[::x]\"]", "hosts[0]: \"[::x]\" is not an IPv6 address; write it like \"[::1]\""),
        ("hosts = []", "hosts: is empty; leave hosts out to match any"),
        ("hosts = \"a\"", "hosts: is a string, not an array; put the values in brackets: [ … ]"),
        ("methods = [\"get\"]", "methods[0]: \"get\" is not in upper case; write \"GET\""),
        ("methods = [\"G T\"]", "methods[0]: \"G T\" is not a method; write a method such as \"GET\""),
        (
            "headers = { \"x y\" = \"1\" }",
            "headers.\"x y\": \"x y\" is not a header name; write letters, digits and dashes",
        ),
        ("headers = { x = {} }", "headers.x: needs exactly one of exact, regex, present; write one of them"),
        ("headers = { x = { exat = \"1\" } }", "headers.x.exat: unknown key; did you mean \"exact\"?"),
        (
            "headers = { x = { present = false } }",
            "headers.x.present: is false, which is not supported; write present = true, or leave it out",
        ),
        ("query = { v = {} }", "query.v: needs exactly one of exact, regex, present; write one of them"),
        (
            "headers = { x = \"a\\nb\" }",
            "headers.x: has characters that no header value has; write visible ASCII characters",
        ),
        (
            "path = { exact = \"/a\", prefix = \"/a\" }",
            "path: needs exactly one of exact, prefix, regex; write one of them",
        ),
        ("path = {}", "path: needs exactly one of exact, prefix, regex; write one of them"),
        ("path = \"/a\"", "path: is a string, not a table; write path = { prefix = \"/…\" }, or exact, or regex"),
        ("path.exact = \"/a?b\"", "path.exact: \"/a?b\" has a query or fragment; write the path only"),
        (
            "path.exact = \"/ä\"",
            "path.exact: \"/ä\" has characters that no path has; write them percent-encoded, such as %20",
        ),
        (
            "path.regex = \"a)|(b\"",
            "path.regex: \"a)|(b\" is not a regular expression: unopened group; see docs.rs/regex for its syntax",
        ),
        (
            "path.regex = \"(a{999}){999}\"",
            "path.regex: \"(a{999}){999}\" is too large; see docs.rs/regex for its syntax",
        ),
        ("listeners = [\"public\"]", "listeners[0]: there is no listener \"public\"; known listeners: listener-1"),
        ("policies = [\"x\"]", "policies[0]: there is no policy \"x\"; there are no policies"),
        ("timeout = 5", "timeout: unknown key; did you mean \"timeouts\"?"),
    ] {
        assert_eq!(problem(written), message);
    }
}

#[test]
fn policies_are_found_with_or_without_their_order_number() {
    let policies = "policies-dir = \"policies\"\n[policies.stamp]\nfilter = \"headers\"\n";
    let folder = |named: &str| {
        Folder::with(format!("{LEAST}{policies}[[routes]]\nupstream = \"orders\"\npolicies = [{named}]\n"))
            .file("policies/10-api-key.toml", "")
            .file("policies/20-headers.toml", "")
            .file("policies/30-headers.toml", "")
    };
    let config = folder(r#""stamp", "api-key", "20-headers""#).load();
    assert_eq!(config.routes[0].policies, ["stamp", "10-api-key", "20-headers"]);
    assert_eq!(
        folder(r#""api-key", "10-api-key", "headers", "stmp", "nothing""#).problems(),
        [
            "tollgate.toml:8: routes[0].policies[1]: \"10-api-key\" is named twice; name each policy once",
            "tollgate.toml:8: routes[0].policies[2]: \"headers\" may be any of 20-headers, 30-headers; \
             write the name with its order number",
            "tollgate.toml:8: routes[0].policies[3]: there is no policy \"stmp\"; did you mean \"stamp\"?",
            "tollgate.toml:8: routes[0].policies[4]: there is no policy \"nothing\"; \
             known policies: 10-api-key, 20-headers, 30-headers, stamp",
        ]
    );
}

#[test]
fn a_route_may_name_a_broken_policy_but_not_a_library() {
    let routes = "[[routes]]\nupstream = \"orders\"\npolicies = [\"broken\", \"lib\"]\n";
    let folder = Folder::with(format!("{LEAST}policies-dir = \"policies\"\n{routes}"))
        .file("policies/broken.toml", "[")
        .file("policies/lib.wasm", "");
    assert_eq!(folder.load().routes[0].policies, ["broken", "lib"]);
    let folder = folder.file("policies/user.toml", "filter = \"lib\"");
    assert_eq!(
        folder.problems(),
        ["tollgate.toml:6: routes[0].policies[1]: \"lib\" is no policy, only the module of the policy \"user\"; \
          add lib.toml to make it a policy of its own"]
    );
}
