//! Stories of what modules say about themselves: their names, what they need, and the schemas of their configurations.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(missing_docs, reason = "each story is named after what it tells")]

use serde_json::json;
use tollgate_tests::{
    Binary, RawFilter, TestGateway, Upstream, append_section, example, filter, guest, guest_component,
};

/// Subscribes to request heads.
const REQUEST_HEAD: u32 = 1;

/// What the guest `facts` has to be told.
const FACTS: &str = "config = { in = \"request\" }";

fn nowhere() -> TestGateway {
    TestGateway::new().upstream_at(([127, 0, 0, 1], 9).into())
}

/// A filter that says this about itself.
fn saying(manifest: impl AsRef<[u8]>) -> Vec<u8> {
    RawFilter::new(REQUEST_HEAD).section("tollgate:manifest", manifest).build()
}

/// One whose manifest is in order and has these members besides.
fn with(more: &serde_json::Value) -> Vec<u8> {
    let mut manifest = json!({ "format": 1, "name": "raw", "version": "1.2.3" });
    manifest.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    saying(manifest.to_string())
}

/// All that is wrong with a module and its policy, a problem a line.
#[track_caller]
fn problems(module: impl AsRef<[u8]>, policy: &str) -> Vec<String> {
    let gateway = nowhere().module("10-m", module).policy("10-m", policy);
    let told = gateway.check().err().unwrap_or_default();
    assert!(!told.is_empty() || gateway.try_start().is_ok(), "what is found to be in order starts");
    told.lines().map(ToOwned::to_owned).collect()
}

mod names {
    use super::*;

    #[test]
    fn and_versions_are_shown_to_operators() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new()
            .upstream(&upstream)
            .module("10-m", with(&json!({})))
            .module("20-component", guest_component("facts"))
            .policy("20-component", FACTS)
            .module("30-silent", RawFilter::new(REQUEST_HEAD).build())
            .start();
        assert_eq!(gateway.policy("10-m")["module"], json!({ "name": "raw", "version": "1.2.3" }));
        assert_eq!(gateway.policy("20-component")["module"]["name"], "facts", "it is still there in a component");
        assert!(gateway.policy("30-silent")["module"].is_null() && gateway.policy("30-silent")["state"] == "live");
    }

    #[test]
    fn and_versions_are_shown_by_check() {
        let gateway =
            nowhere().module("10-m", with(&json!({}))).module("20-silent", RawFilter::new(REQUEST_HEAD).build());
        let mut args = vec!["check".to_owned()];
        args.extend(gateway.source_args());
        let finished = Binary::finish(gateway.folder().path(), &args);
        let told: Vec<_> = finished.stdout.lines().skip(1).collect();
        assert_eq!(told, ["policy 10-m: raw 1.2.3", "policy 20-silent: a module that does not say what it is"]);
    }
}

mod configurations {
    use super::*;

    #[test]
    fn are_held_to_the_schema_with_line_and_key() {
        let policy = "filter = \"rate-limit\"\n\n[config]\nrequests = 0\nper = \"1 day\"\nbursts = 5\n";
        let gateway = nowhere().policy("10-limit", policy);
        let told = gateway.check().unwrap_err();
        assert_eq!(
            told.lines().collect::<Vec<_>>(),
            [
                "policies/10-limit.toml:6: config.bursts: unknown key; did you mean \"burst\"?",
                "policies/10-limit.toml:5: config.per: does not look as it should; write text such as \"1s\", \"500ms\", \"1h\"",
                "policies/10-limit.toml:4: config.requests: is less than 1; write a whole number, at least 1",
            ]
        );
    }

    #[test]
    fn have_lines_in_lists_of_tables_and_in_the_configuration_file() {
        let config = "[[listeners]]\naddress = \"127.0.0.1:8080\"\n[upstreams.a]\nendpoints = [\"127.0.0.1:9\"]\n\
            [[routes]]\nupstream = \"a\"\n[policies.\"a key\"]\nfilter = \"api-key\"\n\
            [[policies.\"a key\".config.keys]]\nconsumer = \"\"\nsha256 = \"0123\"\n";
        let told = TestGateway::new().config(config).check().unwrap_err();
        assert_eq!(
            told.lines().collect::<Vec<_>>(),
            [
                "tollgate.toml:10: policies.\"a key\".config.keys[0].consumer: is empty; write text, at least 1",
                "tollgate.toml:11: policies.\"a key\".config.keys[0].sha256: does not look as it should; \
                 write 64 hexadecimal digits",
            ]
        );
        assert!(!told.contains("0123"), "values may be secrets");
    }

    #[test]
    fn that_are_missing_are_described() {
        let told = nowhere().policy("10-limit", "filter = \"rate-limit\"\n").check().unwrap_err();
        let first = told.lines().next().unwrap();
        assert_eq!(
            first,
            "policies/10-limit.toml:1: config.requests: is missing; write a whole number, at least 1 \
             (Requests in each period, on average)"
        );
    }

    #[test]
    fn of_a_component_are_checked_as_well() {
        let mut component = guest_component("facts");
        let schema = json!({ "properties": { "in": { "enum": ["request"] } } });
        // The one of the guest is within; this one is of the component itself.
        let manifest = json!({ "format": 1, "name": "facts", "version": "2", "schema": schema });
        append_section(&mut component, "tollgate:manifest", manifest.to_string().as_bytes());
        let told = problems(component, "config = { in = \"nowhere\" }");
        assert!(told[0].contains("it has more than one section tollgate:manifest; make it of one filter"), "{told:?}");
    }

    #[test]
    fn that_no_longer_fit_keep_what_serves() {
        let upstream = Upstream::start();
        let older = with(&json!({ "schema": { "properties": { "a": { "type": "integer" } } } }));
        let newer = with(&json!({ "version": "2.0.0", "schema": { "properties": { "a": { "type": "string" } } } }));
        let gateway =
            TestGateway::new().upstream(&upstream).module("10-m", &older).policy("10-m", "[config]\na = 1\n").start();
        let digest = gateway.policy("10-m")["digest"].clone();
        gateway.change(|gateway| std::fs::write(gateway.policies_dir().join("10-m.wasm"), &newer).unwrap());
        let policy = gateway.policy("10-m");
        assert_eq!((&policy["state"], &policy["digest"]), (&json!("kept"), &digest));
        assert_eq!(policy["module"]["version"], "1.2.3", "what serves is named");
        let error = gateway.relative(policy["last-error"].as_str().unwrap());
        assert_eq!(error, "policies/10-m.toml:2: config.a: is a number, not text; write text");
        gateway.change(|gateway| gateway.write_policy("10-m", "[config]\na = \"1\"\n"));
        assert_eq!(gateway.policy("10-m")["module"]["version"], "2.0.0");
    }

    #[test]
    fn that_get_worse_keep_what_serves() {
        let upstream = Upstream::start();
        let module = with(&json!({ "schema": { "additionalProperties": { "maximum": 5 } } }));
        let gateway =
            TestGateway::new().upstream(&upstream).module("10-m", module).policy("10-m", "[config]\na = 1\n").start();
        gateway.change(|gateway| gateway.write_policy("10-m", "[config]\na = 1\n\nb = 7\n"));
        let policy = gateway.policy("10-m");
        let error = gateway.relative(policy["last-error"].as_str().unwrap());
        assert_eq!(policy["state"], "kept");
        assert_eq!(error, "policies/10-m.toml:4: config.b: is more than 5; write any value");
    }
}

mod needs {
    use super::*;

    #[test]
    fn that_are_not_granted_are_told_with_their_reasons_and_what_to_write() {
        let module = with(&json!({ "needs": [
            { "grant": "clock", "why": "tokens expire" },
            { "grant": "callouts", "name": "auth", "why": "asks who may pass" },
            { "grant": "read", "name": "Cookie", "why": "it has the session" },
            { "grant": "random", "why": "for luck", "optional": true },
        ] }));
        let told = problems(&module, "grants = { secrets = [], body = false }");
        assert_eq!(
            told,
            [
                "policies/10-m.toml:1: grants: the filter is not granted clocks (tokens expire), callouts to \"auth\" (asks who \
              may pass), to read \"cookie\" (it has the session); if it may have that, write grants = { clock = true, \
              secrets = [], read = [\"*\", \"cookie\"], body = false, callouts = [\"auth\"] }"
            ]
        );
    }

    #[test]
    fn that_are_granted_let_it_serve() {
        let config = "policies-dir = \"policies\"\n[[listeners]]\naddress = \"{listen}\"\n[upstreams.auth]\n\
            endpoints = [\"127.0.0.1:9\"]\n[[routes]]\nupstream = \"auth\"\n";
        let module = with(&json!({ "needs": [{ "grant": "callouts", "name": "auth", "why": "asks" }] }));
        let gateway = TestGateway::new().config(config).module("10-m", &module);
        let told = gateway.policy("10-m", "grants = { callouts = [\"auth\"] }").check();
        assert_eq!(told, Ok(()));
    }

    #[test]
    fn of_an_example_are_what_its_author_wrote() {
        let told = problems(example("callout-auth"), "config = { upstream = \"upstream\" }");
        assert!(told[0].contains("callouts (asks the authorization service about each request)"), "{told:?}");
        assert!(told[0].ends_with("write grants = { callouts = [\"NAME\"] }"), "{told:?}");
    }
}

mod hostile_manifests {
    use super::*;

    /// What is said about a module that is bad.
    #[track_caller]
    fn refusal(module: impl AsRef<[u8]>) -> String {
        let told = problems(module, "config = {}");
        assert_eq!(told.len(), 1, "{told:?}");
        let reason = told[0].strip_prefix("policies/10-m.wasm: ");
        reason.unwrap_or_else(|| panic!("{told:?}")).to_owned()
    }

    #[test]
    fn are_refused_and_said_to_be_what_they_are() {
        let deep = format!("{}{}", "{\"a\":".repeat(10_000), "0".to_owned() + &"}".repeat(10_000));
        let manifest = |schema: &str| format!(r#"{{"format":1,"name":"a","version":"1","schema":{schema}}}"#);
        let cases = [
            (String::new(), "is no manifest: EOF"),
            ("no JSON".to_owned(), "is no manifest: expected"),
            ("[]".to_owned(), "is no manifest: invalid"),
            (deep.clone(), "is no manifest: missing field `format`"),
            (manifest(&deep), "is no manifest: recursion limit"),
            (r#"{"format":7,"name":"a","version":"1"}"#.to_owned(), "has the format 7"),
            (r#"{"format":1,"name":"a\u001b]0;b","version":"1"}"#.to_owned(), "its name has control characters"),
            (
                r#"{"format":1,"name":"a","version":"1","needs":[{"grant":"sockets"}]}"#.to_owned(),
                "it needs \"sockets\"",
            ),
            (manifest("7"), "the schema of its configuration is not valid: # is neither"),
            (manifest(r#"{"type":"strin"}"#), "the schema of its configuration is not valid: #/type is no type"),
            (
                manifest(r#"{"$ref":"https://example.com/s.json"}"#),
                "#/$ref refers to what is not in it, and nothing is fetched",
            ),
            (manifest(r#"{"$ref":"file:///etc/passwd"}"#), "nothing is fetched"),
            (
                manifest(r#"{"pattern":"(a{1000}){1000}"}"#),
                "#/pattern is no pattern, needs to look ahead or back, or is too large",
            ),
        ];
        for (text, expected) in cases {
            let told = refusal(saying(&text));
            assert!(told.contains(expected), "{}: {told}", &text[..text.len().min(100)]);
        }
        assert!(refusal(saying([0xff, 0xfe])).contains("is no manifest"));
    }

    #[test]
    fn are_not_read_beyond_their_bound() {
        let told = refusal(saying(vec![b' '; (256 << 10) + 1]));
        assert_eq!(
            told,
            "its section tollgate:manifest has 262145 bytes, more than the 262144 that are read; shorten what it carries"
        );
        let cases = RawFilter::new(REQUEST_HEAD).section("tollgate:cases", vec![b'#'; 300_000]).build();
        assert!(refusal(cases).starts_with("its section tollgate:cases has 300000 bytes"));
        let nonsense = RawFilter::new(REQUEST_HEAD).section("tollgate:cases", [0xff]).build();
        assert!(refusal(nonsense).starts_with("its section tollgate:cases is not UTF-8"));
    }

    #[test]
    fn cannot_hold_up_a_change() {
        let reference = |n: usize| json!({ "$ref": format!("#/$defs/{n}") });
        let parts = (0..18)
            .map(|n| (n.to_string(), json!({ "allOf": [reference(n + 1), reference(n + 1), reference(n + 1)] })));
        let parts = parts.chain([("18".to_owned(), json!({}))]).collect::<serde_json::Map<_, _>>();
        let bomb = json!({ "$ref": "#/$defs/0", "$defs": parts });
        for schema in [bomb, json!({ "$ref": "#" })] {
            let told = problems(with(&json!({ "schema": schema })), "config = {}");
            let expected = "policies/10-m.toml:1: config: takes too long to be compared with the filter's schema; \
                shorten it, or tell its author";
            assert_eq!(told, [expected]);
        }
    }

    #[test]
    fn keep_what_serves() {
        let upstream = Upstream::start();
        let gateway =
            TestGateway::new().upstream(&upstream).module("10-m", guest("facts")).policy("10-m", FACTS).start();
        let before = gateway.policy("10-m")["digest"].clone();
        gateway.change(|gateway| std::fs::write(gateway.policies_dir().join("10-m.wasm"), saying("{")).unwrap());
        let policy = gateway.policy("10-m");
        assert_eq!((&policy["state"], &policy["digest"]), (&json!("kept"), &before), "{policy}");
    }
}

mod carried_cases {
    use super::*;

    const MARKS: &str = "[[cases]]\nname = \"marks requests\"\n[cases.expect]\noutcome = \"forwarded\"\n\
                         upstream = { fields = { x-begun = \"1\" } }\n";

    fn marking() -> Vec<u8> {
        let mut module = guest("misbehave");
        append_section(&mut module, "tollgate:cases", MARKS.as_bytes());
        module
    }

    fn carrying(cases: &str) -> Vec<u8> {
        RawFilter::new(REQUEST_HEAD).section("tollgate:cases", cases).build()
    }

    #[test]
    fn are_run_before_a_version_is_live() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).module("10-m", marking()).start();
        let page = gateway.admin("/history").json();
        let tested = page["history"].as_array().unwrap().iter().find(|record| record["stage"] == "self-test");
        assert_eq!(tested.map(|record| &record["reason"]), Some(&json!("1 cases")), "{page:#}");
        let before = gateway.policy("10-m")["digest"].clone();
        // Lets everything pass as it is.
        gateway.change(|gateway| gateway.replace_module("10-m", carrying(MARKS)));
        let policy = gateway.policy("10-m");
        assert_eq!((&policy["state"], &policy["digest"]), (&json!("kept"), &before));
        let error = gateway.relative(policy["last-error"].as_str().unwrap());
        assert!(error.starts_with("policies/10-m.wasm:1: the case \"marks requests\" fails: "), "{error}");
    }

    #[test]
    fn and_those_beside_the_module_count_together() {
        let upstream = Upstream::start();
        let files = TestGateway::new().upstream(&upstream).module("10-m", marking());
        let gateway = files.file("policies/10-m.cases.toml", MARKS).start();
        let page = gateway.admin("/history").json();
        let tested = page["history"].as_array().unwrap().iter().find(|record| record["stage"] == "self-test");
        assert_eq!(tested.map(|record| &record["reason"]), Some(&json!("2 cases")), "{page:#}");
    }

    #[test]
    fn can_be_run_by_hand() {
        let folder = nowhere().module("10-m", marking()).module("20-other", guest("misbehave"));
        let run = |module: &str| Binary::finish(&folder.folder().path().join("policies"), &["filter", "test", module]);
        let (good, none) = (run("10-m.wasm"), run("20-other.wasm"));
        assert!(good.status.success() && good.stdout.ends_with("1 passed, 0 failed\n"), "{good:?}");
        assert!(!none.status.success() && none.stdout.starts_with("20-other.wasm: carries no cases; "), "{none:?}");
    }

    #[test]
    fn that_go_too_far_are_refused() {
        let one = |more: &str| format!("[[cases]]\nname = \"a\"\nexpect = {{ outcome = \"forwarded\" }}\n{more}");
        let large = "request = { method = \"POST\", body = { repeat = \"xxxx\", times = 1000000 } }\n";
        let cases = [
            ("[[cases]]\nnam = 1\n".to_owned(), "policies/10-m.wasm:2: cases[0].nam: unknown key"),
            (
                one("request = { body = { file = \"/etc/hostname\" } }\n"),
                "policies/10-m.wasm:4: cases[0].request.body.file: is a file, and cases in a module can read none",
            ),
            (
                format!("[[chain]]\nfilter = \"../other.wasm\"\n{}", one("")),
                "policies/10-m.wasm:1: chain: has other filters, and a module carries cases of itself alone",
            ),
            (one(large), "policies/10-m.wasm: what it carries is too much once it is read"),
            (
                one(&"[[cases.then]]\nexpect = { outcome = \"forwarded\" }\n".repeat(300)),
                "policies/10-m.wasm: what it carries is too much once it is read",
            ),
        ];
        for (text, expected) in cases {
            let told = problems(carrying(&text), "config = {}");
            assert!(told.iter().any(|problem| problem.starts_with(expected)), "{expected}: {told:?}");
        }
    }

    #[test]
    fn of_standard_filters_pass_where_these_are_modules_like_any_other() {
        let folder = nowhere();
        for name in ["api-key", "headers", "rate-limit"] {
            let finished = Binary::finish(folder.folder().path(), &["filter", "inspect", name, "--json"]);
            let told: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
            assert!(told["cases"].as_array().is_some_and(|cases| !cases.is_empty()), "{told:#}");
            assert_eq!(told["cases-problems"], json!([]));
            folder.folder().write("standard.wasm", filter(name));
            let finished = Binary::finish(folder.folder().path(), &["filter", "test", "standard.wasm"]);
            assert!(finished.status.success(), "{name}: {finished:?}");
        }
    }
}

mod inspection {
    use super::*;

    const SAYS: &str = "[[cases]]\nname = \"passes\"\nexpect = { outcome = \"forwarded\" }\n";

    fn module() -> Vec<u8> {
        let schema = json!({
            "type": "object",
            "properties": {
                "limit": { "type": "integer", "minimum": 1, "default": 3 },
                "zones": { "type": "array", "items": { "type": "object", "required": ["id"], "properties": {
                    "id": { "type": "string", "description": "What it is\u{1b}[2J called" } } } },
            },
            "required": ["zones"],
            "additionalProperties": false,
        });
        let manifest = json!({
            "format": 1, "name": "raw", "version": "1.2.3", "description": "Says yes", "hooks": ["on-request"],
            "schema": schema, "documentation": "# Raw\n\nYes.\n",
            "needs": [
                { "grant": "clock", "why": "tokens expire" },
                { "grant": "callouts", "name": "auth", "why": "asks who may pass" },
                { "grant": "random", "why": "for luck", "optional": true },
            ],
        });
        let filter = RawFilter::new(REQUEST_HEAD).section("tollgate:manifest", manifest.to_string());
        filter.section("tollgate:cases", SAYS).build()
    }

    fn inspect(gateway: &TestGateway, args: &[&str]) -> tollgate_tests::Finished {
        let args: Vec<_> = ["filter", "inspect"].iter().chain(args).collect();
        Binary::finish(gateway.folder().path(), &args)
    }

    #[test]
    fn tells_what_a_module_is_and_what_to_write_for_it() {
        let module = module();
        let finished = inspect(&nowhere().module("raw", &module), &["policies/raw.wasm"]);
        let told: Vec<_> = finished.stdout.lines().filter(|line| !line.starts_with("digest ")).collect();
        let size = format!("size     {} bytes, a core module", module.len());
        assert_eq!(
            told,
            [
                "raw 1.2.3: Says yes",
                &size,
                "hooks    on-request",
                "imports  none",
                "needs    clock: tokens expire",
                "         callouts \"auth\": asks who may pass",
                "         random: for luck (it can do without)",
                "cases    \"passes\"",
                "manual   3 lines, which --json has",
                "",
                "[config]",
                "  limit       a whole number, at least 1  default 3",
                "  zones       a list of a table with id   required",
                "  zones[].id  text                        required; What it is [2J called",
                "",
                "a policy has to grant clocks (tokens expire), callouts to \"auth\" (asks who may pass):",
                "grants = { clock = true, callouts = [\"auth\"] }",
            ],
            "{finished:?}"
        );
        assert!(finished.status.success());
    }

    #[test]
    fn tells_programs_the_same() {
        let gateway = nowhere().module("raw", module()).module("silent", RawFilter::new(REQUEST_HEAD).build());
        let json = |name: &str| -> serde_json::Value {
            serde_json::from_str(&inspect(&gateway, &[name, "--json"]).stdout).unwrap()
        };
        let told = json("policies/raw.wasm");
        assert_eq!((&told["name"], &told["kind"], &told["cases"]), (&json!("raw"), &json!("core"), &json!(["passes"])));
        assert_eq!(told["lacks"], json!([{ "grant": "clock", "name": null }, { "grant": "callouts", "name": "auth" }]));
        assert_eq!(told["schema"]["properties"]["limit"]["default"], 3);
        let silent = json("policies/silent.wasm");
        assert!(silent["name"].is_null() && silent["hooks"].is_null() && silent["grants"].is_null(), "{silent:#}");
        assert!(silent["digest"].as_str().unwrap().starts_with("sha256:"));
    }

    #[test]
    fn knows_components_and_what_imports_need() {
        let gateway = nowhere().module("grants", guest("grants")).module("facts", guest_component("facts"));
        let told = inspect(&gateway, &["policies/facts.wasm"]).stdout;
        assert!(told.contains("bytes, a component\n") && told.starts_with("facts "), "{told}");
        let told = inspect(&gateway, &["policies/grants.wasm"]).stdout;
        assert!(told.contains("clock: it imports what gives that"), "{told}");
    }

    #[test]
    fn says_what_a_policy_lacks() {
        let gateway = nowhere().config(
            "policies-dir = \"policies\"\n[[listeners]]\naddress = \"127.0.0.1:8080\"\n[upstreams.auth]\n\
             endpoints = [\"127.0.0.1:9\"]\n[[routes]]\nupstream = \"auth\"\n",
        );
        let gateway = gateway
            .module("raw", module())
            .policy("raw", "grants = { body = false, callouts = [\"auth\"] }\n[config]\nzones = []\nlimit = 0\n");
        let config = gateway.source_args();
        let of = |policy: &str| inspect(&gateway, &["policies/raw.wasm", &config[0], &config[1], "--policy", policy]);
        let finished = of("raw");
        let told: Vec<_> = finished.stdout.lines().rev().take(3).collect();
        let limit = gateway.relative(told[0]);
        assert_eq!(
            (limit.as_str(), told[1], told[2]),
            (
                "policies/raw.toml:4: config.limit: is less than 1; write a whole number, at least 1",
                "grants = { clock = true, body = false, callouts = [\"auth\"] }",
                "the policy \"raw\" has to grant clocks (tokens expire):",
            )
        );
        assert!(!finished.status.success(), "{finished:?}");
        assert!(of("row").stderr.contains("there is no policy \"row\"; did you mean \"raw\"?"));
        let good = "grants = { clock = true, callouts = [\"auth\"] }\n[config]\nzones = []\n";
        gateway.folder().write("policies/raw.toml", good);
        assert!(of("raw").status.success());
    }

    #[test]
    fn of_what_is_no_module_says_why() {
        let gateway = nowhere().file("broken.wasm", "no module").file("deep.wasm", saying("{"));
        let told = |name: &str| inspect(&gateway, &[name]).stderr;
        assert!(told("broken.wasm").starts_with("broken.wasm: not a WebAssembly component: "));
        assert!(told("deep.wasm").starts_with("deep.wasm: its section tollgate:manifest is no manifest: EOF"));
        assert!(told("none.wasm").contains("none.wasm: cannot be read: "));
    }
}
