//! Stories of routes: which of them a request takes, and what becomes of one that takes none.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use tollgate_tests::{Answer, Connection, Request, RunningGateway, TestGateway, Upstream};

/// Routes to upstreams that answer with their own names.
struct Routes {
    gateway: RunningGateway,
    _upstreams: Vec<Upstream>,
}

impl Routes {
    /// Each `[[routes]]` goes to one of these upstreams.
    fn to<const N: usize>(names: [&str; N], routes: &str) -> Self {
        Self::with_listeners("[[listeners]]\naddress = \"{listen}\"\n", names, routes)
    }

    fn with_listeners<const N: usize>(listeners: &str, names: [&str; N], routes: &str) -> Self {
        let upstreams = names.map(|name| Upstream::answering(Answer::ok(name)));
        let mut config = listeners.to_owned();
        for (name, upstream) in names.iter().zip(&upstreams) {
            config.push_str(&format!("[upstreams.{name}]\nendpoints = [\"{}\"]\n", upstream.address()));
        }
        let gateway = TestGateway::new().config(&(config + routes)).start();
        Self { gateway, _upstreams: upstreams.into() }
    }

    /// Where a request goes; `404` if nowhere.
    #[track_caller]
    fn take(&self, request: Request) -> String {
        let response = self.gateway.send(request);
        if response.status == 404 {
            assert_eq!(response.problem(), "no route matches this request");
            return "404".to_owned();
        }
        response.text()
    }

    #[track_caller]
    fn get(&self, path: &str) -> String {
        self.take(Request::get(path))
    }

    #[track_caller]
    fn host(&self, host: &str) -> String {
        self.take(Request::get("/").field("host", host))
    }
}

#[test]
fn a_request_that_no_route_matches_gets_404() {
    let routes = Routes::to(["only"], "[[routes]]\npath = { prefix = \"/orders\" }\nupstream = \"only\"\n");
    assert_eq!(routes.get("/"), "404");
    assert_eq!(routes.gateway.metric("tollgate_unrouted_requests_total"), 1.0);
}

#[test]
fn a_prefix_matches_on_segment_boundaries() {
    let routes = Routes::to(["only"], "[[routes]]\npath = { prefix = \"/orders/\" }\nupstream = \"only\"\n");
    for path in ["/orders", "/orders/", "/orders/7", "/orders?x=/y", "/orders/7/items"] {
        assert_eq!(routes.get(path), "only", "{path}");
    }
    for path in ["/ordersx", "/order", "/", "/x/orders", "/Orders", "/?/orders"] {
        assert_eq!(routes.get(path), "404", "{path}");
    }
}

#[test]
fn an_exact_path_is_that_path_with_any_query() {
    let routes = Routes::to(["only"], "[[routes]]\npath = { exact = \"/health\" }\nupstream = \"only\"\n");
    assert_eq!((routes.get("/health").as_str(), routes.get("/health?deep=1").as_str()), ("only", "only"));
    assert_eq!((routes.get("/health/").as_str(), routes.get("/healthy").as_str()), ("404", "404"));
}

#[test]
fn an_expression_matches_the_whole_path() {
    let routes = Routes::to(["only"], "[[routes]]\npath = { regex = '/v[0-9]+/users|/me' }\nupstream = \"only\"\n");
    assert_eq!((routes.get("/v12/users").as_str(), routes.get("/me?x").as_str()), ("only", "only"));
    for path in ["/v1/users/7", "/x/v1/users", "/meadow", "/a/me"] {
        assert_eq!(routes.get(path), "404", "{path}");
    }
}

#[test]
fn exact_goes_before_expression_before_longest_prefix_before_any() {
    let routes = Routes::to(
        ["any", "short", "long", "regex", "exact"],
        r#"
[[routes]]
upstream = "any"
[[routes]]
path = { prefix = "/a" }
upstream = "short"
[[routes]]
path = { prefix = "/a/b" }
upstream = "long"
[[routes]]
path = { regex = "/a/.*/z" }
upstream = "regex"
[[routes]]
path = { exact = "/a/b/z" }
upstream = "exact"
"#,
    );
    let taken = ["/a/b/z", "/a/c/z", "/a/b/y", "/a/y", "/y"].map(|path| routes.get(path));
    assert_eq!(taken, ["exact", "regex", "long", "short", "any"]);
}

#[test]
fn hosts_are_compared_without_case_port_and_final_dot() {
    let routes = Routes::to(["only"], "[[routes]]\nhosts = [\"API.example.com\"]\nupstream = \"only\"\n");
    for host in ["api.example.com", "Api.Example.Com:8080", "api.example.com."] {
        assert_eq!(routes.host(host), "only", "{host}");
    }
    for host in ["example.com", "x.api.example.com", "api.example.com.evil.test", "127.0.0.1"] {
        assert_eq!(routes.host(host), "404", "{host}");
    }
}

#[test]
fn the_host_of_an_absolute_target_is_that_of_the_field() {
    let routes = Routes::to(["only"], "[[routes]]\nhosts = [\"a.test\"]\nupstream = \"only\"\n");
    assert_eq!(routes.take(Request::get("http://a.test/").field("host", "A.test")), "only");
    assert_eq!(routes.take(Request::get("http://b.test/").field("host", "b.test")), "404");
}

#[test]
fn a_wildcard_is_any_host_below_the_domain() {
    let routes = Routes::to(["only"], "[[routes]]\nhosts = [\"*.example.com\"]\nupstream = \"only\"\n");
    assert_eq!((routes.host("a.example.com").as_str(), routes.host("a.b.example.com:1").as_str()), ("only", "only"));
    assert_eq!((routes.host("example.com").as_str(), routes.host("badexample.com").as_str()), ("404", "404"));
}

#[test]
fn the_most_specific_host_goes_first_and_leaves_what_it_has_no_path_for() {
    let routes = Routes::to(
        ["any", "wide", "narrow", "exact"],
        r#"
[[routes]]
upstream = "any"
[[routes]]
hosts = ["*.example.com"]
upstream = "wide"
[[routes]]
hosts = ["*.eu.example.com"]
upstream = "narrow"
[[routes]]
hosts = ["api.example.com", "api.example.net"]
path = { prefix = "/v1" }
upstream = "exact"
"#,
    );
    let taken = ["api.example.com", "a.eu.example.com", "other.test"].map(|host| routes.host(host));
    assert_eq!(taken, ["wide", "narrow", "any"]);
    assert_eq!(routes.take(Request::get("/v1/x").field("host", "api.example.com")), "exact");
    assert_eq!(routes.take(Request::get("/v1/x").field("host", "api.example.net")), "exact");
}

#[test]
fn methods_are_told_apart() {
    let routes = Routes::to(
        ["read", "write"],
        r#"
[[routes]]
methods = ["GET", "HEAD"]
upstream = "read"
[[routes]]
methods = ["POST", "PURGE"]
upstream = "write"
"#,
    );
    assert_eq!(routes.take(Request::new("PURGE", "/")), "write");
    assert_eq!(["GET", "POST", "PUT"].map(|method| routes.take(Request::new(method, "/"))), ["read", "write", "404"]);
}

#[test]
fn headers_must_all_match() {
    let routes = Routes::to(
        ["both", "some"],
        r#"
[[routes]]
headers = { x-stage = "beta", x-user = { regex = "[0-9]+" } }
upstream = "both"
[[routes]]
headers = { x-debug = { present = true } }
upstream = "some"
"#,
    );
    let beta = Request::get("/").field("x-stage", "beta");
    assert_eq!(routes.take(beta.clone().field("x-user", "17")), "both");
    assert_eq!(routes.take(beta.clone().field("x-user", "x17")), "404");
    assert_eq!(routes.take(beta.clone()), "404");
    assert_eq!(routes.take(beta.field("x-debug", "")), "some");
    assert_eq!(
        routes.take(Request::get("/").field("X-Stage", "alpha").field("x-stage", "beta").field("x-user", "1")),
        "both"
    );
}

#[test]
fn parameters_of_the_query_must_all_match() {
    let routes = Routes::to(
        ["both", "some", "none"],
        r#"
[[routes]]
query = { version = "2", user = { regex = "[0-9]+" } }
upstream = "both"
[[routes]]
query = { debug = { present = true } }
upstream = "some"
[[routes]]
upstream = "none"
"#,
    );
    let taken = ["/?version=2&user=17", "/?user=17&x&ver%73ion=%32", "/a/?version=1&version=2&user=1"];
    assert_eq!(taken.map(|target| routes.get(target)), ["both"; 3]);
    let other =
        ["/?version=2&user=x17", "/?version=2", "/version=2&user=17", "/?Version=2&user=17", "/?version=2;user=17"];
    assert_eq!(other.map(|target| routes.get(target)), ["none"; 5]);
    assert_eq!(["/?debug", "/?debug=", "/?a&debug=1"].map(|target| routes.get(target)), ["some"; 3]);
}

#[test]
fn headers_and_parameters_count_together_and_more_than_a_method() {
    let routes = Routes::to(
        ["method", "header", "query", "two"],
        r#"
[[routes]]
methods = ["GET"]
upstream = "method"
[[routes]]
headers = { x-beta = "1" }
upstream = "header"
[[routes]]
query = { beta = "1" }
upstream = "query"
[[routes]]
headers = { x-gamma = "1" }
query = { gamma = "1" }
upstream = "two"
"#,
    );
    let beta = |target| Request::get(target).field("x-beta", "1").field("x-gamma", "1");
    assert_eq!((routes.get("/").as_str(), routes.get("/?beta=1").as_str()), ("method", "query"));
    assert_eq!(routes.take(beta("/?beta=1")), "header", "of equals the first as written");
    assert_eq!(routes.take(beta("/?beta=1&gamma=1")), "two");
}

#[test]
fn a_thousand_routes_are_told_apart() {
    let mut text = String::new();
    for number in 0..250 {
        text.push_str(&format!("[[routes]]\nhosts = [\"h{number}.test\"]\nrespond.body = \"host {number}\"\n"));
        text.push_str(&format!("[[routes]]\npath.exact = \"/e{number}\"\nrespond.body = \"exact {number}\"\n"));
        text.push_str(&format!("[[routes]]\npath.prefix = \"/p{number}\"\nrespond.body = \"prefix {number}\"\n"));
        text.push_str(&format!("[[routes]]\npath.regex = '/r{number}/[a-z]+'\nrespond.body = \"regex {number}\"\n"));
    }
    let routes = Routes::to(["only"], &text);
    for number in [0, 17, 249] {
        assert_eq!(routes.host(&format!("H{number}.test:80")), format!("host {number}"));
        assert_eq!(routes.get(&format!("/e{number}")), format!("exact {number}"));
        assert_eq!(routes.get(&format!("/p{number}/x/y")), format!("prefix {number}"));
        assert_eq!(routes.get(&format!("/r{number}/x")), format!("regex {number}"));
    }
    assert_eq!(routes.get("/r17/7"), "404");
}

#[test]
fn more_conditions_go_before_fewer_and_then_the_first_as_written() {
    let routes = Routes::to(
        ["plain", "method", "field", "second"],
        r#"
[[routes]]
upstream = "plain"
[[routes]]
upstream = "second"
[[routes]]
methods = ["POST"]
upstream = "method"
[[routes]]
headers = { x-beta = { present = true } }
upstream = "field"
"#,
    );
    assert_eq!(routes.get("/"), "plain");
    assert_eq!(routes.take(Request::new("POST", "/")), "method");
    assert_eq!(routes.take(Request::new("POST", "/").field("x-beta", "1")), "field");
}

#[test]
fn a_route_may_name_its_listeners() {
    let listeners = "[[listeners]]\nname = \"public\"\naddress = \"{listen}\"\n\
                     [[listeners]]\nname = \"inside\"\naddress = \"{listen}\"\n";
    let routes = Routes::with_listeners(
        listeners,
        ["all", "inner"],
        r#"
[[routes]]
path = { prefix = "/shared" }
upstream = "all"
[[routes]]
listeners = ["inside"]
upstream = "inner"
"#,
    );
    let get = |listener, path| Connection::open(routes.gateway.address_of(listener)).request(Request::get(path)).text();
    assert_eq!((get("public", "/shared").as_str(), get("inside", "/shared").as_str()), ("all", "all"));
    assert_eq!(get("inside", "/"), "inner");
    assert_eq!(routes.gateway.get("/").status, 404);
}

#[test]
fn each_route_has_its_own_policies_and_counters() {
    let upstream = Upstream::start();
    let config = r#"
[[listeners]]
address = "{listen}"
[upstreams.only]
endpoints = ["{upstream}"]
[policies.stamp]
filter = "headers"
config = { request = { set = { x-route = "{route}" } } }
[[routes]]
name = "stamped"
path = { prefix = "/stamped" }
policies = ["stamp"]
upstream = "only"
[[routes]]
name = "plain"
upstream = "only"
"#;
    let gateway = TestGateway::new().upstream(&upstream).config(config).start();
    assert_eq!(gateway.get("/stamped").echo().field("x-route"), Some("stamped"));
    assert_eq!(gateway.get("/").echo().field("x-route"), None);
    assert_eq!(gateway.metric("tollgate_responses_total{route=\"stamped\",class=\"2xx\"}"), 1.0);
    assert_eq!(gateway.metric("tollgate_exchange_duration_seconds_count{route=\"plain\"}"), 1.0);
}

#[test]
fn a_change_of_the_config_file_changes_the_routes() {
    let upstream = Upstream::start();
    let base = "[[listeners]]\naddress = \"{listen}\"\n[upstreams.only]\nendpoints = [\"{upstream}\"]\n[[routes]]\nupstream = \"only\"\n";
    let gateway = TestGateway::new().upstream(&upstream).config(base).start();
    assert_eq!(gateway.get("/").status, 200);
    let before = gateway.address();
    gateway.change(|gateway| gateway.write_config(&format!("{base}path = {{ exact = \"/only\" }}\n")));
    assert_eq!((gateway.get("/").status, gateway.get("/only").status), (404, 200));
    assert_eq!(gateway.address(), before, "the listener stays bound");
}

#[test]
fn a_page_has_all_routes_in_the_order_in_which_they_are_tried() {
    let upstream = Upstream::start();
    let config = r#"
limits.body-limit = "1MiB"
[[listeners]]
address = "{listen}"
[upstreams.a]
endpoints = ["{upstream}"]
[upstreams.b]
endpoints = ["{upstream}"]
[policies.stamp]
filter = "headers"
config.request.set = { x-route = "{route}" }
[[routes]]
name = "any"
redirect = { scheme = "https", port = 8443, strip-query = true }
[[routes]]
name = "split"
hosts = ["*.example.com", "api.example.net"]
path = { regex = '/v([0-9])/.*' }
methods = ["GET"]
headers = { x-a = "1", x-b = { regex = "a|b" } }
query = { q = { present = true } }
policies = ["stamp"]
split = [{ upstream = "a", weight = 9 }, { upstream = "b" }]
rewrite = { regex = '/v([0-9])/.*', to = '/$1', host = "b.internal" }
mirror = { upstream = "b", percent = 5 }
body-limit = 10
"#;
    let gateway = TestGateway::new().upstream(&upstream).config(config).start();
    let page = gateway.admin("/routes").json();
    let split = |host: &str| {
        serde_json::json!({
            "route": "split", "host": host, "path": { "regex": "/v([0-9])/.*" }, "methods": ["GET"],
            "headers": { "x-a": { "exact": "1" }, "x-b": { "regex": "a|b" } }, "query": { "q": { "present": true } },
            "policies": ["stamp"], "split": [{ "upstream": "a", "weight": 9 }, { "upstream": "b", "weight": 1 }],
            "rewrite": { "regex": "/v([0-9])/.*", "to": "/$1", "host": "b.internal" },
            "mirror": { "upstream": "b", "percent": 5 }, "body-limit": 10,
        })
    };
    let redirect = serde_json::json!({ "status": 308, "scheme": "https", "port": 8443, "strip-query": true });
    let any = serde_json::json!({ "route": "any", "policies": [], "redirect": redirect, "body-limit": 1 << 20 });
    assert_eq!(page["routes"], serde_json::json!([split("api.example.net"), split("*.example.com"), any]));
    assert_eq!(page["generation"], 1);
}
