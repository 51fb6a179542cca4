//! Stories of one process that follows another: no connection is refused and no request is lost.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use tollgate_tests::{Answer, Binary, Connection, Gate, Load, PATIENCE, Request, TestGateway, Upstream, eventually};

const CONFIG: &str = "workers = {workers}\nadmin = { address = \"{listen}\" }\n[[listeners]]\nname = \"one\"\naddress = \"{listen}\"\n\
                      {more}\n[upstreams.only]\nendpoints = [\"{upstream}\"]\n[[routes]]\nupstream = \"only\"\n";

const ANOTHER: &str = "[[listeners]]\nname = \"two\"\naddress = \"{listen}\"\n";

fn config(workers: usize, more: &str) -> String {
    CONFIG.replace("{workers}", &workers.to_string()).replace("{more}", more)
}

fn start(upstream: &Upstream) -> Binary {
    TestGateway::new().upstream(upstream).config(&config(2, "")).run(&[])
}

/// Writes the config file of the next process.
fn rewrite(binary: &Binary, upstream: &Upstream, text: &str) {
    let text = text.replace("{listen}", "127.0.0.1:0").replace("{upstream}", &upstream.address().to_string());
    binary.files().folder().write("tollgate.toml", text);
}

fn steady(binary: &Binary) -> Load {
    Load::start(binary.address(), 8, Request::get("/"), |response| response.status == 200)
}

mod under_load {
    use super::*;

    #[test]
    fn nothing_is_refused_and_nothing_is_lost() {
        let upstream = Upstream::answering(Answer::ok("fine"));
        let mut binary = start(&upstream);
        let load = steady(&binary);
        load.go_on(10);
        let first = binary.id();
        for _ in 0..3 {
            binary.hand_over();
            load.go_on(20);
        }
        assert_ne!(binary.id(), first);
        assert!(load.stop() > 8 * 70);
        let log = binary.lines().join("\n");
        assert_eq!(log.matches("stopped").count(), 3, "{log}");
        assert!(!log.contains("ERROR") && !log.contains("connections cut"), "{log}");
    }

    #[test]
    fn nor_when_the_number_of_workers_changes() {
        let upstream = Upstream::answering(Answer::ok("fine"));
        let mut binary = start(&upstream);
        let load = steady(&binary);
        for workers in [1, 4, 2] {
            rewrite(&binary, &upstream, &config(workers, ""));
            binary.hand_over();
            load.go_on(40);
        }
        load.stop();
    }

    #[test]
    fn nor_when_it_stops_while_a_request_is_on_its_way() {
        let upstream = Upstream::answering(Answer::ok("fine"));
        let binary = start(&upstream);
        let mut clients: Vec<_> = (0..5).map(|_| Connection::open(binary.address())).collect();
        clients.iter_mut().for_each(|client| assert_eq!(client.request(Request::get("/")).status, 200));
        binary.signal("TERM");
        let address = binary.address();
        eventually("nobody is let in any more", || Connection::try_open(address).is_err());
        for client in &mut clients {
            let last = client.request(Request::get("/"));
            assert_eq!((last.text().as_str(), last.field("connection")), ("fine", Some("close")));
            client.expect_close();
        }
        assert!(binary.wait().status.success());
    }
}

mod the_old_process {
    use super::*;

    #[test]
    fn ends_what_is_under_way_while_the_new_one_serves() {
        let gate = Gate::new();
        let wait = gate.clone();
        let upstream = Upstream::with(move |call| {
            if call.read_body()?.path == "/slow" {
                wait.wait();
            }
            call.answer(&Answer::ok("done"))
        });
        let mut binary = start(&upstream);
        let (address, mut slow) = (binary.address(), Connection::open(binary.address()));
        slow.send(&Request::get("/slow"));
        eventually("it is under way", || upstream.requests().len() == 1);
        binary.signal("USR2");
        binary.handed_over();
        assert_eq!(Connection::open(address).request(Request::get("/")).text(), "done");
        assert!(!binary.lines().iter().any(|line| line.contains("stopped")));
        gate.open();
        assert_eq!(slow.response().text(), "done");
        slow.expect_close();
        binary.line(&["stopped"]);
        assert_eq!(Connection::open(address).request(Request::get("/")).text(), "done");
    }

    #[test]
    fn ends_at_once_at_a_second_signal() {
        let gate = Gate::new();
        let upstream = Upstream::answering(Answer::after(&gate));
        let binary = start(&upstream);
        let mut client = Connection::open(binary.address());
        client.send(&Request::get("/"));
        eventually("it is under way", || upstream.requests().len() == 1);
        binary.signal("TERM");
        binary.line(&["draining"]);
        binary.signal("INT");
        let finished = binary.wait();
        assert_eq!(finished.status.code(), Some(1));
        assert!(finished.stderr.ends_with("ended at once: a second signal came"), "{}", finished.stderr);
        client.expect_close();
        gate.open();
    }

    #[test]
    fn leaves_the_admin_pages_to_the_new_one() {
        let upstream = Upstream::answering(Answer::ok("fine"));
        let mut binary = start(&upstream);
        let admin = binary.admin_address();
        assert_eq!(binary.get("/").status, 200);
        let ready = Load::start(admin, 2, Request::get("/ready"), |response| response.text() == "ready\n");
        binary.hand_over();
        ready.go_on(20);
        ready.stop();
        let page = Connection::open(admin).request(Request::get("/metrics")).text();
        assert!(
            page.contains("tollgate_upstream_requests_total{upstream=\"only\"} 0"),
            "a new one counts anew: {page}"
        );
    }
}

mod the_new_process {
    use super::*;

    #[test]
    fn serves_what_is_configured_then() {
        let upstream = Upstream::answering(Answer::ok("fine"));
        let mut binary = TestGateway::new().upstream(&upstream).config(&config(2, ANOTHER)).run(&[]);
        let two = {
            let line = binary.line(&["listening", "two"]);
            line.split("address=").nth(1).unwrap().parse().unwrap()
        };
        assert_eq!(Connection::open(two).request(Request::get("/")).status, 200);
        // As the file watch would let go of the listener before the new process does.
        rewrite(&binary, &upstream, &config(2, ""));
        eventually("nobody listens there", || Connection::try_open(two).is_err());
        binary.hand_over();
        assert!(Connection::try_open(two).is_err());
        assert_eq!(binary.get("/").status, 200, "the other one is where it was");
        let more = ANOTHER.replace("two", "three");
        rewrite(&binary, &upstream, &config(2, &more));
        binary.line(&["reloaded", "generation=2"]);
        binary.hand_over();
        let log = binary.lines();
        let three = |line: &&String| line.contains("listening") && line.contains("three");
        let listening: Vec<_> = log.iter().filter(three).collect();
        assert_eq!(listening.len(), 1, "{log:#?}");
    }

    /// The program at a place where it can be replaced.
    fn installed(folder: &Path) -> PathBuf {
        let file = folder.join("tollgate");
        fs::hard_link(Binary::file(), &file).unwrap();
        file
    }

    /// Puts a script at the program's place, as an upgrade that went wrong.
    fn replace(file: &Path, script: &str, mode: u32) {
        let new = file.with_extension("new");
        fs::write(&new, script).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
        fs::rename(&new, file).unwrap();
    }

    #[test]
    fn that_fails_leaves_the_old_one_where_it_was() {
        let upstream = Upstream::answering(Answer::ok("fine"));
        let files = TestGateway::new().upstream(&upstream).config(&config(2, ""));
        let file = installed(files.folder().path());
        let mut binary = files.run_file(&file, &[]);
        let load = steady(&binary);
        for (script, mode, reason) in [
            ("#!/bin/sh\nexit 3\n", 0o755, "it ended with exit status: 3"),
            ("#!/bin/sh\nkill -9 $$\n", 0o755, "it ended with signal: 9"),
            ("#!/bin/sh\nexit 0\n", 0o644, "Permission denied"),
            ("", 0o755, "Exec format error"),
        ] {
            replace(&file, script, mode);
            binary.signal("USR2");
            binary.line(&["ERROR", "the successor does not serve; this process goes on", reason]);
            load.go_on(5);
        }
        fs::remove_file(&file).unwrap();
        binary.signal("USR2");
        binary.line(&["ERROR", "this process goes on", "No such file or directory"]);
        installed(file.parent().unwrap());
        binary.hand_over();
        load.go_on(10);
        load.stop();
    }

    #[test]
    fn that_cannot_be_configured_says_why() {
        let upstream = Upstream::answering(Answer::ok("fine"));
        let mut binary = start(&upstream);
        let load = steady(&binary);
        rewrite(&binary, &upstream, &config(2, "").replace("[[routes]]", "[[rotues]]"));
        binary.line(&["ERROR", "the change is rejected"]);
        binary.signal("USR2");
        let line = binary.line(&["ERROR", "this process goes on"]);
        assert!(line.contains("rotues: unknown key"), "{line}");
        load.go_on(10);
        rewrite(&binary, &upstream, &config(2, ""));
        binary.hand_over();
        load.go_on(10);
        load.stop();
    }
}

mod a_service_manager {
    use super::*;

    /// The program with that socket as its descriptor 3, as systemd starts it.
    fn activated(files: TestGateway, socket: &TcpListener) -> Binary {
        let socket = socket2::SockRef::from(socket);
        socket.set_cloexec(false).unwrap();
        let number = socket.as_raw_fd();
        let variables = "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=tollgate.socket";
        let binary = files.run_after(&format!("exec 3<&{number} {number}<&-; export {variables}"), &[]);
        binary.line(&["limits"]);
        socket.set_cloexec(true).unwrap();
        binary
    }

    #[test]
    fn may_bind_the_addresses() {
        let upstream = Upstream::answering(Answer::ok("fine"));
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        // It is not even free: whoever binds it anew is told so.
        let config =
            config(2, "").replace("name = \"one\"\naddress = \"{listen}\"", &format!("address = \"{address}\""));
        let mut waiting = Connection::open(address);
        let mut binary = activated(TestGateway::new().upstream(&upstream).config(&config), &socket);
        assert_eq!(binary.address(), address);
        assert_eq!(waiting.request(Request::get("/")).text(), "fine", "who came before is served");
        let load = steady(&binary);
        load.go_on(10);
        binary.hand_over();
        load.go_on(10);
        load.stop();
    }

    #[test]
    fn is_told_of_sockets_that_nobody_needs() {
        let upstream = Upstream::start();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let binary = activated(TestGateway::new().upstream(&upstream), &socket);
        binary.line(&["WARN", &address.to_string(), "no listener has a use for"]);
        assert_eq!(binary.get("/").status, 200);
    }

    #[test]
    fn may_not_pass_what_is_no_socket() {
        let upstream = Upstream::start();
        let start = "exec 3</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1";
        let finished = TestGateway::new().upstream(&upstream).run_after(start, &[]).wait();
        assert_eq!(finished.status.code(), Some(1));
        assert!(finished.stderr.starts_with("descriptor 3 (\"\") cannot be listened on: "), "{}", finished.stderr);
    }

    #[test]
    fn is_told_what_goes_on() {
        let upstream = Upstream::start();
        let files = TestGateway::new().upstream(&upstream);
        let path = files.folder().path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let next = || {
            let mut message = [0; 256];
            let length = socket.recv(&mut message).unwrap();
            String::from_utf8_lossy(&message[..length]).into_owned()
        };
        let mut binary = files.run_with(&[("NOTIFY_SOCKET", path.to_str().unwrap())], &[]);
        assert_eq!(next(), "READY=1");
        assert_eq!(binary.get("/").status, 200);
        binary.signal("HUP");
        assert!(next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        assert_eq!(next(), "READY=1");
        binary.signal("USR2");
        assert!(next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        binary.handed_over();
        assert_eq!(next(), format!("MAINPID={}\nREADY=1", binary.id()));
        binary.signal("TERM");
        assert_eq!(next(), "STOPPING=1");
    }
}
