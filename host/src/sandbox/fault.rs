//! What goes wrong in a sandbox while exchanges are served.

use std::fmt;

use super::deadline::DeadlineExceeded;

/// How many functions of a guest a fault names, and how long such a name may be.
const FRAMES: usize = 6;
const NAME: usize = 96;

/// The kinds of fault, as metrics and logs name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultClass {
    /// The filter crashed: a panic, an access out of bounds, a call with absurd arguments.
    Trap,
    /// A hook used more CPU time than it may.
    Deadline,
    /// The filter wanted more memory than it may have.
    Memory,
    /// The filter's stack overflowed.
    Stack,
    /// The hook answered with an error.
    Reported,
    /// The hook answered with something that cannot be done, such as an invalid edit.
    Answer,
    /// The instance that held the exchange's state was lost to another exchange's fault.
    StateLost,
    /// No instance could be made.
    Instantiate,
}

impl FaultClass {
    /// Every class, in the order of their labels in metrics.
    pub const ALL: [Self; 8] = [
        Self::Trap,
        Self::Deadline,
        Self::Memory,
        Self::Stack,
        Self::Reported,
        Self::Answer,
        Self::StateLost,
        Self::Instantiate,
    ];

    /// The stable name of the class.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Reported => "reported",
            Self::Answer => "answer",
            Self::StateLost => "state-lost",
            Self::Instantiate => "instantiate",
        }
    }
}

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
        } else if memory_refused {
            FaultClass::Memory
        } else {
            match error.downcast_ref::<wasmtime::Trap>() {
                Some(wasmtime::Trap::StackOverflow) => FaultClass::Stack,
                Some(wasmtime::Trap::Interrupt) => FaultClass::Deadline,
                _ => FaultClass::Trap,
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
