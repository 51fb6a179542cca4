//! Stories of too much: each bound has its answer, what is within goes on, and room that is given back is used again.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use tollgate_tests::{
    Answer, Connection, Gate, Load, Request, Response, RunningGateway, TestGateway, Upstream, eventually, metric,
};

const CONFIG: &str = "[limits]\n{limits}\n[[listeners]]\naddress = \"{listen}\"\n\
                      [upstreams.only]\nendpoints = [\"{upstream}\"]\n[[routes]]\nupstream = \"only\"\n";

/// With these keys in `[limits]`.
fn limited(limits: &str) -> String {
    CONFIG.replace("{limits}", limits)
}

fn start(upstream: &Upstream, limits: &str) -> RunningGateway {
    TestGateway::new().upstream(upstream).workers(2).config(&limited(limits)).start()
}

fn refused_connections(gateway: &RunningGateway, reason: &str) -> f64 {
    gateway.metric(&format!("tollgate_refused_connections_total{{reason={reason:?}}}"))
}

fn refused_requests(gateway: &RunningGateway, reason: &str) -> f64 {
    gateway.metric(&format!("tollgate_refused_requests_total{{reason={reason:?}}}"))
}

/// What a client is told when the gateway protects itself.
#[track_caller]
fn assert_overloaded(response: &Response) {
    assert_eq!((response.status, response.field("retry-after")), (503, Some("1")));
    assert_eq!(response.problem(), "the gateway has too much to do; try again in a moment");
}

/// Whether somebody is let in and served, from then on.
fn is_let_in(mut client: Connection) -> Option<Connection> {
    let response = client.try_request(&Request::get("/")).ok()?;
    (response.status == 200).then_some(client)
}

mod connections {
    use super::*;

    #[test]
    fn beyond_the_bound_are_closed_at_once() {
        let upstream = Upstream::start();
        let gateway = start(&upstream, "connections = 2");
        let mut clients = [gateway.connect(), gateway.connect()];
        clients.iter_mut().for_each(|client| assert_eq!(client.request(Request::get("/")).status, 200));
        gateway.connect().expect_close();
        assert_eq!(refused_connections(&gateway, "connections"), 1.0);
        let [mut first, second] = clients;
        assert_eq!(first.request(Request::get("/")).status, 200, "who is in is served");
        drop(second);
        eventually("there is room again", || is_let_in(gateway.connect()).is_some());
    }

    #[test]
    fn of_one_address_are_bounded_on_their_own() {
        let upstream = Upstream::start();
        let gateway = start(&upstream, "connections-per-address = 2");
        let mut clients = [gateway.connect(), gateway.connect()];
        clients.iter_mut().for_each(|client| assert_eq!(client.request(Request::get("/")).status, 200));
        gateway.connect().expect_close();
        assert_eq!(refused_connections(&gateway, "connections-per-address"), 1.0);
        let mut other = Connection::open_from("127.0.0.2".parse().unwrap(), gateway.address());
        assert_eq!(other.request(Request::get("/")).status, 200, "others have room");
        drop(clients);
        eventually("there is room again", || is_let_in(gateway.connect()).is_some());
    }

    #[test]
    fn of_a_proxy_are_those_of_its_clients() {
        let upstream = Upstream::start();
        let behind = limited("connections-per-address = 1").replace("[upstreams", "proxy-protocol = true\n[upstreams");
        let gateway = TestGateway::new().upstream(&upstream).config(&behind).start();
        let mut clients = [gateway.connect(), gateway.connect(), gateway.connect()];
        for client in &mut clients {
            client.write("PROXY TCP4 192.0.2.7 192.0.2.1 1234 80\r\n");
            assert_eq!(client.request(Request::get("/")).status, 200);
        }
    }

    #[test]
    fn have_a_bound_that_follows_a_change() {
        let upstream = Upstream::start();
        let gateway = start(&upstream, "connections = 1");
        let mut client = gateway.connect();
        assert_eq!(client.request(Request::get("/")).status, 200);
        gateway.connect().expect_close();
        gateway.change(|gateway| gateway.write_config(&limited("connections = 2")));
        eventually("the new bound holds", || is_let_in(gateway.connect()).is_some());
    }

    #[test]
    fn have_a_bound_by_default_that_the_descriptors_allow() {
        let upstream = Upstream::start();
        let binary = TestGateway::new().upstream(&upstream).run_after("ulimit -S -n 100; ulimit -H -n 400", &[]);
        binary.line(&["limits", "descriptors=400", "connections=150", "requests=150"]);
        assert_eq!(binary.get("/").status, 200);
    }
}

mod requests {
    use super::*;

    #[test]
    fn beyond_the_bound_are_answered_at_once() {
        for workers in [1, 2] {
            let gate = Gate::new();
            let upstream = Upstream::answering(Answer::after(&gate).body("done"));
            let gateway =
                TestGateway::new().upstream(&upstream).workers(workers).config(&limited("requests = 3")).start();
            let mut clients = [gateway.connect(), gateway.connect(), gateway.connect()];
            clients.iter_mut().for_each(|client| client.send(&Request::get("/")));
            eventually("they are under way", || upstream.requests().len() == 3);
            let mut late = gateway.connect();
            assert_overloaded(&late.request(Request::get("/")));
            assert_eq!((upstream.requests().len(), refused_requests(&gateway, "requests")), (3, 1.0));
            gate.open();
            clients.iter_mut().for_each(|client| assert_eq!(client.response().text(), "done"));
            eventually("there is room again", || late.request(Request::get("/")).status == 200);
        }
    }

    #[test]
    fn that_an_upstream_holds_up_leave_the_others_alone() {
        let gate = Gate::new();
        let (dead, live) = (Upstream::answering(Answer::after(&gate)), Upstream::start());
        let config = "[[listeners]]\naddress = \"{listen}\"\n[upstreams.dead]\nendpoints = [\"{upstream}\"]\n\
                      [upstreams.live]\nendpoints = [\"{live}\"]\n[[routes]]\npath = { prefix = \"/dead\" }\n\
                      upstream = \"dead\"\n[[routes]]\nupstream = \"live\"\n";
        let words = TestGateway::new().upstream(&dead).word("live", &live.address().to_string());
        let gateway = words.workers(2).config(config).start();
        let mut stuck: Vec<_> = (0..200).map(|_| gateway.connect()).collect();
        stuck.iter_mut().for_each(|client| client.send(&Request::get("/dead")));
        eventually("all are stuck", || dead.requests().len() == 200);
        for _ in 0..50 {
            assert_eq!(gateway.get("/live").echo().path, "/live");
        }
        assert_eq!(gateway.metric("tollgate_exchanges_open"), 200.0);
        gate.open();
        stuck.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
    }
}

mod memory {
    use super::*;

    #[test]
    fn that_is_short_lets_nothing_new_in() {
        let upstream = Upstream::start();
        let gateway = start(&upstream, "");
        assert!(gateway.metric("tollgate_memory_resident_bytes") > 1e6, "a test has more than the least bound");
        let mut client = gateway.connect();
        assert_eq!(client.request(Request::get("/")).status, 200);
        gateway.change(|gateway| gateway.write_config(&limited("memory = \"1MiB\"")));
        eventually("it is noticed", || client.request(Request::get("/")).status == 503);
        assert_overloaded(&client.request(Request::get("/")));
        gateway.connect().expect_close();
        assert!(refused_requests(&gateway, "memory") >= 2.0 && refused_connections(&gateway, "memory") == 1.0);
        gateway.change(|gateway| gateway.write_config(&limited("memory = \"1024GiB\"")));
        eventually("there is room again", || client.request(Request::get("/")).status == 200);
        assert_eq!(gateway.get("/").status, 200);
    }
}

mod descriptors {
    use super::*;

    const ADMIN: [&str; 4] = ["--admin", "127.0.0.1:0", "--workers", "2"];

    #[test]
    fn that_have_run_out_are_waited_for() {
        let upstream = Upstream::start();
        let files = TestGateway::new().upstream(&upstream).config(&limited("connections = 1000"));
        let binary = files.run_after("ulimit -n 80", &ADMIN);
        binary.line(&["WARN", "there cannot be that many connections", "limits.connections"]);
        // Which takes descriptors for a moment.
        binary.line(&["what serves is written down"]);
        // Opened before there is no descriptor for it.
        let mut admin = Connection::open(binary.admin_address());
        let mut count = |name: &str| metric(&admin.request(Request::get("/metrics")).text(), name);
        assert_eq!(count("tollgate_accept_errors_total"), 0.0);
        let mut clients: Vec<_> = (0..100).map(|_| Connection::open(binary.address())).collect();
        let closed = "tollgate_refused_connections_total{reason=\"descriptors\"}";
        eventually("some are closed", || count(closed) > 0.0 && count("tollgate_accept_errors_total") > 0.0);
        let answers: Vec<_> =
            clients.iter_mut().filter_map(|client| client.try_request(&Request::get("/")).ok()).collect();
        assert!(answers.len() > 20 && answers.len() < 100, "{} were let in", answers.len());
        // The reserve for accepting may have let one or the other find its upstream.
        let refused: Vec<_> = answers.iter().filter(|response| response.status != 200).collect();
        assert!(refused.len() > 10, "{} have no upstream", refused.len());
        refused.into_iter().for_each(assert_overloaded);
        assert!(count("tollgate_refused_requests_total{reason=\"descriptors\"}") > 10.0);
        drop(clients);
        let again = || is_let_in(Connection::open(binary.address())).is_some();
        eventually("everything is as before", again);
        let load = Load::start(binary.address(), 4, Request::get("/"), |response| response.status == 200);
        load.go_on(20);
        load.stop();
        binary.signal("TERM");
        assert!(binary.wait().status.success());
    }
}
