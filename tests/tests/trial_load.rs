//! A canary that faults on a tenth of its exchanges, under load: how soon it is rolled back, and whom it hurts after that.
//!
//! `TOLLGATE_TRIALS=20` asks for more of them, `--nocapture` shows the figures (`cargo xtask trial`).

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::SystemTime;

use serde_json::Value;
use tollgate_tests::{Connection, Request, RunningGateway, TestGateway, Upstream, eventually, guest};

/// How many trials there are where nobody asks for more.
const TRIALS: usize = 2;
const CLIENTS: usize = 4;
/// Of each client; a fifth of them gets the canary.
const USERS: usize = 100;
/// How many exchanges are looked at after a roll-back.
const AFTERWARDS: usize = 2_000;

/// When an exchange began, in microseconds since 1970, and how it was answered.
type Seen = (u128, u16);

fn now() -> u128 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros()
}

/// Clients that send requests of many users, a tenth of them to where a bad version faults.
struct Clients {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Vec<Seen>>>,
}

impl Clients {
    fn start(address: SocketAddr) -> Self {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |number: usize| {
            let (stop, count) = (Arc::clone(&stop), Arc::clone(&count));
            std::thread::spawn(move || client(address, number, &stop, &count))
        };
        let threads = (0..CLIENTS).map(client).collect();
        Self { stop, count, threads }
    }

    #[track_caller]
    fn go_on(&self, exchanges: usize) {
        let had = self.count.load(Ordering::Relaxed);
        eventually("the load goes on", || self.count.load(Ordering::Relaxed) >= had + exchanges);
    }

    fn stop(self) -> Vec<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        let mut seen: Vec<_> = self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        seen.sort_unstable();
        seen
    }
}

fn client(address: SocketAddr, number: usize, stop: &AtomicBool, count: &AtomicUsize) -> Vec<Seen> {
    let (mut connection, mut seen) = (Connection::open(address), Vec::new());
    for turn in 0_usize.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        // 7 and 100 have no divisor in common: each user sends both kinds.
        let user = format!("{number}-{}", turn * 7 % USERS);
        let target = if (turn / USERS + turn).is_multiple_of(10) { "/bad" } else { "/good" };
        let began = now();
        let response = connection.request(Request::get(target).field("x-user", &user));
        assert!(response.complete && matches!(response.status, 200 | 503), "{response:?}");
        seen.push((began, response.status));
        count.fetch_add(1, Ordering::Relaxed);
    }
    seen
}

/// The newest record of that stage, if it is one of that outcome: when it was written, in microseconds, and what it says.
fn told(gateway: &RunningGateway, stage: &str, outcome: &str, after: u64) -> Option<(u128, String)> {
    let page = gateway.admin("/history?policy=10-m").json();
    let wanted = |record: &&Value| {
        record["stage"] == stage && record["outcome"] == outcome && record["change"].as_u64().unwrap() > after
    };
    let record = page["history"].as_array().unwrap().iter().find(wanted)?.clone();
    Some((u128::from(record["at"].as_u64().unwrap()) * 1_000, record["reason"].as_str()?.to_owned()))
}

fn newest_change(gateway: &RunningGateway) -> u64 {
    gateway.admin("/history").json()["history"][0]["change"].as_u64().unwrap()
}

#[test]
fn a_canary_that_faults_on_a_tenth_of_its_exchanges_is_rolled_back_at_once() {
    let trials = std::env::var("TOLLGATE_TRIALS").ok().map_or(TRIALS, |count| count.parse().unwrap());
    let upstream = Upstream::start();
    let gateway = TestGateway::new()
        .upstream(&upstream)
        .module("m", guest("misbehave"))
        .policy("10-m", "filter = \"m\"\n")
        .workers(2)
        .start();
    eprintln!("from the third fault to the last | until the older version is all there is | faults | afterwards");
    for number in 0..trials {
        let before = newest_change(&gateway);
        let clients = Clients::start(gateway.address());
        clients.go_on(200);
        let text = format!(
            "filter = \"m\"\n# {number}\nconfig = {{ in = \"request-head\", do = \"trap\", when = \"/bad\", amount = {number} }}\n\
             trial = {{ mode = \"canary\", share = 0.2, sticky = \"header:x-user\" }}\n"
        );
        gateway.write_policy("10-m", &text);
        eventually("it is rolled back", || told(&gateway, "roll-back", "done", before).is_some());
        clients.go_on(AFTERWARDS);
        let seen = clients.stop();
        let (fired, why) = told(&gateway, "trial", "failed", before).unwrap();
        let (done, _) = told(&gateway, "roll-back", "done", before).unwrap();
        let faults: Vec<_> = seen.iter().filter(|(_, status)| *status == 503).map(|(began, _)| *began).collect();
        // Records are stamped by the millisecond.
        let hurt = faults.iter().filter(|began| **began > fired + 1_000).count();
        let after = seen.iter().filter(|(began, _)| *began > fired + 1_000).count();
        let ms = |from: u128, to: u128| to.saturating_sub(from) as f64 / 1_000.0;
        let (third, last) = (faults[2], *faults.last().unwrap());
        eprintln!(
            "{:.0} ms | {:.0} ms after the rule fired | {} of {} exchanges | {hurt} of {after} ({why})",
            ms(third, last),
            ms(fired, done),
            faults.len(),
            seen.len()
        );
        assert!(after >= AFTERWARDS / 2 && hurt * 100 <= after / 5, "{hurt} of {after}");
    }
}
