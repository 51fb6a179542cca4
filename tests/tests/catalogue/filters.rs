//! Filters of the catalogue: teams use them by name, if they may.

use tollgate_tests::{Upstream, example};

use super::*;

const FILTER: &str = "[filters.hello]\nmodule = \"shared/hello-1.wasm\"\nowner = \"search\"\n";

fn using(upstream: &Upstream, filter: &str) -> TestGateway {
    let gateway = gateway(upstream, &format!("{}{FILTER}{filter}\n", catalogue("")));
    let gateway = gateway
        .file("shared/hello-1.wasm", example("hello-filter"))
        .file("policies/pay/pay-mark.toml", "filter = \"hello\"\nconfig = { value = \"x\" }\n");
    gateway.file("policies/pay/pay.routes.toml", routes("policies = [\"pay-mark\"]"))
}

#[test]
fn are_used_by_name_by_those_who_may() {
    let upstream = Upstream::start();
    for visibility in ["\"all\"", "[\"pay\"]"] {
        assert_eq!(using(&upstream, &format!("visibility = {visibility}")).check(), Ok(()), "{visibility}");
    }
    let hidden = using(&upstream, "visibility = \"owner\"").check().unwrap_err();
    let expected = "policies/pay/pay-mark.toml: filter: the filter \"hello\" of the catalogue is not for the team \"pay\"; \
                    use another one, or ask its owner, search, to add the team to its visibility";
    assert_eq!(hidden, expected);
}

#[test]
fn are_what_the_catalogue_says() {
    let upstream = Upstream::start();
    let another = using(&upstream, "visibility = \"all\"\nversion = \"7.7.7\"").check().unwrap_err();
    assert!(
        another.contains("catalogue.toml:") && another.contains("filters.hello.version: the module of \"hello\" "),
        "{another}"
    );
    assert!(another.contains("and not 7.7.7"), "{another}");
    let sum = "0".repeat(64);
    let another = using(&upstream, &format!("visibility = \"all\"\nsha256 = \"{sum}\"")).check().unwrap_err();
    assert!(another.contains("filters.hello.sha256: the module of \"hello\" is another one"), "{another}");
}

#[test]
fn bundled_ones_can_be_kept_from_teams() {
    let upstream = Upstream::start();
    let only = format!("{}[filters.headers]\nowner = \"search\"\nvisibility = \"owner\"\n", catalogue(""));
    let message = gateway(&upstream, &only).file("policies/pay/pay-x.toml", mark("1")).check().unwrap_err();
    assert!(message.contains("the filter \"headers\" of the catalogue is not for the team \"pay\""), "{message}");
    assert_eq!(gateway(&upstream, &only).file("policies/search/search-x.toml", mark("1")).check(), Ok(()));
}

#[test]
fn one_in_the_folder_of_its_owner_is_no_policy() {
    let upstream = Upstream::start();
    let filters =
        "[filters.hello]\nmodule = \"policies/search/hello.wasm\"\nowner = \"search\"\nvisibility = \"all\"\n";
    let gateway = gateway(&upstream, &format!("{}{filters}", catalogue("")))
        .file("policies/search/hello.wasm", example("hello-filter"))
        .file("policies/pay/pay-x.toml", "filter = \"hello\"\nconfig = { value = \"x\" }\n")
        .start();
    let names: Vec<_> =
        gateway.policies()["policies"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["pay-x"]);
}

#[test]
fn a_module_of_another_team_cannot_be_named() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, &catalogue(""))
        .file("policies/search/search-x.wasm", example("hello-filter"))
        .file("policies/pay/pay-x.toml", "filter = \"search-x\"\n");
    assert!(gateway.check().unwrap_err().contains("there is no module and no bundled filter \"search-x\""));
}

#[test]
fn a_newer_version_can_be_rolled_back() {
    let upstream = Upstream::start();
    let of_version =
        |version: &str| format!("{}{FILTER}visibility = \"all\"\nversion = \"{version}\"\n", catalogue(""));
    let gateway = using(&upstream, "visibility = \"all\"").own_state().start();
    let older = gateway.policy("pay-mark")["version"].as_str().unwrap().to_owned();
    let version = gateway.policy("pay-mark")["module"]["version"].as_str().unwrap().to_owned();
    gateway.change(|gateway| {
        gateway.replace_file("catalogue.toml", of_version("7.7.7"));
        gateway.replace_file("policies/pay/pay-mark.toml", "filter = \"hello\"\nconfig = { value = \"y\" }\n");
    });
    assert_eq!(gateway.policy("pay-mark")["state"], "kept", "it is not of that version");
    gateway.change(|gateway| gateway.replace_file("catalogue.toml", of_version(&version)));
    assert_eq!(gateway.policy("pay-mark")["state"], "live");
    gateway.change(|gateway| gateway.replace_file("catalogue.toml", of_version("7.7.7")));
    assert_eq!(gateway.policy("pay-mark")["state"], "kept");
    let state = gateway.path().join("state");
    let args = ["pin", "pay-mark", &older, "--state-dir", state.to_str().unwrap()];
    let told = tollgate_tests::Binary::finish(gateway.path(), &args);
    assert!(told.status.success(), "{}{}", told.stdout, told.stderr);
    assert_eq!(gateway.policy("pay-mark")["version"], older.as_str());
}
