//! The compiler, on threads of its own and within bounds. What takes too much is given up.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::Engine;

use super::content::Digest;
use super::module::{Compiled, ModuleError};

/// The stack of the compiler, which walks what is nested.
const STACK: usize = 16 << 20;

/// How often a compiler is looked at, once it is at it for longer than that.
const LOOK: Duration = Duration::from_millis(100);

/// What compiling a module may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// CPU time: compilers have a low priority, and on a busy machine they get little of it in a minute.
    pub(super) cpu: Duration,
    /// However little of it they get.
    pub(super) wall: Duration,
}

impl Bounds {
    /// A second of CPU time for each MiB is usual.
    pub(super) const USUAL: Self = Self { cpu: Duration::from_secs(120), wall: Duration::from_secs(1800) };

    /// Whether a compiler has taken too much. Where its CPU time cannot be found out, the time that has passed stands for it.
    fn are_passed(self, cpu: Option<Duration>, wall: Duration) -> bool {
        cpu.unwrap_or(wall) >= self.cpu || wall >= self.wall
    }
}

/// Compiles modules.
pub(super) struct Compiler {
    engine: Engine,
    pub(super) bounds: Bounds,
    /// What has been given up and is still being compiled.
    given_up: Arc<Mutex<HashSet<Digest>>>,
}

impl Compiler {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, bounds: Bounds::USUAL, given_up: Arc::default() }
    }

    /// Compiles on a thread of its own. A compiler cannot be interrupted: what takes too much goes on to its end there, with
    /// the lowest priority, and nobody waits for it; meanwhile the same content is not tried again. A compiler that panics over
    /// a module ends that thread only.
    pub(super) fn compile(&self, content: &[u8], digest: Digest) -> Result<Compiled, ModuleError> {
        if self.is_given_up(digest) {
            return Err(ModuleError::TooSlow(self.bounds.cpu));
        }
        let (sender, receiver) = channel();
        let (namer, name) = channel();
        let (engine, content, waiting) = (self.engine.clone(), content.to_vec(), Arc::clone(&self.given_up));
        let compile = move || {
            let _ = namer.send(own());
            let compiled = Compiled::new(&engine, &content);
            // Before it can be found to be late.
            let _ = sender.send(compiled);
            lock(&waiting).remove(&digest);
        };
        let builder = std::thread::Builder::new().name("compile".into()).stack_size(STACK);
        let failed = |reason: &str| ModuleError::Malformed(reason.to_owned());
        builder.spawn(compile).map_err(|error| failed(&format!("no thread to compile it: {error}")))?;
        let thread = name.recv().map_err(|_| failed("the compiler fails over it"))?;
        match wait(&receiver, self.bounds, thread) {
            Ok(compiled) => compiled,
            Err(RecvTimeoutError::Disconnected) => Err(failed("the compiler fails over it")),
            Err(RecvTimeoutError::Timeout) => {
                let mut given_up = lock(&self.given_up);
                // It may have ended by now.
                if let Ok(compiled) = receiver.try_recv() {
                    return compiled;
                }
                given_up.insert(digest);
                Err(ModuleError::TooSlow(self.bounds.cpu))
            }
        }
    }

    /// Whether the content was given up, and its compiler is still at it.
    pub(super) fn is_given_up(&self, digest: Digest) -> bool {
        lock(&self.given_up).contains(&digest)
    }
}

/// Waits for a compiler until it has taken too much.
fn wait<T>(receiver: &Receiver<T>, bounds: Bounds, thread: i32) -> Result<T, RecvTimeoutError> {
    let started = Instant::now();
    loop {
        let answer = receiver.recv_timeout(LOOK.min(bounds.cpu));
        let goes_on = matches!(answer, Err(RecvTimeoutError::Timeout));
        if !goes_on || bounds.are_passed(cpu_of(thread), started.elapsed()) {
            return answer;
        }
    }
}

/// Names the thread that asks.
fn own() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}

/// The CPU time that a thread of this process has used.
fn cpu_of(thread: i32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

fn lock(digests: &Mutex<HashSet<Digest>>) -> MutexGuard<'_, HashSet<Digest>> {
    digests.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_busy_machine_is_not_the_module_s_fault() {
        let bounds = Bounds::USUAL;
        assert!(!bounds.are_passed(Some(30 * SECOND), 600 * SECOND));
        assert!(bounds.are_passed(Some(120 * SECOND), 120 * SECOND));
        assert!(bounds.are_passed(Some(SECOND), 1800 * SECOND));
        assert!(bounds.are_passed(None, 120 * SECOND) && !bounds.are_passed(None, 119 * SECOND));
    }

    /// Of a thread that works and one that waits while it does.
    #[test]
    fn cpu_time_is_that_of_the_thread_alone() {
        let (stop, stopped) = channel::<()>();
        let (namer, names) = channel();
        let other = namer.clone();
        let idle = std::thread::spawn(move || {
            other.send(own()).unwrap();
            let _ = stopped.recv();
        });
        let waits = names.recv().unwrap();
        let before = cpu_of(own()).unwrap();
        while cpu_of(own()).unwrap() < before + Duration::from_millis(50) {}
        assert!(cpu_of(waits).unwrap() < Duration::from_millis(50));
        drop((stop, namer));
        idle.join().unwrap();
        assert_eq!(cpu_of(0), None);
    }

    #[test]
    fn what_works_too_long_is_given_up() {
        let bounds = Bounds { cpu: Duration::from_millis(20), wall: 600 * SECOND };
        let (sender, receiver) = channel::<()>();
        let (namer, names) = channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_over);
        let works = std::thread::spawn(move || {
            namer.send(own()).unwrap();
            while !until.load(Ordering::Relaxed) {}
            drop(sender);
        });
        let thread = names.recv().unwrap();
        assert_eq!(wait(&receiver, bounds, thread), Err(RecvTimeoutError::Timeout));
        is_over.store(true, Ordering::Relaxed);
        works.join().unwrap();
    }
}
