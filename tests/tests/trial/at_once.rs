//! A version that all exchanges get at once, and that is watched.

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
