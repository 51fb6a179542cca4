//! What filters cost in each language: `cargo xtask bench languages`, which builds the modules and names their folder.
//!
//! CPU time, the best of several rounds: a figure of this machine, to be compared with others of the same run. Each module is the same
//! filter, which reads three fields and writes one.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]
#![allow(clippy::unwrap_used, reason = "a bench may fail loudly")]

#[path = "../hooks/ground.rs"]
mod ground;

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tollgate::message::Message;
use tollgate::sandbox::{Filter, HeadStep, Isolation, ModuleCache, Sandbox};

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The most that a hook may take in µs, by the names of modules. Languages without a goal are measured all the same.
const GOALS: [(&str, f64); 9] = [
    ("assemblyscript", 3.0),
    ("c", 1.0),
    ("go", 3.0),
    ("js", 50.0),
    ("python", 20.0),
    ("rust", 1.0),
    ("script-cel", 20.0),
    ("script-js", 20.0),
    ("script-rego", 20.0),
];

/// What the filter in Rust is configured with, which is the standard filter `headers`; the others do it by themselves.
const CONFIGURATION: &str = r#"{"request":{"set":{"x-out":"{header:user-agent}{header:accept}{header:x-api-key}"}}}"#;

const CALLS: u32 = 2_000;

fn main() {
    let folder = std::env::args().skip(1).find(|word| !word.starts_with('-')).map(PathBuf::from);
    let folder = folder.expect("the folder of the modules is missing: run `cargo xtask bench languages`");
    let kept = folder.join("state");
    let _ = fs::remove_dir_all(&kept);
    println!(
        "| language | module | compiled once | from the store | instance, configured | its memory | a hook | goal |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut modules: Vec<_> = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path()).collect();
    modules.sort();
    for path in modules.iter().filter(|path| path.extension().is_some_and(|extension| extension == "wasm")) {
        println!("{}", row(path, &kept));
    }
}

fn row(path: &Path, kept: &Path) -> String {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let content = fs::read(path).unwrap();
    let cache = || ModuleCache::new(Sandbox::new().unwrap(), Some(kept.to_owned()));
    let (before, first) = (cpu(ClockId::ProcessCPUTime), cache());
    drop(first.load(&content).unwrap());
    let compiled = cpu(ClockId::ProcessCPUTime) - before;
    let (started, second) = (Instant::now(), cache());
    let module = second.load(&content).unwrap();
    let loaded = started.elapsed();
    drop(module);

    let filter = ground::prepare(&second, &content, &name, configuration(path, &name), Isolation::Shared);
    let (start, memory) = fresh(&filter);
    let hook = per_call(&filter) / 1e3;
    let goal = GOALS
        .iter()
        .find(|(language, _)| *language == name)
        .map(|(_, goal)| format!("{goal} µs: {}", if hook <= *goal { "met" } else { "missed" }));
    format!(
        "| {name} | {} KB | {} ms | {:.1} ms | {:.2} ms | {} KB | {hook:.2} µs | {} |",
        content.len() / 1000,
        compiled.as_millis(),
        millis(loaded),
        millis(start),
        memory / 1000,
        goal.unwrap_or_default()
    )
}

/// What runs scripts is given one by the file beside it.
fn configuration(path: &Path, name: &str) -> String {
    let otherwise = if name == "rust" { CONFIGURATION } else { "{}" };
    fs::read_to_string(path.with_extension("json")).unwrap_or_else(|_| otherwise.to_owned())
}

/// The CPU time of making and configuring an instance, and the memory that it has then.
fn fresh(filter: &Filter) -> (Duration, usize) {
    let mut memory = 0;
    let start = ground::best(|| {
        memory = filter.instance().unwrap().memory_high_water();
        1
    });
    (Duration::from_nanos(start as u64), memory)
}

fn per_call(filter: &Arc<Filter>) -> f64 {
    let mut instance = filter.instance().unwrap();
    let mut exchange = ground::exchange();
    ground::best(|| {
        for _ in 0..CALLS {
            let seat = instance.seat();
            let (back, step) = instance.on_head(seat, Message::Request, exchange.take().unwrap(), &filter.subscription);
            assert!(matches!(black_box(step), Ok(HeadStep::Forward)));
            assert!(back.request.headers.contains_key("x-out"));
            exchange = Some(back);
            instance.leave(seat, false).unwrap();
            // As the gateway does: an interpreter that has not collected its garbage yet counts with what another one costs.
            if instance.is_nearly_full() {
                instance = filter.instance().unwrap();
            }
        }
        CALLS
    })
}

fn cpu(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
