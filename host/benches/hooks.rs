//! What calls into a sandbox cost: `cargo bench --package tollgate --bench hooks`, or `cargo xtask bench hooks`.
//!
//! Thread CPU time, the best of several rounds: a figure of this machine, to be compared with others of the same run. Needs
//! the standard filters (`cargo xtask filters`), which are bundled.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]
#![allow(clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tollgate::bundled;
use tollgate::message::{ClientInfo, Context, Exchange, Message};
use tollgate::sandbox::{FieldRule, Filter, FilterSettings, Grants, HeadStep, Isolation, ModuleCache, Sandbox};
use tollgate::store::{Limiter, Spaces};

const ROUNDS: usize = 15;
const CALLS: u32 = 20_000;

/// What is measured: a label, a filter, and its configuration.
const CASES: [(&str, &str, &str); 4] = [
    ("headers: no fact, one write", "headers", r#"{"request":{"set":{"x-gateway":"tollgate"}}}"#),
    (
        "headers: three facts read, one write",
        "headers",
        r#"{"request":{"set":{"x-out":"{header:user-agent}{header:accept}{header:x-api-key}"}}}"#,
    ),
    (
        "api-key: one of one key accepted",
        "api-key",
        // The digest of "demo-key".
        r#"{"forward":true,"keys":[{"consumer":"alice","sha256":"KEY"}]}"#,
    ),
    (
        "rate-limit: by client address, allowed",
        "rate-limit",
        r#"{"requests":1000000,"per":"1s","burst":1000000,"key":"client-address"}"#,
    ),
];

fn main() {
    let sandbox = Sandbox::new().unwrap();
    let cache = ModuleCache::new(sandbox, None);
    println!("head hook on a live instance, facts and edits included (ns of CPU)");
    for (label, name, configuration) in CASES {
        let filter = prepare(&cache, name, configuration, Isolation::Shared);
        println!("{:>9.0}  {label}", per_call(&filter));
    }
    println!("the same on an instance of its own, which is put back to its configured state afterwards (ns of CPU)");
    for (label, name, configuration) in CASES {
        let filter = prepare(&cache, name, configuration, Isolation::Exchange);
        println!("{:>9.0}  {label}", per_exchange(&filter));
    }
    println!("the same on an instance that is made from the configured state and dropped (µs of CPU)");
    for (label, name, configuration) in CASES {
        let filter = prepare(&cache, name, configuration, Isolation::Exchange);
        println!("{:>9.1}  {label}", fresh(&filter) / 1e3);
    }
    println!("the same on an instance that is made, configured and dropped (µs of CPU)");
    for (label, name, configuration) in CASES {
        let filter = prepare(&cache, name, configuration, Isolation::Shared);
        println!("{:>9.1}  {label}", fresh(&filter) / 1e3);
    }
}

fn prepare(cache: &ModuleCache, name: &str, configuration: &str, isolation: Isolation) -> Arc<Filter> {
    let digest = tollgate::sandbox::Digest::of(b"demo-key").to_string();
    let settings = FilterSettings {
        name: name.into(),
        configuration: configuration.replace("KEY", &digest),
        cpu: Duration::from_millis(5),
        exchange_cpu: None,
        configure_cpu: Duration::from_secs(1),
        memory: 16 << 20,
        body: 1 << 20,
        isolation,
        recycle: None,
        callouts: Arc::default(),
        instances: 1,
        tick_cpu: Duration::from_millis(100),
        tick_timeout: Duration::from_secs(10),
        limiter: Arc::new(Limiter::default()),
        metrics: Arc::default(),
        spaces: Arc::new(Spaces::default()),
        grants: Arc::new(Grants { read: FieldRule::Any, ..Grants::default() }),
        sources: None,
        follows: false,
    };
    let module = bundled::module(name).expect("the standard filters are bundled: run `cargo xtask filters` first");
    Filter::prepare(cache.load(module).unwrap(), settings, 1).unwrap()
}

fn per_call(filter: &Filter) -> f64 {
    let mut instance = filter.instance().unwrap();
    let mut exchange = exchange();
    best(|| {
        for _ in 0..CALLS {
            let seat = instance.seat();
            let (back, step) = instance.on_head(seat, Message::Request, exchange.take().unwrap(), &filter.subscription);
            assert!(matches!(black_box(step), Ok(HeadStep::Forward)));
            exchange = Some(back);
            instance.leave(seat, false).unwrap();
        }
        CALLS
    })
}

fn per_exchange(filter: &Filter) -> f64 {
    let mut instance = Some(Box::new(filter.instance().unwrap()));
    let mut exchange = exchange();
    best(|| {
        for _ in 0..CALLS {
            let mut own = instance.take().unwrap();
            let seat = own.seat();
            let (back, step) = own.on_head(seat, Message::Request, exchange.take().unwrap(), &filter.subscription);
            assert!(matches!(black_box(step), Ok(HeadStep::Forward)));
            exchange = Some(back);
            instance = filter.restore(own);
            assert!(instance.is_some(), "the kernel does not tell which pages were written to: Linux 6.7 does");
        }
        CALLS
    })
}

fn fresh(filter: &Filter) -> f64 {
    let mut exchange = exchange();
    drop(filter.instance().unwrap());
    best(|| {
        for _ in 0..200 {
            let mut instance = filter.instance().unwrap();
            let seat = instance.seat();
            let (back, step) = instance.on_head(seat, Message::Request, exchange.take().unwrap(), &filter.subscription);
            assert!(matches!(black_box(step), Ok(HeadStep::Forward)));
            exchange = Some(back);
        }
        200
    })
}

/// Nanoseconds of CPU time per call, of the best round.
fn best(mut round: impl FnMut() -> u32) -> f64 {
    let figures = (0..ROUNDS).map(|_| {
        let before = cpu();
        let calls = round();
        (cpu() - before).as_nanos() as f64 / f64::from(calls)
    });
    figures.fold(f64::INFINITY, f64::min)
}

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// A request as a browser-like client sends it.
fn exchange() -> Option<Box<Exchange>> {
    let request = http::Request::builder()
        .uri("/orders/17?page=2")
        .header("host", "api.example.com")
        .header("user-agent", "bench/1.0")
        .header("accept", "application/json")
        .header("accept-encoding", "gzip, br")
        .header("accept-language", "en")
        .header("cache-control", "no-cache")
        .header("x-api-key", "demo-key")
        .header("x-forwarded-for", "192.0.2.7")
        .header("x-forwarded-proto", "http")
        .header("x-forwarded-host", "api.example.com")
        .header("x-request-id", "0c9f2d5e")
        .header("cookie", "session=1")
        .body(())
        .unwrap();
    Some(Box::new(Exchange {
        client: Arc::new(ClientInfo::new("192.0.2.7:4711".parse().unwrap(), "public".into(), "http")),
        route: "orders".into(),
        trace: None,
        request: request.into_parts().0,
        response: None,
        context: Context::default(),
    }))
}
