//! What all of them need: filters, an exchange, and CPU time.

#![allow(dead_code, reason = "not every bench needs all of it")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tollgate::bundled;
use tollgate::message::{ClientInfo, Context, Exchange};
use tollgate::sandbox::{FieldRule, Filter, FilterSettings, Grants, Isolation, ModuleCache};
use tollgate::store::{Limiter, Spaces};

const ROUNDS: usize = 15;

/// A standard filter.
pub(crate) fn standard(cache: &ModuleCache, name: &str, configuration: String, isolation: Isolation) -> Arc<Filter> {
    let module = bundled::module(name).expect("the standard filters are bundled: run `cargo xtask filters` first");
    prepare(cache, module, name, configuration, isolation)
}

/// The guest that does nothing but what it is told.
pub(crate) fn work(cache: &ModuleCache, configuration: String) -> Arc<Filter> {
    let program = std::env::current_exe().unwrap();
    let found = program.ancestors().map(|folder| folder.join("guests/work.wasm")).find(|file| file.exists());
    let file: PathBuf = found.expect("there is no target/guests/work.wasm: run `cargo xtask filters` first");
    prepare(cache, &std::fs::read(file).unwrap(), "work", configuration, Isolation::Shared)
}

pub(crate) fn prepare(
    cache: &ModuleCache,
    module: &[u8],
    name: &str,
    configuration: String,
    isolation: Isolation,
) -> Arc<Filter> {
    let settings = FilterSettings {
        name: name.into(),
        configuration,
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
    Filter::prepare(cache.load(module).unwrap(), settings, 1).unwrap()
}

/// Nanoseconds of CPU time per call, of the best round.
pub(crate) fn best(mut round: impl FnMut() -> u32) -> f64 {
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
pub(crate) fn exchange() -> Option<Box<Exchange>> {
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
        request: request.into_parts().0.into(),
        response: None,
        context: Context::default(),
    }))
}
