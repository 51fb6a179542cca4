//! Panics are faults of the gateway. Each ends the task in which it happens, and with it one connection; it is logged and
//! counted, and everything else goes on.

use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// Logs and counts the panics of this process from now on.
pub fn watch() {
    std::panic::set_hook(Box::new(note));
}

/// How many there have been.
pub(super) fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

fn note(panic: &PanicHookInfo<'_>) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    let thread = std::thread::current();
    let at = panic.location().map(ToString::to_string);
    let message = panic.payload_as_str().unwrap_or("no message");
    tracing::error!(thread = thread.name(), at, message, "a fault of the gateway; what it was doing is given up");
}

#[cfg(test)]
mod tests {
    use tokio::runtime::{Builder, LocalOptions};

    use super::*;

    #[test]
    fn a_panic_ends_its_task_and_is_counted() {
        let before = count();
        watch();
        // As in a worker.
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
        let (ended, other) = runtime.block_on(async {
            let faulty = tokio::task::spawn_local(async { panic!("a fault") });
            let ended = faulty.await;
            (ended, tokio::task::spawn_local(async { 7 }).await)
        });
        drop(std::panic::take_hook());
        assert!(ended.is_err_and(|error| error.is_panic()));
        assert_eq!(other.unwrap(), 7, "the others go on");
        assert!(count() > before);
    }
}
