//! Stories of state that several gateways share, on a real Redis.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use tollgate_tests::{Authority, RedisServer, Request, RunningGateway, TestGateway, Upstream, eventually, guest};

/// Three policies, two with all that they have on the server and one with a shared space there, and a route without any.
const CONFIG: &str = r#"
[[listeners]]
address = "{listen}"
[upstreams.pool]
endpoints = ["{upstream}"]
[stores.central]
redis = { address = "{redis}", {more} timeout = "{timeout}" }
on-outage = "{outage}"
[policies.state]
filter = "state.wasm"
store = "central"
[policies.shared]
filter = "state.wasm"
grants = { store = ["central"] }
[policies.rate-limit]
store = "central"
config = { requests = 1, per = "1h", burst = 3 }
[[routes]]
path = { prefix = "/state" }
policies = ["state"]
upstream = "pool"
[[routes]]
path = { prefix = "/shared" }
policies = ["shared"]
upstream = "pool"
[[routes]]
path = { prefix = "/limited" }
policies = ["rate-limit"]
upstream = "pool"
[[routes]]
upstream = "pool"
"#;

fn gateway(upstream: &Upstream, redis: &RedisServer, outage: &str) -> TestGateway {
    TestGateway::new()
        .upstream(upstream)
        .word("redis", &redis.address().to_string())
        .word("outage", outage)
        .word("timeout", "5s")
        .word("more", "")
        .file("state.wasm", guest("state"))
        .config(CONFIG)
}

#[track_caller]
fn ask(gateway: &RunningGateway, path: &str, deed: &str) -> String {
    let response = gateway.send(Request::get(path).field("x-do", deed));
    assert_eq!(response.status, 200, "{deed}");
    response.text()
}

#[test]
fn a_filter_keeps_values_counters_and_leases_on_the_server() {
    let (upstream, redis) = (Upstream::start(), RedisServer::start(&[]));
    let gateway = gateway(&upstream, &redis, "fail").workers(1).start();
    for (deed, answer) in [
        ("get - k", "none"),
        ("set - k value 0", "done"),
        ("get - k", "value"),
        ("swap - k other new 0", "false"),
        ("swap - k value  3600000", "true"),
        ("swap - k  new 0", "true"),
        ("swap - k - newer 0", "false"),
        ("append - k er", "newer"),
        ("increment - k 1 0", "NotACounter"),
        ("delete - k", "true"),
        ("delete - k", "false"),
        ("swap - k - 41 3600000", "true"),
        ("increment - k 1 0", "42"),
        ("increment - n 9007199254740993 0", "9007199254740993"),
        ("increment - n 9223372036854775807 0", "NotACounter"),
        ("lease - k 3600000", "taken"),
        ("lease - k 3600000", "busy"),
        ("renew - k 3600000", "true"),
        ("release - k", "true"),
        ("release - k", "false"),
        ("get - *0", "TooLarge"),
        ("set - *1024 *65536 0", "done"),
        ("set - l *65537 0", "TooLarge"),
        ("get central k", "Denied"),
        ("take k 2", "allowed 1"),
        ("take k 2", "allowed 0"),
        ("take k 2", "refused 0"),
    ] {
        assert_eq!(ask(&gateway, "/state", deed), answer, "{deed}");
    }
    assert_eq!(redis.ask("GET tollgate:policy:state:value:k"), "$2\r\n42");
    assert_eq!(redis.ask("PTTL tollgate:policy:state:value:n"), ":-1");
    assert_eq!(ask(&gateway, "/shared", "set central k shared 0"), "done");
    assert_eq!(redis.ask("GET tollgate:shared:central:value:k"), "$6\r\nshared");
    assert_eq!(ask(&gateway, "/shared", "get - k"), "none", "its own space is in the process");
}

#[test]
fn what_has_a_time_to_live_is_gone_after_it() {
    let (upstream, redis) = (Upstream::start(), RedisServer::start(&[]));
    let gateway = gateway(&upstream, &redis, "fail").start();
    ask(&gateway, "/state", "set - v 1 20");
    ask(&gateway, "/state", "increment - n 5 20");
    ask(&gateway, "/state", "lease - l 20");
    eventually("the value is gone", || ask(&gateway, "/state", "get - v") == "none");
    eventually("the counter begins anew", || ask(&gateway, "/state", "increment - n 1 3600000") == "1");
    eventually("the lease is free", || ask(&gateway, "/state", "lease - l 3600000").starts_with("taken"));
}

#[test]
fn two_gateways_share_a_limit_and_count_together() {
    let (upstream, redis) = (Upstream::start(), RedisServer::start(&[]));
    let one = gateway(&upstream, &redis, "fail").start();
    let two = gateway(&upstream, &redis, "fail").start();
    let statuses: Vec<_> = [&one, &two, &one, &two, &one].map(|gateway| gateway.get("/limited").status).into();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    std::thread::scope(|scope| {
        for gateway in [&one, &two] {
            scope.spawn(|| (0..50).for_each(|_| drop(ask(gateway, "/state", "increment - visits 1 0"))));
        }
    });
    assert_eq!(ask(&one, "/state", "get - visits"), "100");
    assert_eq!(ask(&one, "/state", "lease - job 3600000"), "taken");
    assert_eq!(ask(&two, "/state", "lease - job 3600000"), "busy");
}

#[test]
fn an_outage_is_told_to_filters_and_ends_by_itself() {
    let (upstream, mut redis) = (Upstream::start(), RedisServer::start(&[]));
    let gateway = gateway(&upstream, &redis, "fail").start();
    assert_eq!(ask(&gateway, "/state", "increment - n 1 0"), "1");
    assert_eq!(gateway.get("/limited").status, 200);
    redis.kill();
    assert_eq!(ask(&gateway, "/state", "increment - n 1 0"), "Unavailable");
    assert_eq!(gateway.get("/limited").status, 503, "a limit that cannot be looked at is a fault");
    assert_eq!(gateway.get("/").status, 200);
    assert!(gateway.metric("tollgate_filter_faults_total{policy=\"rate-limit\",class=\"store\"}") >= 1.0);
    assert_eq!(gateway.metric("tollgate_redis_up{store=\"central\"}"), 0.0);
    redis.start_again();
    eventually("the store is back", || ask(&gateway, "/state", "increment - n 1 0") != "Unavailable");
    eventually("limits hold again", || gateway.get("/limited").status == 200);
    eventually("the metric says so", || gateway.metric("tollgate_redis_up{store=\"central\"}") == 1.0);
    assert_ne!(redis.ask("GET tollgate:policy:state:value:n"), "$-1", "it is the server that counts");
}

#[test]
fn in_an_outage_a_gateway_goes_on_by_itself_where_it_may() {
    let (upstream, mut redis) = (Upstream::start(), RedisServer::start(&[]));
    let gateway = gateway(&upstream, &redis, "local").start();
    assert_eq!(ask(&gateway, "/state", "increment - n 7 0"), "7");
    redis.kill();
    let counts: Vec<_> = (0..3).map(|_| ask(&gateway, "/state", "increment - n 1 0")).collect();
    assert_eq!(counts, ["1", "2", "3"], "of this process alone");
    let statuses: Vec<_> = (0..4).map(|_| gateway.get("/limited").status).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    assert!(gateway.metric("tollgate_redis_fallbacks_total{store=\"central\"}") >= 7.0);
    redis.start_again();
    eventually("the server counts again", || {
        ask(&gateway, "/state", "increment - n 100 0");
        redis.ask("GET tollgate:policy:state:value:n") != "$-1"
    });
}

#[test]
fn a_server_that_does_not_answer_holds_nobody_else_up() {
    let (upstream, redis) = (Upstream::start(), RedisServer::start(&[]));
    let gateway = gateway(&upstream, &redis, "fail").workers(1).word("timeout", "10s").start();
    assert_eq!(ask(&gateway, "/state", "increment - n 1 0"), "1");
    redis.freeze();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ask(&gateway, "/state", "increment - n 1 0"));
        let asked = || gateway.metric("tollgate_redis_requests_total{store=\"central\"}") == 2.0;
        eventually("the server is asked", asked);
        (0..5).for_each(|_| assert_eq!(gateway.get("/").status, 200));
        assert!(!waiting.is_finished());
        redis.thaw();
        assert_eq!(waiting.join().unwrap(), "2");
    });
}

#[test]
fn a_server_that_is_too_slow_is_out_until_it_answers_again() {
    let (upstream, redis) = (Upstream::start(), RedisServer::start(&[]));
    let gateway = gateway(&upstream, &redis, "fail").workers(1).word("timeout", "100ms").start();
    eventually("the server has answered", || ask(&gateway, "/state", "set - a 1 0") == "done");
    redis.freeze();
    for _ in 0..20 {
        assert_eq!(ask(&gateway, "/state", "get - a"), "Unavailable");
    }
    redis.thaw();
    eventually("the store is back", || ask(&gateway, "/state", "get - a") == "1");
}

#[test]
fn a_server_may_want_tls_and_a_password() {
    let authority = Authority::new();
    let pair = authority.server(&["localhost"]);
    let folder = tollgate_tests::Folder::new();
    let (cert, key) = (folder.write("cert.pem", &pair.cert), folder.write("key.pem", &pair.key));
    let (cert, key) = (cert.display().to_string(), key.display().to_string());
    let tls =
        ["--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-ca-cert-file", &cert, "--tls-auth-clients", "no"];
    let redis = RedisServer::start_with_tls(&[&tls[..], &["--requirepass", "open sesame"]].concat());
    let upstream = Upstream::start();
    let more = "tls = { ca = \"ca.pem\", sni = \"localhost\" }, password-file = \"password\",";
    let gateway = gateway(&upstream, &redis, "fail")
        .word("more", more)
        .file("ca.pem", authority.pem())
        .file("password", "open sesame\n")
        .start();
    assert_eq!(ask(&gateway, "/state", "increment - n 1 0"), "1");
    gateway.change(|gateway| gateway.replace_file("password", "guess"));
    assert_eq!(ask(&gateway, "/state", "increment - n 1 0"), "Unavailable");
    gateway.change(|gateway| gateway.replace_file("password", "open sesame"));
    assert_eq!(ask(&gateway, "/state", "increment - n 1 0"), "2");
}

#[test]
fn a_store_that_cannot_be_is_a_problem() {
    let config = r#"
[[listeners]]
address = "127.0.0.1:0"
[upstreams.pool]
endpoints = ["127.0.0.1:9"]
[stores.a]
redis = { address = "here", password-file = "none" }
[stores.b]
on-outage = "local"
[policies.headers]
store = "b"
[[routes]]
upstream = "pool"
"#;
    let message = TestGateway::new().config(config).check().unwrap_err();
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(
        lines,
        [
            "tollgate.toml:6: stores.a.on-outage: is missing; \
             add on-outage = \"fail\", or \"local\" if each gateway may go on by itself",
            "tollgate.toml:7: stores.a.redis.address: \"here\" is not a host with a port; \
             write it like \"127.0.0.1:6379\"",
            "tollgate.toml:7: stores.a.redis.password-file: \"none\" cannot be read: No such file or directory (os error 2); \
             check that the file is there and can be read",
            "tollgate.toml:9: stores.b.on-outage: is about a server, which this store is without; \
             add redis = { address = \"…\" }, or remove it",
            "tollgate.toml:11: policies.headers.store: \"b\" is in this process, as is what a policy has of its own; \
             name a store with redis = { … }, or remove the key; grants.store is for what policies share",
        ]
    );
}
