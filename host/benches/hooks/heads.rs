//! Head hooks of the standard filters.

use std::hint::black_box;
use std::sync::Arc;

use tollgate::message::{Exchange, Message};
use tollgate::sandbox::{Digest, Filter, HeadStep, Instance, Isolation, ModuleCache};

use super::ground::{best, exchange, standard};

const CALLS: u32 = 20_000;

/// What is measured: a label, a filter, and its configuration.
pub(crate) const CASES: [(&str, &str, &str); 4] = [
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

pub(crate) fn run(cache: &ModuleCache) {
    println!("head hook on a live instance, facts and edits included (ns of CPU)");
    for (label, name, configuration) in CASES {
        let filter = prepare(cache, name, configuration, Isolation::Shared);
        println!("{:>9.0}  {label}", per_call(&filter));
    }
    println!("the same on an instance of its own, which is put back to its configured state afterwards (ns of CPU)");
    for (label, name, configuration) in CASES {
        let filter = prepare(cache, name, configuration, Isolation::Exchange);
        println!("{:>9.0}  {label}", per_exchange(&filter));
    }
    println!("the same on an instance that is made from the configured state and dropped (µs of CPU)");
    for (label, name, configuration) in CASES {
        let filter = prepare(cache, name, configuration, Isolation::Exchange);
        println!("{:>9.1}  {label}", fresh(&filter) / 1e3);
    }
    println!("the same on an instance that is made, configured and dropped (µs of CPU)");
    for (label, name, configuration) in CASES {
        let filter = prepare(cache, name, configuration, Isolation::Shared);
        println!("{:>9.1}  {label}", fresh(&filter) / 1e3);
    }
}

pub(crate) fn prepare(cache: &ModuleCache, name: &str, configuration: &str, isolation: Isolation) -> Arc<Filter> {
    let digest = Digest::of(b"demo-key").to_string();
    standard(cache, name, configuration.replace("KEY", &digest), isolation)
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
            let (own, back) = alone(filter, instance.take().unwrap(), exchange.take().unwrap());
            (instance, exchange) = (own, Some(back));
            assert!(instance.is_some(), "the kernel does not tell which pages were written to: Linux 6.7 does");
        }
        CALLS
    })
}

/// One exchange on an instance of its own, which is put back to its configured state afterwards.
pub(crate) fn alone(
    filter: &Filter,
    mut own: Box<Instance>,
    exchange: Box<Exchange>,
) -> (Option<Box<Instance>>, Box<Exchange>) {
    let seat = own.seat();
    let (back, step) = own.on_head(seat, Message::Request, exchange, &filter.subscription);
    assert!(matches!(black_box(step), Ok(HeadStep::Forward)));
    (filter.restore(own), back)
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
