//! Stories of the standard policies, alone and in chains, in both forms of configuration.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeSet;

use tollgate_tests::{Answer, ClosedPort, Gate, Request, RunningGateway, TestGateway, Upstream, filter};

/// Knows `alice-key` and `bob-key`.
const KEYS: &str = r#"
[config]
keys = [
    { consumer = "alice", sha256 = "72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20" },
    { consumer = "bob", sha256 = "9b94dc1a51a38769f135edf04033ad7f2f487b6c25929be7a861cfc1ab10cf98" },
]
"#;

/// Hands the consumer on.
const STAMP: &str = "config = { request = { set = { x-consumer = \"{consumer}\" } } }";

fn alice(target: &str) -> Request {
    Request::get(target).field("x-api-key", "alice-key")
}

fn bob(target: &str) -> Request {
    Request::get(target).field("x-api-key", "bob-key")
}

mod api_key {
    use super::*;

    #[test]
    fn each_key_is_its_consumers_and_goes_no_further() {
        let upstream = Upstream::start();
        let gateway =
            TestGateway::new().upstream(&upstream).policy("10-api-key", KEYS).policy("20-headers", STAMP).start();
        let echo = gateway.send(alice("/a")).echo();
        assert_eq!((echo.field("x-consumer"), echo.field("x-api-key")), (Some("alice"), None));
        assert_eq!(gateway.send(bob("/a")).echo().field("x-consumer"), Some("bob"));
    }

    #[test]
    fn no_key_and_a_wrong_key_are_unauthorized() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("api-key", KEYS).start();
        let response = gateway.get("/");
        assert_eq!(
            (response.status, response.field("www-authenticate")),
            (401, Some("ApiKey in=\"header\", name=\"x-api-key\""))
        );
        assert_eq!(response.problem(), "Send an API key in the header `x-api-key`.");
        let response = gateway.send(Request::get("/").field("x-api-key", "guess"));
        assert_eq!((response.status, response.problem().as_str()), (401, "The API key is not known."));
        assert_eq!(upstream.requests().len(), 0);
        assert_eq!(gateway.metric("tollgate_filter_replies_total{policy=\"api-key\"}"), 2.0);
    }

    #[test]
    fn a_consumer_cannot_be_claimed() {
        let upstream = Upstream::start();
        let gateway =
            TestGateway::new().upstream(&upstream).policy("10-api-key", KEYS).policy("20-headers", STAMP).start();
        let echo = gateway.send(alice("/").field("x-consumer", "admin")).echo();
        assert_eq!(echo.field("x-consumer"), Some("alice"));
        assert_eq!(gateway.send(alice("/").field("@consumer", "admin")).status, 400, "no field has such a name");
    }

    #[test]
    fn a_key_in_the_query_is_taken_out_of_it() {
        let upstream = Upstream::start();
        let with_query = KEYS.replace("[config]", "[config]\nquery = \"api_key\"");
        let gateway = TestGateway::new()
            .upstream(&upstream)
            .policy("10-api-key", &with_query)
            .policy("20-headers", STAMP)
            .start();
        let echo = gateway.get("/a?b=1&api_key=bob%2Dkey&c").echo();
        assert_eq!((echo.path.as_str(), echo.field("x-consumer")), ("/a?b=1&c", Some("bob")));
        let response = gateway.get("/a");
        assert_eq!(response.problem(), "Send an API key in the header `x-api-key` or the query parameter `api_key`.");
    }

    #[test]
    fn the_header_may_have_another_name_and_be_forwarded() {
        let upstream = Upstream::start();
        let keys = KEYS.replace("[config]", "[config]\nheader = \"x-token\"\nforward = true");
        let gateway = TestGateway::new().upstream(&upstream).policy("api-key", &keys).start();
        assert_eq!(gateway.send(alice("/")).status, 401);
        let echo = gateway.send(Request::get("/").field("X-Token", "alice-key")).echo();
        assert_eq!(echo.field("x-token"), Some("alice-key"));
    }
}

mod rate_limit {
    use super::*;

    /// So many at once, and then one an hour.
    fn burst(count: u32, rest: &str) -> String {
        format!("[config]\nrequests = 1\nper = \"1h\"\nburst = {count}\n{rest}\n")
    }

    fn statuses(gateway: &RunningGateway, requests: impl IntoIterator<Item = Request>) -> Vec<u16> {
        requests.into_iter().map(|request| gateway.send(request).status).collect()
    }

    #[test]
    fn what_is_beyond_the_limit_is_told_when_to_come_again() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("rate-limit", &burst(2, "")).start();
        assert_eq!((gateway.get("/").status, gateway.get("/").status), (200, 200));
        let response = gateway.get("/");
        assert_eq!((response.status, response.problem().is_empty()), (429, false));
        let retry_after: u32 = response.field("retry-after").unwrap().parse().unwrap();
        assert!((3_500..=3_600).contains(&retry_after), "{retry_after}");
        assert_eq!(response.field("ratelimit-policy"), Some("\"default\";q=1;w=3600"));
        assert!(response.field("ratelimit").unwrap().starts_with("\"default\";r=0;t="), "{response:?}");
        assert_eq!(upstream.requests().len(), 2);
    }

    #[test]
    fn what_is_within_the_limit_is_told_how_much_is_left_on_demand() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("rate-limit", &burst(3, "headers = true")).start();
        for left in [2, 1, 0] {
            let response = gateway.get("/");
            let field = response.field("ratelimit").unwrap();
            assert!(field.starts_with(&format!("\"default\";r={left};t=")), "{field}");
        }
        let silent = TestGateway::new().upstream(&upstream).policy("rate-limit", &burst(3, "")).start();
        assert_eq!(silent.get("/").field("ratelimit"), None);
    }

    #[test]
    fn it_counts_by_client_address_unless_told_otherwise() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("rate-limit", &burst(2, "")).start();
        let requests =
            ["a", "b", "c"].map(|user| Request::get("/").field("x-user", user).field("x-forwarded-for", user));
        assert_eq!(statuses(&gateway, requests), [200, 200, 429]);
    }

    #[test]
    fn it_counts_by_header() {
        let upstream = Upstream::start();
        let gateway =
            TestGateway::new().upstream(&upstream).policy("rate-limit", &burst(1, "key = \"header:X-User\"")).start();
        let of = |user| Request::get("/").field("x-user", user);
        assert_eq!(statuses(&gateway, [of("a"), of("b"), of("a"), of("b")]), [200, 200, 429, 429]);
        assert_eq!(
            statuses(&gateway, [Request::get("/"), Request::get("/")]),
            [200, 429],
            "the anonymous share a limit"
        );
    }

    #[test]
    fn it_counts_by_consumer() {
        let upstream = Upstream::start();
        let limit = burst(1, "key = \"consumer\"");
        let gateway =
            TestGateway::new().upstream(&upstream).policy("10-api-key", KEYS).policy("20-rate-limit", &limit).start();
        assert_eq!(statuses(&gateway, [alice("/"), bob("/"), alice("/"), bob("/")]), [200, 200, 429, 429]);
    }

    #[test]
    fn a_limit_holds_across_workers() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("rate-limit", &burst(10, "")).workers(4).start();
        let allowed: usize = std::thread::scope(|scope| {
            let client = || (0..10).filter(|_| gateway.get("/").status == 200).count();
            let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
            clients.into_iter().map(|client| client.join().unwrap()).sum()
        });
        assert_eq!(allowed, 10);
    }

    #[test]
    fn a_limit_survives_reloads() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("rate-limit", &burst(1, "")).start();
        assert_eq!((gateway.get("/").status, gateway.get("/").status), (200, 429));
        gateway.change(|gateway| gateway.write_policy("headers", STAMP));
        assert_eq!(gateway.get("/").status, 429, "another policy has changed");
        gateway.change(|gateway| gateway.write_policy("rate-limit", &burst(1, "headers = true")));
        assert_eq!(gateway.get("/").status, 429, "the policy itself has changed");
        assert_eq!(gateway.policy("rate-limit")["state"], "live");
    }

    #[test]
    fn two_limits_count_apart() {
        let upstream = Upstream::start();
        let (one, two) = (
            format!("filter = \"rate-limit\"\n{}", burst(1, "")),
            format!("filter = \"rate-limit\"\n{}", burst(2, "")),
        );
        let gateway = TestGateway::new().upstream(&upstream).policy("10-outer", &two).policy("20-inner", &one).start();
        assert_eq!(statuses(&gateway, [Request::get("/"), Request::get("/"), Request::get("/")]), [200, 429, 429]);
        assert_eq!(gateway.metric("tollgate_filter_replies_total{policy=\"20-inner\"}"), 1.0);
        assert_eq!(gateway.metric("tollgate_filter_replies_total{policy=\"10-outer\"}"), 1.0);
    }

    #[test]
    fn what_has_been_waited_for_is_allowed_again() {
        let upstream = Upstream::start();
        let limit = "[config]\nrequests = 1\nper = \"50ms\"\n";
        let gateway = TestGateway::new().upstream(&upstream).policy("rate-limit", limit).start();
        assert_eq!(gateway.get("/").status, 200);
        tollgate_tests::eventually("the next one is allowed", || gateway.get("/").status == 200);
    }
}

mod headers {
    use super::*;

    #[test]
    fn a_request_is_changed() {
        let upstream = Upstream::start();
        let policy = r#"
[config.request]
rename = { x-old = "x-new" }
remove = ["cookie"]
set = { x-set = "one" }
add = { x-add = "two" }
"#;
        let gateway = TestGateway::new().upstream(&upstream).policy("headers", policy).start();
        let request =
            Request::get("/").field("X-Old", "1").field("cookie", "a").field("x-set", "0").field("x-add", "0");
        let echo = gateway.send(request).echo();
        assert_eq!((echo.field("x-new"), echo.field("x-old"), echo.field("cookie")), (Some("1"), None, None));
        assert_eq!((echo.fields.all("x-set"), echo.fields.all("x-add")), (vec!["one"], vec!["0", "two"]));
    }

    #[test]
    fn a_response_is_changed() {
        let upstream =
            Upstream::answering(Answer::ok("x").field("server", "secret/1.0").field("x-old", "1").field("vary", "a"));
        let policy = r#"
[config.response]
rename = { x-old = "x-new" }
remove = ["server"]
set = { x-gateway = "tollgate" }
add = { vary = "b" }
"#;
        let response = TestGateway::new().upstream(&upstream).policy("headers", policy).start().get("/");
        assert_eq!(
            (response.field("server"), response.field("x-old"), response.field("x-new")),
            (None, None, Some("1"))
        );
        assert_eq!((response.field("x-gateway"), response.fields.all("vary")), (Some("tollgate"), vec!["a", "b"]));
    }

    #[test]
    fn values_quote_what_is_known() {
        let upstream = Upstream::answering(Answer::status(201).field("x-own", "up"));
        let policy = r#"
[config.request]
set = { x-seen = "{method} {path} {host} {client-address} {route} {listener} {header:accept} {{}}" }
[config.response]
set = { x-seen = "{status} {method} {path} {request:x-id} {header:x-own} [{header:x-none}]" }
"#;
        let gateway = TestGateway::new().upstream(&upstream).policy("headers", policy).start();
        let response = gateway.send(Request::get("/a?b").field("accept", "*/*").field("x-id", "7"));
        assert_eq!(response.field("x-seen"), Some("201 GET /a?b 7 up []"));
        assert_eq!(
            upstream.request().field("x-seen"),
            Some("GET /a?b gateway.test 127.0.0.1 route-1 listener-1 */* {}")
        );
    }

    #[test]
    fn a_value_of_a_client_cannot_break_out_of_its_line() {
        let upstream = Upstream::start();
        let policy = "config = { request = { set = { x-path = \"{path}\", x-copy = \"{header:x-own}\" } } }";
        let gateway = TestGateway::new().upstream(&upstream).policy("headers", policy).start();
        let echo = gateway.send(Request::get("/%0d%0ax-evil:1").field("x-own", "\u{e4}\tb")).echo();
        assert_eq!((echo.field("x-path"), echo.field("x-evil")), (Some("/%0D%0Ax-evil:1"), None));
        assert_eq!(echo.field("x-copy"), Some("\u{e4}\tb"));
    }

    #[test]
    fn a_response_of_the_gateway_is_changed_as_well() {
        let port = ClosedPort::new();
        let policy = "config = { response = { set = { x-gateway = \"tollgate {status}\" } } }";
        let response = TestGateway::new().upstream_at(port.address()).policy("headers", policy).start().get("/");
        assert_eq!((response.status, response.field("x-gateway")), (502, Some("tollgate 502")));
    }

    /// The response to a request that the upstream does not answer, with what its filter says of both.
    fn late(timeout: &str) -> (u16, String) {
        let gate = Gate::new();
        let upstream = Upstream::answering(Answer::after(&gate));
        let config = format!(
            r#"
[[listeners]]
address = "{{listen}}"
[upstreams.only]
endpoints = ["{{upstream}}"]
[policies.stamp]
filter = "headers"
config = {{ response = {{ set = {{ x-gateway = "{{method}} {{path}} {{status}}" }} }} }}
[[routes]]
policies = ["stamp"]
upstream = "only"
timeouts = {{ {timeout} = "50ms" }}
"#
        );
        let response =
            TestGateway::new().upstream(&upstream).config(&config).start().send(Request::post("/a", "content"));
        gate.open();
        (response.status, response.field("x-gateway").unwrap_or_default().to_owned())
    }

    #[test]
    fn a_response_that_came_too_late_is_changed_as_well() {
        assert_eq!(late("first-byte"), (504, "POST /a 504".to_owned()));
    }

    #[test]
    fn a_request_that_took_too_long_is_known_to_response_hooks() {
        assert_eq!(late("total"), (504, "POST /a 504".to_owned()));
    }
}

mod chains {
    use super::*;

    /// Appends its name to `x-way` of the request and of the response.
    fn step(name: &str) -> String {
        let set = format!("{{ set = {{ x-way = \"{{header:x-way}}{name}\" }} }}");
        format!("filter = \"headers\"\nconfig = {{ request = {set}, response = {set} }}\n")
    }

    #[test]
    fn requests_go_forward_and_responses_in_reverse() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream);
        let gateway = gateway.policy("20-b", &step("b")).policy("30-c", &step("c")).policy("10-a", &step("a")).start();
        let response = gateway.get("/");
        assert_eq!(response.echo().field("x-way"), Some("abc"));
        assert_eq!(response.field("x-way"), Some("cba"));
    }

    #[test]
    fn an_early_reply_goes_back_over_those_that_have_run_only() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream);
        let gateway = gateway
            .policy("10-a", &step("a"))
            .policy("20-b", &step("b"))
            .policy("30-api-key", KEYS)
            .policy("40-d", &step("d"));
        let gateway = gateway.start();
        let response = gateway.get("/");
        assert_eq!((response.status, response.field("x-way")), (401, Some("ba")));
        assert_eq!(gateway.metric("tollgate_filter_calls_total{policy=\"40-d\"}"), 0.0);
        assert_eq!(gateway.send(alice("/")).field("x-way"), Some("dba"));
    }

    #[test]
    fn an_order_of_policies_may_differ_from_route_to_route() {
        let upstream = Upstream::start();
        let config = r#"
policies-dir = "policies"
[[listeners]]
address = "{listen}"
[upstreams.only]
endpoints = ["{upstream}"]
[[routes]]
path = { prefix = "/forth" }
policies = ["a", "20-b"]
upstream = "only"
[[routes]]
policies = ["b", "a"]
upstream = "only"
"#;
        let gateway =
            TestGateway::new().upstream(&upstream).config(config).policy("10-a", &step("a")).policy("20-b", &step("b"));
        let gateway = gateway.start();
        assert_eq!(gateway.get("/forth").echo().field("x-way"), Some("ab"));
        assert_eq!(gateway.get("/back").echo().field("x-way"), Some("ba"));
    }

    #[test]
    fn bodies_pass_the_standard_policies_unchanged() {
        let upstream = Upstream::start();
        let limit = "[config]\nrequests = 1000\nper = \"1s\"\n";
        let gateway = TestGateway::new().upstream(&upstream).policy("10-api-key", KEYS).policy("20-rate-limit", limit);
        let gateway = gateway.policy("30-headers", STAMP).start();
        let body = "x".repeat(300 << 10);
        let request = Request::post("/", body.clone()).field("x-api-key", "alice-key");
        let echo = gateway.send(request).echo();
        assert_eq!((echo.field("content-length"), echo.body == body), (Some("307200"), true));
        let request = Request::new("POST", "/").field("x-api-key", "bob-key").chunks(["a", "b"]);
        assert_eq!(gateway.send(request).echo().body, "ab");
    }
}

mod forms {
    use super::*;

    #[test]
    fn a_directory_is_a_chain() {
        let upstream = Upstream::start();
        let limit = "[config]\nrequests = 1\nper = \"1h\"\nkey = \"consumer\"\n";
        let gateway = TestGateway::new().upstream(&upstream).policy("10-api-key", KEYS).policy("20-rate-limit", limit);
        let gateway = gateway.policy("30-headers", STAMP).start();
        assert_eq!(gateway.send(alice("/")).echo().field("x-consumer"), Some("alice"));
        assert_eq!((gateway.send(alice("/")).status, gateway.get("/").status), (429, 401));
        let names: Vec<_> = gateway.policies()["routes"][0]["policies"].as_array().unwrap().clone();
        assert_eq!(names, ["10-api-key", "20-rate-limit", "30-headers"]);
    }

    #[test]
    fn an_empty_directory_and_none_are_a_plain_proxy() {
        let upstream = Upstream::start();
        assert_eq!(TestGateway::new().upstream(&upstream).start().get("/").status, 200);
    }

    #[test]
    fn a_policy_names_its_filter_or_is_named_after_it() {
        let upstream = Upstream::start();
        let named = format!("filter = \"headers\"\n{STAMP}");
        let gateway = TestGateway::new().upstream(&upstream).policy("who", &named).policy("0-api-key", KEYS).start();
        assert_eq!(gateway.send(alice("/")).echo().field("x-consumer"), Some("alice"));
        assert_eq!(gateway.policy("who")["filter"], "headers");
    }

    #[test]
    fn a_file_wins_over_the_bundled_filter_of_its_name() {
        let upstream = Upstream::start();
        let gateway =
            TestGateway::new().upstream(&upstream).module("headers", filter("api-key")).policy("10-headers", KEYS);
        let gateway = gateway.start();
        assert_eq!((gateway.get("/").status, gateway.send(alice("/")).status), (401, 200));
        let bundled = TestGateway::new().upstream(&upstream).policy("api-key", KEYS).start();
        let digests: BTreeSet<String> =
            [gateway.policy("10-headers"), bundled.policy("api-key")].map(|policy| policy["digest"].to_string()).into();
        assert_eq!(digests.len(), 1, "the file is the bundled module of another name: {digests:?}");
    }

    #[test]
    fn a_module_and_its_configuration_are_two_files_of_one_name() {
        let upstream = Upstream::start();
        let gateway =
            TestGateway::new().upstream(&upstream).module("10-gate", filter("api-key")).policy("10-gate", KEYS).start();
        assert_eq!((gateway.get("/").status, gateway.send(bob("/")).status), (401, 200));
    }

    /// The smallest useful configuration of the documentation, as it stands there.
    const SMALLEST: &str = r#"
policies-dir = "policies"            # watched; optional

[[listeners]]
name = "public"                      # optional; a route may name its listeners
address = "127.0.0.1:8080"

[upstreams.orders]
endpoints = ["127.0.0.1:9000"]

[policies.partner-key]               # or a file in policies-dir
filter = "api-key"
config = { header = "x-api-key", keys = [{ consumer = "alice", sha256 = "2bd806c9…" }] }

[policies.per-consumer]
filter = "rate-limit"
config = { requests = 100, per = "1s", burst = 200, key = "consumer" }   # or "client-address", "header:NAME"

[policies.stamp]
filter = "headers"
config = { request = { set = { x-consumer = "{consumer}" } }, response = { set = { x-gateway = "tollgate" }, remove = ["server"] } }

[[routes]]
hosts = ["api.example.com"]          # optional; also methods, headers, path = exact / prefix / regex
path = { prefix = "/orders" }
policies = ["partner-key", "per-consumer", "stamp"]
upstream = "orders"
"#;

    /// SHA-256 of `alice`.
    const ALICE: &str = "2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90";

    #[test]
    fn the_smallest_useful_configuration_works_as_it_stands() {
        let upstream = Upstream::start();
        let config = SMALLEST.replace("127.0.0.1:8080", "{listen}").replace("127.0.0.1:9000", "{upstream}");
        let gateway = TestGateway::new().upstream(&upstream).config(&config.replace("2bd806c9…", ALICE)).start();
        let orders = || Request::get("/orders/7").field("host", "api.example.com").field("x-api-key", "alice");
        let response = gateway.send(orders());
        assert_eq!((response.field("x-gateway"), response.field("server")), (Some("tollgate"), None));
        assert_eq!(response.echo().field("x-consumer"), Some("alice"));
        assert_eq!(gateway.send(Request::get("/orders").field("host", "api.example.com")).status, 401);
        assert_eq!((gateway.get("/orders").status, gateway.send(orders().field("x-api-key", "")).status), (404, 401));
        for policy in gateway.policies()["policies"].as_array().unwrap() {
            assert_eq!(policy["state"], "live", "{policy}");
        }
    }
}
