//! Stories of change: each way of changing a file is live, nothing under way is dropped, and what is wrong keeps what served.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Weak};

use tollgate::snapshot::Snapshot;
use tollgate_tests::{
    Answer, Binary, Connection, Gate, Load, Request, Response, RunningGateway, TestGateway, Upstream, eventually, guest,
};

/// A policy that marks requests and responses with its version.
fn mark(version: &str) -> String {
    format!(
        "[config.request.set]\nx-version = {version:?}\n[config.response.set]\nx-version = {version:?}\nx-route = \"{{route}}\"\n"
    )
}

fn version_of(response: &Response) -> Option<String> {
    response.field("x-version").map(ToOwned::to_owned)
}

fn version(gateway: &RunningGateway) -> Option<String> {
    version_of(&gateway.get("/"))
}

#[track_caller]
fn becomes(gateway: &RunningGateway, wanted: &str) {
    eventually(&format!("version {wanted} is live"), || version(gateway).as_deref() == Some(wanted));
}

/// A gateway with version 1 of the policy `10-headers`.
fn with_version_1(upstream: &Upstream) -> RunningGateway {
    TestGateway::new().upstream(upstream).policy("10-headers", &mark("1")).start()
}

/// The module again, with a digest of its own: one more custom section (WebAssembly core, section 5.5.3).
fn variant(module: &[u8], mark: u8) -> Vec<u8> {
    [module, &[0, 3, 1, b'v', mark]].concat()
}

mod a_file {
    use super::*;

    #[test]
    fn may_be_replaced_as_editors_do() {
        let upstream = Upstream::start();
        let gateway = with_version_1(&upstream);
        let dir = gateway.policies_dir();
        // With a backup, and a swap file beside it.
        fs::write(dir.join(".10-headers.toml.swp"), "not TOML [").unwrap();
        fs::rename(dir.join("10-headers.toml"), dir.join("10-headers.toml~")).unwrap();
        gateway.write_policy("10-headers", &mark("2"));
        fs::remove_file(dir.join("10-headers.toml~")).unwrap();
        fs::remove_file(dir.join(".10-headers.toml.swp")).unwrap();
        becomes(&gateway, "2");
        // By a file beside it that is renamed.
        fs::write(dir.join("10-headers.toml.tmp"), mark("3")).unwrap();
        fs::rename(dir.join("10-headers.toml.tmp"), dir.join("10-headers.toml")).unwrap();
        becomes(&gateway, "3");
        assert_eq!(gateway.policy("10-headers")["state"], "live");
    }

    #[test]
    fn may_be_written_in_place_piece_by_piece() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).module("10-m", guest("misbehave")).start();
        let before = gateway.policy("10-m")["digest"].clone();
        let module = variant(&guest("misbehave"), 1);
        // As `cp` does: truncated, then written from the front.
        let mut file = fs::File::create(gateway.policies_dir().join("10-m.wasm")).unwrap();
        for piece in module.chunks(10_000) {
            file.write_all(piece).unwrap();
            assert!(gateway.get("/").echo().field("x-begun").is_some(), "the old one serves");
        }
        drop(file);
        eventually("the new module is live", || {
            let policy = gateway.policy("10-m");
            policy["state"] == "live" && policy["digest"] != before
        });
    }

    #[test]
    fn that_is_half_a_module_never_goes_live() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).module("10-m", guest("misbehave")).start();
        let before = gateway.policy("10-m")["digest"].clone();
        let module = variant(&guest("misbehave"), 2);
        let (first, second) = module.split_at(module.len() / 2);
        let path = gateway.policies_dir().join("10-m.wasm");
        // A copy that was interrupted: closed, and half.
        gateway.change(|_| fs::write(&path, first).unwrap());
        let policy = gateway.policy("10-m");
        assert_eq!((&policy["state"], &policy["digest"]), (&"kept".into(), &before));
        let error = gateway.relative(policy["last-error"].as_str().unwrap());
        assert!(error.starts_with("policies/10-m.wasm: "), "{error}");
        // And taken up again.
        gateway.change(|_| fs::File::options().append(true).open(&path).unwrap().write_all(second).unwrap());
        let policy = gateway.policy("10-m");
        assert_eq!((&policy["state"], policy["last-error"].is_null()), (&"live".into(), true), "{policy}");
        assert_ne!(policy["digest"], before);
    }

    #[test]
    fn may_be_moved_in_and_out() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).start();
        assert_eq!(version(&gateway), None);
        let (outside, inside) = (gateway.path().join("ready.toml"), gateway.policies_dir().join("10-headers.toml"));
        fs::write(&outside, mark("1")).unwrap();
        fs::rename(&outside, &inside).unwrap();
        becomes(&gateway, "1");
        fs::rename(&inside, &outside).unwrap();
        eventually("it is gone", || version(&gateway).is_none());
        fs::rename(&outside, gateway.policies_dir().join("20-headers.toml")).unwrap();
        becomes(&gateway, "1");
        assert_eq!(gateway.policies()["policies"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn may_be_deleted() {
        let upstream = Upstream::start();
        let gateway = with_version_1(&upstream);
        gateway.change(|gateway| gateway.remove("10-headers.toml"));
        assert_eq!((version(&gateway), gateway.policies()["policies"].as_array().unwrap().len()), (None, 0));
    }

    #[test]
    fn that_is_only_touched_changes_nothing() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new()
            .upstream(&upstream)
            .workers(1)
            .module("10-m", guest("misbehave"))
            .policy("20-rate-limit", "[config]\nrequests = 1\nper = \"1h\"\nburst = 3\n")
            .start();
        let begun = |response: Response| response.field("x-begun").unwrap().to_owned();
        assert_eq!((begun(gateway.get("/")), begun(gateway.get("/"))), ("1".into(), "2".into()));
        for file in ["10-m.wasm", "20-rate-limit.toml"] {
            let path = gateway.policies_dir().join(file);
            let same = fs::read(&path).unwrap();
            gateway.change(|_| fs::write(&path, same).unwrap());
        }
        // The same instance with all that it knows, and the same limits.
        assert_eq!(begun(gateway.get("/")), "3");
        assert_eq!(gateway.get("/").status, 429);
    }

    #[test]
    fn that_is_broken_keeps_the_old_until_it_is_repaired() {
        let upstream = Upstream::start();
        let gateway = with_version_1(&upstream);
        for (broken, reason) in [
            ("[config", "policies/10-headers.toml:1: "),
            ("filtre = \"headers\"", "policies/10-headers.toml:1: filtre: unknown key; did you mean \"filter\"?"),
            ("[config]\nrequest = 7", "policies/10-headers.toml:2: config.request: is a number, not a table; "),
        ] {
            gateway.change(|gateway| gateway.write_policy("10-headers", broken));
            let policy = gateway.policy("10-headers");
            let error = gateway.relative(policy["last-error"].as_str().unwrap_or_default());
            assert!(policy["state"] == "kept" && error.starts_with(reason), "{policy}");
            assert_eq!(version(&gateway).as_deref(), Some("1"));
        }
        gateway.change(|gateway| gateway.write_policy("10-headers", &mark("2")));
        let policy = gateway.policy("10-headers");
        assert_eq!((&policy["state"], policy["last-error"].is_null()), (&"live".into(), true));
        assert_eq!(version(&gateway).as_deref(), Some("2"));
    }

    #[test]
    fn that_is_broken_is_told_in_the_log() {
        let upstream = Upstream::start();
        let binary = TestGateway::new().upstream(&upstream).policy("10-headers", &mark("1")).run(&[]);
        binary.line(&["listening"]);
        binary.files().folder().write("policies/10-headers.toml", "[config");
        binary.line(&["ERROR", "policies/10-headers.toml:1"]);
        binary.line(&["reloaded", "rejected=1"]);
        binary.files().folder().write("policies/10-headers.wasm", "garbage");
        binary.files().folder().write("policies/10-headers.toml", mark("2"));
        binary.line(&["ERROR", "policies/10-headers.wasm", "does not begin as a WebAssembly file does"]);
        assert_eq!(version_of(&binary.get("/")).as_deref(), Some("1"));
        fs::remove_file(binary.files().folder().path().join("policies/10-headers.wasm")).unwrap();
        eventually("it is repaired", || version_of(&binary.get("/")).as_deref() == Some("2"));
    }

    #[test]
    fn may_be_the_module_of_two_policies() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new()
            .upstream(&upstream)
            .module("shared", guest("misbehave"))
            .policy("10-one", "filter = \"shared\"")
            .policy("20-two", "filter = \"shared\"")
            .start();
        let digests =
            |gateway: &RunningGateway| ["10-one", "20-two"].map(|name| gateway.policy(name)["digest"].clone());
        let before = digests(&gateway);
        assert_eq!(before[0], before[1]);
        gateway.change(|gateway| gateway.replace_module("shared", variant(&guest("misbehave"), 3)));
        let after = digests(&gateway);
        assert!(after[0] == after[1] && after[0] != before[0], "{after:?}");
        gateway.change(|gateway| gateway.replace_module("shared", "garbage"));
        for name in ["10-one", "20-two"] {
            assert_eq!(gateway.policy(name)["state"], "kept", "both keep what they had");
        }
        assert_eq!((digests(&gateway), gateway.get("/").status), (after, 200));
    }
}

mod the_folder {
    use super::*;

    #[test]
    fn may_be_replaced_as_a_whole() {
        let upstream = Upstream::start();
        let gateway = with_version_1(&upstream);
        let (live, next, old) =
            (gateway.policies_dir(), gateway.path().join("policies.next"), gateway.path().join("policies.old"));
        for number in 2..10 {
            fs::create_dir(&next).unwrap();
            fs::write(next.join("10-headers.toml"), mark(&number.to_string())).unwrap();
            fs::rename(&live, &old).unwrap();
            fs::rename(&next, &live).unwrap();
            becomes(&gateway, &number.to_string());
            fs::remove_dir_all(&old).unwrap();
        }
        gateway.write_policy("10-headers", &mark("last"));
        becomes(&gateway, "last");
    }

    #[test]
    fn that_is_gone_for_good_keeps_what_it_held() {
        let upstream = Upstream::start();
        let gateway = with_version_1(&upstream);
        let (live, away) = (gateway.policies_dir(), gateway.path().join("away"));
        gateway.change(|_| fs::rename(&live, &away).unwrap());
        assert_eq!(version(&gateway).as_deref(), Some("1"), "an empty chain would let everything through");
        assert!(!gateway.policies()["rejected-change"].is_null());
        fs::write(away.join("10-headers.toml"), mark("2")).unwrap();
        fs::rename(&away, &live).unwrap();
        becomes(&gateway, "2");
    }

    #[test]
    fn may_go_and_come_back() {
        let upstream = Upstream::start();
        let gateway = with_version_1(&upstream);
        let (live, away) = (gateway.policies_dir(), gateway.path().join("away"));
        gateway.change(|_| {
            fs::rename(&live, &away).unwrap();
            fs::rename(&away, &live).unwrap();
        });
        gateway.write_policy("10-headers", &mark("2"));
        becomes(&gateway, "2");
    }

    /// A volume as Kubernetes makes it of a ConfigMap: `..data` leads to a folder of the moment, files lead through it.
    fn volume(dir: &Path, version: &str) {
        let moment = format!("..moment-{version}");
        fs::create_dir(dir.join(&moment)).unwrap();
        fs::write(dir.join(&moment).join("10-headers.toml"), mark(version)).unwrap();
        symlink(&moment, dir.join("..data_tmp")).unwrap();
        fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
    }

    #[test]
    fn may_be_a_kubernetes_volume() {
        let upstream = Upstream::start();
        let files = TestGateway::new().upstream(&upstream);
        let dir = files.folder().path().join("policies");
        volume(&dir, "1");
        symlink("..data/10-headers.toml", dir.join("10-headers.toml")).unwrap();
        let gateway = files.start();
        assert_eq!(version(&gateway).as_deref(), Some("1"));
        for (old, new) in [("1", "2"), ("2", "3")] {
            volume(&dir, new);
            fs::remove_dir_all(dir.join(format!("..moment-{old}"))).unwrap();
            becomes(&gateway, new);
        }
    }

    #[test]
    fn may_be_a_link_that_leads_elsewhere() {
        let upstream = Upstream::start();
        let files = TestGateway::new().upstream(&upstream);
        let root = files.folder().path().to_owned();
        for version in ["1", "2"] {
            fs::create_dir(root.join(version)).unwrap();
            fs::write(root.join(version).join("10-headers.toml"), mark(version)).unwrap();
        }
        fs::remove_dir(root.join("policies")).unwrap();
        symlink("1", root.join("policies")).unwrap();
        let gateway = files.start();
        symlink("2", root.join("new")).unwrap();
        fs::rename(root.join("new"), root.join("policies")).unwrap();
        becomes(&gateway, "2");
        fs::write(root.join("2/10-headers.toml"), mark("3")).unwrap();
        becomes(&gateway, "3");
    }

    #[test]
    fn may_change_in_many_places_together() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new()
            .upstream(&upstream)
            .policy("10-headers", &mark("1"))
            .policy("30-headers", "[config.request.set]\nx-last = \"30\"")
            .start();
        gateway.remove("30-headers.toml");
        gateway.write_policy("10-headers", &mark("2"));
        gateway.write_policy("20-headers", "[config.request.set]\nx-last = \"20\"");
        gateway.replace_module("15-m", guest("misbehave"));
        eventually("all of it is live", || {
            let echo = gateway.get("/").echo();
            let seen = (echo.field("x-version"), echo.field("x-last"), echo.field("x-begun").is_some());
            seen == (Some("2"), Some("20"), true)
        });
    }
}

mod the_config_file {
    use super::*;

    const TWO: &str = r#"
        [[listeners]]
        name = "one"
        address = "{listen}"
        [upstreams.first]
        endpoints = ["{upstream}"]
        [upstreams.second]
        endpoints = ["{second}"]
        [[routes]]
        path = { prefix = "/a" }
        upstream = "first"
        [[routes]]
        path = { prefix = "/b" }
        upstream = "second"
    "#;

    fn named(name: &str) -> Upstream {
        Upstream::answering(Answer::ok(name))
    }

    fn start() -> (RunningGateway, Upstream, Upstream) {
        let (first, second) = (named("first"), named("second"));
        let words = TestGateway::new().upstream(&first).word("second", &second.address().to_string());
        (words.config(TWO).start(), first, second)
    }

    #[test]
    fn changes_routes_and_upstreams() {
        let (gateway, _first, _second) = start();
        let text = |path: &str| (gateway.get(path).status, gateway.get(path).text());
        assert_eq!((text("/a").1, text("/b").1, text("/c").0), ("first".into(), "second".into(), 404));
        let mut client = gateway.connect();
        assert_eq!(client.request(Request::get("/a")).text(), "first");
        let swapped = TWO.replace("/b", "/c").replace("endpoints = [\"{upstream}\"]", "endpoints = [\"{second}\"]");
        gateway.change(|gateway| gateway.write_config(&swapped));
        assert_eq!((text("/a").1, text("/b").0, text("/c").1), ("second".into(), 404, "second".into()));
        assert_eq!(client.request(Request::get("/a")).text(), "second", "on the connection that was there");
        let one = swapped
            .replace("[upstreams.first]\n        endpoints = [\"{second}\"]", "")
            .replace("\"first\"", "\"second\"");
        gateway.change(|gateway| gateway.write_config(&one));
        assert_eq!((text("/a").1, text("/c").1), ("second".into(), "second".into()));
    }

    #[test]
    fn adds_and_removes_listeners() {
        let (gateway, _first, _second) = start();
        let one = gateway.address_of("one");
        let more = format!("{TWO}\n[[listeners]]\nname = \"two\"\naddress = \"{{listen}}\"\n");
        gateway.change(|gateway| gateway.write_config(&more));
        let two = gateway.address_of("two");
        assert_eq!(gateway.address_of("one"), one, "what stays keeps its sockets");
        assert_eq!(Connection::open(two).request(Request::get("/a")).text(), "first");
        let mut client = Connection::open(two);
        assert_eq!(client.request(Request::get("/a")).text(), "first");
        gateway.change(|gateway| gateway.write_config(TWO));
        eventually("nobody listens there", || Connection::try_open(two).is_err());
        assert_eq!(client.request(Request::get("/b")).status, 200, "who is in stays in");
        assert_eq!(Connection::open(one).request(Request::get("/a")).text(), "first");
    }

    #[test]
    fn that_is_wrong_changes_nothing() {
        let (gateway, _first, _second) = start();
        let taken = gateway.address();
        for wrong in [
            "[[".to_owned(),
            TWO.replace("\"second\"\n    ", "\"third\"\n"),
            format!("{TWO}\n[[listeners]]\nname = \"two\"\naddress = \"{taken}\"\n"),
            String::new(),
        ] {
            gateway.change(|gateway| gateway.write_config(&wrong));
            assert!(!gateway.policies()["rejected-change"].is_null(), "{wrong}");
            assert_eq!((gateway.generation(), gateway.get("/b").text()), (1, "second".into()), "{wrong}");
        }
        gateway.change(|gateway| gateway.write_config(TWO));
        assert!(gateway.policies()["rejected-change"].is_null());
    }

    #[test]
    fn that_is_deleted_changes_nothing() {
        let (gateway, _first, _second) = start();
        gateway.change(|gateway| fs::remove_file(gateway.path().join("tollgate.toml")).unwrap());
        assert_eq!((gateway.generation(), gateway.get("/b").text()), (1, "second".into()));
        gateway.change(|gateway| gateway.write_config(&TWO.replace("/b", "/c")));
        assert_eq!(gateway.get("/c").text(), "second");
    }

    #[test]
    fn changes_together_with_policies() {
        let (gateway, _first, _second) = start();
        let with_policies = format!("policies-dir = \"policies\"\n{TWO}")
            .replace("upstream = \"second\"", "policies = [\"headers\"]\n        upstream = \"second\"");
        gateway.change(|gateway| {
            gateway.write_policy("10-headers", &mark("1"));
            gateway.write_config(&with_policies);
        });
        eventually("both are live", || version_of(&gateway.get("/b")).as_deref() == Some("1"));
        assert_eq!(version_of(&gateway.get("/a")), None);
    }
}

mod what_is_under_way {
    use super::*;

    #[test]
    fn ends_on_the_version_that_it_began_with() {
        let (begun, gate) = (Gate::new(), Gate::new());
        let (seen, wait) = (begun.clone(), gate.clone());
        let upstream = Upstream::with(move |call| {
            let request = call.read_body()?;
            if request.path == "/slow" {
                seen.open();
                wait.wait();
            }
            call.answer(&Answer::ok(request.field("x-version").unwrap_or_default().to_owned()))
        });
        let gateway = with_version_1(&upstream);
        let mut slow = gateway.connect();
        slow.send(&Request::get("/slow"));
        begun.wait();
        gateway.change(|gateway| gateway.write_policy("10-headers", &mark("2")));
        let new = gateway.get("/");
        assert_eq!((new.text().as_str(), version_of(&new).as_deref()), ("2", Some("2")));
        gateway.change(|gateway| gateway.remove("10-headers.toml"));
        assert_eq!(version(&gateway), None);
        gate.open();
        let old = slow.response();
        assert_eq!((old.text().as_str(), version_of(&old).as_deref(), old.complete), ("1", Some("1"), true));
        let next = slow.request(Request::get("/"));
        assert_eq!(version_of(&next), None, "the next one on the connection begins on what is live");
    }

    #[test]
    fn keeps_its_version_alive_and_no_other() {
        let (begun, gate) = (Gate::new(), Gate::new());
        let (seen, wait) = (begun.clone(), gate.clone());
        let upstream = Upstream::with(move |call| {
            if call.read_body()?.path == "/slow" {
                seen.open();
                wait.wait();
            }
            call.answer(&Answer::ok(""))
        });
        let gateway = with_version_1(&upstream);
        let mut slow = gateway.connect();
        slow.send(&Request::get("/slow"));
        begun.wait();
        let mut versions: Vec<Weak<Snapshot>> = Vec::new();
        for version in ["2", "3", "4"] {
            versions.push(Arc::downgrade(&gateway.inner().snapshot()));
            gateway.change(|gateway| gateway.write_policy("10-headers", &mark(version)));
        }
        let alive = |versions: &[Weak<Snapshot>]| {
            versions.iter().map(Weak::strong_count).map(|count| count > 0).collect::<Vec<_>>()
        };
        eventually("only the one in use is alive", || alive(&versions) == [true, false, false]);
        gate.open();
        assert_eq!(slow.response().status, 200);
        eventually("nor that one any more", || alive(&versions) == [false, false, false]);
    }
}

mod a_signal {
    use super::*;

    #[test]
    fn reads_everything_again() {
        let upstream = Upstream::start();
        let files = TestGateway::new().upstream(&upstream);
        // Out of sight of the watch: the link leads out of the watched folder.
        let hidden = files.folder().write("hidden/policy", mark("1"));
        symlink(&hidden, files.folder().path().join("policies/10-headers.toml")).unwrap();
        let binary = files.run(&[]);
        assert_eq!(version_of(&binary.get("/")).as_deref(), Some("1"));
        fs::write(&hidden, mark("2")).unwrap();
        binary.signal("HUP");
        eventually("it is read", || version_of(&binary.get("/")).as_deref() == Some("2"));
    }
}

/// `TOLLGATE_SWAPS=1000` asks for more of them, `--nocapture` shows the figures (`cargo xtask trial`).
mod many_times {
    use super::*;

    const CHANGES: usize = 200;
    const WARM_UP: usize = 60;

    #[track_caller]
    fn change_to(binary: &Binary, version: &str) {
        binary.files().folder().write("policies/10-headers.toml", mark(version));
        eventually("the change is live", || version_of(&binary.get("/")).as_deref() == Some(version));
    }

    #[test]
    fn nothing_fails_and_nothing_is_left_behind() {
        let changes = std::env::var("TOLLGATE_SWAPS").ok().map_or(CHANGES, |count| count.parse().unwrap());
        let upstream = Upstream::answering(Answer::ok("fine"));
        let files = TestGateway::new().upstream(&upstream).workers(2).policy("10-headers", &mark("0"));
        let binary = files.module("20-m", guest("misbehave")).run(&[]);
        let load = Load::start(binary.address(), 4, Request::get("/"), |response| response.status == 200);
        let mut warm = (0, 0);
        for number in 1..=changes {
            if number % 20 == 0 {
                let module = variant(&guest("misbehave"), number as u8);
                binary.files().folder().write("policies/20-m.wasm", module);
            }
            change_to(&binary, &number.to_string());
            if number == WARM_UP {
                warm = (binary.descriptors(), binary.resident_kib());
            }
        }
        load.go_on(10);
        let answers = load.stop();
        assert!(answers > changes);
        let now = (binary.descriptors(), binary.resident_kib());
        eprintln!("{changes} changes, {answers} answers, none failed");
        eprintln!(
            "descriptors: {} after {WARM_UP}, {} at the end; memory: {} KiB, {} KiB",
            warm.0, now.0, warm.1, now.1
        );
        // Descriptors come and go with the load; a leak of one a change would be seen.
        eventually("descriptors are given back", || binary.descriptors() <= warm.0 + 20);
        let grown = binary.resident_kib().saturating_sub(warm.1);
        assert!(grown < 64 << 10, "{grown} KiB more after {} changes", changes - WARM_UP);
    }
}
