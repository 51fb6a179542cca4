//! Upstreams and how requests are sent to them: all that may be said, and the defaults.

use std::time::Duration;

use http::{HeaderName, Method, StatusCode};

use super::super::{
    Balance, CallOptions, Endpoint, EndpointSource, HashKey, HealthCheck, Outlier, Probe, Retry, Share, Statuses,
    Sticky, UpstreamLimits, UpstreamOptions,
};
use super::*;

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn upstream(keys: &str) -> super::super::Upstream {
    let text = format!("listeners = [{{ address = \"127.0.0.1:0\" }}]\n[upstreams.orders]\n{keys}\n");
    Folder::with(text).load().upstreams.remove(0)
}

fn options(keys: &str) -> UpstreamOptions {
    upstream(&format!("endpoints = [\"orders:80\"]\n{keys}")).options
}

fn call(keys: &str) -> CallOptions {
    Folder::with_more(&format!("[[routes]]\nupstream = \"orders\"\n{keys}")).load().routes.remove(0).call
}

#[test]
fn what_is_not_said_has_its_default() {
    assert_eq!(options(""), UpstreamOptions::default());
    assert_eq!(call(""), CallOptions::default());
    assert_eq!(call("retry = {}").retry, Some(Retry::default()));
    let outlier =
        Outlier { failures: 5, interval: 10 * SECOND, ejection: 30 * SECOND, max_ejected: Share::per_mille(500) };
    assert_eq!(options("outlier = {}").outlier, Some(outlier));
}

#[test]
fn endpoints_have_weights_and_come_from_names() {
    let host = |host: &str, port| Endpoint { host: host.to_owned(), port };
    assert_eq!(
        upstream("endpoints = [{ address = \"a:1\", weight = 3 }, \"b:2\", { address = \"c:3\" }]").endpoints,
        [
            EndpointSource::Host { endpoint: host("a", 1), weight: 3 },
            EndpointSource::host(host("b", 2)),
            EndpointSource::host(host("c", 3)),
        ]
    );
    assert_eq!(
        upstream("dns = { name = \"Orders.internal.\", port = 9000 }").endpoints,
        [EndpointSource::host(host("orders.internal.", 9000))]
    );
    let service = EndpointSource::Service { name: "_http._tcp.orders".to_owned() };
    assert_eq!(upstream("dns = { srv = \"_http._tcp.orders\" }").endpoints, [service]);
}

#[test]
fn a_file_of_endpoints_is_among_those_that_are_watched() {
    let text = "listeners = [{ address = \"127.0.0.1:0\" }]\nupstreams.orders.endpoints-file = \"lists/orders.toml\"\n";
    let folder = Folder::with(text).file("lists/orders.toml", "endpoints = [\"a:1\", \"b:2\"]\n");
    let config = folder.load();
    assert_eq!(config.upstreams[0].endpoints.len(), 2);
    assert_eq!(config.files, [folder.path("tollgate.toml"), folder.path("lists/orders.toml")]);
    let folder = folder.file("lists/orders.toml", "endpoints = [\"a\"]\nweight = 1\n");
    assert_eq!(
        folder.problems(),
        [
            "lists/orders.toml:1: endpoints[0]: \"a\" has no port; write \"host:port\", for example \"127.0.0.1:9000\"",
            "lists/orders.toml:2: weight: unknown key; known keys: endpoints",
        ]
    );
}

#[test]
fn each_way_to_balance_can_be_said() {
    let hash = |key| Balance::Hash(key);
    for (written, balance) in [
        ("\"least-requests\"", Balance::LeastRequests),
        ("\"round-robin\"", Balance::RoundRobin),
        ("{ hash = \"client-address\" }", hash(HashKey::ClientAddress)),
        ("{ hash = \"header:X-User\" }", hash(HashKey::Header(HeaderName::from_static("x-user")))),
        ("{ hash = \"cookie:User\" }", hash(HashKey::Cookie("User".to_owned()))),
    ] {
        assert_eq!(options(&format!("balance = {written}")).balance, balance);
    }
}

#[test]
fn everything_about_endpoints_can_be_said() {
    let options = options(
        r#"
        sticky = { cookie = "gw", ttl = "1h", secret = "0123456789abcdef" }
        health = { http = "/healthz?deep=1", host = "orders.example", expect = [200, "3xx"], interval = "1s", timeout = "500ms", healthy = 3, unhealthy = 1 }
        outlier = { failures = 2, interval = "1s", ejection = "2s", max-ejected = 0.25 }
        slow-start = "30s"
        panic-threshold = 0
        limits = { connections = 10, requests = 20 }
        idle-connections = 5
        max-lifetime = "1h"
        warm = 2
        resolver = "127.0.0.1:5353"
        "#,
    );
    let mut expect = Statuses::range(200, 200);
    expect.add("3xx").unwrap();
    let (path, host) = ("/healthz?deep=1".parse().unwrap(), Some("orders.example".to_owned()));
    let probe = Probe::Http { path, host, expect };
    let secret = Some("0123456789abcdef".to_owned());
    assert_eq!(
        options,
        UpstreamOptions {
            balance: Balance::RoundRobin,
            sticky: Some(Sticky { cookie: "gw".to_owned(), ttl: Some(3_600 * SECOND), secret }),
            health: Some(HealthCheck { probe, interval: SECOND, timeout: 500 * MILLI, healthy: 3, unhealthy: 1 }),
            outlier: Some(Outlier {
                failures: 2,
                interval: SECOND,
                ejection: 2 * SECOND,
                max_ejected: Share::per_mille(250),
            }),
            slow_start: Some(30 * SECOND),
            panic_threshold: Share::per_mille(0),
            limits: UpstreamLimits { connections: Some(10), pending: 10, requests: Some(20) },
            idle_connections: 5,
            max_lifetime: Some(3_600 * SECOND),
            warm: 2,
            resolver: Some("127.0.0.1:5353".parse().unwrap()),
        }
    );
}

#[test]
fn everything_about_a_call_can_be_said() {
    let call = call(
        r#"
        timeouts = { connect = "1s", first-byte = "2s", idle = "3s", total = "4s" }
        retry = { attempts = 3, on = ["timeout", 429, "5xx"], methods = ["POST"], per-try-timeout = "1s", budget = 0.1, buffer = "1MiB" }
        "#,
    );
    assert_eq!([call.connect, call.first_byte, call.idle, call.total], [1, 2, 3, 4].map(|count| Some(count * SECOND)));
    let retry = call.retry.unwrap();
    assert_eq!((retry.on_connect, retry.on_reset, retry.on_timeout), (false, false, true));
    let on = |status| retry.on_response(StatusCode::from_u16(status).unwrap());
    assert_eq!([on(429), on(428), on(500), on(599)], [true, false, true, true]);
    assert_eq!((retry.attempts, &*retry.methods, retry.buffer), (3, &[Method::POST][..], 1 << 20));
    assert_eq!((retry.per_try, retry.budget), (Some(SECOND), Share::per_mille(100)));
}

#[test]
fn all_that_is_wrong_with_an_upstream_is_said_at_once() {
    let text = r#"
[[listeners]]
address = "127.0.0.1:0"
[upstreams.a]
endpoints = ["a:1"]
health = { http = "healthz", expect = [] }
sticky = { cookie = "gw", secret = "short" }
outlier = { failures = 0, max-ejected = "half" }
[upstreams.b]
endpoints = [{ address = "b:1", weight = 0 }]
health = { tcp = true, grpc = "" }
limits = { requests = 0 }
[upstreams.c]
dns = { srv = "_http._tcp.c", port = 1 }
health = { tcp = false }
warm = 5000
"#;
    assert_eq!(
        Folder::with(text).problems(),
        [
            "tollgate.toml:6: upstreams.a.health.expect: is empty; \
             leave expect out, or write statuses such as 503, or classes such as \"5xx\"",
            "tollgate.toml:6: upstreams.a.health.http: \"healthz\" is not a path; write it like \"/healthz\"",
            "tollgate.toml:7: upstreams.a.sticky.secret: is too short; write at least 16 characters, or leave it out",
            "tollgate.toml:8: upstreams.a.outlier.failures: 0 is out of range; write a number from 1 to 1000",
            "tollgate.toml:8: upstreams.a.outlier.max-ejected: is a string, not a share; \
             write a number from 0 to 1, such as 0.5, without quotes",
            "tollgate.toml:10: upstreams.b.endpoints[0].weight: 0 is out of range; write a number from 1 to 1000",
            "tollgate.toml:11: upstreams.b.health: needs exactly one of http, tcp, grpc; write one of them",
            "tollgate.toml:12: upstreams.b.limits.requests: 0 is out of range; write a number from 1 to 10000000",
            "tollgate.toml:14: upstreams.c.dns: needs name and port, or srv; \
             write { name = \"…\", port = 9000 } or { srv = \"…\" }",
            "tollgate.toml:15: upstreams.c.health.tcp: is false; write tcp = true, http = \"/…\" or grpc = \"…\"",
            "tollgate.toml:16: upstreams.c.warm: 5000 is out of range; write a number from 0 to 1024",
        ]
    );
}
