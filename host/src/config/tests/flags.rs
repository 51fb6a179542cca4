//! The form without a config file.

use super::super::{Endpoint, EndpointSource, ListenerSet, PathMatch};
use super::*;

fn flags(upstream: &str) -> Flags {
    Flags { listen: vec!["127.0.0.1:8080".parse().unwrap()], upstream: upstream.to_owned(), policies: None }
}

fn shown(flags: Flags, overrides: &Overrides) -> Vec<String> {
    let problems = load(&Source::Flags(flags), overrides, BUNDLED).expect_err("there are problems");
    problems.iter().map(Problem::to_string).collect()
}

#[test]
fn everything_goes_to_one_upstream() {
    let config = load(&Source::Flags(flags("http://orders:9000")), &Overrides::default(), BUNDLED).unwrap();
    assert_eq!(config.upstreams[0].name, "upstream");
    assert_eq!(config.upstreams[0].endpoints, [EndpointSource::host(Endpoint { host: "orders".into(), port: 9000 })]);
    assert_eq!(config.listeners[0].name, "listener-1");
    let route = &config.routes[0];
    assert!(matches!(route.path, PathMatch::Any));
    assert_eq!(route.listeners, ListenerSet::All);
    assert!(route.hosts.is_empty() && route.methods.is_empty() && route.headers.is_empty());
    assert!(route.policies.is_empty() && config.files.is_empty());
}

#[test]
fn problems_name_their_flag() {
    let overrides = Overrides::default();
    let wrong = Flags { listen: vec![], upstream: "ftp://orders".into(), policies: Some("/nowhere/at/all".into()) };
    assert_eq!(
        shown(wrong, &overrides),
        [
            "--listen: there is no address to listen on; add --listen 127.0.0.1:8080",
            "--upstream: is not an http:// or https:// URL; write http://host:port, for example http://127.0.0.1:9000",
            "--policies: there is no directory \"/nowhere/at/all\"; \
             create it with mkdir -p \"/nowhere/at/all\", or name another",
        ]
    );
    let mut twice = flags("http://orders");
    twice.listen.push(twice.listen[0]);
    assert_eq!(shown(twice, &overrides), ["--listen: 127.0.0.1:8080 is given twice; remove one of the two"]);
}

#[test]
fn the_admin_listener_has_its_own_address() {
    let overrides = Overrides { admin: Some("127.0.0.1:8080".parse().unwrap()), ..Overrides::default() };
    assert_eq!(
        shown(flags("http://orders"), &overrides),
        ["--admin: 127.0.0.1:8080 is the address of listener \"listener-1\" already; \
          give the admin listener its own address"]
    );
}
