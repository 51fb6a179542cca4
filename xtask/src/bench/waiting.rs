//! The gateway with many exchanges that wait for a slow upstream: what does one hold, and what does each filter add?

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::connections::allow_descriptors;
use super::holdings::{Holdings, mib};
use super::http::Connection;
use super::options::Options;
use super::peers::{self, Gateway};
use super::scenarios::Scenario;
use super::{place, report};

/// At most so many KiB for each exchange and filter.
const GOAL: f64 = 20.0;
/// Of the chain.
const FILTERS: f64 = 3.0;

const SETTLE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);
/// Descriptors that are needed besides the two of each exchange.
const OTHERS: u64 = 500;

/// Runs `cargo xtask bench waiting`.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let count = options.connections;
    allow_descriptors(u64::from(count) * 2 + OTHERS)?;
    let program = peers::build_gateway(options.gateway.as_deref())?;
    let plain = measure(&program, count, false)?;
    let chain = measure(&program, count, true)?;
    let each = (chain - plain) / FILTERS;
    let verdict = if each <= GOAL { "met" } else { "missed" };
    report::text(&format!(
        "{count} exchanges that wait for the upstream, 2 workers; KiB of memory for each\n\
         \x20 without a filter               {plain:.1}\n\
         \x20 through the three of the chain {chain:.1}\n\
         \x20 for each filter                {each:.1}   goal, at most {GOAL} KiB: {verdict}\n"
    ))
}

/// KiB that an exchange holds while it waits.
fn measure(program: &Path, count: u32, through_filters: bool) -> anyhow::Result<f64> {
    let folder = place::fresh_folder(if through_filters { "waiting-chain" } else { "waiting-plain" })?;
    let upstream = Silent::start()?;
    let gateway = Gateway::start_waiting(program, &folder, upstream.address, count + 16, through_filters)?;
    let ready = Holdings::of(gateway.service.pid());
    let waiting = send(&gateway, count)?;
    let deadline = Instant::now() + PATIENCE;
    while upstream.count() < count as usize {
        ensure!(
            Instant::now() < deadline,
            "only {} of {count} requests reached the upstream; the gateway's last words:\n{}",
            upstream.count(),
            gateway.service.last_words()
        );
        sleep(Duration::from_millis(10));
    }
    sleep(SETTLE);
    let held = Holdings::of(gateway.service.pid());
    drop(waiting);
    Ok(mib(held.resident_kib.saturating_sub(ready.resident_kib)) * 1024.0 / f64::from(count))
}

fn send(gateway: &Gateway, count: u32) -> anyhow::Result<Vec<Connection>> {
    let scenario = Scenario::Chain;
    let mut waiting = Vec::with_capacity(count as usize);
    for number in 0..count {
        if number % 500 == 0 {
            report::progress(&format!("request {number} of {count}"));
        }
        let context = || format!("request {} of {count} failed", number + 1);
        let mut connection = Connection::open(gateway.address).with_context(context)?;
        connection.send(scenario.path(), scenario.headers()).with_context(context)?;
        waiting.push(connection);
    }
    report::progress("");
    Ok(waiting)
}

/// An upstream that takes every connection and never answers. Its thread ends with the bench.
struct Silent {
    address: SocketAddr,
    count: Arc<AtomicUsize>,
}

impl Silent {
    fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
        let address = listener.local_addr()?;
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        std::thread::spawn(move || {
            let mut held: Vec<TcpStream> = Vec::new();
            for stream in listener.incoming().flatten() {
                held.push(stream);
                counted.store(held.len(), Ordering::SeqCst);
            }
        });
        Ok(Self { address, count })
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}
