//! What goes wrong in a sandbox while exchanges are served.

use std::fmt;

use super::deadline::DeadlineExceeded;
use crate::store::StoreError;
pub use crate::telemetry::FaultClass;

/// How many functions of a guest a fault names, and how long such a name may be.
const FRAMES: usize = 6;
const NAME: usize = 96;

/// One fault. For the operator; never shown to a client.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which kind.
    pub class: FaultClass,
    /// What happened.
    pub message: String,
}

impl Fault {
    pub(super) fn new(class: FaultClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    /// Reads what wasmtime says when a call did not return.
    pub(super) fn of_trap(error: &wasmtime::Error, memory_refused: bool, last_words: Option<String>) -> Self {
        let class = if error.downcast_ref::<DeadlineExceeded>().is_some() {
            FaultClass::Deadline
        } else if error.downcast_ref::<StoreError>().is_some() {
            FaultClass::Store
        } else if memory_refused {
            FaultClass::Memory
        } else {
            match error.downcast_ref::<wasmtime::Trap>() {
                Some(wasmtime::Trap::StackOverflow) => FaultClass::Stack,
                Some(wasmtime::Trap::Interrupt) => FaultClass::Deadline,
                Some(_) => FaultClass::Trap,
                None => FaultClass::Refused,
            }
        };
        let cause = error.root_cause().to_string();
        let message = match (class, last_words) {
            (FaultClass::Memory, _) => format!("out of memory: more than the policy's limit was asked for ({cause})"),
            (_, Some(words)) => format!("{cause}: {words}"),
            (_, None) => cause,
        };
        Self { class, message: message + &functions(error) }
    }
}

/// The guest's functions where the call ended, the innermost first, if the module has their names.
fn functions(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<wasmtime::WasmBacktrace>() else { return String::new() };
    let names = backtrace.frames().iter().filter_map(wasmtime::FrameInfo::func_name).map(plain);
    let names: Vec<_> = names.filter(|name| !is_machinery(name)).take(FRAMES).collect();
    if names.is_empty() { String::new() } else { format!(" (in {})", names.join(" < ")) }
}

/// A mangled name of Rust without its hash; any other name as it is.
fn plain(name: &str) -> String {
    let name = rustc_demangle::try_demangle(name).map_or_else(|_| name.to_owned(), |name| format!("{name:#}"));
    name.chars().filter(|c| !c.is_control()).take(NAME).collect()
}

/// What a panic goes through before it traps, and what the SDK puts around every hook.
fn is_machinery(name: &str) -> bool {
    [
        "__rust",
        "rust_",
        "core::panicking",
        "core::option::",
        "core::result::",
        "std::panicking",
        "std::process",
        "__rustc",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class.label(), self.message)
    }
}

impl std::error::Error for Fault {}
