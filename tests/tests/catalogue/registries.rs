//! Filters of the catalogue that are in a registry, and which registries teams may name by themselves.

use tollgate_tests::{Binary, Folder, Registry, Upstream, eventually, filter};

use super::*;

const ANYBODY: &str = "[[trust]]\nregistries = [\"*\"]\nunsigned = \"warn\"\n";
const SHARED: &str = "[config.response.set]\nx-mark = \"shared\"\n";

/// Pushes the filter `headers` there.
#[track_caller]
fn push(registry: &Registry, place: &str) -> String {
    let folder = Folder::new();
    folder.write("headers.wasm", filter("headers"));
    let at = format!("{}/{place}", registry.host());
    let pushed = Binary::finish(folder.path(), &["filter", "push", "headers.wasm", &at]);
    assert!(pushed.status.success(), "{pushed:?}");
    pushed.stdout.trim_end().to_owned()
}

/// A gateway whose first team has these keys and this policy on a route, and a catalogue with these filters.
fn with(upstream: &Upstream, keys: &str, filters: &str, policy: &str) -> TestGateway {
    let gateway = gateway(upstream, &format!("{}{filters}", catalogue(keys))).word("more", ANYBODY);
    gateway
        .file("policies/pay/pay-mark.toml", policy)
        .file("policies/pay/pay.routes.toml", routes("policies = [\"pay-mark\"]"))
}

fn filters(module: &str, more: &str) -> String {
    format!("[filters.shared]\nmodule = {module:?}\nvisibility = \"all\"\n{more}")
}

#[test]
fn a_filter_in_a_registry_is_used_by_its_name() {
    let (registry, upstream) = (Registry::start(), Upstream::start());
    let by_digest = push(&registry, "acme/headers:1");
    let by_tag = format!("oci://{}/acme/headers:1", registry.host());
    for module in [&by_tag, &by_digest] {
        let gateway = with(&upstream, "", &filters(module, ""), &format!("filter = \"shared\"\n{SHARED}"));
        assert_eq!(gateway.check(), Ok(()), "nothing is fetched for it");
        let gateway = gateway.start();
        assert_eq!(marked(&gateway, "/pay/a").as_deref(), Some("shared"));
        assert_eq!(gateway.policy("pay-mark")["source"]["reference"], module.as_str());
        let listed = gateway.admin("/catalogue?q=shared").json()["filters"][0].clone();
        assert_eq!(
            (&listed["module"], &listed["attached"][0]["policy"]),
            (&module.as_str().into(), &"pay-mark".into())
        );
        assert!(listed["version"].is_string() && listed["description"].is_string(), "as it says itself: {listed}");
    }
}

#[test]
fn a_tag_in_the_catalogue_that_moves_is_a_change_of_the_policies_that_use_it() {
    let (registry, upstream) = (Registry::start(), Upstream::start());
    push(&registry, "acme/headers:1");
    let module = format!("oci://{}/acme/headers:1", registry.host());
    let policy = format!("filter = \"shared\"\nevery = \"1s\"\n{SHARED}");
    let gateway = with(&upstream, "", &filters(&module, ""), &policy).start();
    let folder = Folder::new();
    let mut second = filter("headers");
    tollgate_tests::append_section(&mut second, "note", b"another");
    folder.write("2.wasm", second);
    let pushed = Binary::finish(folder.path(), &["filter", "push", "2.wasm", &module]);
    let (_, digest) = pushed.stdout.trim_end().rsplit_once('@').unwrap();
    eventually("it is live", || gateway.policy("pay-mark")["source"]["artifact"] == digest);
    assert_eq!(marked(&gateway, "/pay/a").as_deref(), Some("shared"));
}

#[test]
fn a_filter_in_a_registry_is_what_the_catalogue_says_and_for_whom_it_says() {
    let (registry, upstream) = (Registry::start(), Upstream::start());
    push(&registry, "acme/headers:1");
    let module = format!("oci://{}/acme/headers:1", registry.host());
    let start = |more: &str, written: &str| {
        let policy = format!("filter = {written:?}\n{SHARED}");
        with(&upstream, "", &filters(&module, more), &policy).try_start().err()
    };
    let another = start("version = \"7.7.7\"\n", "shared").unwrap();
    assert!(another.contains("filters.shared.version: the module of \"shared\" "), "{another}");
    assert!(another.contains("and not 7.7.7"), "{another}");
    assert_eq!(start("", &module), None, "the reference of a filter of the catalogue is that filter");
    let only = format!("[filters.shared]\nmodule = {module:?}\nowner = \"search\"\nvisibility = \"owner\"\n");
    for written in ["shared", &module] {
        let hidden = with(&upstream, "", &only, &format!("filter = {written:?}\n{SHARED}")).check().unwrap_err();
        assert!(hidden.contains("the filter \"shared\" of the catalogue is not for the team \"pay\""), "{hidden}");
    }
    let wrong = with(&upstream, "", &filters("oci://ghcr.io/acme/headers", ""), SHARED).check().unwrap_err();
    assert!(wrong.contains("filters.shared.module: names no version; write it like"), "{wrong}");
}

#[test]
fn a_team_names_the_registries_that_it_may_and_no_others() {
    let (registry, upstream) = (Registry::start(), Upstream::start());
    let host = registry.host();
    for place in ["pay/headers:1", "payments/headers:1", "acme/headers:1"] {
        push(&registry, place);
    }
    let policy = |place: &str| format!("filter = \"oci://{host}/{place}:1\"\n{SHARED}");
    let may = format!("registries = [\"{host}/pay/*\", \"{host}/acme/headers\"]");
    let refused = with(&upstream, &may, "", &policy("payments/headers")).check().unwrap_err();
    let expected = format!(
        "policies/pay/pay-mark.toml: filter: the team \"pay\" may have no modules from {host}/payments/headers; \
         name one from {host}/pay/*, {host}/acme/headers, or name a filter of the catalogue, or have it added to \
         teams.pay.registries of "
    );
    assert!(refused.contains(&expected), "{refused}");
    let nowhere = with(&upstream, "", "", &policy("pay/headers")).check().unwrap_err();
    assert!(nowhere.contains(&format!("may have no modules from {host}/pay/headers; name a filter")), "{nowhere}");
    let wrong = with(&upstream, "registries = [\"ghcr.io/acme*\"]", "", SHARED).check().unwrap_err();
    assert!(wrong.contains("teams.pay.registries[0]: \"ghcr.io/acme*\" is no pattern of repositories"), "{wrong}");

    let gateway = with(&upstream, &may, "", &policy("pay/headers")).start();
    assert_eq!(marked(&gateway, "/pay/a").as_deref(), Some("shared"));
    gateway.change(|gateway| gateway.replace_file("policies/pay/pay-mark.toml", policy("payments/headers")));
    let kept = gateway.policy("pay-mark");
    assert!(kept["state"] == "kept" && kept["last-error"].to_string().contains("may have no modules from"), "{kept}");
    assert_eq!(marked(&gateway, "/pay/a").as_deref(), Some("shared"));
    let team = gateway.admin("/catalogue?team=pay").json()["teams"][0].clone();
    assert_eq!(team["registries"], serde_json::json!([format!("{host}/pay/*"), format!("{host}/acme/headers")]));
    gateway.change(|gateway| gateway.replace_file("policies/pay/pay-mark.toml", policy("acme/headers")));
    assert_eq!(gateway.policy("pay-mark")["state"], "live");
}

#[test]
fn bundles_are_places_like_registries_and_no_detour_leads_out_of_them() {
    let upstream = Upstream::start();
    let policy = |bundle: &str| format!("filter = \"oci:{bundle}:1\"\n{SHARED}");
    let may = "registries = [\"oci:policies/pay/bundles/*\"]";
    let refused = |bundle: &str, keys: &str| {
        let gateway = with(&upstream, keys, "", &policy(bundle)).file("policies/search/mine", "x");
        std::fs::create_dir_all(gateway.folder().path().join("policies/pay/bundles")).unwrap();
        let to = gateway.folder().path().join("policies/search/mine");
        std::os::unix::fs::symlink(to, gateway.folder().path().join("policies/pay/bundles/link")).unwrap();
        gateway.check().err()
    };
    assert_eq!(refused("bundles/own.tar", may), None);
    for (bundle, keys) in
        [("bundles/own.tar", ""), ("../search/mine", may), ("bundles/../../search/mine", may), ("bundles/link", may)]
    {
        let told = refused(bundle, keys).unwrap();
        assert!(told.contains("the team \"pay\" may have no modules from oci:"), "{bundle}: {told}");
    }
}
