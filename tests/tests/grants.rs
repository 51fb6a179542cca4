//! Stories of what policies are granted: clocks, random numbers, secrets, header fields, bodies.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(missing_docs, reason = "each story is named after what it tells")]

use tollgate_tests::{Request, RunningGateway, TestGateway, Upstream, eventually, guest, guest_component};

/// Both kinds of module of the guest that uses what has to be granted.
fn kinds() -> [(&'static str, Vec<u8>); 2] {
    [("core module", guest("grants")), ("component", guest_component("grants"))]
}

/// Everything goes through the guest.
const CONFIG: &str = "policies-dir = \"policies\"\n[[listeners]]\naddress = \"{listen}\"\n\
    [upstreams.u]\nendpoints = [\"{upstream}\"]\n[[routes]]\nupstream = \"u\"\npolicies = [\"g\"]\n{more}";

fn gateway(upstream: &Upstream, module: &[u8], policy: &str) -> TestGateway {
    let gateway = TestGateway::new().upstream(upstream).config(CONFIG).word("more", "").workers(1);
    gateway.module("grants", module).policy("g", &format!("filter = \"grants\"\n{policy}"))
}

fn with_secrets(gateway: TestGateway) -> TestGateway {
    let written = "[secrets.key]\nfile = \"key.txt\"\n[secrets.other]\nfile = \"other.txt\"";
    gateway.word("more", written).file("key.txt", "first\n").file("other.txt", "not yours")
}

fn using(things: &str) -> String {
    format!("config = {{ use = [{things}], declare = [] }}")
}

fn refused(gateway: &RunningGateway) -> f64 {
    gateway.metric("tollgate_filter_faults_total{policy=\"g\",class=\"refused\"}")
}

mod clocks_and_random_numbers {
    use super::*;

    const ALL: &str = r#""now", "monotonic", "random", "bytes""#;

    #[test]
    fn are_given_to_those_who_are_granted_them() {
        let upstream = Upstream::start();
        for (kind, module) in kinds() {
            let grants = "grants = { clock = true, random = true, secrets = [\"key\"] }";
            let gateway = with_secrets(gateway(&upstream, &module, &format!("{grants}\n{}", using(ALL)))).start();
            let (first, second) = (gateway.get("/").text(), gateway.get("/").text());
            let lines: Vec<_> = first.lines().collect();
            let now: u64 = lines[0].strip_prefix("now=").unwrap().parse().unwrap();
            assert!(now > 1_700_000_000, "{kind}: {first}");
            assert_eq!((lines[1], lines[3]), ("monotonic=true", "bytes=1024"), "{kind}");
            assert_ne!(lines[2], second.lines().nth(2).unwrap(), "{kind}");
        }
    }

    #[test]
    fn keep_a_filter_from_being_loaded_that_is_not_granted_them() {
        let upstream = Upstream::start();
        for (kind, module) in kinds() {
            let message = gateway(&upstream, &module, &using(ALL)).check().unwrap_err();
            let expected = "policies/g.toml: grants: the filter is not granted clocks, random numbers, a secret; if it may \
                            have that, write grants = { clock = true, random = true, secrets = [\"NAME\"] }";
            assert_eq!(message, expected, "{kind}");
        }
        let alone = TestGateway::new().upstream(&upstream).module("10-g", guest("grants")).check().unwrap_err();
        assert!(alone.starts_with("policies/10-g.wasm: the filter is not granted clocks"), "{alone}");
        assert!(alone.ends_with("secrets = [\"NAME\"] } to 10-g.toml beside it"), "{alone}");
    }

    #[test]
    fn are_not_random_while_a_filter_is_configured() {
        let upstream = Upstream::start();
        let config =
            "grants = { clock = true, random = true, secrets = [\"key\"] }\nconfig = { use = [], early = true }";
        let message = with_secrets(gateway(&upstream, &guest("grants"), config)).check().unwrap_err();
        assert!(message.contains("random numbers are not given while a filter is configured"), "{message}");
    }

    #[test]
    fn have_a_bound() {
        let upstream = Upstream::start();
        let config = "grants = { clock = true, random = true, secrets = [\"key\"] }\nconfig = { use = [\"too-many\"] }";
        let gateway = with_secrets(gateway(&upstream, &guest("grants"), config)).start();
        assert_eq!((gateway.get("/").status, refused(&gateway)), (503, 1.0));
    }
}

mod a_new_version_that_needs_more {
    use super::*;

    #[test]
    fn is_not_swapped_in_before_it_is_granted_that() {
        let upstream = Upstream::start();
        let gateway =
            gateway(&upstream, &guest("facts"), "config = { in = \"request\", declare = [\":path\"] }").start();
        assert_eq!(gateway.get("/a").text(), ":path=/a");
        gateway.replace_module("grants", guest("grants"));
        eventually("the new version is not swapped in", || gateway.policy("g")["state"] == "kept");
        assert!(gateway.policy("g").to_string().contains("clocks"), "{}", gateway.policy("g"));
        assert_eq!(gateway.get("/b").text(), ":path=/b");
    }
}

mod secrets {
    use super::*;

    const GRANTS: &str = "grants = { clock = true, random = true, secrets = [\"key\"] }";
    const POLICY: &str = "config = { use = [\"secret:key\", \"secret:other\"], needs = \"key\" }";

    fn start(upstream: &Upstream, module: &[u8]) -> RunningGateway {
        with_secrets(gateway(upstream, module, &format!("{GRANTS}\n{POLICY}"))).start()
    }

    #[test]
    fn are_seen_by_those_who_are_granted_them() {
        let upstream = Upstream::start();
        for (kind, module) in kinds() {
            assert_eq!(start(&upstream, &module).get("/").text(), "secret:key=first\nsecret:other=none", "{kind}");
        }
    }

    #[test]
    fn are_exchanged_without_configuring_the_filter_again() {
        let upstream = Upstream::start();
        for (kind, module) in kinds() {
            let gateway = start(&upstream, &module);
            let generation = gateway.generation();
            gateway.change(|gateway| gateway.replace_file("key.txt", "second"));
            assert_eq!(gateway.get("/").text(), "secret:key=second\nsecret:other=none", "{kind}");
            assert!(gateway.generation() > generation, "{kind}");
        }
    }

    #[test]
    fn stay_what_they_were_when_they_cannot_be_read() {
        let upstream = Upstream::start();
        let gateway = start(&upstream, &guest("grants"));
        gateway.change(|gateway| gateway.replace_file("key.txt", "\n"));
        let page = gateway.policies()["secrets"].to_string();
        assert!(page.contains("the secret is empty"), "{page}");
        assert_eq!(gateway.get("/").text(), "secret:key=first\nsecret:other=none");
        gateway.change(|gateway| gateway.replace_file("key.txt", "third"));
        assert_eq!(gateway.get("/").text(), "secret:key=third\nsecret:other=none");
        assert!(!gateway.policies()["secrets"].to_string().contains("empty"));
    }

    #[test]
    fn are_named_in_errors_and_never_shown() {
        let upstream = Upstream::start();
        let gateway = start(&upstream, &guest("grants"));
        assert_eq!(gateway.get("/").status, 200);
        for page in ["/policies", "/metrics"] {
            assert!(!gateway.admin(page).text().contains("first"), "{page}");
        }
    }

    #[test]
    fn that_there_are_not_are_problems_with_file_line_and_key() {
        let upstream = Upstream::start();
        let grants = "grants = { clock = true, random = true, secrets = [\"key\", \"kez\"] }";
        let written = "[secrets.key]\nfile = \"none.txt\"\n[secrets.other]\nenv = \"TOLLGATE_NO_SUCH_VARIABLE\"";
        let module = guest("grants");
        let gateway = gateway(&upstream, &module, &format!("{grants}\n{POLICY}")).word("more", written);
        let message = gateway.check().unwrap_err();
        let (file, rest) = message.split_once('\n').unwrap();
        assert!(
            file.starts_with("tollgate.toml:10: secrets.key.file: none.txt cannot be read: no such file"),
            "{file}"
        );
        let (variable, rest) = rest.split_once('\n').unwrap();
        assert!(
            variable.contains("secrets.other.env: there is no variable \"TOLLGATE_NO_SUCH_VARIABLE\""),
            "{variable}"
        );
        assert!(rest.contains("policies/g.toml:2: grants.secrets[1]: there is no secret \"kez\""), "{rest}");
    }

    #[test]
    fn are_somewhere_and_in_one_place_only() {
        let upstream = Upstream::start();
        let written = "[secrets.a]\nfile = \"a\"\nenv = \"A\"\n[secrets.b]\n[secrets.c]\nfiel = \"c\"";
        let gateway = gateway(&upstream, &guest("facts"), "config = { in = \"request\" }").word("more", written);
        let message = gateway.check().unwrap_err();
        assert!(
            message.contains("tollgate.toml:9: secrets.a: has both a file and a variable; write file = "),
            "{message}"
        );
        assert!(message.contains("secrets.b: does not say where it is"), "{message}");
        assert!(message.contains("secrets.c.fiel: unknown key"), "{message}");
        assert_eq!(message.lines().count(), 3, "{message}");
    }
}

mod header_fields {
    use super::*;

    fn start(upstream: &Upstream, grants: &str, config: &str) -> RunningGateway {
        let grants = format!("grants = {{ clock = true, random = true, secrets = [\"key\"], {grants} }}");
        with_secrets(gateway(upstream, &guest("grants"), &format!("{grants}\nconfig = {{ {config} }}"))).start()
    }

    fn check(upstream: &Upstream, grants: &str, config: &str) -> String {
        let config = format!("{grants}\nconfig = {{ in = \"request\", {config} }}");
        gateway(upstream, &guest("facts"), &config).check().err().unwrap_or_default()
    }

    #[test]
    fn that_are_credentials_are_granted_by_name() {
        let upstream = Upstream::start();
        let declare = "declare = [\"accept\", \"authorization\"]";
        let message = check(&upstream, "", declare);
        let expected = "policies/g.toml: grants: the filter is not granted to read \"authorization\"; if it may have that, \
                        write grants = { read = [\"*\", \"authorization\"] }";
        assert_eq!(message, expected);
        assert_eq!(check(&upstream, "grants = { read = [\"*\", \"authorization\"] }", declare), "");
        let message = check(&upstream, "grants = { read = [\"a*\"] }", declare);
        assert!(message.ends_with("write grants = { read = [\"a*\", \"authorization\"] }"), "{message}");
    }

    #[test]
    fn that_are_not_granted_are_not_read_when_a_filter_asks_for_them() {
        let upstream = Upstream::start();
        let gateway = start(&upstream, "read = [\"x-*\"]", "use = [\"read:x-a\", \"fields\"]");
        let request = || Request::get("/").field("x-a", "1").field("x-b", "2").field("cookie", "c");
        let text = gateway.send(request()).text();
        assert_eq!(text, "read:x-a=1\nfields=x-a x-b x-forwarded-for x-forwarded-proto x-forwarded-host");
        let gateway = start(&upstream, "read = [\"x-*\"]", "use = [\"read:cookie\"]");
        assert_eq!((gateway.send(request()).status, refused(&gateway)), (503, 1.0));
    }

    #[test]
    fn that_are_not_granted_are_not_changed() {
        let upstream = Upstream::start();
        let gateway = start(&upstream, "", "use = [\"edit:authorization\"]");
        assert_eq!((gateway.get("/").status, refused(&gateway)), (503, 1.0));
        let gateway = start(&upstream, "write = [\"*\", \"authorization\"]", "use = [\"edit:authorization\"]");
        assert_eq!(gateway.get("/").echo().field("authorization"), Some("edited"));
        let gateway = start(&upstream, "write = [\"x-*\"]", "use = [\"apply:x-a\", \"apply:accept\"]");
        let text = gateway.get("/").text();
        assert!(
            text.starts_with("apply:x-a=done\napply:accept=the policy is not granted to write \"accept\""),
            "{text}"
        );
    }

    #[test]
    fn of_a_reply_are_the_filters_own_but_for_cookies() {
        let upstream = Upstream::start();
        let gateway = start(&upstream, "write = []", "use = [\"cookie:a=b\"]");
        assert_eq!((gateway.get("/").status, refused(&gateway)), (503, 1.0));
        let gateway = start(&upstream, "write = [\"set-cookie\"]", "use = [\"cookie:a=b\"]");
        assert_eq!(gateway.get("/").field("set-cookie"), Some("a=b"));
    }

    #[test]
    fn are_named_as_fields_are() {
        let upstream = Upstream::start();
        let message = check(&upstream, "grants = { read = [\"x a\", \"x-*-b\"], write = [3], clok = true }", "");
        assert!(
            message.contains("policies/g.toml:2: grants.read[0]: \"x a\" is not the name of a header field"),
            "{message}"
        );
        assert!(message.contains("grants.read[1]: \"x-*-b\" is not the name"), "{message}");
        assert!(message.contains("grants.write[0]: is a number, not a string"), "{message}");
        assert!(message.contains("grants.clok: unknown key; did you mean \"clock\"?"), "{message}");
    }
}

mod bodies {
    use super::*;

    #[test]
    fn are_not_shown_to_those_from_whom_they_are_withheld() {
        let upstream = Upstream::start();
        let check = |body: bool, grant: bool| {
            let grants = format!("grants = {{ clock = true, random = true, secrets = [\"key\"], body = {grant} }}");
            let config = format!("{grants}\nconfig = {{ use = [], body = {body} }}");
            with_secrets(gateway(&upstream, &guest("grants"), &config)).check()
        };
        let message = check(true, false).unwrap_err();
        assert!(
            message.contains("the filter is not granted bodies; if it may have that, write grants = "),
            "{message}"
        );
        assert_eq!((check(true, true), check(false, false)), (Ok(()), Ok(())));
    }
}
