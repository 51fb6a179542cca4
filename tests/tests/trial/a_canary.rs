//! A version that some clients get, step by step.

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
