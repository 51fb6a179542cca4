//! The life of a team: what it drops is live, what is wrong with it stays with it.

use tollgate_tests::{Upstream, eventually};

use super::*;

#[test]
fn a_team_deploys_by_dropping_files_into_its_folder() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, &catalogue("")).start();
    assert_eq!(marked(&gateway, "/pay/a"), None);
    gateway.change(|gateway| {
        gateway.replace_file("policies/pay/pay-mark.toml", mark("1"));
        gateway.replace_file("policies/pay/pay.routes.toml", routes("policies = [\"pay-mark\"]"));
    });
    eventually("its route is live", || marked(&gateway, "/pay/a").as_deref() == Some("1"));
    assert_eq!(marked(&gateway, "/other"), None, "others' requests are others'");
    gateway.change(|gateway| gateway.replace_file("policies/pay/pay-mark.toml", mark("2")));
    assert_eq!(marked(&gateway, "/pay/a").as_deref(), Some("2"));
    gateway.change(|gateway| gateway.remove("pay/pay.routes.toml"));
    assert_eq!(marked(&gateway, "/pay/a"), None);
    let page = gateway.admin("/catalogue?team=pay").json();
    assert_eq!(page["teams"][0]["policies"].to_string(), r#"["pay-mark"]"#);
}

#[test]
fn routes_that_are_no_good_stay_as_they_were_and_hold_up_nobody_else() {
    let upstream = Upstream::start();
    let gateway = with_pay(&upstream, "", &mark("1")).start();
    gateway.change(|gateway| gateway.replace_file("policies/pay/pay.routes.toml", "[[routes]]\nupstream = \"shop\"\n"));
    assert_eq!(marked(&gateway, "/pay/a").as_deref(), Some("1"), "its older routes serve");
    let page = gateway.admin("/catalogue").json();
    let kept = page["teams"][0]["kept"].to_string();
    assert!(kept.contains("the route takes requests that are not the team") && kept.contains("upstream"), "{kept}");
    gateway.change(|gateway| gateway.write_policy("10-headers", &mark("platform")));
    assert_eq!(gateway.policy("10-headers")["state"], "live", "what others change is live");
    gateway.change(|gateway| gateway.replace_file("policies/pay/new.routes.toml", "[[routes]"));
    assert_eq!(marked(&gateway, "/pay/a").as_deref(), Some("1"));
    gateway.change(|gateway| {
        gateway.remove("pay/new.routes.toml");
        gateway.replace_file("policies/pay/pay.routes.toml", routes(""));
    });
    eventually("the routes are taken", || marked(&gateway, "/pay/a").is_none());
    assert_eq!(gateway.admin("/catalogue").json()["teams"][0]["kept"].to_string(), "[]");
}

#[test]
fn a_route_whose_policy_is_not_ready_holds_up_nobody_else() {
    let upstream = Upstream::start();
    let gateway = with_pay(&upstream, "", &mark("1")).start();
    gateway.change(|gateway| {
        gateway.replace_file("policies/pay/pay-bad.wasm", "garbage");
        gateway.replace_file(
            "policies/pay/new.routes.toml",
            routes("name = \"new\"\nmethods = [\"GET\"]\npolicies = [\"pay-bad\"]"),
        );
        gateway.write_policy("10-headers", &mark("platform"));
    });
    eventually("what others change is live", || {
        let policies = gateway.policies()["policies"].clone();
        policies.as_array().unwrap().iter().any(|policy| policy["name"] == "10-headers" && policy["state"] == "live")
    });
    assert_eq!(marked(&gateway, "/pay/a").as_deref(), Some("1"));
    let team = gateway.admin("/catalogue").json()["teams"][0].clone();
    assert!(team["kept"].to_string().contains("its routes name policies that are not ready"), "{team}");
    gateway.change(|gateway| {
        gateway.replace_file("policies/pay/pay-bad.toml", mark("2"));
        gateway.remove("pay/pay-bad.wasm");
    });
    eventually("the new route is live", || marked(&gateway, "/pay/a").as_deref() == Some("2"));
}

#[test]
fn what_the_platform_requires_comes_first_on_all_routes_of_a_team() {
    let upstream = Upstream::start();
    let keys = "[config]\nkeys = [{ consumer = \"a\", \
        sha256 = \"72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20\" }]\n";
    let gateway = with_pay(&upstream, "require = [\"api-key\"]", &mark("1")).policy("10-api-key", keys).start();
    assert_eq!((get(&gateway, "/pay/a").status, gateway.get("/").status), (401, 200));
    let let_in = gateway.send(Request::get("/pay/a").field("host", "pay.test").field("x-api-key", "alice-key"));
    assert_eq!((let_in.status, let_in.fields.get("x-mark")), (200, Some("1")));
    gateway.change(|gateway| {
        gateway.replace_file("policies/pay/pay.routes.toml", routes("policies = [\"pay-mark\", \"api-key\"]"));
    });
    let chain = gateway.policies()["routes"][1]["policies"].to_string();
    assert_eq!((get(&gateway, "/pay/a").status, chain.as_str()), (401, r#"["10-api-key","pay-mark"]"#));
    assert_eq!(gateway.policy("pay-mark")["team"], "pay");
}

#[test]
fn after_a_restart_the_routes_that_were_good_serve() {
    let upstream = Upstream::start();
    let gateway = with_pay(&upstream, "", &mark("1")).own_state().start();
    gateway.change(|gateway| gateway.replace_file("policies/pay/pay.routes.toml", "[[routes]]\nupstream = \"shop\"\n"));
    gateway.change(|gateway| gateway.write_policy("10-headers", &mark("platform")));
    let gateway = gateway.stop().try_restart().unwrap();
    assert_eq!(marked(&gateway, "/pay/a").as_deref(), Some("1"));
    assert_eq!(gateway.policy("10-headers")["state"], "live");
}

#[test]
fn what_a_team_has_too_much_of_is_not_live_and_what_served_serves() {
    let upstream = Upstream::start();
    let gateway = with_pay(&upstream, "quota = { policies = 1 }", &mark("1")).start();
    gateway.change(|gateway| gateway.replace_file("policies/pay/pay-more.toml", mark("2")));
    assert_eq!(gateway.policy("pay-more")["state"], "failed");
    assert_eq!(
        (gateway.policy("pay-mark")["state"].as_str(), marked(&gateway, "/pay/a").as_deref()),
        (Some("kept"), Some("1"))
    );
    gateway.change(|gateway| gateway.remove("pay/pay-more.toml"));
    assert_eq!(gateway.policy("pay-mark")["state"], "live");
}

#[test]
fn what_a_team_may_is_held_against_versions_that_served_before() {
    let upstream = Upstream::start();
    let with_secret = format!("grants = {{ secrets = [\"key\"] }}\n{}", mark("1"));
    let gateway = with_pay(&upstream, "grants = { secrets = [\"key\"] }", &with_secret).own_state().start();
    let older = gateway.policy("pay-mark")["version"].as_str().unwrap().to_owned();
    gateway.change(|gateway| gateway.replace_file("policies/pay/pay-mark.toml", mark("2")));
    gateway.change(|gateway| gateway.replace_file("catalogue.toml", catalogue("")));
    assert_eq!(marked(&gateway, "/pay/a").as_deref(), Some("2"));
    let state = gateway.path().join("state");
    let told = tollgate_tests::Binary::finish(
        gateway.path(),
        &["pin", "pay-mark", &older, "--state-dir", state.to_str().unwrap()],
    );
    assert!(!told.status.success() && told.stderr.contains("what served before serves on"), "{}", told.stderr);
    assert!(told.stderr.contains("may not serve any more"), "{}", told.stderr);
    let newest = gateway.admin("/history?policy=pay-mark").text();
    let why = "the team \\\"pay\\\" may not grant secrets = \\\"key\\\"";
    assert!(newest.contains(why), "{newest}");
    assert_eq!(marked(&gateway, "/pay/a").as_deref(), Some("2"));
}

#[test]
fn a_trial_does_not_go_back_to_what_its_team_may_not_have_any_more() {
    let upstream = Upstream::start();
    let with_secret = format!("grants = {{ secrets = [\"key\"] }}\n{}", mark("1"));
    let gateway = with_pay(&upstream, "grants = { secrets = [\"key\"] }", &with_secret).own_state().start();
    let older = gateway.policy("pay-mark")["version"].as_str().unwrap().to_owned();
    gateway.change(|gateway| gateway.replace_file("policies/pay/pay-mark.toml", mark("2")));
    assert_eq!(gateway.policy("pay-mark")["trial"]["stable"], older.as_str());
    gateway.change(|gateway| gateway.replace_file("catalogue.toml", catalogue("")));
    let policy = gateway.policy("pay-mark");
    assert!(policy["trial"].is_null() && policy["state"] == "live", "there is no way back: {policy:#}");
    let state = gateway.path().join("state").display().to_string();
    for command in ["rollback", "pin"] {
        let told =
            tollgate_tests::Binary::finish(gateway.path(), &[command, "pay-mark", &older, "--state-dir", &state]);
        let expected = format!("version {older} of \"pay-mark\" may not serve any more");
        assert!(!told.status.success() && told.stderr.contains(&expected), "{}", told.stderr);
        assert!(told.stderr.contains("the team \"pay\" may not grant secrets = \"key\""), "{}", told.stderr);
    }
    assert_eq!(marked(&gateway, "/pay/a").as_deref(), Some("2"));
}

#[test]
fn what_serves_beside_a_canary_goes_on_and_is_said_to_be_no_longer_trusted() {
    let upstream = Upstream::start();
    let with_secret = format!("grants = {{ secrets = [\"key\"] }}\n{}", mark("1"));
    let gateway = with_pay(&upstream, "grants = { secrets = [\"key\"] }", &with_secret).own_state().start();
    let canary =
        format!("trial = {{ mode = \"canary\", only = {{ header = \"x-test\", value = \"yes\" }} }}\n{}", mark("2"));
    gateway.change(|gateway| gateway.replace_file("policies/pay/pay-mark.toml", canary));
    gateway.change(|gateway| gateway.replace_file("catalogue.toml", catalogue("")));
    let policy = gateway.policy("pay-mark");
    assert_eq!((&policy["trial"]["mode"], marked(&gateway, "/pay/a").as_deref()), (&"canary".into(), Some("1")));
    let why = policy["no-longer-trusted"].as_str().unwrap_or_default();
    assert!(why.contains("the team \"pay\" may not grant secrets = \"key\""), "{policy:#}");
    let state = gateway.path().join("state").display().to_string();
    let told = tollgate_tests::Binary::finish(gateway.path(), &["promote", "pay-mark", "--state-dir", &state]);
    assert!(told.status.success(), "{}", told.stderr);
    assert_eq!(marked(&gateway, "/pay/a").as_deref(), Some("2"));
    assert!(gateway.policy("pay-mark")["no-longer-trusted"].is_null());
}

#[test]
fn a_start_serves_what_served_although_its_team_may_not_have_it_any_more() {
    let upstream = Upstream::start();
    let with_secret = format!("grants = {{ secrets = [\"key\"] }}\n{}", mark("1"));
    let gateway = with_pay(&upstream, "grants = { secrets = [\"key\"] }", &with_secret).own_state().start();
    gateway.change(|gateway| gateway.replace_file("catalogue.toml", catalogue("")));
    let gateway = gateway.stop().try_restart().unwrap();
    let policy = gateway.policy("pay-mark");
    assert_eq!((&policy["state"], marked(&gateway, "/pay/a").as_deref()), (&"kept".into(), Some("1")));
    assert!(policy["no-longer-trusted"].to_string().contains("may not grant secrets"), "{policy:#}");
}

#[test]
fn a_catalogue_that_allows_less_keeps_what_served_until_it_is_changed() {
    let upstream = Upstream::start();
    let with_secret = format!("grants = {{ secrets = [\"key\"] }}\n{}", mark("1"));
    let gateway = with_pay(&upstream, "grants = { secrets = [\"key\"] }", &with_secret).start();
    gateway.change(|gateway| gateway.replace_file("catalogue.toml", catalogue("")));
    assert_eq!(
        (gateway.policy("pay-mark")["state"].as_str(), marked(&gateway, "/pay/a").as_deref()),
        (Some("kept"), Some("1"))
    );
    gateway.change(|gateway| gateway.replace_file("policies/pay/pay-mark.toml", mark("2")));
    assert_eq!(
        (gateway.policy("pay-mark")["state"].as_str(), marked(&gateway, "/pay/a").as_deref()),
        (Some("live"), Some("2"))
    );
}

#[test]
fn a_catalogue_that_is_wrong_changes_nothing() {
    let upstream = Upstream::start();
    let gateway = with_pay(&upstream, "", &mark("1")).start();
    gateway.change(|gateway| gateway.replace_file("catalogue.toml", "[teams.pay]\nquota = 7\n"));
    assert!(gateway.policies()["rejected-change"].to_string().contains("teams.pay.quota: is a number, not a table"));
    assert_eq!(marked(&gateway, "/pay/a").as_deref(), Some("1"));
}
