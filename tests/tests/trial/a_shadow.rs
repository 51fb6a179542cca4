//! A version that only looks on.

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
        (version_of(&gateway, "10-m"), gateway.metric("tollgate_filter_faults_total{policy=\"10-m\",class=\"trap\"}")),
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
