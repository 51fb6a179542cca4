//! Stories of the command line: what each command says and how it ends.
#![allow(clippy::unwrap_used, reason = "a story that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tollgate_tests::{Binary, Connection, Finished, Folder, Request, TestGateway, Upstream, filter, target_dir};

/// The beginning of a config file that is in order; four lines.
const FIRST: &str =
    "[[listeners]]\naddress = \"127.0.0.1:8080\"\n[upstreams.orders]\nendpoints = [\"127.0.0.1:9000\"]\n";

/// A route for all; two lines.
const ROUTE: &str = "[[routes]]\nupstream = \"orders\"\n";

/// Knows `alice-key`.
const KEYS: &str = "config = { keys = [{ consumer = \"alice\", sha256 = \
                    \"72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20\" }] }";

fn tollgate(args: &[&str]) -> Finished {
    Binary::finish(Folder::new().path(), args)
}

fn check(gateway: &TestGateway) -> Finished {
    let mut args = vec!["check".to_owned()];
    args.extend(gateway.source_args());
    let finished = Binary::finish(Path::new("."), &args);
    Finished { stderr: gateway.relative(&finished.stderr), ..finished }
}

/// All that is wrong with a config file, one problem a line.
#[track_caller]
fn problems(text: &str) -> String {
    TestGateway::new().config(text).check().expect_err("something is wrong with it")
}

/// All that is wrong with a policy in the policies directory.
#[track_caller]
fn problems_of_policy(name: &str, text: &str) -> String {
    let upstream = "127.0.0.1:9000".parse().unwrap();
    TestGateway::new().upstream_at(upstream).policy(name, text).check().expect_err("something is wrong with it")
}

mod check_command {
    use super::*;

    #[test]
    fn what_is_in_order_is_counted() {
        let gateway = TestGateway::new().config(&format!(
            "policies-dir = \"policies\"\n{FIRST}{ROUTE}[policies.stamp]\nfilter = \"headers\"\nconfig = {{ response = {{ remove = [\"server\"] }} }}\n"
        ));
        let finished = check(&gateway.policy("10-headers", "config = { request = { remove = [\"cookie\"] } }"));
        assert_eq!(
            finished.stdout,
            "ok: 1 listeners, 1 routes, 2 policies, 1 upstreams\n\
             policy 10-headers: headers 0.1.0\npolicy stamp: headers 0.1.0\n",
            "{finished:?}"
        );
        assert!(finished.status.success() && finished.stderr.is_empty());
    }

    #[test]
    fn all_problems_are_told_at_once_and_in_order() {
        let text = format!(
            "listen = 1\n{FIRST}{ROUTE}hots = [\"a\"]\npolicies = [\"missing\"]\n[[routes]]\nupstream = \"order\"\n"
        );
        let finished = check(&TestGateway::new().config(&text));
        let told: Vec<&str> = finished.stderr.lines().collect();
        assert_eq!(
            told,
            [
                "tollgate.toml:1: listen: unknown key; known keys: access-log, admin, catalogue, limits, listeners, paths, policies, \
                 policies-dir, registries, routes, secrets, state-dir, state-size, stores, tracing, trust, upstreams, workers",
                "tollgate.toml:8: routes[0].hots: unknown key; did you mean \"hosts\"?",
                "tollgate.toml:9: routes[0].policies[0]: there is no policy \"missing\"; there are no policies",
                "tollgate.toml:11: routes[1].upstream: there is no upstream \"order\"; did you mean \"orders\"?",
            ]
        );
        assert_eq!((finished.status.code(), finished.stdout.as_str()), (Some(1), ""));
    }

    #[test]
    fn run_says_the_same_and_does_not_start() {
        let text = format!("{FIRST}[[routes]]\nupstream = \"order\"\n");
        let gateway = TestGateway::new().config(&text);
        let told = check(&gateway).stderr;
        let binary = gateway.run(&[]);
        binary.line(&["there is no upstream"]);
        let log = binary.files().relative(&binary.lines().join("\n"));
        assert_eq!(log, told.trim_end());
        assert_eq!(binary.wait().status.code(), Some(1));
    }

    #[test]
    fn an_address_that_is_taken_does_not_matter() {
        let upstream = Upstream::start();
        let running = TestGateway::new().upstream(&upstream).start();
        let config = FIRST.replace("127.0.0.1:8080", &running.address().to_string());
        assert!(check(&TestGateway::new().config(&format!("{config}{ROUTE}"))).status.success());
    }

    #[test]
    fn modules_and_their_configuration_are_checked_in_both_forms() {
        let text = format!("{FIRST}{ROUTE}[policies.key]\nfilter = \"api-key\"\n[policies.key.config]\nkeys = []\n");
        let expected = "is empty; add at least one";
        assert_eq!(problems(&text), format!("tollgate.toml:10: policies.key.config.keys: {expected}"));
        let upstream = "127.0.0.1:9000".parse().unwrap();
        let gateway = TestGateway::new().upstream_at(upstream).policy("10-api-key", "\n[config]\nkeys = []\n");
        let finished = check(&gateway.module("20-broken", "not a module"));
        assert_eq!(finished.status.code(), Some(1));
        let told: Vec<&str> = finished.stderr.lines().collect();
        assert_eq!(
            told,
            [
                format!("policies/10-api-key.toml:3: config.keys: {expected}"),
                "policies/20-broken.wasm: not a WebAssembly component: it does not begin as a WebAssembly file does; \
                 rebuild it, or check that the file was copied whole"
                    .to_owned(),
            ]
        );
    }
}

mod messages {
    use super::*;

    #[test]
    fn of_the_file_as_a_whole() {
        let folder = Folder::new();
        let missing = Binary::finish(folder.path(), &["check", "--config", "none.toml"]);
        assert_eq!(
            missing.stderr,
            "none.toml: cannot be read: there is no such file; check the path given to --config\n"
        );
        assert_eq!(problems("[[listeners]\n"), "tollgate.toml:1: not valid TOML: unclosed array table, expected `]`");
        assert_eq!(
            problems(ROUTE).lines().collect::<Vec<_>>(),
            [
                "tollgate.toml: listeners: there is no listener; add [[listeners]] with address = \"127.0.0.1:8080\"",
                "tollgate.toml:2: routes[0].upstream: there is no upstream \"orders\"; add [upstreams.orders]",
            ]
        );
    }

    #[test]
    fn of_listeners_limits_and_upstreams() {
        for (text, told) in [
            (
                "[[listeners]]\naddress = \"localhost:80\"\n",
                "1: listeners[1].address: \"localhost:80\" is not an IP address with a port; write it like \"127.0.0.1:8080\"",
            ),
            (
                "[[listeners]]\naddress = \"127.0.0.1:8080\"\n",
                "1: listeners[1].address: 127.0.0.1:8080 is the address of listener \"listener-1\" already; give each listener its own address",
            ),
            (
                "[admin]\naddress = \"127.0.0.1:8080\"\n",
                "1: admin.address: 127.0.0.1:8080 is the address of listener \"listener-1\" already; give the admin listener its own address",
            ),
            (
                "[limits]\ndrain = 5\n",
                "1: limits.drain: is a number, not a duration; write a duration from \"1ms\" to \"24h\", in ms, s, m or h",
            ),
            (
                "[limits]\nheader-bytes = \"1KiB\"\n",
                "1: limits.header-bytes: \"1KiB\" is out of range; write a size from \"8KiB\" to \"16MiB\", in KiB, MiB or GiB, or a plain number of bytes",
            ),
            (
                "[upstreams.a]\nendpoints = [\"http://b:1/\"]\n",
                "1: upstreams.a.endpoints[0]: \"http://b:1/\" is a URL; write host and port only: \"b:1\"",
            ),
            (
                "[upstreams.a]\nendpoints = []\n",
                "1: upstreams.a.endpoints: is empty; add endpoints = [\"127.0.0.1:9000\"]",
            ),
            (
                "[upstreams.a]\nendpoint = [\"b:1\"]\n",
                "0: upstreams.a.endpoints: is missing; add endpoints = [\"127.0.0.1:9000\"]\ntollgate.toml:8: upstreams.a.endpoint: unknown key; did you mean \"endpoints\"?",
            ),
        ] {
            assert_told(&format!("{FIRST}{ROUTE}{text}"), told);
        }
    }

    #[test]
    fn of_routes() {
        for (text, told) in [
            ("path = \"/a\"", "path: is a string, not a table; write path = { prefix = \"/…\" }, or exact, or regex"),
            ("path = { prefix = \"a\" }", "path.prefix: \"a\" does not begin with \"/\"; write prefix = \"/a\""),
            (
                "path = { exact = \"/a\", prefix = \"/a\" }",
                "path: needs exactly one of exact, prefix, regex; write one of them",
            ),
            (
                "path = { regex = \"(\" }",
                "path.regex: \"(\" is not a regular expression: unclosed group; see docs.rs/regex for its syntax",
            ),
            (
                "hosts = [\"a:80\"]",
                "hosts[0]: \"a:80\" has a port; write the host only; name listeners to tell ports apart",
            ),
            ("hosts = []", "hosts: is empty; leave hosts out to match any"),
            ("methods = [\"get\"]", "methods[0]: \"get\" is not in upper case; write \"GET\""),
            ("listeners = [\"public\"]", "listeners[0]: there is no listener \"public\"; known listeners: listener-1"),
            (
                "headers = { \"x y\" = \"1\" }",
                "headers.\"x y\": \"x y\" is not a header name; write letters, digits and dashes",
            ),
        ] {
            assert_told(&format!("{FIRST}{ROUTE}{text}\n"), &format!("0: routes[0].{told}"));
        }
    }

    #[test]
    fn of_policies() {
        for (text, told) in [
            (
                "filter = \"api-kye\"\n",
                "policies/10-x.toml:1: filter: there is no module and no bundled filter \"api-kye\"; did you mean \"api-key\"?",
            ),
            (
                "",
                "policies/10-x.toml: filter: there is no 10-x.wasm or x.wasm and no bundled filter \"x\"; add filter = \"NAME\"; known filters: api-key, headers, rate-limit",
            ),
            (
                "filter = \"headers\"\non-fault = \"ignore\"\n",
                "policies/10-x.toml:2: on-fault: \"ignore\" is not known; write \"deny\" or \"bypass\"",
            ),
            (
                "filter = \"headers\"\nlimits = { cpu = \"1h\" }\n",
                "policies/10-x.toml:2: limits.cpu: \"1h\" is out of range; write a duration from \"1ms\" to \"10s\", in ms, s, m or h",
            ),
            (
                "filter = \"headers\"\nconfg = {}\n",
                "policies/10-x.toml:2: confg: unknown key; did you mean \"config\"?",
            ),
            (
                "filter = headers\n",
                "policies/10-x.toml:1: not valid TOML: string values must be quoted, expected literal string; if it is text, put it in quotes",
            ),
        ] {
            assert_eq!(problems_of_policy("10-x", text), told);
        }
    }

    #[test]
    fn of_the_standard_filters_name_the_key_and_no_secret() {
        for (filter, config, told) in [
            ("api-key", "", "2: config.keys: is missing; write a list of a table with consumer, sha256"),
            (
                "api-key",
                "keys = [{ consumer = \"a\", sha256 = \"hunter2\" }]",
                "3: config.keys[0].sha256: does not look as it should; write 64 hexadecimal digits",
            ),
            ("rate-limit", "requests = 1", "2: config.per: is missing; write text such as \"1s\""),
            ("rate-limit", "requests = 0\nper = \"1s\"", "3: config.requests: is less than 1"),
            (
                "rate-limit",
                "requests = 1\nper = \"1s\"\nkey = \"ip\"",
                "5: config.key: does not look as it should; write \"client-address\", ",
            ),
            ("headers", "request = { set = { host = \"a\" } }", "2: config: request.set: `host` frames the message"),
            ("headers", "request = { set = { x-a = \"{consumr}\" } }", "2: config: request.set.x-a: "),
            ("headers", "requests = {}", "3: config.requests: unknown key; did you mean \"request\"?"),
        ] {
            let message = problems_of_policy("10-x", &format!("filter = \"{filter}\"\n[config]\n{config}\n"));
            let told = format!("policies/10-x.toml:{told}");
            assert!(message.starts_with(&told) && !message.contains("hunter2"), "{message}\nis not: {told}");
        }
    }

    #[test]
    fn of_flags() {
        let upstream = |url| tollgate(&["check", "--listen", "127.0.0.1:0", "--upstream", url]).stderr;
        assert_eq!(
            upstream("a:1"),
            "--upstream: is not an http:// or https:// URL; write http://host:port, for example http://127.0.0.1:9000\n"
        );
        let dir = ["check", "--listen", "127.0.0.1:0", "--upstream", "http://a:1", "--policies", "none"];
        assert_eq!(
            tollgate(&dir).stderr,
            "--policies: there is no directory \"none\"; create it with mkdir -p \"none\", or name another\n"
        );
    }

    #[test]
    fn of_addresses_that_cannot_be_bound() {
        let upstream = Upstream::start();
        let running = TestGateway::new().upstream(&upstream).start();
        let taken = running.address();
        let reason = "Address already in use (os error 98); another process has it; stop that, or choose another port";
        let config = format!("{}{ROUTE}", FIRST.replace("127.0.0.1:8080", &taken.to_string()));
        let message = TestGateway::new().config(&config).try_start().map(drop).unwrap_err();
        assert!(message.ends_with(&format!("/tollgate.toml: cannot listen on {taken}: {reason}")), "{message}");
        let to = format!("http://{}", upstream.address());
        let listen = tollgate(&["run", "--listen", &taken.to_string(), "--upstream", &to]);
        assert_eq!(
            (listen.status.code(), listen.stderr),
            (Some(1), format!("--listen: cannot listen on {taken}: {reason}\n"))
        );
        let admin = tollgate(&["run", "--listen", "127.0.0.1:0", "--upstream", &to, "--admin", &taken.to_string()]);
        assert_eq!(
            (admin.status.code(), admin.stderr),
            (Some(1), format!("--admin: cannot listen on {taken}: {reason}\n"))
        );
    }

    /// Behind `FIRST` and `ROUTE`, with the line of the problem counted from there on.
    #[track_caller]
    fn assert_told(text: &str, told: &str) {
        let (line, told) = told.split_once(": ").unwrap();
        let line = 7 + line.parse::<usize>().unwrap();
        assert_eq!(problems(text), format!("tollgate.toml:{line}: {told}"), "{text}");
    }
}

mod help {
    use super::*;

    #[test]
    fn tells_the_commands_and_their_flags() {
        let help = tollgate(&["--help"]);
        assert!(
            help.status.success() && ["run", "check", "filter"].iter().all(|command| help.stdout.contains(command))
        );
        let run = tollgate(&["run", "--help"]).stdout;
        for flag in [
            "--config",
            "--listen",
            "--upstream",
            "--policies",
            "--admin",
            "--workers",
            "--state-dir",
            "--access-log",
            "--log-format",
        ] {
            assert!(run.contains(flag), "{flag} is not in {run}");
        }
        assert!(tollgate(&["--version"]).stdout.starts_with("tollgate 0."));
    }

    #[test]
    fn tells_what_is_missing_and_what_does_not_go_together() {
        let nothing = tollgate(&[]);
        assert!(nothing.status.code() == Some(2) && nothing.stderr.contains("Usage: tollgate"), "{nothing:?}");
        let half = tollgate(&["run", "--listen", "127.0.0.1:0"]);
        assert!(half.status.code() == Some(2) && half.stderr.contains("--upstream <URL>"), "{half:?}");
        let both = tollgate(&["run", "--config", "a.toml", "--listen", "127.0.0.1:0"]);
        assert!(both.status.code() == Some(2) && both.stderr.contains("cannot be used with"), "{both:?}");
        let wrong = tollgate(&["run", "--listen", "localhost", "--upstream", "http://a:1"]);
        assert!(wrong.status.code() == Some(2) && wrong.stderr.contains("invalid value 'localhost'"), "{wrong:?}");
    }
}

mod filter_new {
    use super::*;

    #[test]
    fn names_are_those_of_packages_and_folders_that_are_free() {
        let folder = Folder::new();
        let new = |name: &str| Binary::finish(folder.path(), &["filter", "new", name]);
        let wrong = new("My_Filter");
        assert_eq!((wrong.status.code(), wrong.stdout.as_str()), (Some(1), ""));
        assert!(
            wrong.stderr.starts_with("\"My_Filter\" is not a name for a filter; write lower-case letters"),
            "{wrong:?}"
        );
        let made = new("mine");
        assert!(made.status.success() && made.stdout.contains("mine is ready"), "{made:?}");
        assert!(new("mine").stderr.contains("mine exists already"));
    }

    #[test]
    fn a_new_filter_passes_its_own_test_builds_and_serves() {
        let project = Project::new("my-filter");
        project.cargo(&["test"], &project.folder);
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folder = project.folder.display().to_string();
        let told = project.cargo(&["xtask", "filters", "--path", &folder], &workspace);
        let path = told.lines().last().unwrap();
        let tested = Binary::finish(&project.folder, &["filter", "test", "--module", path]);
        assert!(tested.stdout.ends_with("2 passed, 0 failed\n"), "{tested:?}");
        let module = fs::read(path).unwrap();
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).module("10-my-filter", module);
        let gateway = gateway.policy("10-my-filter", "[config]\nvalue = \"new\"\n").start();
        assert_eq!(gateway.get("/").echo().field("x-stamp"), Some("new"));
        assert_eq!(gateway.send(Request::get("/").field("x-stamp", "old")).echo().field("x-stamp"), Some("old"));
    }

    /// A new project at a place that stays the same from run to run, so that cargo need not build all of it each time.
    struct Project {
        folder: PathBuf,
        /// Two runs at once take turns.
        _turn: fs::File,
    }

    impl Project {
        fn new(name: &str) -> Self {
            let place = target_dir().join("tmp").join("new-filter");
            fs::create_dir_all(&place).unwrap();
            let turn = fs::File::create(place.join("lock")).unwrap();
            turn.lock().unwrap();
            let fresh = Folder::new();
            assert!(Binary::finish(fresh.path(), &["filter", "new", name]).status.success());
            let folder = place.join(name);
            replace(&fresh.path().join(name), &folder);
            // The versions that this workspace has been built with are here already.
            let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
            fs::copy(lock, folder.join("Cargo.lock")).unwrap();
            Self { folder, _turn: turn }
        }

        /// Runs cargo and gives what it has written to standard output.
        #[track_caller]
        fn cargo(&self, args: &[&str], folder: &Path) -> String {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let output = Command::new(cargo).args(args).current_dir(folder).output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "cargo {args:?} in {}:\n{error}", folder.display());
            String::from_utf8(output.stdout).unwrap()
        }
    }

    /// Makes `to` the same as `from`, except for what cargo has put there. Files that are the same keep their time.
    fn replace(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(to).unwrap() {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
            if from.join(&name).exists() || name == "target" || name == "Cargo.lock" {
                continue;
            }
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        for entry in fs::read_dir(from).unwrap() {
            let (path, other) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).unwrap();
            if path.is_dir() {
                replace(&path, &other);
            } else if fs::read(&other).ok() != fs::read(&path).ok() {
                fs::copy(path, other).unwrap();
            }
        }
    }
}

mod route_command {
    use super::*;

    fn route(more: &[&str]) -> Finished {
        let routes = "[[routes]]\nname = \"plain\"\nhosts = [\"api.test\"]\nupstream = \"orders\"\n\
                      [[routes]]\nname = \"beta\"\nhosts = [\"api.test\"]\nheaders = { x-beta = \"1\" }\nrespond = {}\n";
        let gateway = TestGateway::new().config(&format!("{FIRST}{routes}"));
        let mut args = vec!["route".to_owned()];
        args.extend(gateway.source_args());
        args.extend(more.iter().map(|&arg| arg.to_owned()));
        Binary::finish(Path::new("."), &args)
    }

    #[test]
    fn the_route_that_a_request_takes_is_told_and_what_it_passes_over() {
        let finished = route(&["GET", "http://API.test:80/orders?x=1"]);
        let rest = finished.stdout.strip_prefix("not beta: the header x-beta does not match\n");
        let taken: serde_json::Value = serde_json::from_str(rest.unwrap()).unwrap();
        let expected =
            serde_json::json!({ "route": "plain", "host": "api.test", "policies": [], "upstream": "orders" });
        assert_eq!(taken, expected, "{finished:?}");
        let finished = route(&["GET", "http://api.test", "-H", "X-Beta: 1"]);
        assert!(finished.status.success() && finished.stdout.contains("\"route\": \"beta\""), "{finished:?}");
    }

    #[test]
    fn no_route_is_a_failure_and_so_is_no_url() {
        let finished = route(&["GET", "http://other.test/"]);
        assert!(!finished.status.success());
        assert_eq!(finished.stderr, "no route matches; the answer is 404\n");
        let finished = route(&["GET", "http://api.test/../orders"]);
        assert_eq!(finished.stderr, "the path leads above the root; the answer is 400\n");
        let finished = route(&["GET", "/orders"]);
        assert!(finished.stderr.contains("write it with scheme and host, as http://HOST/PATH"), "{finished:?}");
        let finished = route(&["GET", "http://api.test/", "-H", "x-beta"]);
        assert!(finished.stderr.contains("write it as \"name: value\""), "{finished:?}");
        let finished = route(&["GET", "http://api.test/", "--listener", "inside"]);
        assert_eq!(finished.stderr, "there is no listener \"inside\"\n");
    }
}

#[test]
fn a_gateway_runs_on_flags_and_on_a_file() {
    let upstream = Upstream::start();
    let config = FIRST.replace("127.0.0.1:8080", "{listen}").replace("127.0.0.1:9000", "{upstream}") + ROUTE;
    for gateway in [TestGateway::new(), TestGateway::new().config(&config)] {
        let binary = gateway
            .upstream(&upstream)
            .module("10-key", filter("api-key"))
            .policy("10-key", KEYS)
            .run(&["--workers", "1"]);
        let request = Request::get("/").field("x-api-key", "alice-key");
        assert_eq!(Connection::open(binary.address()).request(request).status, 200);
    }
}
