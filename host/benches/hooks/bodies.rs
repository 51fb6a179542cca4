//! Pieces of bodies through a filter that sees them one by one.

use std::hint::black_box;
use std::sync::Arc;

use tollgate::message::Message;
use tollgate::sandbox::{BodyStep, Filter, ModuleCache};

use super::ground::{best, exchange, work};

const PIECE: usize = 64 << 10;
const CALLS: u32 = 4_000;
/// So many different pieces follow one another: more than the processor's nearest cache holds.
const PIECES: usize = 8;

/// What goes in and out of the sandbox together, for each core.
const GOAL: f64 = 10.0;

/// What the filter does with a piece, and how many times a piece's bytes cross the sandbox's border.
const CASES: [(&str, &str, f64); 3] = [
    ("looked at: in, and what goes on is the piece itself", "pass", 1.0),
    ("given back as it is: in and out", "replace", 2.0),
    ("given back with one byte changed: in and out", "change", 2.0),
];

pub(crate) fn run(cache: &ModuleCache) {
    println!("a piece of 64 KiB through one filter (µs of CPU, GB/s in and out together)");
    for (label, treatment, crossings) in CASES {
        let filter = work(cache, format!(r#"{{"body":"{treatment}"}}"#));
        let nanoseconds = per_piece(&filter);
        let rate = PIECE as f64 * crossings / nanoseconds;
        let verdict = match crossings {
            2.0 if rate >= GOAL => "   goal, at least 10 GB/s: met",
            2.0 => "   goal, at least 10 GB/s: missed",
            _ => "",
        };
        println!("{:>9.2} {rate:>7.1}  {label}{verdict}", nanoseconds / 1e3);
    }
}

fn per_piece(filter: &Arc<Filter>) -> f64 {
    let pieces = vec![vec![b'x'; PIECE]; PIECES];
    let mut instance = filter.instance().unwrap();
    let mut exchange = exchange();
    let seat = instance.seat();
    best(|| {
        for piece in pieces.iter().cycle().take(CALLS as usize) {
            let (back, answer) =
                instance.on_body(seat, Message::Response, exchange.take().unwrap(), piece, false, false);
            let (step, _) = black_box(answer).unwrap();
            assert!(matches!(&step, BodyStep::Pass) || matches!(&step, BodyStep::Replace(new) if new.len() == PIECE));
            exchange = Some(back);
        }
        CALLS
    })
}
