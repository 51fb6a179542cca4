//! Stories of sandboxes: which exchanges share one, and what stays in it.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(missing_docs, reason = "each story is named after what it tells")]

use tollgate_tests::{
    Answer, Connection, Gate, RawFilter, Request, Response, RunningGateway, TestGateway, Upstream, eventually, guest,
};

/// A gateway with one policy; the guest counts in its memory, for all to see, and does what it is told.
fn gateway(upstream: &Upstream, policy: &str) -> RunningGateway {
    let gateway = TestGateway::new().upstream(upstream).module("misbehave", guest("misbehave"));
    gateway.policy("10-m", &format!("filter = \"misbehave\"\n{policy}")).workers(1).start()
}

/// What the filter has told the upstream: how many exchanges this sandbox has seen.
fn begun(response: &Response) -> String {
    response.echo().field("x-begun").unwrap().to_owned()
}

mod exchange {
    use super::*;

    #[test]
    fn nothing_that_one_exchange_leaves_in_memory_reaches_another() {
        let upstream = Upstream::start();
        for config in ["", "config = { state = true }"] {
            let (alone, together) =
                (gateway(&upstream, &format!("isolation = \"exchange\"\n{config}")), gateway(&upstream, config));
            let seen = |gateway: &RunningGateway| [1, 2, 3].map(|_| begun(&gateway.get("/")));
            assert_eq!((seen(&alone), seen(&together)), (["1"; 3].map(Into::into), ["1", "2", "3"].map(Into::into)));
        }
    }

    #[test]
    fn an_exchange_keeps_its_sandbox_to_its_end() {
        let upstream = Upstream::start();
        let gateway = gateway(&upstream, "isolation = \"exchange\"\nconfig = { state = true }");
        let response = gateway.get("/");
        assert_eq!((response.field("x-hooks"), response.field("x-begun")), (Some("2"), Some("1")));
    }

    #[test]
    fn the_fault_of_one_exchange_takes_no_state_of_another() {
        let gate = Gate::new();
        let opened = gate.clone();
        let upstream = Upstream::with(move |call| {
            call.read_body()?;
            if call.request.path == "/slow" {
                opened.wait();
            }
            call.answer(&Answer::ok("done"))
        });
        let config = r#"config = { in = "request-head", do = "trap", when = "/bad", state = true }"#;
        let gateway = gateway(&upstream, &format!("isolation = \"exchange\"\n{config}"));
        let mut slow = gateway.connect();
        slow.send(&Request::get("/slow"));
        eventually("the slow request is with the upstream", || upstream.requests().len() == 1);
        assert_eq!(gateway.get("/bad").status, 503);
        gate.open();
        let response = slow.response();
        assert_eq!((response.status, response.field("x-hooks")), (200, Some("2")));
    }

    /// A filter that says in `x-seen` what it finds: `look` leaves a number from 0 to 9 on the stack, and changes it for whoever
    /// finds it next.
    fn telling(look: &str, fields: &str) -> Vec<u8> {
        let head = format!(
            "(i32.store8 (i32.const 4200) (i32.add (i32.const 48) {look}))
             (i32.store (i32.const 2076) (i32.const 4300)) (i32.store (i32.const 2080) (i32.const 1))
             (i32.const 2048)"
        );
        // One edit: set, "x-seen", the byte at 4200.
        let edit = r#"(data (i32.const 4100) "x-seen")
            (data (i32.const 4300) "\00\00\00\00\04\10\00\00\06\00\00\00\68\10\00\00\01\00\00\00")"#;
        RawFilter::new(1).export("on-request-head", &head).fields(edit).fields(fields).build()
    }

    #[test]
    fn whatever_a_module_can_change_is_as_it_was_for_the_next_exchange() {
        let places = [
            (
                "memory",
                "(call $see)",
                "(func $see (result i32) (i32.load8_u (i32.const 5000))
                (i32.store8 (i32.const 5000) (i32.const 7)))",
            ),
            (
                "the last page",
                "(call $see)",
                "(func $see (result i32) (i32.load8_u (i32.const 262143))
                (i32.store8 (i32.const 262143) (i32.const 7)))",
            ),
            (
                "every page",
                "(call $see)",
                "(func $see (result i32) (i32.load8_u (i32.const 131072))
                (memory.fill (i32.const 65536) (i32.const 7) (i32.const 196608)))",
            ),
            (
                "a global",
                "(call $see)",
                "(global $g (mut i32) (i32.const 3)) (func $see (result i32) (global.get $g)
                (global.set $g (i32.const 7)))",
            ),
            (
                "a global of 64 bits",
                "(call $see)",
                "(global $g (mut i64) (i64.const 3)) (func $see (result i32)
                (i32.wrap_i64 (global.get $g)) (global.set $g (i64.const 7)))",
            ),
            (
                "more memory",
                "(call $see)",
                "(func $see (result i32) (i32.sub (memory.size) (i32.const 4))
                (drop (memory.grow (i32.const 1))))",
            ),
            (
                "a table",
                "(call $see)",
                "(table $t 1 funcref) (elem declare func $see)
                (func $see (result i32) (ref.is_null (table.get $t (i32.const 0)))
                (table.set $t (i32.const 0) (ref.func $see)))",
            ),
            (
                "a longer table",
                "(call $see)",
                "(table $t 1 funcref) (func $see (result i32) (table.size $t)
                (drop (table.grow $t (ref.null func) (i32.const 1))))",
            ),
        ];
        let upstream = Upstream::start();
        for (place, look, fields) in places {
            let seen = |policy: &str| {
                let gateway = TestGateway::new().upstream(&upstream).module("telling", telling(look, fields));
                let gateway = gateway.policy("10-t", &format!("filter = \"telling\"\n{policy}")).workers(1).start();
                [1, 2, 3].map(|_| gateway.get("/").echo().field("x-seen").map(str::to_owned))
            };
            let (alone, together) = (seen("isolation = \"exchange\""), seen(""));
            assert!(alone[0].is_some() && alone.iter().all(|seen| *seen == alone[0]), "{place}: {alone:?}");
            assert!(together[1] != together[0], "{place} is not a way to leave anything: {together:?}");
        }
    }
}

mod recycling {
    use super::*;

    /// Waits until the one instance has been replaced so many times.
    fn recycled(gateway: &RunningGateway, times: f64) {
        eventually("the instance is replaced", || {
            gateway.metric(r#"tollgate_filter_recycled_total{policy="10-m"}"#) == times
        });
    }

    #[test]
    fn an_instance_is_replaced_after_so_many_exchanges() {
        let upstream = Upstream::start();
        let gateway = gateway(&upstream, "limits.recycle = 3");
        for round in [1.0, 2.0] {
            assert_eq!([1, 2, 3].map(|_| begun(&gateway.get("/"))), ["1", "2", "3"]);
            recycled(&gateway, round);
        }
    }

    #[test]
    fn an_instance_is_replaced_once_it_has_taken_much_memory() {
        let upstream = Upstream::start();
        let config = r#"config = { in = "request-head", do = "eat-memory", amount = 7, when = "/much" }"#;
        let gateway = gateway(&upstream, &format!("limits.memory = \"12MiB\"\n{config}"));
        assert_eq!(["/", "/much"].map(|path| begun(&gateway.get(path))), ["1", "2"]);
        recycled(&gateway, 1.0);
        assert_eq!(begun(&gateway.get("/")), "1");
    }

    #[test]
    fn no_exchange_faults_as_a_filter_takes_a_little_memory_for_each_and_gives_none_back() {
        let upstream = Upstream::start();
        let config = r#"config = { in = "request-head", do = "keep-memory", amount = 1 }"#;
        let gateway = gateway(&upstream, &format!("limits.memory = \"128MiB\"\n{config}"));
        let mut client = gateway.connect();
        let mut one = || {
            client.send(&Request::get("/"));
            begun(&client.response())
        };
        let begun: Vec<_> = (0..300).map(|_| one()).collect();
        assert!(begun.iter().filter(|begun| *begun == "1").count() >= 3, "{begun:?}");
        assert_eq!(gateway.metric("tollgate_filter_faults_total{policy=\"10-m\",class=\"memory\"}"), 0.0);
    }

    #[test]
    fn an_exchange_whose_state_is_in_the_old_instance_ends_there() {
        let gate = Gate::new();
        let opened = gate.clone();
        let upstream = Upstream::with(move |call| {
            call.read_body()?;
            if call.request.path == "/slow" {
                opened.wait();
            }
            call.answer(&Answer::ok("done"))
        });
        let gateway = gateway(&upstream, "limits.recycle = 3\nconfig = { state = true }");
        let mut slow = gateway.connect();
        slow.send(&Request::get("/slow"));
        eventually("the slow request is with the upstream", || upstream.requests().len() == 1);
        for number in ["2", "3"] {
            assert_eq!(gateway.get("/").field("x-begun"), Some(number));
        }
        recycled(&gateway, 1.0);
        assert_eq!(gateway.get("/").field("x-begun"), Some("1"));
        gate.open();
        let response = slow.response();
        let told = (response.field("x-hooks"), response.field("x-begun"), response.field("x-ended"));
        assert_eq!((response.status, told), (200, (Some("2"), Some("3"), Some("2"))));
        assert_eq!(gateway.metric("tollgate_filter_faults_total{policy=\"10-m\",class=\"state-lost\"}"), 0.0);
    }
}

mod waiting {
    use super::*;

    /// How many exchanges wait at once.
    const WAITING: usize = 200;

    /// The most that one may hold for each filter that it has passed, in KiB.
    const EACH: u64 = 20;

    const CONFIG: &str = r#"
        policies-dir = "policies"
        admin = { address = "127.0.0.1:0" }
        workers = 1
        [[listeners]]
        address = "{listen}"
        [upstreams.slow]
        endpoints = ["{upstream}"]
        [policies.a]
        filter = "misbehave"
        config = { state = true }
        [policies.b]
        filter = "misbehave"
        config = { state = true }
        [policies.c]
        filter = "misbehave"
        config = { state = true }
        [[routes]]
        path = { prefix = "/filtered" }
        policies = ["a", "b", "c"]
        upstream = "slow"
        [[routes]]
        upstream = "slow"
    "#;

    /// How much more memory the program has while so many requests wait, in KiB.
    fn held(path: &str) -> u64 {
        let gate = Gate::new();
        let upstream = Upstream::answering(Answer::after(&gate));
        let gateway = TestGateway::new().upstream(&upstream).module("misbehave", guest("misbehave"));
        let program = gateway.config(CONFIG).run(&[]);
        let before = program.resident_kib();
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| {
                let mut connection = Connection::open(program.address());
                connection.send(&Request::get(path));
                connection
            })
            .collect();
        eventually("all wait for the upstream", || upstream.requests().len() == WAITING);
        let held = program.resident_kib().saturating_sub(before);
        gate.open();
        for mut connection in waiting {
            assert_eq!(connection.response().status, 200);
        }
        held
    }

    #[test]
    fn an_exchange_that_waits_holds_little_for_each_filter() {
        let (without, with) = (held("/"), held("/filtered"));
        let most = without + EACH * 3 * WAITING as u64;
        assert!(with <= most, "{without} KiB without filters, {with} with three, for {WAITING} exchanges");
    }
}
