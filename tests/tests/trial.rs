//! Stories of trials: a new version of a policy proves well and is for all, or is rolled back by itself.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::Path;

use serde_json::Value;
use tollgate_tests::{Answer, Binary, RawFilter, Request, RunningGateway, TestGateway, Upstream, eventually, guest};

/// A policy that marks responses with its version.
fn mark(version: &str, trial: &str) -> String {
    format!("{trial}\n[config.response.set]\nx-version = {version:?}\n")
}

/// A policy that misbehaves in requests below `/bad`, if it is told what to do.
fn misbehave(deed: Option<&str>, more: &str) -> String {
    let config = deed.map(|deed| format!("config = {{ in = \"request-head\", do = {deed:?}, when = \"/bad\" }}"));
    format!("filter = \"m\"\n{}\n{more}\n", config.unwrap_or_default())
}

/// A gateway whose one policy behaves.
fn behaving(upstream: &Upstream, more: &str) -> RunningGateway {
    TestGateway::new()
        .upstream(upstream)
        .module("m", guest("misbehave"))
        .policy("10-m", &misbehave(None, more))
        .own_state()
        .start()
}

/// The version of the policy that marks responses that a client of that name gets.
fn version_for(gateway: &RunningGateway, user: &str) -> String {
    let response = gateway.send(Request::get("/").field("x-user", user));
    assert_eq!(response.status, 200);
    response.field("x-version").unwrap_or_default().to_owned()
}

fn version_of(gateway: &RunningGateway, policy: &str) -> String {
    gateway.policy(policy)["version"].as_str().unwrap().to_owned()
}

/// The stages of a policy, the newest first.
fn stages(gateway: &RunningGateway, policy: &str) -> Vec<Value> {
    gateway.admin(&format!("/history?policy={policy}")).json()["history"].as_array().unwrap().clone()
}

fn ended(gateway: &RunningGateway, policy: &str, outcome: &str) -> f64 {
    gateway.metric(&format!("tollgate_trials_total{{policy={policy:?},outcome={outcome:?}}}"))
}

/// What `tollgate` says to the gateway.
#[track_caller]
fn said(gateway: &RunningGateway, args: &[&str]) -> String {
    let state = gateway.path().join("state").display().to_string();
    let (command, rest) = args.split_first().unwrap();
    let finished = Binary::finish(Path::new("."), &[&[*command, "--state-dir", &state], rest].concat());
    assert!(finished.status.success(), "{finished:?}");
    finished.stdout
}

mod at_once {
    use super::*;

    #[test]
    fn a_version_whose_first_exchanges_all_fault_is_rolled_back_and_not_tried_again_until_it_changes() {
        let upstream = Upstream::start();
        let gateway = behaving(&upstream, "");
        let good = version_of(&gateway, "10-m");
        gateway.change(|gateway| gateway.write_policy("10-m", &misbehave(Some("trap"), "")));
        let bad = version_of(&gateway, "10-m");
        assert!(good != bad && gateway.policy("10-m")["trial"]["mode"] == "immediate");
        for _ in 0..5 {
            assert_eq!(gateway.get("/bad").status, 503);
        }
        eventually("the version before serves again", || version_of(&gateway, "10-m") == good);
        assert_eq!(gateway.get("/bad").status, 200);
        let policy = gateway.policy("10-m");
        let why = "rolled back by rule first: all of the first 5 exchanges faulted";
        assert_eq!((policy["held"]["why"].as_str(), &policy["trial"]), (Some(why), &Value::Null), "{policy:#}");
        let is_done = |record: &&Value| record["stage"] == "roll-back" && record["outcome"] == "done";
        eventually("it is told", || stages(&gateway, "10-m").iter().any(|record| is_done(&record)));
        let told = stages(&gateway, "10-m");
        let newest = told.iter().find(is_done).unwrap();
        assert_eq!((newest["by"].as_str(), &newest["version"]), (Some("rule first"), &good.as_str().into()));
        assert!(told.iter().any(|record| record["stage"] == "trial" && record["outcome"] == "failed"), "{told:#?}");
        assert_eq!(ended(&gateway, "10-m", "rolled-back"), 1.0);
        // A comment makes no other version, and nor does a restart.
        gateway.change(|gateway| gateway.write_policy("10-m", &format!("# x\n{}", misbehave(Some("trap"), ""))));
        assert_eq!(version_of(&gateway, "10-m"), good);
        let gateway = gateway.stop().try_restart().unwrap();
        assert_eq!((version_of(&gateway, "10-m"), gateway.get("/bad").status), (good, 200));
        gateway.change(|gateway| gateway.write_policy("10-m", &misbehave(Some("fault"), "")));
        assert_eq!((gateway.get("/bad").status, &gateway.policy("10-m")["state"]), (503, &"live".into()));
    }

    #[test]
    fn a_version_that_faults_now_and_then_is_rolled_back_and_one_that_faults_rarely_is_not() {
        let upstream = Upstream::start();
        let gateway = behaving(&upstream, "");
        let good = version_of(&gateway, "10-m");
        gateway.change(|gateway| gateway.write_policy("10-m", &misbehave(Some("trap"), "")));
        let mut number = 0;
        eventually("the version before serves again", || {
            number += 1;
            gateway.get(if number % 10 == 0 { "/bad" } else { "/good" });
            version_of(&gateway, "10-m") == good
        });
        let why = gateway.policy("10-m")["held"]["why"].as_str().unwrap().to_owned();
        assert!(why.starts_with("rolled back by rule faults: ") && why.ends_with(" faulted"), "{why}");
        // As the rules say, this one may.
        let trial = "trial = { watch = \"1s\", faults = 1, first = 1000 }";
        gateway.change(|gateway| gateway.write_policy("10-m", &misbehave(Some("trap"), trial)));
        let rare = version_of(&gateway, "10-m");
        eventually("it has been watched", || {
            gateway.get("/bad");
            gateway.policy("10-m")["trial"].is_null()
        });
        assert_eq!(version_of(&gateway, "10-m"), rare);
        let told = stages(&gateway, "10-m");
        let reason = told[0]["reason"].as_str().unwrap_or_default();
        assert!(told[0]["stage"] == "trial" && reason.starts_with("watched for 1s: "), "{told:#?}");
        assert_eq!(ended(&gateway, "10-m", "promoted"), 1.0);
    }

    #[test]
    fn a_version_that_takes_too_long_now_and_then_is_rolled_back() {
        let upstream = Upstream::start();
        let limits = "limits = { cpu = \"1ms\" }";
        let gateway = behaving(&upstream, limits);
        let good = version_of(&gateway, "10-m");
        let trial = format!("{limits}\ntrial = {{ faults = 1, deadlines = 0.1 }}");
        gateway.change(|gateway| gateway.write_policy("10-m", &misbehave(Some("loop"), &trial)));
        let mut number = 0;
        eventually("the version before serves again", || {
            number += 1;
            gateway.get(if number % 5 == 0 { "/bad" } else { "/good" });
            version_of(&gateway, "10-m") == good
        });
        let why = gateway.policy("10-m")["held"]["why"].as_str().unwrap().to_owned();
        assert!(why.starts_with("rolled back by rule deadlines: "), "{why}");
    }

    #[test]
    fn nothing_is_watched_that_is_not_to_be() {
        let upstream = Upstream::start();
        let gateway = behaving(&upstream, "");
        gateway.change(|gateway| gateway.write_policy("10-m", &misbehave(Some("trap"), "trial = false")));
        assert!(gateway.policy("10-m")["trial"].is_null());
        assert_eq!(gateway.get("/bad").status, 503);
    }

    #[test]
    fn a_watch_goes_on_after_a_restart() {
        let upstream = Upstream::start();
        let gateway = behaving(&upstream, "");
        let good = version_of(&gateway, "10-m");
        gateway.change(|gateway| gateway.write_policy("10-m", &misbehave(Some("trap"), "")));
        let gateway = gateway.stop().try_restart().unwrap();
        assert_eq!(gateway.policy("10-m")["trial"]["stable"], good.as_str());
        for _ in 0..5 {
            gateway.get("/bad");
        }
        eventually("the version before serves again", || version_of(&gateway, "10-m") == good);
    }
}

mod a_canary {
    use super::*;

    const HALF: &str = "trial = { mode = \"canary\", share = 0.5, sticky = \"header:x-user\" }";

    fn marking(upstream: &Upstream) -> RunningGateway {
        TestGateway::new().upstream(upstream).policy("10-headers", &mark("1", "")).own_state().start()
    }

    fn users() -> Vec<String> {
        (0..40).map(|number| format!("user-{number}")).collect()
    }

    #[test]
    fn is_for_some_clients_and_always_for_the_same_ones() {
        let upstream = Upstream::start();
        let gateway = marking(&upstream);
        let stable = version_of(&gateway, "10-headers");
        gateway.change(|gateway| gateway.write_policy("10-headers", &mark("2", HALF)));
        let get = || users().iter().map(|user| version_for(&gateway, user)).collect::<Vec<_>>();
        let first = get();
        let new = first.iter().filter(|version| *version == "2").count();
        assert!((5..=35).contains(&new), "{first:?}");
        assert_eq!(get(), first);
        let policy = gateway.policy("10-headers");
        assert_eq!(policy["version"], stable.as_str());
        let (trial, figures) = (&policy["trial"], &policy["trial"]["figures"]);
        assert_eq!((&trial["mode"], &trial["share"], &trial["step"]), (&"canary".into(), &0.5.into(), &1.into()));
        eventually("all have been counted", || {
            let page = gateway.policy("10-headers")["trial"]["figures"].clone();
            page["candidate"]["replies"]["2xx"] == 2 * new && page["stable"]["replies"]["2xx"] == 2 * (40 - new)
        });
        assert_eq!(figures["candidate"]["exchanges"], 2 * new, "{figures:#}");
        let page = gateway.admin("/metrics").text();
        assert!(page.contains("tollgate_trial_share{policy=\"10-headers\"} 0.5\n"), "{page}");
        let wanted = format!("tollgate_trial_exchanges{{policy=\"10-headers\",version=\"candidate\"}} {}\n", 2 * new);
        assert!(page.contains(&wanted), "{page}");
    }

    #[test]
    fn is_promoted_step_by_step() {
        let upstream = Upstream::start();
        let gateway = marking(&upstream);
        let trial = "[trial]\nmode = \"canary\"\nsteps = [0.2, 0.6]\nevery = \"100ms\"\nexchanges = 5\n\
                     sticky = \"header:x-user\"";
        let text = format!("[config.response.set]\nx-version = \"2\"\n{trial}\n");
        gateway.change(|gateway| gateway.write_policy("10-headers", &text));
        eventually("all have it", || {
            let versions: Vec<_> = users().iter().map(|user| version_for(&gateway, user)).collect();
            versions.iter().all(|version| version == "2")
        });
        eventually("its trial is over", || gateway.policy("10-headers")["trial"].is_null());
        let told: Vec<_> = stages(&gateway, "10-headers").iter().rev().skip(5).cloned().collect();
        let reasons: Vec<_> = told.iter().filter(|it| it["stage"] == "trial").map(|it| it["reason"].clone()).collect();
        let begins = ["20 % of the exchanges", "60 % of the exchanges; so far ", "a canary of 2 steps: "];
        assert_eq!(reasons.len(), 3, "{told:#?}");
        assert!(reasons.iter().zip(begins).all(|(it, begin)| it.as_str().unwrap().starts_with(begin)), "{reasons:?}");
        assert_eq!(told.last().unwrap()["stage"], "promote");
        assert_eq!(ended(&gateway, "10-headers", "promoted"), 1.0);
    }

    #[test]
    fn is_for_those_that_ask_for_it() {
        let upstream = Upstream::start();
        let gateway = marking(&upstream);
        let trial = "trial = { mode = \"canary\", only = { header = \"x-user\", value = \"tester\" } }";
        gateway.change(|gateway| gateway.write_policy("10-headers", &mark("2", trial)));
        assert_eq!(version_for(&gateway, "tester"), "2");
        assert_eq!(version_for(&gateway, "else"), "1");
    }

    #[test]
    fn that_faults_more_often_is_rolled_back() {
        let upstream = Upstream::start();
        let gateway = behaving(&upstream, "");
        let stable = version_of(&gateway, "10-m");
        let text = misbehave(Some("trap"), &HALF.replace(" }", ", first = 1000 }"));
        gateway.change(|gateway| gateway.write_policy("10-m", &text));
        eventually("its trial is over", || {
            for user in users() {
                gateway.send(Request::get("/bad").field("x-user", &user));
            }
            gateway.policy("10-m")["trial"].is_null()
        });
        let policy = gateway.policy("10-m");
        let why = policy["held"]["why"].as_str().unwrap();
        assert!(why.starts_with("rolled back by rule faults: ") && policy["version"] == stable.as_str(), "{policy:#}");
        assert!(users().iter().all(|user| gateway.send(Request::get("/bad").field("x-user", user)).status == 200));
    }

    /// The second version of the policy is a bad one for reasons that no fault shows.
    #[track_caller]
    fn rolled_back(gateway: &RunningGateway, second: &str, rule: &str) {
        gateway.change(|gateway| gateway.write_policy("10-p", &format!("{HALF}\n{second}")));
        assert_eq!(gateway.policy("10-p")["trial"]["mode"], "canary", "{:#}", gateway.policy("10-p"));
        eventually("its trial is over", || {
            for user in users() {
                gateway.send(Request::get("/?key=wonderland").field("x-user", &user));
            }
            gateway.policy("10-p")["trial"].is_null()
        });
        let why = gateway.policy("10-p")["held"]["why"].as_str().unwrap_or_default().to_owned();
        assert!(why.starts_with(&format!("rolled back by rule {rule}: ")), "{why}");
    }

    #[test]
    fn that_takes_longer_is_rolled_back() {
        let module = |body| {
            RawFilter::new(1).fields("(global $rounds (mut i32) (i32.const 0))").export("on-request-head", body).build()
        };
        let slow = "(global.set $rounds (i32.const 4000000))
            (loop $again (global.set $rounds (i32.sub (global.get $rounds) (i32.const 1)))
              (br_if $again (global.get $rounds)))
            (i32.const 2048)";
        let upstream = Upstream::start();
        let policy = |filter| format!("filter = {filter:?}\nlimits = {{ cpu = \"1s\" }}\n");
        let gateway = TestGateway::new()
            .upstream(&upstream)
            .module("quick", module("(i32.const 2048)"))
            .module("slow", module(slow))
            .policy("10-p", &policy("quick"))
            .policy("90-slow", "filter = \"slow\"\ntrial = false\nlimits = { cpu = \"1s\" }\n")
            .start();
        rolled_back(&gateway, &policy("slow"), "added-mean");
    }

    #[test]
    fn that_takes_longer_now_and_then_is_rolled_back() {
        let module = |every: u32| {
            let fields = "(global $count (mut i32) (i32.const 0)) (global $rounds (mut i32) (i32.const 0))";
            let body = format!(
                "(global.set $count (i32.add (global.get $count) (i32.const 1)))
                (if (i32.eqz (i32.rem_u (global.get $count) (i32.const {every})))
                  (then (global.set $rounds (i32.const 16000000))
                    (loop $again (global.set $rounds (i32.sub (global.get $rounds) (i32.const 1)))
                      (br_if $again (global.get $rounds)))))
                (i32.const 2048)"
            );
            RawFilter::new(1).fields(fields).export("on-request-head", &body).build()
        };
        let upstream = Upstream::start();
        let policy = |filter| format!("filter = {filter:?}\nlimits = {{ cpu = \"1s\" }}\n");
        let gateway = TestGateway::new()
            .upstream(&upstream)
            .module("never", module(1_000_000_000))
            .module("often", module(20))
            .policy("10-p", &policy("never"))
            .policy("90-often", "filter = \"often\"\ntrial = false\nlimits = { cpu = \"1s\" }\n")
            .workers(1)
            .start();
        let trial = HALF.replace(" }", ", added-mean = \"1s\" }");
        gateway.change(|gateway| gateway.write_policy("10-p", &format!("{trial}\n{}", policy("often"))));
        assert_eq!(gateway.policy("10-p")["trial"]["mode"], "canary", "{:#}", gateway.policy("10-p"));
        eventually("its trial is over", || {
            for user in users() {
                gateway.send(Request::get("/").field("x-user", &user));
            }
            gateway.policy("10-p")["trial"].is_null()
        });
        let why = gateway.policy("10-p")["held"]["why"].as_str().unwrap_or_default().to_owned();
        assert!(why.starts_with("rolled back by rule added-p99: ") && why.contains("at the 99th percentile"), "{why}");
    }

    #[test]
    fn gives_its_place_to_another_version_that_is_written_meanwhile() {
        let upstream = Upstream::start();
        let gateway = marking(&upstream);
        let write = |version: &str, trial: &str| {
            gateway.change(|gateway| gateway.write_policy("10-headers", &mark(version, trial)));
            let trial = gateway.policy("10-headers")["trial"].clone();
            let of = |key: &str| trial[key].as_str().unwrap_or_default().to_owned();
            (of("stable"), of("candidate"))
        };
        let seen = || users().iter().map(|user| version_for(&gateway, user)).collect::<std::collections::BTreeSet<_>>();
        let first = version_of(&gateway, "10-headers");
        let (stable, second) = write("2", HALF);
        assert_eq!(stable, first);
        let (stable, third) = write("3", &HALF.replace(" }", ", exchanges = 5 }"));
        assert!(stable == first && third != second, "what was tried for a moment is nobody's measure");
        assert_eq!((seen(), version_of(&gateway, "10-headers")), (["1".into(), "3".into()].into(), first));
        assert_eq!(ended(&gateway, "10-headers", "ended"), 1.0);
        // It has had its exchanges, and no rule has fired.
        let (stable, fourth) = write("4", HALF);
        assert!(stable == third && fourth != third);
        assert_eq!(seen(), ["3".into(), "4".into()].into());
        said(&gateway, &["abort", "10-headers"]);
        assert_eq!(seen(), ["3".into()].into());
    }

    #[test]
    fn that_makes_the_upstream_fail_is_rolled_back() {
        let upstream = Upstream::with(|call| {
            let breaks = call.read_body()?.field("x-break").is_some();
            call.answer(&if breaks { Answer::status(500) } else { Answer::ok("fine") })
        });
        let gateway = TestGateway::new()
            .upstream(&upstream)
            .policy("10-p", "filter = \"headers\"\n[config.request.set]\nx-good = \"1\"\n")
            .start();
        rolled_back(&gateway, "filter = \"headers\"\n[config.request.set]\nx-break = \"1\"\n", "server-errors");
    }

    #[test]
    fn that_turns_clients_away_is_rolled_back() {
        let upstream = Upstream::start();
        let keys = |digest: &str| {
            format!(
                "filter = \"api-key\"\n[config]\nquery = \"key\"\nkeys = [{{ consumer = \"a\", sha256 = {digest:?} }}]\n"
            )
        };
        let gateway = TestGateway::new().upstream(&upstream).policy("10-p", &keys(WONDERLAND)).start();
        assert_eq!(gateway.get("/?key=wonderland").status, 200);
        rolled_back(&gateway, &keys(&WONDERLAND.replace('7', "8")), "client-errors");
    }

    /// SHA-256 of the key.
    const WONDERLAND: &str = "a71a7c7011f53a1bab3642ec2ce12593f05230ace8de1e3e7645f69efac1443d";

    #[test]
    fn begins_again_after_a_restart() {
        let upstream = Upstream::start();
        let gateway = marking(&upstream);
        let stable = version_of(&gateway, "10-headers");
        gateway.change(|gateway| gateway.write_policy("10-headers", &mark("2", HALF)));
        let of = |gateway: &RunningGateway| users().iter().map(|user| version_for(gateway, user)).collect::<Vec<_>>();
        let before = of(&gateway);
        let gateway = gateway.stop().try_restart().unwrap();
        assert_eq!(of(&gateway), before);
        let policy = gateway.policy("10-headers");
        assert_eq!((&policy["version"], &policy["trial"]["step"]), (&stable.as_str().into(), &1.into()));
    }

    #[test]
    fn lets_exchanges_end_on_what_they_began_with() {
        let upstream = Upstream::with(|call| {
            let head = call.read_body()?;
            if head.field("upgrade").is_none() {
                return call.answer(&Answer::ok("fine"));
            }
            call.write(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo/1\r\n\r\n")?;
            loop {
                match call.read_some()? {
                    end if end.is_empty() => return Ok(false),
                    bytes => call.write(&bytes)?,
                }
            }
        });
        let gateway = marking(&upstream);
        let trial = "trial = { mode = \"canary\", only = { header = \"x-user\", value = \"tester\" } }";
        gateway.change(|gateway| gateway.write_policy("10-headers", &mark("2", trial)));
        let tunnel = |user: &str, version: &str| {
            let mut client = gateway.connect();
            let asking = Request::get("/").field("connection", "Upgrade").field("upgrade", "echo/1");
            client.send(&asking.field("x-user", user));
            let head = client.head();
            assert_eq!((head.status(), head.fields.get("x-version")), (Some(101), Some(version)));
            client
        };
        let (mut new, mut old) = (tunnel("tester", "2"), tunnel("else", "1"));
        said(&gateway, &["abort", "10-headers"]);
        assert_eq!(version_for(&gateway, "tester"), "1");
        for client in [&mut new, &mut old] {
            client.write("still there");
            assert_eq!(client.exactly(11), b"still there");
        }
    }

    #[test]
    fn of_one_policy_does_not_concern_another() {
        let upstream = Upstream::start();
        let other = |version: &str, trial: &str| format!("{trial}\n[config.response.set]\nx-other = {version:?}\n");
        let gateway = TestGateway::new()
            .upstream(&upstream)
            .policy("10-headers", &mark("1", ""))
            .policy("20-headers", &other("1", ""))
            .own_state()
            .start();
        gateway.change(|gateway| {
            gateway.write_policy("10-headers", &mark("2", HALF));
            gateway.write_policy("20-headers", &other("2", HALF));
        });
        eventually("both are on trial", || {
            !gateway.policy("10-headers")["trial"].is_null() && !gateway.policy("20-headers")["trial"].is_null()
        });
        let both = |user: &String| {
            let response = gateway.send(Request::get("/").field("x-user", user));
            (response.field("x-version").unwrap().to_owned(), response.field("x-other").unwrap().to_owned())
        };
        let seen: std::collections::BTreeSet<_> = users().iter().map(both).collect();
        assert_eq!(seen.len(), 4, "each has its own clients: {seen:?}");
        said(&gateway, &["abort", "10-headers"]);
        let seen: std::collections::BTreeSet<_> = users().iter().map(both).collect();
        assert_eq!(seen, [("1".into(), "1".into()), ("1".into(), "2".into())].into());
    }

    #[test]
    fn is_ended_by_whoever_operates_the_gateway() {
        let upstream = Upstream::start();
        let gateway = marking(&upstream);
        let all = |gateway: &RunningGateway| {
            users().iter().map(|user| version_for(gateway, user)).collect::<std::collections::BTreeSet<_>>()
        };
        let stable = version_of(&gateway, "10-headers");
        gateway.change(|gateway| gateway.write_policy("10-headers", &mark("2", HALF)));
        // Aborted, it is not tried again; that is a roll-back.
        let told = said(&gateway, &["abort", "10-headers"]);
        assert_eq!(told, format!("10-headers serves {stable} again: its trial is over\n"));
        assert_eq!(
            (all(&gateway), gateway.policy("10-headers")["held"]["how"].as_str()),
            (["1".into()].into(), Some("rolled-back"))
        );
        gateway.change(|gateway| gateway.write_policy("10-headers", &mark("3", HALF)));
        said(&gateway, &["rollback", "10-headers"]);
        assert_eq!(all(&gateway), ["1".into()].into());
        // A pin and a pause are for all exchanges; without them the trial begins.
        gateway.change(|gateway| gateway.write_policy("10-headers", &mark("4", HALF)));
        assert_eq!(all(&gateway), ["1".into(), "4".into()].into());
        for (hold, release) in [("pin", "unpin"), ("pause", "resume")] {
            said(&gateway, &[hold, "10-headers"]);
            assert_eq!((all(&gateway), version_of(&gateway, "10-headers")), (["1".into()].into(), stable.clone()));
            said(&gateway, &[release, "10-headers"]);
            assert_eq!(all(&gateway), ["1".into(), "4".into()].into());
        }
        let told = said(&gateway, &["promote", "10-headers"]);
        let promoted = version_of(&gateway, "10-headers");
        assert_eq!(told, format!("10-headers serves {promoted} to all: its trial is over\n"));
        assert_eq!(all(&gateway), ["4".into()].into());
        let newest = stages(&gateway, "10-headers")[0].clone();
        assert!(newest["stage"] == "promote" && newest["by"].as_str().unwrap().starts_with("user "), "{newest:#}");
        let state = gateway.path().join("state").display().to_string();
        let again = Binary::finish(Path::new("."), &["promote", "--state-dir", &state, "10-headers"]);
        assert_eq!(again.stderr, "\"10-headers\" is not on trial\n");
    }
}

mod a_shadow {
    use super::*;

    const ALL: &str = "trial = { mode = \"shadow\", share = 1 }";

    #[test]
    fn is_shown_requests_and_what_it_would_do_is_compared_and_not_done() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("10-headers", &mark("1", "")).own_state().start();
        let stable = version_of(&gateway, "10-headers");
        let second = format!("{ALL}\n[config.response.set]\nx-version = \"2\"\nx-more = \"secret\"\n");
        gateway.change(|gateway| gateway.write_policy("10-headers", &second));
        for _ in 0..30 {
            let response = gateway.get("/a?key=secret");
            assert_eq!((response.field("x-version"), response.field("x-more")), (Some("1"), None));
        }
        let policy = gateway.policy("10-headers");
        let (trial, differences) = (&policy["trial"], &policy["trial"]["differences"]);
        assert_eq!((&policy["version"], &trial["mode"]), (&stable.as_str().into(), &"shadow".into()));
        assert_eq!(trial["figures"]["candidate"]["exchanges"], 30);
        assert_eq!((&differences["counts"]["fields"], &differences["counts"]["decision"]), (&30.into(), &0.into()));
        let samples = differences["samples"].as_array().unwrap();
        let wanted = serde_json::json!({ "path": "/a", "what": "response: other fields: x-more, x-version" });
        assert!(samples.len() == 20 && samples.iter().all(|sample| *sample == wanted), "{samples:#?}");
        assert!(!policy.to_string().contains("secret"));
        // It stays so until somebody says what is to be.
        said(&gateway, &["promote", "10-headers"]);
        assert_eq!(version_for(&gateway, "somebody"), "2");
    }

    #[test]
    fn that_would_turn_clients_away_or_faults_does_neither() {
        let upstream = Upstream::start();
        let keys = "config = { query = \"key\", keys = [{ consumer = \"a\", sha256 = \"a71a7c7011f53a1bab3642ec2ce12593f05230ace8de1e3e7645f69efac1443d\" }] }";
        let gateway = TestGateway::new()
            .upstream(&upstream)
            .module("m", guest("misbehave"))
            .policy("10-m", &misbehave(None, ""))
            .policy("20-p", "filter = \"headers\"\nconfig = { request = { set = { x-p = \"1\" } } }\n")
            .own_state()
            .start();
        let stable = version_of(&gateway, "10-m");
        gateway.change(|gateway| gateway.write_policy("20-p", &format!("filter = \"api-key\"\n{ALL}\n{keys}\n")));
        for _ in 0..10 {
            assert_eq!(gateway.get("/good").status, 200);
        }
        let differences = gateway.policy("20-p")["trial"]["differences"].clone();
        assert_eq!(differences["counts"]["decision"], 10, "{differences:#}");
        assert_eq!(differences["samples"][0]["what"], "request: replies 401 where the version before lets it pass");
        gateway.change(|gateway| gateway.write_policy("10-m", &misbehave(Some("trap"), ALL)));
        for _ in 0..5 {
            assert_eq!(gateway.get("/bad").status, 200);
        }
        eventually("it is not looked at any more", || gateway.policy("10-m")["trial"].is_null());
        assert_eq!(
            (
                version_of(&gateway, "10-m"),
                gateway.metric("tollgate_filter_faults_total{policy=\"10-m\",class=\"trap\"}")
            ),
            (stable, 0.0)
        );
    }

    #[test]
    fn that_would_call_out_a_second_time_is_rejected() {
        let upstream = Upstream::start();
        let config = |policy: &str| {
            format!(
                "[[listeners]]\naddress = \"{{listen}}\"\n[upstreams.echo]\nendpoints = [\"{{upstream}}\"]\n\
                 [[routes]]\nupstream = \"echo\"\npolicies = [\"p\"]\n[policies.p]\n{policy}\n"
            )
        };
        let first = "filter = \"headers\"\nconfig = { response = { set = { x-version = \"1\" } } }";
        let gateway = TestGateway::new().upstream(&upstream).config(&config(first)).own_state();
        let gateway = gateway.file("modules/callout.wasm", guest("callout")).start();
        let calling = "filter = \"modules/callout.wasm\"\n\
            config = { calls = [{ upstream = \"echo\" }] }\n\
            grants = { callouts = [\"echo\"], read = [\"*\", \"authorization\", \"cookie\"] }";
        gateway.change(|gateway| gateway.write_config(&config(&format!("{calling}\n{ALL}"))));
        let policy = gateway.policy("p");
        let told = policy["last-error"].as_str().unwrap_or_default();
        let expected =
            "a filter that calls out cannot only look on: it would call twice; write mode = \"canary\" in its trial";
        assert!(policy["state"] == "kept" && told.contains(expected), "{policy:#}");
        assert_eq!((&policy["trial"], version_for(&gateway, "somebody").as_str()), (&Value::Null, "1"));
        let failed = stages(&gateway, "p")[0].clone();
        assert_eq!((&failed["stage"], &failed["outcome"]), (&"trial".into(), &"failed".into()), "{failed:#}");
    }

    #[test]
    fn counts_and_keeps_nothing_that_others_see() {
        let upstream = Upstream::start();
        let limit = |burst: usize, trial: &str| {
            format!("filter = \"rate-limit\"\n{trial}\n[config]\nrequests = {burst}\nper = \"1h\"\n")
        };
        let gateway = TestGateway::new().upstream(&upstream).policy("10-limit", &limit(6, "")).own_state().start();
        gateway.change(|gateway| gateway.write_policy("10-limit", &limit(3, ALL)));
        let statuses: Vec<_> = (0..8).map(|_| gateway.get("/").status).collect();
        assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 429, 429], "only the version that serves counts");
        let differences = gateway.policy("10-limit")["trial"]["differences"].clone();
        assert_eq!(differences["counts"]["decision"], 3, "{differences:#}");
    }
}

#[test]
fn what_is_written_about_trials_is_checked() {
    for (written, told) in [
        ("true", "trial: is true; leave it out to have new versions watched, or write a table"),
        ("{ mode = \"canari\" }", "trial.mode: \"canari\" is not known; write \"immediate\", \"canary\" or \"shadow\""),
        ("{ share = 0.1 }", "trial.share: says nothing in mode \"immediate\"; write mode = \"canary\", or remove it"),
        (
            "{ mode = \"canary\", watch = \"1s\" }",
            "trial.watch: says nothing in mode \"canary\"; write every, or remove it",
        ),
        ("{ mode = \"canary\", share = 0 }", "trial.share: is nobody; write at least 0.001"),
        (
            "{ mode = \"canary\", steps = [0.5, 0.1] }",
            "trial.steps: has to begin with a share and to grow; write it like [0.05, 0.25, 0.5]",
        ),
        (
            "{ mode = \"canary\", share = 0.1, steps = [0.5] }",
            "trial.share: is there beside steps; keep one of the two",
        ),
        ("{ mode = \"canary\", only = { header = \"x\" } }", "trial.only.value: is missing; add value = \"yes\""),
        ("{ fault = 0.1 }", "trial.fault: unknown key; did you mean \"faults\"?"),
    ] {
        let upstream = Upstream::start();
        let text = format!("trial = {written}\n");
        let problems = TestGateway::new().upstream(&upstream).policy("10-headers", &text).check().unwrap_err();
        assert_eq!(problems, format!("policies/10-headers.toml:1: {told}"));
    }
}
