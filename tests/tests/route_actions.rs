//! Stories of what a route does with a request: split, redirect, respond, rewrite, mirror, and a bound on its body.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use tollgate_tests::{Answer, Gate, Request, RunningGateway, TestGateway, Upstream, eventually};

/// A gateway with these routes; each upstream is `[upstreams.NAME]`.
fn gateway(upstreams: &[(&str, &Upstream)], routes: &str) -> RunningGateway {
    let mut config = "[[listeners]]\naddress = \"{listen}\"\n".to_owned();
    for (name, upstream) in upstreams {
        config.push_str(&format!("[upstreams.{name}]\nendpoints = [\"{}\"]\n", upstream.address()));
    }
    TestGateway::new().config(&(config + routes)).workers(1).start()
}

/// A gateway whose only route leads to the upstream in this way.
fn only(upstream: &Upstream, route: &str) -> RunningGateway {
    gateway(&[("only", upstream)], &format!("[[routes]]\nupstream = \"only\"\n{route}"))
}

mod split {
    use super::*;

    fn two() -> [Upstream; 2] {
        ["a", "b"].map(|name| Upstream::answering(Answer::ok(name)))
    }

    fn split([a, b]: &[Upstream; 2], weights: [u32; 2], more: &str) -> RunningGateway {
        let [left, right] = weights;
        let shares = format!("[{{ upstream = \"a\", weight = {left} }}, {{ upstream = \"b\", weight = {right} }}]");
        gateway(&[("a", a), ("b", b)], &format!("[[routes]]\nsplit = {shares}\n{more}"))
    }

    #[test]
    fn each_upstream_gets_its_share() {
        let upstreams = two();
        let gateway = split(&upstreams, [90, 10], "");
        let mut client = gateway.connect();
        let taken: Vec<_> = (0..100).map(|_| client.request(Request::get("/")).text()).collect();
        let of_b = taken.iter().filter(|name| *name == "b").count();
        assert!((8..=12).contains(&of_b), "{of_b} of 100");
        let counted =
            ["a", "b"].map(|name| gateway.metric(&format!("tollgate_upstream_requests_total{{upstream={name:?}}}")));
        assert_eq!(counted, [100.0 - of_b as f64, of_b as f64]);
    }

    #[test]
    fn no_weight_is_no_share() {
        let upstreams = two();
        let gateway = split(&upstreams, [0, 1], "");
        let mut client = gateway.connect();
        assert!((0..20).all(|_| client.request(Request::get("/")).text() == "b"));
    }

    #[test]
    fn what_is_sticky_stays_where_it_is() {
        let upstreams = two();
        for (sticky, field) in [("header:x-user", "x-user"), ("cookie:user", "cookie")] {
            let gateway = split(&upstreams, [1, 1], &format!("sticky = {sticky:?}\n"));
            let ask = |user: usize| {
                let value = if field == "cookie" { format!("a=b; user=u{user}") } else { format!("u{user}") };
                gateway.send(Request::get("/").field(field, &value)).text()
            };
            let first: Vec<_> = (0..20).map(ask).collect();
            assert_eq!((0..20).map(ask).collect::<Vec<_>>(), first);
            assert!(first.iter().any(|name| name == "a") && first.iter().any(|name| name == "b"), "{first:?}");
        }
        let gateway = split(&upstreams, [1, 1], "sticky = \"client-address\"\n");
        let first = gateway.get("/").text();
        assert!((0..10).all(|_| gateway.get("/").text() == first));
    }
}

mod redirect {
    use super::*;

    fn redirecting(route: &str) -> RunningGateway {
        gateway(&[], &format!("[[routes]]\n{route}"))
    }

    fn location(gateway: &RunningGateway, target: &str, host: &str) -> (u16, String) {
        let response = gateway.send(Request::get(target).field("host", host));
        assert_eq!(response.body, b"");
        (response.status, response.field("location").unwrap_or_default().to_owned())
    }

    #[test]
    fn to_https_and_back_to_the_same_path() {
        let gateway = redirecting("redirect = { scheme = \"https\" }");
        let (status, location) = location(&gateway, "/a%20b?c=d", "example.com:8080");
        assert_eq!((status, location.as_str()), (308, "https://example.com/a%20b?c=d"));
    }

    #[test]
    fn to_another_host_and_prefix() {
        let redirect =
            "redirect = { status = 301, host = \"new.test\", port = 81, prefix = \"/new\", strip-query = true }";
        let gateway = redirecting(&format!("path = {{ prefix = \"/old\" }}\n{redirect}"));
        let expected = (301, "http://new.test:81/new/7".to_owned());
        assert_eq!(location(&gateway, "/old/7?a", "old.test"), expected);
        assert_eq!(location(&gateway, "http://other.test/old/7?a", "other.test"), expected);
    }

    #[test]
    fn a_redirection_has_the_host_that_the_request_was_for() {
        let gateway = redirecting("redirect = { scheme = \"https\" }");
        let mut client = gateway.connect();
        client.write("GET /x HTTP/1.0\r\n\r\n");
        let response = client.response();
        assert_eq!((response.status, response.problem().as_str()), (400, "a request for this path has a Host field"));
    }

    #[test]
    fn no_path_becomes_a_host() {
        let gateway = redirecting("path = { prefix = \"/old\" }\nredirect = { prefix = \"/\" }");
        let (_, location) = location(&gateway, "/old//evil.test/", "a.test");
        assert!(location.starts_with('/') && !location.starts_with("//"), "{location}");
    }
}

mod respond {
    use super::*;

    #[test]
    fn the_gateway_answers_by_itself() {
        let gateway = gateway(
            &[],
            "[[routes]]\nname = \"robots\"\nrespond = { headers = { cache-control = \"max-age=60\" }, body = \"none\\n\" }\n",
        );
        let mut client = gateway.connect();
        let response = client.request(Request::get("/robots.txt"));
        assert_eq!((response.status, response.text().as_str()), (200, "none\n"));
        assert_eq!(response.field("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(
            (response.field("cache-control"), response.field("content-length")),
            (Some("max-age=60"), Some("5"))
        );
        assert_eq!(client.request(Request::post("/", "some content")).text(), "none\n", "the connection is in step");
        let response = client.request(Request::new("HEAD", "/"));
        assert_eq!((response.status, response.field("content-length"), response.body.len()), (200, Some("5"), 0));
        assert_eq!(gateway.metric("tollgate_responses_total{route=\"robots\",class=\"2xx\"}"), 3.0);
    }

    #[test]
    fn filters_see_requests_and_answers_of_the_gateway() {
        let gateway = gateway(
            &[],
            r#"
[policies.key]
filter = "api-key"
config.keys = [{ consumer = "alice", sha256 = "72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20" }]
[policies.stamp]
filter = "headers"
config.response.set = { x-path = "{path}", x-consumer = "{consumer}" }
[[routes]]
policies = ["stamp", "key"]
path = { prefix = "/old" }
redirect = { prefix = "/new" }
[[routes]]
policies = ["key", "stamp"]
respond = { status = 418, body = "tea" }
"#,
        );
        assert_eq!((gateway.get("/").status, gateway.get("/old").status), (401, 401));
        let response = gateway.send(Request::get("/a").field("x-api-key", "alice-key"));
        assert_eq!((response.status, response.field("x-consumer")), (418, Some("alice")));
        let response = gateway.send(Request::get("/old/7").field("x-api-key", "alice-key"));
        assert_eq!((response.status, response.field("location")), (308, Some("/new/7")));
        assert_eq!(response.field("x-consumer"), Some("alice"));
    }
}

mod rewrite {
    use super::*;

    #[test]
    fn the_upstream_sees_another_prefix() {
        let upstream = Upstream::start();
        let gateway = only(&upstream, "path = { prefix = \"/orders\" }\nrewrite = { prefix = \"/v2\" }\n");
        for (sent, seen) in
            [("/orders", "/v2"), ("/orders/", "/v2/"), ("/orders/7?x=/orders", "/v2/7?x=/orders"), ("/orders?", "/v2?")]
        {
            assert_eq!(gateway.get(sent).echo().path, seen, "{sent}");
        }
        let gateway = only(&upstream, "path = { prefix = \"/orders\" }\nrewrite = { prefix = \"/\" }\n");
        assert_eq!(
            (gateway.get("/orders").echo().path.as_str(), gateway.get("/orders/7").echo().path.as_str()),
            ("/", "/7")
        );
    }

    #[test]
    fn the_upstream_sees_what_an_expression_makes_of_the_path() {
        let upstream = Upstream::start();
        let gateway = only(&upstream, "rewrite = { regex = '/users/([0-9]+)(/.*)?', to = '/user$2?id=${1}' }\n");
        assert_eq!(gateway.get("/users/7").echo().path, "/user?id=7");
        assert_eq!(gateway.get("/users/7/mail?all").echo().path, "/user/mail?id=7&all");
        assert_eq!(gateway.get("/users/x").echo().path, "/users/x");
    }

    #[test]
    fn the_upstream_sees_another_host_and_is_told_the_clients() {
        let upstream = Upstream::start();
        let gateway = only(&upstream, "rewrite = { host = \"orders.internal:8080\" }\n");
        let echo = gateway.send(Request::get("/a").field("host", "api.example.com")).echo();
        assert_eq!(
            (echo.path.as_str(), echo.field("host"), echo.field("x-forwarded-host")),
            ("/a", Some("orders.internal:8080"), Some("api.example.com"))
        );
    }

    #[test]
    fn hooks_see_the_path_as_it_was_sent() {
        let upstream = Upstream::start();
        let gateway = only(
            &upstream,
            r#"
path = { prefix = "/orders" }
rewrite = { prefix = "/v2" }
policies = ["stamp"]
[policies.stamp]
filter = "headers"
config = { request = { set = { x-path = "{path}" } }, response = { set = { x-asked = "{path}" } } }
"#,
        );
        let response = gateway.get("/orders/7");
        assert_eq!(response.field("x-asked"), Some("/orders/7"));
        assert_eq!((response.echo().path.as_str(), response.echo().field("x-path")), ("/v2/7", Some("/orders/7")));
    }

    #[test]
    fn no_rewritten_path_leads_up() {
        let upstream = Upstream::start();
        let gateway = only(&upstream, "rewrite = { regex = '/a(.*)', to = '/public/$1' }\n");
        let response = gateway.get("/a../secret");
        assert_eq!((response.status, response.problem().as_str()), (400, "this path cannot be served"));
        assert_eq!(upstream.requests().len(), 0);
    }
}

mod mirror {
    use super::*;

    fn mirrored(original: &Upstream, mirror: &Upstream, more: &str) -> RunningGateway {
        let route = format!("upstream = \"original\"\nmirror = {{ upstream = \"shadow\"{more} }}\n");
        gateway(&[("original", original), ("shadow", mirror)], &format!("[[routes]]\nname = \"main\"\n{route}"))
    }

    fn lost(gateway: &RunningGateway, reason: &str) -> f64 {
        gateway.metric(&format!("tollgate_mirror_lost_total{{route=\"main\",reason={reason:?}}}"))
    }

    fn answered(gateway: &RunningGateway) -> f64 {
        gateway.metric("tollgate_mirror_answers_total{route=\"main\"}")
    }

    #[test]
    fn a_mirror_gets_what_the_upstream_gets_and_nobody_its_answer() {
        let (original, shadow) = (Upstream::start(), Upstream::answering(Answer::status(500).body("wrong")));
        let gateway = mirrored(&original, &shadow, "");
        let request = Request::post("/a?b", "some content").field("x-own", "1").field("x-tollgate-mirror", "forged");
        let echo = gateway.send(request).echo();
        assert_eq!((echo.body.as_str(), echo.field("x-tollgate-mirror")), ("some content", None));
        eventually("the mirror has answered", || answered(&gateway) == 1.0);
        let copy = shadow.request();
        assert_eq!(
            (copy.method.as_str(), copy.path.as_str(), copy.body.as_slice()),
            ("POST", "/a?b", &b"some content"[..])
        );
        assert_eq!((copy.field("x-own"), copy.field("x-tollgate-mirror")), (Some("1"), Some("1")));
        assert_eq!((copy.field("host"), copy.field("content-length")), (echo.field("host"), Some("12")));
        let response =
            gateway.send(Request::new("POST", "/").field("trailer", "x-sum").chunks(["a", "bc"]).trailer("x-sum", "7"));
        assert_eq!(response.echo().body, "abc");
        eventually("the mirror has answered", || answered(&gateway) == 2.0);
        let copy = &shadow.requests()[1];
        assert_eq!((copy.body.as_slice(), copy.trailers.get("x-sum")), (&b"abc"[..], Some("7")));
        assert_eq!(shadow.connections(), 1, "its connection is used again");
    }

    #[test]
    fn a_mirror_gets_its_share() {
        let (original, shadow) = (Upstream::start(), Upstream::start());
        let gateway = mirrored(&original, &shadow, ", percent = 10");
        let mut client = gateway.connect();
        (0..100).for_each(|_| drop(client.request(Request::get("/"))));
        // Those that are still under way are few: each request waits for its answer.
        eventually("all copies have come", || {
            answered(&gateway) as usize == shadow.requests().len() && shadow.requests().len() >= 7
        });
        let copies = shadow.requests().len();
        assert!((7..=13).contains(&copies), "{copies} of 100");
    }

    #[test]
    fn a_mirror_that_never_answers_delays_nobody() {
        let gate = Gate::new();
        let wait = gate.clone();
        let original = Upstream::start();
        let shadow = Upstream::with(move |_| {
            wait.wait();
            Ok(false)
        });
        let gateway = mirrored(&original, &shadow, "");
        let mut client = gateway.connect();
        assert!((0..10).all(|_| client.request(Request::post("/", "x")).status == 200));
        eventually("all copies are under way", || shadow.requests().len() == 10);
        assert_eq!(answered(&gateway), 0.0);
        gate.open();
        eventually("all have come to nothing", || lost(&gateway, "failed") == 10.0);
    }

    #[test]
    fn a_worker_has_no_more_than_so_many_copies_under_way() {
        let gate = Gate::new();
        let wait = gate.clone();
        let original = Upstream::start();
        let shadow = Upstream::with(move |call| {
            wait.wait();
            call.answer(&Answer::ok(""))
        });
        let gateway = mirrored(&original, &shadow, "");
        let mut client = gateway.connect();
        assert!((0..130).all(|_| client.request(Request::get("/")).status == 200));
        eventually("two were too many", || lost(&gateway, "busy") == 2.0);
        gate.open();
        eventually("the others are answered", || answered(&gateway) == 128.0);
        assert_eq!(client.request(Request::get("/")).status, 200);
        eventually("there is room again", || answered(&gateway) == 129.0);
    }

    #[test]
    fn a_mirror_that_is_not_there_is_counted() {
        let (original, closed) = (Upstream::start(), tollgate_tests::ClosedPort::new());
        let config = format!(
            "[[listeners]]\naddress = \"{{listen}}\"\n[upstreams.original]\nendpoints = [\"{}\"]\n\
             [upstreams.shadow]\nendpoints = [\"{}\"]\n[[routes]]\nname = \"main\"\nupstream = \"original\"\n\
             mirror = {{ upstream = \"shadow\" }}\n",
            original.address(),
            closed.address()
        );
        let gateway = TestGateway::new().config(&config).start();
        assert_eq!(gateway.send(Request::post("/", "x")).echo().body, "x");
        eventually("the copy has come to nothing", || lost(&gateway, "failed") == 1.0);
    }

    #[test]
    fn a_mirror_that_is_too_slow_loses_its_copy_and_the_original_goes_on() {
        let gate = Gate::new();
        let wait = gate.clone();
        let original = Upstream::with(|call| {
            let length = call.read_body()?.body.len();
            call.answer(&Answer::ok(length.to_string()))
        });
        let shadow = Upstream::with(move |_| {
            wait.wait();
            Ok(false)
        });
        let gateway = mirrored(&original, &shadow, ", buffer = \"4KiB\"");
        let most = 32 << 20;
        assert_eq!(gateway.send(Request::post("/", vec![b'x'; most])).text(), most.to_string());
        eventually("the copy is lost", || lost(&gateway, "slow") == 1.0);
        gate.open();
    }

    #[test]
    fn a_mirror_never_takes_a_part_for_the_whole() {
        let (original, shadow) = (Upstream::start(), Upstream::start());
        let gateway = mirrored(&original, &shadow, "");
        let mut client = gateway.connect();
        client.send(&Request::new("POST", "/").chunks([]));
        client.write_chunk("only the beginning");
        eventually("the copy has begun", || shadow.requests().len() == 1);
        drop(client);
        eventually("the copy is lost", || lost(&gateway, "original") == 1.0);
        assert!(!shadow.request().complete);
    }
}

mod body_limit {
    use super::*;

    fn limited(upstream: &Upstream) -> RunningGateway {
        let routes = "[[routes]]\nupstream = \"only\"\n\
                      [[routes]]\npath = { prefix = \"/large\" }\nbody-limit = \"1MiB\"\nupstream = \"only\"\n";
        gateway(&[("only", upstream)], &format!("[limits]\nbody-limit = 10\n{routes}"))
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_at_once() {
        let upstream = Upstream::start();
        let gateway = limited(&upstream);
        assert_eq!(gateway.send(Request::post("/", "0123456789")).echo().body, "0123456789");
        let mut client = gateway.connect();
        client.send(&Request::new("POST", "/").field("content-length", "11"));
        let response = client.response();
        assert_eq!((response.status, response.problem().as_str()), (413, "the request body is too large"));
        assert_eq!(upstream.requests().len(), 1, "nothing of it went on");
        let large = "x".repeat(1 << 20);
        assert_eq!(gateway.send(Request::post("/large", large.clone())).echo().body.len(), 1 << 20);
        assert_eq!(gateway.send(Request::post("/large", large + "x")).status, 413);
    }

    #[test]
    fn a_client_that_asks_first_is_told_before_it_sends() {
        let upstream = Upstream::start();
        let gateway = limited(&upstream);
        let mut client = gateway.connect();
        client.send(&Request::new("POST", "/").field("content-length", "11").field("expect", "100-continue"));
        assert_eq!(client.response().status, 413, "and not 100");
    }

    #[test]
    fn what_is_refused_passes_the_filters_of_its_route() {
        let upstream = Upstream::start();
        let policies = "[policies.stamp]\nfilter = \"headers\"\nconfig = { response = { set = { x-stamp = \"yes\" } } }\n\
                        [policies.key]\nfilter = \"api-key\"\nconfig = { keys = [{ consumer = \"alice\", \
                        sha256 = \"72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20\" }] }\n";
        let routes = "[[routes]]\npath = { prefix = \"/open\" }\npolicies = [\"stamp\"]\nupstream = \"only\"\n\
                      [[routes]]\npolicies = [\"stamp\", \"key\"]\nupstream = \"only\"\n";
        let gateway = gateway(&[("only", &upstream)], &format!("[limits]\nbody-limit = 10\n{policies}{routes}"));
        let sent = |path: &str, key: &str| {
            let mut client = gateway.connect();
            client.send(&Request::new("POST", path).field("content-length", "11").field("x-api-key", key));
            let response = client.response();
            (response.status, response.field("x-stamp").map(str::to_owned))
        };
        let stamped = |status: u16| (status, Some("yes".to_owned()));
        assert_eq!(sent("/open", "none"), stamped(413));
        assert_eq!(sent("/", "alice-key"), stamped(413));
        assert_eq!(sent("/", "none"), stamped(401), "who may not ask is not told more");
        assert_eq!(upstream.requests().len(), 0);
    }

    #[test]
    fn a_body_that_grows_beyond_the_limit_is_refused_then() {
        let upstream = Upstream::start();
        let gateway = limited(&upstream);
        assert_eq!(gateway.send(Request::new("POST", "/").chunks(["01234", "56789"])).echo().body, "0123456789");
        let mut client = gateway.connect();
        client.send(&Request::new("POST", "/").chunks([]));
        client.write_chunk("01234");
        client.write_chunk("567890");
        let response = client.response();
        assert_eq!((response.status, response.problem().as_str()), (413, "the request body is too large"));
        assert!(upstream.requests().iter().skip(1).all(|request| !request.complete), "nothing whole went on");
    }

    #[test]
    fn a_response_that_has_begun_is_cut() {
        let upstream = Upstream::with(|call| {
            call.read_chunk()?;
            call.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")?;
            call.wait_for_close();
            Ok(false)
        });
        let gateway = limited(&upstream);
        let mut client = gateway.connect();
        client.send(&Request::new("POST", "/").chunks([]));
        client.write_chunk("01234");
        assert_eq!(client.head().status(), Some(200));
        assert!(client.chunk().is_some());
        client.write_chunk("567890");
        assert_eq!(client.chunk(), None);
    }

    #[test]
    fn a_filter_that_holds_the_head_is_no_way_around() {
        let upstream = Upstream::start();
        let config = "[limits]\nbody-limit = 10\n[[listeners]]\naddress = \"{listen}\"\n\
                      [upstreams.only]\nendpoints = [\"{upstream}\"]\n[policies.body]\nfilter = \"body\"\n\
                      limits.cpu = \"10s\"\nconfig = { request = \"{treatment}\" }\n\
                      [[routes]]\npolicies = [\"body\"]\nupstream = \"only\"\n";
        for treatment in ["measure", "upper"] {
            let gateway = TestGateway::new()
                .upstream(&upstream)
                .word("treatment", treatment)
                .config(&format!("policies-dir = \"policies\"\n{config}"))
                .module("body", tollgate_tests::guest("body"))
                .start();
            let mut client = gateway.connect();
            client.send(&Request::new("POST", "/").chunks([]));
            client.write_chunk("01234567890");
            assert_eq!(client.response().status, 413, "{treatment}");
        }
    }
}
