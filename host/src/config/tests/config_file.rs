//! The config file as a whole: what it may say, and all its problems at once.

use std::{num::NonZeroUsize, path::Path, time::Duration};

use super::super::{
    EncodedSlash, Endpoint, EndpointSource, HostPattern, Limits, ListenerSet, OnFault, Overload, Overrides, PathMatch,
    Paths, Source, load,
};
use super::*;
use crate::route::{Action, Destination, Forward};

const EXAMPLE: &str = r#"
policies-dir = "policies"            # watched; optional

[[listeners]]
name = "public"                      # optional; a route may name its listeners
address = "127.0.0.1:8080"

[upstreams.orders]
endpoints = ["127.0.0.1:9000"]

[policies.partner-key]               # or a file in policies-dir
filter = "api-key"
config = { header = "x-api-key", keys = [{ consumer = "alice", sha256 = "2bd806c9…" }] }

[policies.per-consumer]
filter = "rate-limit"
config = { requests = 100, per = "1s", burst = 200, key = "consumer" }   # or "client-address", "header:NAME"

[policies.stamp]
filter = "headers"
config = { request = { set = { x-consumer = "{consumer}" } }, response = { set = { x-gateway = "tollgate" }, remove = ["server"] } }

[[routes]]
hosts = ["api.example.com"]          # optional; also methods, headers, path = exact / prefix / regex
path = { prefix = "/orders" }
policies = ["partner-key", "per-consumer", "stamp"]
upstream = "orders"
"#;

#[test]
fn the_example_loads() {
    let folder = Folder::with(EXAMPLE).file("policies/.keep", "");
    let config = folder.load();
    assert_eq!(config.listeners[0].name, "public");
    assert_eq!(config.listeners[0].address, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(
        config.upstreams[0].endpoints,
        [EndpointSource::host(Endpoint { host: "127.0.0.1".into(), port: 9000 })]
    );
    assert_eq!(config.policies_dir, Some(folder.path("policies")));
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.files, [folder.path("tollgate.toml")]);
    let route = &config.routes[0];
    assert_eq!(route.name, "route-1");
    assert_eq!(route.listeners, ListenerSet::All);
    assert_eq!(route.hosts, [HostPattern::Exact("api.example.com".into())]);
    assert!(matches!(&route.path, PathMatch::Prefix(prefix) if prefix == "/orders"));
    assert_eq!(route.policies, ["partner-key", "per-consumer", "stamp"]);
    let Action::Forward(Forward { to: Destination::One(0), rewrite: None, mirror: None }) = route.action else {
        panic!("{:?}", route.action)
    };
    assert_eq!((config.upstreams[0].name.as_str(), route.body_limit), ("orders", None));
}

#[test]
fn policies_of_the_file_keep_their_order_and_their_place() {
    let config = Folder::with(EXAMPLE).file("policies/.keep", "").load();
    assert_eq!(names(&config), ["partner-key", "per-consumer", "stamp"]);
    let limit = policy(&config, "per-consumer");
    assert_eq!(limit.config, serde_json::json!({ "requests": 100, "per": "1s", "burst": 200, "key": "consumer" }));
    assert_eq!(limit.on_fault, OnFault::default());
    assert_eq!(limit.place.line, Some(17));
    let problem = limit.config_problem("key is unknown", "");
    assert!(problem.to_string().ends_with("tollgate.toml:17: policies.per-consumer.config: key is unknown"));
}

#[test]
fn everything_may_be_said() {
    let folder = Folder::with(
        r#"
        workers = 2
        access-log = true
        state-dir = "state"
        [admin]
        address = "127.0.0.1:9901"
        [limits]
        header-fields = 50
        header-bytes = "64KiB"
        header-timeout = "250ms"
        keep-alive = "1m"
        body-idle = "1h"
        drain = "5s"
        connections = 1000
        connections-per-address = 10
        requests = 500
        memory = "1GiB"
        upstream-connect = "1s"
        [[listeners]]
        address = "[::1]:8080"
        [[listeners]]
        address = "0.0.0.0:8081"
        [upstreams.b]
        endpoints = ["[::1]:1", "b.internal:2"]
        first-byte-timeout = "3s"
        [upstreams.a]
        endpoints = ["a:1"]
        "#,
    );
    let config = folder.load();
    assert_eq!(config.workers, NonZeroUsize::new(2));
    assert!(config.access_log);
    assert_eq!(config.state_dir, Some(folder.path("state")));
    assert_eq!(config.admin, Some("127.0.0.1:9901".parse().unwrap()));
    assert_eq!(config.limits.header_fields, 50);
    assert_eq!(config.limits.header_bytes, 65_536);
    assert_eq!(config.limits.header_timeout, Duration::from_millis(250));
    assert_eq!(config.limits.body_idle, Duration::from_secs(3600));
    let overload = Overload {
        connections: Some(1000),
        connections_per_address: Some(10),
        requests: Some(500),
        memory: Some(1 << 30),
    };
    assert_eq!(config.limits.overload, overload);
    assert_eq!(config.listeners[1].name, "listener-2");
    assert_eq!(config.upstreams[0].name, "b");
    assert_eq!(config.upstreams[0].endpoints[0], EndpointSource::host(Endpoint { host: "::1".into(), port: 1 }));
    assert_eq!(config.upstreams[0].timeouts.connect, Duration::from_secs(1));
    assert_eq!(config.upstreams[0].timeouts.first_byte, Duration::from_secs(3));
    assert_eq!(config.upstreams[1].timeouts.idle, Duration::from_secs(60));
}

#[test]
fn all_problems_are_reported_at_once_by_line() {
    let folder = Folder::with(
        r#"polices-dir = "policies"
workers = 0
[limits]
header-bytes = "32KB"
drain = 30
keep-alive = "0s"
[[listeners]]
address = "localhost:8080"
[[listeners]]
adress = "127.0.0.1:1"
[upstreams.orders]
endpoints = ["orders", "orders:99999", 5]
[upstreams.users]
[upstreams.none]
endpoints = []
[[routes]]
path = { prefix = "orders" }
upstream = "order"
"#,
    );
    assert_eq!(
        folder.problems(),
        [
            "tollgate.toml:1: polices-dir: unknown key; did you mean \"policies-dir\"?",
            "tollgate.toml:2: workers: 0 is out of range; write a number from 1 to 1024",
            "tollgate.toml:4: limits.header-bytes: \"32KB\" is not a size; \
             write a size from \"8KiB\" to \"16MiB\", in KiB, MiB or GiB, or a plain number of bytes",
            "tollgate.toml:5: limits.drain: is a number, not a duration; \
             write a duration from \"1ms\" to \"24h\", in ms, s, m or h",
            "tollgate.toml:6: limits.keep-alive: \"0s\" is out of range; \
             write a duration from \"1ms\" to \"24h\", in ms, s, m or h",
            "tollgate.toml:8: listeners[0].address: \"localhost:8080\" is not an IP address with a port; \
             write it like \"127.0.0.1:8080\"",
            "tollgate.toml:9: listeners[1].address: is missing; add address = \"127.0.0.1:8080\"",
            "tollgate.toml:10: listeners[1].adress: unknown key; did you mean \"address\"?",
            "tollgate.toml:12: upstreams.orders.endpoints[2]: is a number, not a string; put it in quotes: \"…\"",
            "tollgate.toml:12: upstreams.orders.endpoints[0]: \"orders\" has no port; \
             write \"host:port\", for example \"127.0.0.1:9000\"",
            "tollgate.toml:12: upstreams.orders.endpoints[1]: \"orders:99999\" has a port out of range; \
             write a port from 1 to 65535",
            "tollgate.toml:13: upstreams.users.endpoints: is missing; add endpoints = [\"127.0.0.1:9000\"]",
            "tollgate.toml:15: upstreams.none.endpoints: is empty; add endpoints = [\"127.0.0.1:9000\"]",
            "tollgate.toml:17: routes[0].path.prefix: \"orders\" does not begin with \"/\"; write prefix = \"/orders\"",
            "tollgate.toml:18: routes[0].upstream: there is no upstream \"order\"; did you mean \"orders\"?",
        ]
    );
}

#[test]
fn messages_and_paths_are_bounded_as_said() {
    let config = Folder::with_more(
        "[limits]\nrequest-line-bytes = \"4KiB\"\nheader-field-bytes = 8192\nchunk-extension-bytes = 0\n\
         [paths]\nencoded-slash = \"keep\"\nmerge-slashes = false\n",
    )
    .load();
    let limits = &config.limits;
    assert_eq!(
        (limits.request_line_bytes, limits.header_field_bytes, limits.chunk_extension_bytes),
        (4 << 10, 8 << 10, 0)
    );
    assert_eq!(config.paths, Paths { encoded_slash: EncodedSlash::Keep, merge_slashes: false });
    assert_eq!(Folder::with(LEAST).load().paths, Paths { encoded_slash: EncodedSlash::Reject, merge_slashes: true });
    let wrong = Folder::with_more(
        "[limits]\nrequest-line-bytes = 9\n[paths]\nencoded-slash = \"decode\"\nmerge-slashes = 1\nmerge = true\n",
    );
    assert_eq!(
        wrong.problems(),
        [
            "tollgate.toml:4: limits.request-line-bytes: \"9\" is out of range; \
             write a size from \"256\" to \"32KiB\", in KiB, MiB or GiB, or a plain number of bytes",
            "tollgate.toml:6: paths.encoded-slash: \"decode\" is not a way to treat encoded slashes; \
             write \"reject\" or \"keep\"",
            "tollgate.toml:7: paths.merge-slashes: is a number, not true or false; \
             write true or false, without quotes",
            "tollgate.toml:8: paths.merge: unknown key; known keys: encoded-slash, merge-slashes",
        ]
    );
}

#[test]
fn access_lines_may_have_more() {
    let said = |text: &str| {
        let least = "listeners = [{ address = \"127.0.0.1:0\" }]\n";
        let config = Folder::with(format!("{text}\n{least}")).try_load();
        config.map(|config| (config.access_log, config.access_filters))
    };
    for (text, expected) in [
        ("", (false, false)),
        ("access-log = false", (false, false)),
        ("access-log = true", (true, false)),
        ("access-log = {}", (true, false)),
        ("access-log = { filters = true }", (true, true)),
    ] {
        assert_eq!(said(text).ok(), Some(expected), "{text}");
    }
    assert!(said("access-log = { filter = true }").is_err());
}

#[test]
fn syntax_errors_have_a_line() {
    let folder = Folder::with("access-log = true\n[limits\ndrain = \"5s\"\n");
    assert_eq!(folder.problems(), ["tollgate.toml:2: not valid TOML: unclosed table, expected `]`"]);
    let folder = Folder::with("workers = 1\nworkers = 2\n\nstate-dir = tmp\n");
    assert_eq!(
        folder.problems(),
        [
            "tollgate.toml:2: not valid TOML: duplicate key",
            "tollgate.toml:4: not valid TOML: invalid boolean, expected `true`; if it is text, put it in quotes",
        ]
    );
    let folder = Folder::with("workers = [1,\n\n\n");
    assert_eq!(folder.problems(), ["tollgate.toml:1: not valid TOML: unclosed array, expected `]`"]);
}

#[test]
fn a_file_that_cannot_be_read_is_said_to_be_so() {
    let missing = "tollgate.toml: cannot be read: there is no such file; check the path given to --config";
    assert_eq!(Folder::new().problems(), [missing]);
    let binary = Folder::with(b"workers = 1\n\xff\n");
    assert_eq!(binary.problems(), ["tollgate.toml:2: not valid UTF-8; save the file as UTF-8"]);
    let large = Folder::with("#".repeat(1024 * 1024 + 1));
    assert_eq!(large.problems(), ["tollgate.toml: cannot be read: larger than 1MiB; keep the file below 1MiB"]);
    let empty = Folder::with("");
    let remedy = "add [[listeners]] with address = \"127.0.0.1:8080\"";
    assert_eq!(empty.problems(), [format!("tollgate.toml: listeners: there is no listener; {remedy}")]);
    let none = Folder::with("listeners = []\n");
    assert_eq!(none.problems(), [format!("tollgate.toml:1: listeners: there is no listener; {remedy}")]);
}

#[test]
fn names_and_addresses_are_taken_once() {
    let folder = Folder::with(
        r#"admin = { address = "127.0.0.1:1" }
[[listeners]]
name = "a"
address = "127.0.0.1:1"
[[listeners]]
name = "a"
address = "127.0.0.1:1"
[upstreams.u]
endpoints = ["u:1"]
[[routes]]
name = "route-2"
upstream = "u"
[[routes]]
upstream = "u"
"#,
    );
    assert_eq!(
        folder.problems(),
        [
            "tollgate.toml:1: admin.address: 127.0.0.1:1 is the address of listener \"a\" already; \
             give the admin listener its own address",
            "tollgate.toml:6: listeners[1].name: \"a\" is the name of the listener on line 3 already; \
             give each listener its own name",
            "tollgate.toml:7: listeners[1].address: 127.0.0.1:1 is the address of listener \"a\" already; \
             give each listener its own address",
            "tollgate.toml:13: routes[1]: \"route-2\" is the name of the route on line 11 already; \
             give each route its own name",
        ]
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_named_by_kind() {
    let folder =
        Folder::with_more("[limits]\nheader-fields = \"9\"\n[policies.x]\nfilter = 5\nconfig = 5\nlimits = 1\n");
    assert_eq!(
        folder.problems(),
        [
            "tollgate.toml:4: limits.header-fields: is a string, not a whole number; \
             write a number from 1 to 10000, without quotes",
            "tollgate.toml:6: policies.x.filter: is a number, not a string; put it in quotes: \"…\"",
            "tollgate.toml:7: policies.x.config: is a number, not a table; \
             write [policies.x.config], or policies.x.config = { … }",
            "tollgate.toml:8: policies.x.limits: is a number, not a table; \
             write [policies.x.limits], or policies.x.limits = { … }",
        ]
    );
}

#[test]
fn flags_win_over_the_file() {
    let folder = Folder::with_more("[admin]\naddress = \"127.0.0.1:9901\"\n");
    let overrides = Overrides {
        admin: Some("127.0.0.1:9902".parse().unwrap()),
        workers: NonZeroUsize::new(3),
        access_log: true,
        state_dir: Some("state".into()),
        ..Overrides::default()
    };
    let config = load(&Source::File(folder.path("tollgate.toml")), &overrides, BUNDLED).unwrap();
    assert_eq!(config.admin, overrides.admin);
    assert_eq!(config.workers, overrides.workers);
    assert!(config.access_log);
    assert_eq!(config.state_dir.as_deref(), Some(Path::new("state")));
}
