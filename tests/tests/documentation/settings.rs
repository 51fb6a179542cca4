//! Blocks of TOML and scripts: the gateway itself reads them. What a fragment leaves out stands beside it.

use tollgate_tests::{Folder, TestGateway, example, tool};

use super::fences::{Fence, all};

/// What a block is, by what is in it.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Cases,
    Catalogue,
    Configuration,
    Policy,
}

fn kind(table: &toml::Table) -> Kind {
    let has = |keys: &[&str]| keys.iter().any(|key| table.contains_key(*key));
    if has(&["cases"]) {
        Kind::Cases
    } else if has(&["teams"]) {
        Kind::Catalogue
    } else if has(&[
        "listeners",
        "upstreams",
        "routes",
        "policies",
        "policies-dir",
        "trust",
        "stores",
        "secrets",
        "limits.overload",
    ]) {
        Kind::Configuration
    } else {
        Kind::Policy
    }
}

#[test]
fn the_gateway_takes_what_is_written() {
    let mut count = 0;
    for fence in all().iter().filter(|fence| fence.kind == "toml") {
        let table: toml::Table = toml::from_str(&fence.text).unwrap_or_else(|error| panic!("{}: {error}", fence.place));
        count += 1;
        match kind(&table) {
            Kind::Cases => read_cases(fence),
            Kind::Catalogue => check(fence, with_catalogue(&table, &fence.text)),
            Kind::Configuration => check(fence, with_configuration(&table, fence)),
            Kind::Policy => check(fence, with_policy(&table, fence)),
        }
    }
    assert!(count > 15, "{count} blocks");
}

#[test]
fn the_gateway_takes_the_scripts_that_are_written() {
    let scripts: Vec<(String, Fence)> = all().into_iter().filter_map(|fence| Some((script(&fence)?, fence))).collect();
    assert!(scripts.len() > 1, "{} scripts", scripts.len());
    for (name, fence) in scripts {
        let gateway = TestGateway::new().upstream_at(([127, 0, 0, 1], 9000).into());
        check(&fence, with_script(gateway, &fence.page, &name, &fence.text));
    }
}

/// The file that a script is, as its first line says.
fn script(fence: &Fence) -> Option<String> {
    let comment = match fence.kind.as_str() {
        "cel" | "js" => "//",
        "rego" => "#",
        _ => return None,
    };
    let named = fence.text.lines().next().and_then(|line| line.strip_prefix(comment)?.strip_prefix(" policies/"));
    // Other blocks of JavaScript are of compiled filters.
    let is_script = named.is_some() || fence.kind == "js";
    assert!(is_script, "{}: begin with `{comment} policies/NAME.{}`", fence.place, fence.kind);
    named.map(str::to_owned)
}

/// A script with the policy file that its page has for it.
fn with_script(gateway: TestGateway, page: &str, name: &str, text: &str) -> TestGateway {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let first = format!("# policies/{stem}.toml");
    let policy = all().into_iter().find(|fence| fence.page == page && fence.text.lines().next() == Some(&first));
    let gateway = gateway.file(&format!("policies/{name}"), text);
    match policy {
        Some(policy) => gateway.policy(stem, &policy.text),
        None => gateway,
    }
}

/// The scripts of a page, and what they are called.
fn scripts(page: &str) -> impl Iterator<Item = (String, String)> + use<'_> {
    all().into_iter().filter(move |fence| fence.page == page).filter_map(|fence| Some((script(&fence)?, fence.text)))
}

#[track_caller]
fn check(fence: &Fence, gateway: TestGateway) {
    gateway.check().unwrap_or_else(|problems| panic!("{}: {problems}\n{}", fence.place, fence.text));
}

/// The cases are read. Those of `docs/testing-filters.md` are run, too, by the stories of `filter_test`.
fn read_cases(fence: &Fence) {
    let folder = Folder::new();
    for name in ["callout-auth", "login-guard", "hello-filter"] {
        folder.write(&format!("{name}.wasm"), example(name));
    }
    for built in ["build", "target/wasm32-unknown-unknown/release"] {
        std::fs::create_dir_all(folder.path().join(built)).unwrap();
        folder.write(&format!("{built}/drafts.wasm"), example("hello-filter"));
    }
    for (name, text) in scripts(&fence.page) {
        folder.write(&name, text);
    }
    let file = folder.write("documented.cases.toml", &fence.text);
    let read = tollgate::config::cases::CaseFile::load(&file, &tollgate::bundled::names(), None);
    read.unwrap_or_else(|problems| panic!("{}: {problems:?}", fence.place));
}

/// A policy file: of the filter that the page is about, or of one that takes anything.
fn with_policy(table: &toml::Table, fence: &Fence) -> TestGateway {
    let named = table.get("filter").and_then(toml::Value::as_str);
    let commented = fence.text.lines().find_map(|line| line.strip_prefix("# policies/")?.strip_suffix(".toml"));
    let of_page = fence.page.strip_prefix("filters/").and_then(|rest| rest.split('/').next());
    let callouts = table.get("grants").and_then(|grants| grants.get("callouts")?.as_array());
    let callouts = callouts.into_iter().flatten().filter_map(toml::Value::as_str);
    let upstreams: String = callouts.chain(["orders"]).map(upstream).collect();
    let gateway = TestGateway::new().config(&format!(
        "policies-dir = \"policies\"\n[[listeners]]\naddress = \"{{listen}}\"\n{upstreams}[[routes]]\nupstream = \"orders\"\n"
    ));
    let gateway = with_example(gateway, &fence.page, named);
    let gateway =
        scripts(&fence.page).fold(gateway, |gateway, (name, text)| with_script(gateway, &fence.page, &name, &text));
    let name = named.or(commented).or(of_page).or(example_of(&fence.page)).unwrap_or("headers");
    // Without any the filter would have nothing to do.
    let config = "\n[config]\nresponse = { remove = [\"server\"] }\n";
    gateway.policy(
        name,
        &format!("{}{}", fence.text, if name == "headers" && !table.contains_key("config") { config } else { "" }),
    )
}

/// A configuration file, with what it refers to and does not have.
fn with_configuration(table: &toml::Table, fence: &Fence) -> TestGateway {
    let lacks = |key: &str| !table.contains_key(key);
    // Keys that stand by themselves come first.
    let dir = if lacks("policies-dir") { "policies-dir = \"policies\"\n" } else { "" };
    let mut rest = String::new();
    if lacks("listeners") {
        rest += "[[listeners]]\naddress = \"{listen}\"\n";
    }
    if lacks("upstreams") {
        rest += &upstream("orders");
    }
    if lacks("routes") {
        rest += "[[routes]]\nupstream = \"orders\"\n";
    }
    let text = fence.text.replace("/etc/tollgate/signing-key", "signing-key").replace("127.0.0.1:8080", "{listen}");
    let gateway = TestGateway::new().config(&format!("{dir}{text}\n{rest}")).file("signing-key", "secret");
    std::fs::create_dir_all(gateway.folder().path().join("keys")).unwrap();
    with_example(gateway.file("keys/acme.pub", public_key()), &fence.page, None)
}

/// With the module of the example that a page is about, under the name that it is called by there.
fn with_example(gateway: TestGateway, page: &str, named: Option<&str>) -> TestGateway {
    match example_of(page) {
        Some(name) => gateway.module(named.unwrap_or(name), example(name)),
        None => gateway,
    }
}

fn example_of(page: &str) -> Option<&str> {
    page.strip_prefix("examples/")?.split('/').next()
}

fn upstream(name: &str) -> String {
    format!("[upstreams.{name}]\nendpoints = [\"127.0.0.1:9000\"]\n")
}

/// `catalogue.toml` with the files and upstreams that it is about.
fn with_catalogue(table: &toml::Table, text: &str) -> TestGateway {
    let config = format!(
        "policies-dir = \"policies\"\ncatalogue = \"catalogue.toml\"\n[[listeners]]\naddress = \"{{listen}}\"\n{}{}{}\
         [[routes]]\nhosts = [\"elsewhere.example.com\"]\nupstream = \"other\"\n",
        upstream("payments-auth"),
        upstream("search"),
        upstream("other")
    );
    let gateway = TestGateway::new().config(&config).file("catalogue.toml", text);
    let folder = gateway.folder().path().to_owned();
    std::fs::create_dir_all(folder.join("shared")).unwrap();
    for team in table["teams"].as_table().unwrap().keys() {
        std::fs::create_dir_all(folder.join("policies").join(team)).unwrap();
    }
    let gateway = gateway.file("shared/jwt-2.wasm", example("hello-filter"));
    gateway.policy(
        "10-edge-limit",
        "filter = \"rate-limit\"\nconfig = { requests = 9, per = \"1s\", key = \"client-address\" }",
    )
}

/// A key as signatures are checked with.
fn public_key() -> String {
    let folder = Folder::new();
    let run = |args: &[&str]| {
        let done = tool("openssl", "openssl", |command| command.args(args).current_dir(folder.path()));
        assert!(done.status.success(), "{args:?}");
    };
    run(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "acme.key"]);
    run(&["pkey", "-in", "acme.key", "-pubout", "-out", "acme.pub"]);
    std::fs::read_to_string(folder.path().join("acme.pub")).unwrap()
}
