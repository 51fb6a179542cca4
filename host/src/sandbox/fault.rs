//! What goes wrong in a sandbox while exchanges are served.

use std::fmt;

use wasmtime::WasmBacktrace;

use super::deadline::DeadlineExceeded;
use super::lines::Lines;
use crate::store::StoreError;
pub use crate::telemetry::FaultClass;

/// How many functions of a guest a fault names in its line, and how long such a name may be.
const FRAMES: usize = 6;
/// How many it has at all.
const MOST: usize = 32;
const NAME: usize = 96;
/// How a line of a backtrace begins in what hooks answer.
const AT: &str = "\n    at ";

/// One fault. For the operator; never shown to a client.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which kind.
    pub class: FaultClass,
    /// What happened.
    pub message: String,
    /// Where, the innermost first, as far as the module tells.
    pub backtrace: Vec<Frame>,
}

/// A function of a guest, and where in its source it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Its name.
    pub function: String,
    /// File and line, as `src/lib.rs:12`.
    pub place: Option<String>,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{} at {place}", self.function),
            None => f.write_str(&self.function),
        }
    }
}

impl Fault {
    /// One that is not a trap.
    #[must_use]
    pub fn new(class: FaultClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), backtrace: Vec::new() }
    }

    /// The hook's own word that it failed. Where that was are the lines `at FUNCTION (PLACE)` behind it, which the SDKs of
    /// languages with exceptions write.
    pub(super) fn reported(told: &str) -> Self {
        let mut parts = told.split(AT);
        let message = parts.next().unwrap_or_default();
        let frame = |line: &str| {
            let line: String = line.chars().filter(|c| !c.is_control()).take(2 * NAME).collect();
            let placed = line.rsplit_once(" (").and_then(|(name, place)| Some((name, place.strip_suffix(')')?)));
            match placed {
                Some((function, place)) => Frame { function: function.to_owned(), place: Some(place.to_owned()) },
                None => Frame { function: line, place: None },
            }
        };
        let backtrace = parts.take(MOST).map(frame).collect();
        Self { class: FaultClass::Reported, message: message.to_owned(), backtrace }
    }

    /// Reads what wasmtime says when a call did not return.
    pub(super) fn of_trap(
        error: &wasmtime::Error,
        memory_refused: bool,
        last_words: Option<String>,
        lines: Option<&Lines>,
    ) -> Self {
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
        Self { class, message, backtrace: backtrace(error, lines) }
    }

    /// What happened and where, in a line.
    #[must_use]
    pub fn told(&self) -> String {
        let frames: Vec<_> = self.backtrace.iter().take(FRAMES).map(ToString::to_string).collect();
        match frames.is_empty() {
            true => self.message.clone(),
            false => format!("{} (in {})", self.message, frames.join(" < ")),
        }
    }
}

/// The guest's functions where the call ended, the innermost first, if the module has their names, and with their places if it
/// has those.
fn backtrace(error: &wasmtime::Error, lines: Option<&Lines>) -> Vec<Frame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let frames = backtrace.frames().iter().flat_map(|frame| {
        let placed = lines.filter(|lines| lines.are_of(frame.module()));
        let placed = placed.zip(frame.func_offset()).map(|(lines, offset)| lines.at(frame.func_index(), offset));
        match placed {
            Some(frames) if !frames.is_empty() => frames.to_vec(),
            _ => frame.func_name().map(|name| Frame { function: plain(name), place: None }).into_iter().collect(),
        }
    });
    frames.filter(|frame| !is_machinery(&frame.function) && !is_of_rust(frame)).take(MOST).collect()
}

/// Whether it is a function of Rust's own libraries: a panic says for whose call it is.
fn is_of_rust(frame: &Frame) -> bool {
    let libraries = ["core/src/", "alloc/src/", "std/src/", "library/"];
    frame.place.as_ref().is_some_and(|place| libraries.iter().any(|library| place.starts_with(library)))
}

/// A mangled name of Rust without its hash, and a method of Go's as Go writes it; any other name as it is.
pub(super) fn plain(name: &str) -> String {
    let name = rustc_demangle::try_demangle(name).map_or_else(|_| of_go(name), |name| format!("{name:#}"));
    name.chars().filter(|c| !c.is_control()).take(NAME).collect()
}

/// Go's linker writes `main.__Stamp_.OnRequest` for `main.(*Stamp).OnRequest`.
fn of_go(name: &str) -> String {
    let method = || {
        let (package, rest) = name.split_once(".__")?;
        let (receiver, method) = rest.split_once("_.")?;
        Some(format!("{package}.(*{receiver}).{method}"))
    };
    method().unwrap_or_else(|| name.to_owned())
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
        // Go's, and the SDK's in Go.
        "runtime.",
        "wasm_pc_",
        "tollgate.on",
        "tollgate_filter_hooks_",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class.label(), self.told())
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_of_go_are_named_as_they_are_written() {
        assert_eq!(plain("main.__Stamp_.OnRequest"), "main.(*Stamp).OnRequest");
        assert_eq!(plain("main.Stamp.OnRequest"), "main.Stamp.OnRequest");
        assert_eq!(plain("on__it_.x"), "on__it_.x");
    }

    #[test]
    fn what_a_hook_reports_says_where() {
        let fault = Fault::reported(
            "TypeError: no\n    at Keys.find (src/app.py:12)\n    at on_request (src/app.py:30)\n    at x",
        );
        assert_eq!(fault.message, "TypeError: no");
        assert_eq!(fault.backtrace[0].to_string(), "Keys.find at src/app.py:12");
        assert_eq!(fault.told(), "TypeError: no (in Keys.find at src/app.py:12 < on_request at src/app.py:30 < x)");
        assert_eq!(Fault::reported("a\nb at c").told(), "a\nb at c");
    }
}
