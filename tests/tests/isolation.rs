//! Stories of sandboxes: which exchanges share one, and what stays in it.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(missing_docs, reason = "each story is named after what it tells")]

use tollgate_tests::{Answer, Gate, Request, Response, RunningGateway, TestGateway, Upstream, eventually, guest};

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
}
