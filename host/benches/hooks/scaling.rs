//! Whether two workers do twice what one does: they share modules and limits, and no lock.

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use tollgate::sandbox::{Filter, Isolation, ModuleCache};
use tollgate::telemetry::own_lane;

use super::ground::exchange;
use super::heads::{CASES, alone, prepare};

const EXCHANGES: u32 = 50_000;
const ROUNDS: usize = 9;

pub(crate) fn run(cache: &ModuleCache) {
    println!(
        "what two workers do at once, by what one does, on instances of their own (2 is linear; wants two idle cores)"
    );
    for (label, name, configuration) in CASES {
        let filter = prepare(cache, name, configuration, Isolation::Exchange);
        let (one, two) = (fastest(&filter, 1), fastest(&filter, 2));
        println!("{:>9.2}  {label}", 2.0 * one.as_secs_f64() / two.as_secs_f64());
    }
}

/// How long it takes so many workers until each has done all its exchanges, in the best round.
fn fastest(filter: &Arc<Filter>, workers: usize) -> Duration {
    (0..ROUNDS).map(|_| round(filter, workers)).min().unwrap_or_default()
}

fn round(filter: &Arc<Filter>, workers: usize) -> Duration {
    let start = Barrier::new(workers);
    let took = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(|| work(filter, &start))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).max()
    });
    took.unwrap_or_default()
}

fn work(filter: &Filter, start: &Barrier) -> Duration {
    // As each worker of the gateway has one.
    let _lane = own_lane();
    let (mut instance, mut exchange) = (Some(Box::new(filter.instance().unwrap())), exchange());
    start.wait();
    let began = Instant::now();
    for _ in 0..EXCHANGES {
        let (own, back) = alone(filter, instance.take().unwrap(), exchange.take().unwrap());
        (instance, exchange) = (own, Some(back));
    }
    began.elapsed()
}
