//! A corpus of filters that do harm: each in one way, at one moment of an exchange or of its own life. Whatever it is, its own
//! exchange gets what the policy says, others are served meanwhile, and nothing is left behind.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(missing_docs, reason = "each story is named after what it tells")]

mod abi;
mod answers;
mod case;
mod crashes;
mod imports;
mod life;
mod outside;
mod ticks;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use tollgate_tests::{
    Answer, Binary, Connection, Load, RedisServer, Request, TestGateway, Upstream, eventually, metric,
};

use crate::case::{Case, Fate, Hook};

/// How often each case is tried at most until memory is at a level. The pool keeps some of what freed instances had, up to a
/// bound, so it grows at first.
const ROUNDS: u32 = 24;

/// Over how many rounds memory stays at its level.
const LEVEL: usize = 3;

/// How much it may grow over them, in KiB: less than half of what the instances had that faults have cost by then.
const MARGIN: u64 = 3 << 10;

const WORKERS: usize = 2;

const FAULTS: &str = "tollgate_filter_faults_total{";

fn corpus() -> Vec<Case> {
    [crashes::cases(), answers::cases(), imports::cases(), abi::cases()].into_iter().flatten().collect()
}

/// What policies have besides their filter, and the configuration besides them.
struct Setting {
    on_fault: &'static str,
    isolation: &'static str,
    policy: &'static str,
    limits: &'static str,
    config: String,
}

impl Setting {
    fn new(on_fault: &'static str, isolation: &'static str) -> Self {
        // More time than by default: in a debug build on a busy machine, a megabyte of edits takes a few milliseconds.
        Self { on_fault, isolation, policy: "", limits: "memory = \"4MiB\", cpu = \"25ms\"", config: String::new() }
    }
}

#[test]
fn there_are_cases_for_every_hook() {
    let corpus = corpus();
    assert!(corpus.len() >= 150, "{}", corpus.len());
    for hook in Hook::ALL {
        assert!(corpus.iter().filter(|case| case.hook == hook).count() >= 10, "{hook:?}");
    }
}

#[test]
fn harm_is_denied() {
    survive(&corpus(), &Setting::new("deny", "shared"));
}

#[test]
fn harm_is_bypassed() {
    survive(&corpus(), &Setting::new("bypass", "shared"));
}

#[test]
fn harm_stays_with_its_exchange() {
    survive(&corpus(), &Setting::new("deny", "exchange"));
}

#[test]
fn harm_reaches_nothing_outside() {
    // Nobody accepts there; its kernel does.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for isolation in ["shared", "exchange"] {
        let config = format!(
            "[upstreams.silent]\nendpoints = [\"{}\"]\n[secrets.key]\nfile = \"key.txt\"\n",
            silent.local_addr().unwrap()
        );
        let (policy, limits) = (outside::POLICY, outside::LIMITS);
        survive(&outside::cases(), &Setting { policy, limits, config, ..Setting::new("deny", isolation) });
    }
}

#[test]
fn harm_reaches_no_store_on_a_server() {
    let redis = RedisServer::start(&[]);
    for isolation in ["shared", "exchange"] {
        let config = format!(
            "[stores.central]\nredis = {{ address = \"{}\", timeout = \"5s\" }}\non-outage = \"fail\"\n",
            redis.address()
        );
        let policy = r#"store = "central""#;
        survive(&imports::stores(), &Setting { policy, config, ..Setting::new("deny", isolation) });
    }
}

/// Tries every case again and again while others send good requests.
fn survive(corpus: &[Case], setting: &Setting) {
    let on_fault = setting.on_fault;
    let answer = Answer::status(200).field("trailer", "x-a").chunk("content").trailer("x-a", "b");
    let upstream = Upstream::answering(answer);
    let program = start(&upstream, corpus, setting);
    let is_good = |response: &tollgate_tests::Response| response.status == 200 && response.field("x-good").is_some();
    let load = Load::start(program.address(), 2, Request::get("/good"), is_good);
    let mut memory = Vec::new();
    for round in 1..=ROUNDS {
        let wrong: Vec<_> = corpus.iter().filter_map(|case| try_once(&program, case, on_fault).err()).collect();
        assert_eq!(wrong, [""; 0], "round {round}");
        check_faults(&program, corpus, round);
        load.go_on(1);
        memory.push(program.resident_kib());
        if is_level(&memory) {
            break;
        }
    }
    load.stop();
    assert!(is_level(&memory), "it only grows: {memory:?}");
    let at_most = ((corpus.len() + 1) * WORKERS) as f64;
    eventually("as many instances as before", || {
        let instances = metric(&page(&program), "tollgate_filter_instances");
        (1.0..=at_most).contains(&instances)
    });
}

fn is_level(memory: &[u64]) -> bool {
    let before = memory.len().checked_sub(LEVEL + 1);
    before.is_some_and(|before| memory[memory.len() - 1] <= memory[before] + MARGIN)
}

fn start(upstream: &Upstream, corpus: &[Case], setting: &Setting) -> Binary {
    let Setting { on_fault, isolation, policy, limits, config: more } = setting;
    let mut gateway = TestGateway::new().upstream(upstream).file("key.txt", "not to be told");
    let mut config = String::from(
        r#"
        policies-dir = "policies"
        admin = { address = "127.0.0.1:0" }
        workers = 2
        [[listeners]]
        address = "{listen}"
        [upstreams.all]
        endpoints = ["{upstream}"]
        [policies.good]
        filter = "headers"
        config = { response = { set = { x-good = "yes" } } }
        [[routes]]
        path = { exact = "/good" }
        policies = ["good"]
        upstream = "all"
        "#,
    );
    for case in corpus {
        gateway = gateway.module(&format!("m-{}", case.name), case.filter.build());
        let _ = write!(
            config,
            r#"
            [policies.{name}]
            filter = "m-{name}"
            on-fault = "{on_fault}"
            isolation = "{isolation}"
            limits = {{ {limits} }}
            {policy}
            [[routes]]
            path = {{ exact = "/{name}" }}
            policies = ["good", "{name}"]
            upstream = "all"
            "#,
            name = case.name
        );
    }
    let gateway = gateway.config(&(config + more));
    // Compiled once for all stories, however long that takes.
    static COMPILING: Mutex<()> = Mutex::new(());
    let compiling = COMPILING.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(gateway.check(), Ok(()));
    drop(compiling);
    gateway.run(&[])
}

/// Sends a request that has all hooks called, and looks at what becomes of it.
fn try_once(program: &Binary, case: &Case, on_fault: &str) -> Result<(), String> {
    let name = &case.name;
    let request = Request::post(&format!("/{name}"), "").field("te", "trailers").field("trailer", "x-a");
    let request = request.chunks(["content"]).trailer("x-a", "b");
    let response = Connection::open(program.address()).try_request(&request);
    let response = response.map_err(|error| format!("{name}: no response: {error}"))?;
    let expected = match (case.fate, case.hook) {
        (Fate::Replies(status), _) => (status, true),
        (Fate::Fault(_), Hook::ResponseBody | Hook::ResponseTrailers) if on_fault == "deny" => (200, false),
        (Fate::Fault(_), hook) if on_fault == "deny" && hook != Hook::ExchangeEnd => (503, true),
        _ => (200, true),
    };
    let good = Connection::open(program.address()).request(Request::get("/good"));
    assert_eq!((good.status, good.field("x-good")), (200, Some("yes")), "after {name}");
    let had = (response.status, response.complete);
    if had == expected {
        return Ok(());
    }
    let said: Vec<_> = program.lines().into_iter().filter(|line| line.contains(name.as_str())).collect();
    Err(format!("{name}: {had:?} instead of {expected:?}; the log says {said:?}"))
}

/// Every case has had its fault in each round, and no other.
fn check_faults(program: &Binary, corpus: &[Case], rounds: u32) {
    let expected: BTreeSet<_> = corpus
        .iter()
        .filter_map(|case| match case.fate {
            Fate::Fault(class) => Some(format!("{FAULTS}policy={:?},class={class:?}}} {rounds}", case.name)),
            Fate::Passes | Fate::Replies(_) => None,
        })
        .collect();
    let had = || -> BTreeSet<_> {
        page(program).lines().filter(|line| line.starts_with(FAULTS)).map(str::to_owned).collect()
    };
    let mut last = had();
    // The end of an exchange comes after its response.
    for _ in 0..10 {
        if last == expected {
            return;
        }
        last = had();
    }
    let (more, missing): (Vec<_>, Vec<_>) =
        (last.difference(&expected).collect(), expected.difference(&last).collect());
    panic!("after {rounds} rounds, unexpected: {more:#?}, missing: {missing:#?}");
}

fn page(program: &Binary) -> String {
    Connection::open(program.admin_address()).request(Request::get("/metrics")).text()
}
