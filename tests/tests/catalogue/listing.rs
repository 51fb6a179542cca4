//! The catalogue as it is shown: by the command and on the admin page.

use serde_json::Value;
use tollgate_tests::{Binary, Connection, Upstream, example};

use super::*;

fn start(upstream: &Upstream) -> RunningGateway {
    let filters = "[filters.hello]\nmodule = \"hello.wasm\"\ndescription = \"Says <hello>\"\nowner = \"search\"\n\
        visibility = [\"pay\"]\ndocumentation = \"https://wiki.test/hello\"\n[filters.own]\nmodule = \"own.wasm\"\n\
        owner = \"search\"\nvisibility = \"owner\"\n";
    let gateway = gateway(
        upstream,
        &format!("{}{filters}", catalogue("contact = \"pay@example.com\"\nquota = { policies = 3 }")),
    );
    let gateway = gateway.file("hello.wasm", example("hello-filter")).file("own.wasm", example("login-guard"));
    let gateway = gateway.file("policies/pay/pay-hello.toml", "filter = \"hello\"\nconfig = { value = \"x\" }\n");
    gateway.file("policies/pay/pay.routes.toml", routes("policies = [\"pay-hello\"]")).start()
}

fn names(filters: &Value) -> Vec<&str> {
    filters.as_array().unwrap().iter().map(|filter| filter["name"].as_str().unwrap()).collect()
}

fn search(gateway: &RunningGateway, args: &[&str]) -> tollgate_tests::Finished {
    let args = [&["filter", "search", "--config", "tollgate.toml"], args].concat();
    Binary::finish(gateway.path(), &args)
}

#[test]
fn filters_are_found_by_words_and_by_team() {
    let upstream = Upstream::start();
    let gateway = start(&upstream);
    let told = search(&gateway, &["HELLO", "says"]);
    let lines: Vec<_> = told.stdout.lines().collect();
    assert!(lines[0].starts_with("hello ") && lines[0].ends_with(": Says <hello>"), "{}{}", told.stdout, told.stderr);
    assert!(lines[1].starts_with("  of search, for pay, "), "{}", told.stdout);
    assert!(lines.contains(&"  attached as pay-hello of pay on pay-1"), "{}", told.stdout);
    assert!(lines.contains(&"  see https://wiki.test/hello"), "{}", told.stdout);
    let of_pay: Value = serde_json::from_str(&search(&gateway, &["--team", "pay", "--json"]).stdout).unwrap();
    assert_eq!(names(&of_pay), ["api-key", "headers", "hello", "rate-limit"]);
    assert_eq!(of_pay[2]["attached"][0]["routes"].to_string(), r#"["pay-1"]"#);
    let of_search: Value = serde_json::from_str(&search(&gateway, &["--team", "search", "--json"]).stdout).unwrap();
    assert_eq!(names(&of_search), ["api-key", "headers", "hello", "own", "rate-limit"]);
    gateway.replace_file("policies/pay/pay.routes.toml", "[[routes]");
    assert!(search(&gateway, &["hello"]).stdout.contains("attached as pay-hello of pay on no route"));
    let nothing = search(&gateway, &["teleport"]);
    assert_eq!((nothing.status.success(), nothing.stderr.as_str()), (false, "no filter is like that\n"));
    assert_eq!(search(&gateway, &["--team", "pya"]).stderr, "there is no team \"pya\"; did you mean \"pay\"?\n");
}

#[test]
fn without_a_catalogue_there_are_the_bundled_filters() {
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).start();
    let told = Binary::finish(gateway.path(), &["filter", "search", "rate"]);
    assert!(told.stdout.starts_with("rate-limit "), "{}{}", told.stdout, told.stderr);
    let page = gateway.admin("/catalogue").json();
    assert_eq!(
        (names(&page["filters"]), page["teams"].to_string().as_str()),
        (vec!["api-key", "headers", "rate-limit"], "[]")
    );
}

#[test]
fn the_page_has_filters_and_teams_for_programs_and_for_people() {
    let upstream = Upstream::start();
    let gateway = start(&upstream);
    let page = gateway.admin("/catalogue?q=hello").json();
    assert_eq!(names(&page["filters"]), ["hello"]);
    let team = &page["teams"][0];
    assert_eq!((team["name"].as_str(), team["requests"].as_str()), (Some("pay"), Some("hosts pay.test; paths /pay/*")));
    assert_eq!(team["quota"]["policies"].to_string(), r#"{"most":3,"used":1}"#);
    assert_eq!(team["routes"].to_string(), r#"["pay-1"]"#);
    let mut client = Connection::open(gateway.inner().admin_address().unwrap());
    let html = client.request(Request::get("/catalogue?team=pay").field("accept", "text/html,*/*;q=0.8"));
    assert!(html.fields.get("content-type").unwrap().starts_with("text/html"), "{html:?}");
    assert!(html.fields.get("content-security-policy").unwrap().starts_with("default-src 'none'"), "{html:?}");
    let text = html.text();
    assert!(text.contains("Says &lt;hello&gt;") && !text.contains("<hello>"), "{text}");
    assert!(text.contains("policies 1 of 3") && !text.contains("null"), "{text}");
    assert!(text.contains("pay@example.com") && text.contains("hosts pay.test; paths /pay/*"), "{text}");
}

#[test]
fn the_example_of_the_documentation_is_one() {
    let upstream = Upstream::start();
    let page = include_str!("../../../docs/catalogue.md");
    let text = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let gateway = gateway(&upstream, text)
        .file("shared/jwt-2.wasm", example("hello-filter"))
        .policy("10-edge-limit", &mark("edge"));
    let own = "filter = \"headers\"\ngrants = { read = [\"authorization\"], clock = true }\n\
        [config.response.set]\nx-mark = \"1\"\n";
    let routes = "[[routes]]\nhosts = [\"pay.example.com\"]\npath = { prefix = \"/v2/cards\" }\npolicies = [\"payments-key\"]\n\
        respond = { status = 200 }\n";
    let gateway =
        gateway.file("policies/payments/payments-key.toml", own).file("policies/payments/payments.routes.toml", routes);
    assert_eq!(gateway.check(), Ok(()));
}
