//! What finding a route costs, among few and among many: `cargo bench --package tollgate --bench routes`.
//!
//! Thread CPU time, the best of several rounds: a figure of this machine, to be compared with others of the same run.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]
#![allow(clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::hint::black_box;
use std::time::Duration;

use http::{HeaderMap, Method};
use regex::Regex;
use rustix::time::{ClockId, clock_gettime};
use tollgate::route::{Conditions, HostCondition, Lookup, PathCondition, RouteTable, ValueCondition};

const ROUNDS: usize = 15;
const CALLS: u32 = 20_000;

/// Makes the route of a number.
type Make = fn(usize) -> Conditions;

fn main() {
    println!("finding a route among 1, 10, 1000 (ns of CPU)");
    let scenarios: [(&str, Make, Lookup<'_>); 6] = [
        ("exact host, any path", by_host, ask("h0.example.com", "/orders/17")),
        ("wildcard host, any path", by_domain, ask("a.b.h0.example.com", "/orders/17")),
        ("any host, exact path", by_path, ask("api.example.com", "/0/orders")),
        ("any host, prefix of a deeper path", by_prefix, ask("api.example.com", "/0/orders/17/items/3")),
        ("any host, regular expression", by_expression, ask("api.example.com", "/0/orders/17")),
        ("host, prefix and query", by_all, ask("h0.example.com", "/0/orders/17")),
    ];
    for (label, make, lookup) in scenarios {
        let figures = [1, 10, 1_000].map(|count| {
            let table = RouteTable::new((0..count).map(|number| (make(number), number)));
            assert_eq!(table.find(&lookup), Some(&0));
            per_call(&table, &lookup)
        });
        println!("{:>7.0} {:>7.0} {:>7.0}  {label}", figures[0], figures[1], figures[2]);
    }
}

fn ask(host: &'static str, path: &'static str) -> Lookup<'static> {
    static NONE: std::sync::LazyLock<HeaderMap> = std::sync::LazyLock::new(HeaderMap::new);
    Lookup { listener: "public", host, method: &Method::GET, path, query: "page=2&version=2", fields: &NONE }
}

fn any() -> Conditions {
    Conditions {
        listeners: vec![],
        hosts: vec![],
        methods: vec![],
        fields: vec![],
        query: vec![],
        path: PathCondition::Any,
    }
}

fn by_host(number: usize) -> Conditions {
    Conditions { hosts: vec![HostCondition::Exact(format!("h{number}.example.com"))], ..any() }
}

fn by_domain(number: usize) -> Conditions {
    Conditions { hosts: vec![HostCondition::Below(format!("h{number}.example.com"))], ..any() }
}

fn by_path(number: usize) -> Conditions {
    Conditions { path: PathCondition::Exact(format!("/{number}/orders")), ..any() }
}

fn by_prefix(number: usize) -> Conditions {
    Conditions { path: PathCondition::Prefix(format!("/{number}/orders")), ..any() }
}

fn by_expression(number: usize) -> Conditions {
    Conditions { path: PathCondition::Matches(Regex::new(&format!("^(?:/{number}/orders/[0-9]+)$")).unwrap()), ..any() }
}

fn by_all(number: usize) -> Conditions {
    let query = vec![("version".to_owned(), ValueCondition::Exact("2".to_owned()))];
    Conditions { query, path: by_prefix(number).path, ..by_host(number) }
}

/// Nanoseconds of CPU time per look-up, of the best round.
fn per_call(table: &RouteTable<usize>, lookup: &Lookup<'_>) -> f64 {
    let figures = (0..ROUNDS).map(|_| {
        let before = cpu();
        for _ in 0..CALLS {
            black_box(table.find(black_box(lookup)));
        }
        (cpu() - before).as_nanos() as f64 / f64::from(CALLS)
    });
    figures.fold(f64::INFINITY, f64::min)
}

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
