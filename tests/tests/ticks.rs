//! Stories of ticks: what filters do now and then, for no exchange.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(missing_docs, reason = "each story is named after what it tells")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tollgate_tests::{
    Answer, Gate, RawFilter, RedisServer, Request, RunningGateway, TestGateway, Upstream, eventually, example, guest,
    guest_component,
};

/// One policy, which is granted the upstream `keys`, for everything.
const CONFIG: &str = r#"
policies-dir = "policies"
[[listeners]]
address = "{listen}"
[upstreams.echo]
endpoints = ["{upstream}"]
[upstreams.keys]
endpoints = ["{keys}"]
{more}
[[routes]]
policies = ["t"]
upstream = "echo"
"#;

fn gateway(upstream: &Upstream, keys: &Upstream, policy: &str) -> TestGateway {
    let gateway = TestGateway::new().upstream(upstream).word("keys", &keys.address().to_string()).word("more", "");
    gateway.config(CONFIG).workers(1).module("tick", guest("tick")).policy("t", &text(policy))
}

fn text(policy: &str) -> String {
    format!("filter = \"tick\"\ngrants = {{ callouts = [\"keys\"] }}\n{policy}")
}

/// Answers with how many requests there have been.
fn counting() -> Upstream {
    let count = AtomicUsize::new(0);
    Upstream::with(move |call| {
        call.read_body()?;
        call.answer(&Answer::ok(format!("key-{}", count.fetch_add(1, Ordering::Relaxed) + 1)))
    })
}

/// What a request's hook has found of the ticks' doing.
#[track_caller]
fn fetched(gateway: &RunningGateway) -> String {
    gateway.get("/").echo().field("x-fetched").unwrap_or_default().to_owned()
}

#[track_caller]
fn ticks(gateway: &RunningGateway) -> u64 {
    gateway.get("/").echo().field("x-ticks").unwrap().parse().unwrap()
}

fn outcomes(gateway: &RunningGateway, outcome: &str) -> f64 {
    gateway.metric(&format!("tollgate_filter_ticks_total{{policy=\"t\",outcome={outcome:?}}}"))
}

fn status(gateway: &RunningGateway) -> Value {
    gateway.policy("t")["tick"].clone()
}

const FETCHING: &str = "config = { fetch = \"/keys\" }";

mod results {
    use super::*;

    #[test]
    fn are_there_for_the_first_request_and_are_refreshed() {
        for module in [guest("tick"), guest_component("tick")] {
            for isolation in ["shared", "exchange"] {
                let (upstream, keys) = (Upstream::start(), counting());
                let policy = format!("isolation = {isolation:?}\n{FETCHING}");
                let gateway = gateway(&upstream, &keys, &policy).module("tick", &module).start();
                assert!(fetched(&gateway).starts_with("key-"), "{isolation}");
                eventually("it is fetched again", || fetched(&gateway) == "key-3");
                assert!(keys.requests().iter().all(|request| request.path == "/keys"));
            }
        }
    }

    #[test]
    fn are_those_of_one_instance_for_all_workers() {
        let (upstream, keys) = (Upstream::start(), counting());
        let policy = "config = { every-ms = 3600000, fetch = \"/keys\" }";
        let gateway = gateway(&upstream, &keys, policy).workers(4).start();
        let seen: Vec<_> = (0..16).map(|_| fetched(&gateway)).collect();
        assert_eq!((seen, keys.requests().len()), (vec!["key-1".to_owned(); 16], 1));
    }

    #[test]
    fn are_shared_by_gateways_with_a_store_for_several() {
        let (upstream, keys, redis) = (Upstream::start(), counting(), RedisServer::start(&[]));
        let store = format!(
            "[stores.central]\nredis = {{ address = \"{}\", timeout = \"5s\" }}\non-outage = \"fail\"",
            redis.address()
        );
        let start = |config: &str| {
            let policy = format!("store = \"central\"\nconfig = {{ {config} }}");
            gateway(&upstream, &keys, &policy).word("more", &store).start()
        };
        let rarely = "every-ms = 3600000, fetch = \"/keys\"";
        let (one, two, none) = (start(rarely), start(rarely), start("every-ms = 0"));
        assert_eq!([&one, &two, &none].map(fetched), ["key-2"; 3]);
        assert_eq!(ticks(&none), 2, "one of each gateway that has any");
        assert_eq!(none.metric("tollgate_filter_ticks_total{policy=\"t\",outcome=\"done\"}"), 0.0);
        assert_eq!((status(&none), &status(&one)["every-ms"]), (Value::Null, &3_600_000.into()));
    }

    #[test]
    fn come_of_all_that_a_policy_is_granted() {
        let (upstream, keys) = (Upstream::start(), counting());
        for module in [guest("grants"), guest_component("grants")] {
            let policy = r#"
                filter = "grants"
                grants = { clock = true, random = true, secrets = ["key"] }
                config = { tick = true, use = ["now", "monotonic", "random", "bytes", "secret:key", "ticked"] }"#;
            let secret = "[secrets.key]\nfile = \"key.txt\"";
            let gateway = gateway(&upstream, &keys, "").module("grants", module).policy("t", policy);
            let gateway = gateway.word("more", secret).file("key.txt", "first\n").start();
            let told = gateway.get("/").text();
            let ticked = told.split("ticked=").nth(1).unwrap();
            assert!(ticked.starts_with("now=1") || ticked.starts_with("now=2"), "{told}");
            assert!(
                ticked.contains("monotonic=true random=") && ticked.ends_with("bytes=1024 secret:key=first"),
                "{told}"
            );
        }
    }

    #[test]
    fn are_counted() {
        let (upstream, keys) = (Upstream::start(), counting());
        let gateway = gateway(&upstream, &keys, FETCHING).start();
        eventually("there are some", || outcomes(&gateway, "done") >= 3.0);
        assert!(gateway.metric("tollgate_filter_ticked_total{policy=\"t\"}") >= 3.0);
        assert!(gateway.metric("tollgate_filter_tick_cpu_seconds_total{policy=\"t\"}") > 0.0);
        assert!(gateway.metric("tollgate_callouts_total{policy=\"t\",result=\"answered\"}") >= 3.0);
        let status = status(&gateway);
        assert!(status["last-done"].as_u64().unwrap() > 1_700_000_000, "{status}");
        assert_eq!((&status["failures"], &status["last-error"]), (&0.into(), &Value::Null));
    }
}

#[test]
fn keys_are_fetched_as_the_example_does() {
    let upstream = Upstream::start();
    let keys = Upstream::answering(Answer::ok("one amy\ntwo bob\n"));
    let policy = "filter = \"fetched-keys\"\ngrants = { callouts = [\"keys\"] }\nconfig = { upstream = \"keys\" }";
    let gateway =
        gateway(&upstream, &keys, "").module("fetched-keys", example("fetched-keys")).policy("t", policy).start();
    let ask = |key| gateway.send(Request::get("/").field("x-api-key", key)).status;
    assert_eq!(["one", "two", "three"].map(ask), [200, 200, 401]);
    assert_eq!((keys.requests().len(), upstream.requests().len()), (1, 2));
}

mod life {
    use super::*;

    #[test]
    fn a_new_version_ends_the_ticks_of_the_one_before() {
        let (upstream, keys) = (Upstream::start(), counting());
        let gateway = gateway(&upstream, &keys, "trial = false\nconfig = { fetch = \"/1\" }").start();
        let instances = || gateway.metric("tollgate_filter_instances");
        eventually("there are instances", || instances() > 0.0);
        let at_first = instances();
        for version in 2..6 {
            let before = format!("/{}", version - 1);
            let count = |path: &str| keys.requests().iter().filter(|request| request.path == path).count();
            eventually("the version before ticks", || count(&before) >= 2);
            let config = format!("trial = false\nconfig = {{ fetch = \"/{version}\" }}");
            gateway.change(|gateway| gateway.write_policy("t", &text(&config)));
            let (had, path) = (count(&before), format!("/{version}"));
            eventually("the new version ticks", || count(&path) >= 3);
            assert_eq!(count(&before), had, "none of the old version after the change");
        }
        eventually("nothing is left of the old ones", || instances() <= at_first);
    }

    #[test]
    fn what_a_new_version_finds_is_there_before_it_serves() {
        let (upstream, keys) = (Upstream::start(), Upstream::start());
        let rarely = |path: &str| text(&format!("config = {{ every-ms = 3600000, fetch = {path:?} }}"));
        let gateway = gateway(&upstream, &keys, "config = { every-ms = 0 }").start();
        assert_eq!(fetched(&gateway), "");
        for path in ["/first", "/second"] {
            gateway.change(|gateway| gateway.write_policy("t", &rarely(path)));
            assert!(fetched(&gateway).contains(path), "{path}");
        }
    }

    #[test]
    fn what_has_not_changed_goes_on() {
        let (upstream, keys) = (Upstream::start(), counting());
        let policy = "config = { every-ms = 3600000, fetch = \"/keys\" }";
        let gateway = gateway(&upstream, &keys, policy).start();
        gateway.change(|gateway| gateway.inner().reload());
        gateway.change(|gateway| gateway.write_policy("other", "filter = \"headers\""));
        assert_eq!((fetched(&gateway), keys.requests().len()), ("key-1".to_owned(), 1));
    }

    #[test]
    fn a_change_cuts_a_tick_that_hangs() {
        let gate = Gate::new();
        let opened = gate.clone();
        let (upstream, other) = (Upstream::start(), counting());
        let keys = Upstream::with(move |call| {
            call.wait_for_close();
            opened.open();
            Ok(false)
        });
        let hanging = "config = { fetch = \"/\" }\nlimits = { callout-timeout = \"60s\", tick-timeout = \"60s\" }";
        let gateway = gateway(&upstream, &keys, hanging).start();
        eventually("it hangs", || keys.requests().len() == 1);
        gateway.change(|gateway| gateway.write_config(&CONFIG.replace("{keys}", &other.address().to_string())));
        gateway.change(|gateway| gateway.write_policy("t", &text(FETCHING)));
        gate.wait();
        eventually("the new one finds what it wants", || fetched(&gateway).starts_with("key-"));
    }

    #[test]
    fn a_policy_that_goes_takes_its_ticks_along() {
        let (upstream, keys) = (Upstream::start(), counting());
        let config = CONFIG.replace("policies = [\"t\"]", "");
        let gateway = gateway(&upstream, &keys, FETCHING).config(&config).start();
        eventually("it ticks though no route names it", || keys.requests().len() >= 2);
        gateway.change(|gateway| gateway.remove("t.toml"));
        // Its module alone is a policy, too.
        gateway.change(|gateway| gateway.remove("tick.wasm"));
        let had = keys.requests().len();
        gateway.change(|gateway| gateway.write_policy("u", &FETCHING.replace("config", "filter = \"headers\" #")));
        eventually("the change is live", || gateway.policies().to_string().contains("headers"));
        assert_eq!(keys.requests().len(), had);
    }

    #[test]
    fn a_filter_may_have_ticks_and_no_hooks() {
        let (upstream, keys) = (Upstream::start(), counting());
        let module = RawFilter::new(0).every(100).build();
        let gateway = gateway(&upstream, &keys, "").module("tick", module).start();
        eventually("there are some", || outcomes(&gateway, "done") >= 3.0);
        assert_eq!(gateway.get("/").status, 200);
    }

    #[test]
    fn the_gateway_s_end_is_theirs() {
        let (upstream, keys) = (Upstream::start(), counting());
        let gateway = gateway(&upstream, &keys, FETCHING).start();
        gateway.shutdown();
        let had = keys.requests().len();
        assert_eq!(keys.open_connections(), 0);
        assert!(had >= 1);
    }
}

mod faults {
    use super::*;

    #[test]
    fn are_no_exchange_s_affair_and_are_got_over() {
        let cases = [("trap", "trap"), ("error", "reported"), ("loop", "deadline"), ("memory", "memory")];
        for (fault, class) in cases {
            let (upstream, keys) = (Upstream::start(), counting());
            let policy = format!(
                "config = {{ fetch = \"/\", fault = {fault:?}, faults = 2 }}\nlimits = {{ tick-cpu = \"20ms\" }}\n\
                 quarantine = {{ faults = 1, share = 0, action = \"deny\" }}"
            );
            let gateway = gateway(&upstream, &keys, &policy).start();
            assert_eq!(gateway.get("/").status, 200, "{fault}");
            eventually("it is done", || outcomes(&gateway, "done") >= 1.0);
            assert_eq!(outcomes(&gateway, class), 2.0, "{fault}");
            let faults = format!("tollgate_filter_faults_total{{policy=\"t\",class={class:?}}}");
            assert_eq!(gateway.metric(&faults), 2.0);
            assert_eq!((status(&gateway)["failures"].as_u64(), gateway.get("/").status), (Some(0), 200), "{fault}");
        }
    }

    #[test]
    fn are_told() {
        let (upstream, keys) = (Upstream::start(), counting());
        let policy = "config = { every-ms = 3600000, fault = \"error\" }";
        let program = gateway(&upstream, &keys, policy).run(&[]);
        let line = program.line(&["filter fault", "policy=\"t\"", "on-tick"]);
        assert!(line.contains("nothing to be had") && line.contains("reported"), "{line}");
        let gateway = gateway(&upstream, &keys, policy).start();
        let status = status(&gateway);
        assert_eq!(
            (&status["last-done"], &status["last-error"]),
            (&Value::Null, &"reported: nothing to be had".into())
        );
        assert!(status["failures"].as_u64().unwrap() >= 1, "{status}");
        eventually("it is tried again before its time", || outcomes(&gateway, "reported") >= 2.0);
    }

    #[test]
    fn a_tick_that_hangs_holds_nobody_up() {
        let (upstream, gate) = (Upstream::start(), Gate::new());
        let keys = Upstream::answering(Answer::after(&gate));
        for (limits, class) in [("callout-timeout = \"50ms\"", "reported"), ("tick-timeout = \"50ms\"", "deadline")] {
            let policy = format!("config = {{ fetch = \"/\" }}\nlimits = {{ {limits} }}");
            let gateway = gateway(&upstream, &keys, &policy).start();
            assert_eq!(gateway.get("/").status, 200);
            eventually("it is cut", || outcomes(&gateway, class) >= 2.0);
        }
        gate.open();
    }

    #[test]
    fn ticks_that_take_longer_than_their_period_do_not_overlap() {
        let upstream = Upstream::start();
        let (running, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        let seen = Arc::clone(&most);
        let keys = Upstream::with(move |call| {
            call.read_body()?;
            seen.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // As a slow server does; nothing waits for this.
            std::thread::sleep(Duration::from_millis(250));
            running.fetch_sub(1, Ordering::SeqCst);
            call.answer(&Answer::ok("slow"))
        });
        let gateway = gateway(&upstream, &keys, FETCHING).start();
        eventually("there are some", || outcomes(&gateway, "done") >= 3.0);
        assert_eq!(most.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn each_tick_may_make_as_many_callouts_as_an_exchange() {
        let (upstream, keys) = (Upstream::start(), counting());
        let policy = "config = { fetch = \"/\", times = 3 }\nlimits = { callouts = 3 }";
        let good = gateway(&upstream, &keys, policy).start();
        eventually("there are some", || outcomes(&good, "done") >= 3.0);
        drop(good);
        let bad = gateway(&upstream, &keys, &policy.replace("callouts = 3", "callouts = 2")).start();
        assert!(status(&bad)["last-error"].as_str().unwrap().contains("too many callouts"));
        let other = gateway(&upstream, &keys, FETCHING).policy("t", &format!("filter = \"tick\"\n{FETCHING}")).start();
        assert!(status(&other)["last-error"].as_str().unwrap().contains("not granted"), "{}", status(&other));
    }
}
