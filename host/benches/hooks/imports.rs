//! Calls of a filter back into the gateway: what it finds in the store of this process, and its limits.

use std::hint::black_box;
use std::sync::Arc;

use tollgate::message::Message;
use tollgate::sandbox::{Filter, HeadStep, ModuleCache};

use super::ground::{best, exchange, work};

const CALLS: u32 = 500;
/// How often a hook does it, so that the hook itself hardly counts.
const TIMES: u32 = 200;

const CASES: [(&str, &str); 4] = [
    ("store.get of a value of 32 bytes", "store-get"),
    ("store.get of a key that is not there", "store-miss"),
    ("store.increment of a counter", "store-increment"),
    ("limiter.take, allowed", "limiter"),
];

pub(crate) fn run(cache: &ModuleCache) {
    println!("an import, called by a filter of the SDK (ns of CPU)");
    for (label, deed) in CASES {
        let filter = work(cache, format!(r#"{{"head":"{deed}","times":{TIMES}}}"#));
        filter.settings.spaces.write("").unwrap().set(b"value", &[b'v'; 32], 0).unwrap();
        println!("{:>9.0}  {label}", per_call(&filter) / f64::from(TIMES));
    }
}

fn per_call(filter: &Arc<Filter>) -> f64 {
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
