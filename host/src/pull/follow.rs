//! The thread that looks at tags again and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::fetch::runtime;
use super::{Pulls, Wanted};

/// How soon after a failure something is tried again that is not here at all; then after twice that, and so on.
const SOON: Duration = Duration::from_secs(5);

/// The running thread. It ends when this is dropped, whatever it is waiting for.
#[derive(Debug)]
pub(super) struct Follower {
    stop: CancellationToken,
    changed: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    pub(super) fn start(pulls: Arc<Pulls>, on_change: impl Fn() + Send + 'static) -> Option<Self> {
        let (stop, changed) = (CancellationToken::new(), Arc::new(Notify::new()));
        let (ends, woken) = (stop.clone(), Arc::clone(&changed));
        let started = std::thread::Builder::new().name("registry".into()).spawn(move || {
            let Some(runtime) = runtime() else { return };
            runtime.block_on(ends.run_until_cancelled(run(&pulls, &woken, &on_change)));
            // A helper for credentials may not answer.
            runtime.shutdown_background();
        });
        match started {
            Ok(thread) => Some(Self { stop, changed, thread: Some(thread) }),
            Err(error) => {
                tracing::error!(%error, "tags in registries are not followed");
                None
            }
        }
    }

    /// What is wanted has changed.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn run(pulls: &Pulls, changed: &Notify, on_change: &impl Fn()) {
    // When each was looked at last.
    let mut looked: BTreeMap<String, (Instant, u32)> = BTreeMap::new();
    loop {
        let (wanted, access) = {
            let state = pulls.state();
            (state.wanted.clone(), state.access.clone())
        };
        looked.retain(|key, _| wanted.iter().any(|wanted| wanted.reference.to_string() == *key));
        let due_at = |wanted: &Wanted| due(pulls, wanted, looked.get(&wanted.reference.to_string()).copied());
        let now = Instant::now();
        let due: Vec<_> = wanted.iter().filter(|wanted| due_at(wanted).is_some_and(|at| at <= now)).cloned().collect();
        if due.is_empty() {
            let next = wanted.iter().filter_map(due_at).min();
            let wait = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                () = changed.notified() => {}
            }
            continue;
        }
        for wanted in &due {
            looked.insert(wanted.reference.to_string(), (Instant::now(), jitter()));
        }
        if pulls.look(due, access).await {
            on_change();
        }
    }
}

/// When a reference is to be looked at next; never if there is nothing to find out.
fn due(pulls: &Pulls, wanted: &Wanted, looked: Option<(Instant, u32)>) -> Option<Instant> {
    let lacks = pulls.lacks(wanted);
    if wanted.reference.path().is_some() || !wanted.reference.moves() && !lacks {
        return None;
    }
    let failure = pulls.state().failures.get(&wanted.reference.to_string()).cloned();
    if let Some(failure) = failure.filter(|_| lacks) {
        let pause = SOON.saturating_mul(1 << failure.in_a_row.min(10).saturating_sub(1));
        return Some(failure.at + pause.min(wanted.every));
    }
    // At once after a start, then give or take a tenth.
    let (at, jitter) = looked.unwrap_or((Instant::now() - wanted.every * 2, 0));
    Some(at + wanted.every * (900 + jitter) / 1_000)
}

/// From 0 to 200, so that not all gateways ask at once.
fn jitter() -> u32 {
    let mut bytes = [0; 2];
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u32::from(u16::from_ne_bytes(bytes)) % 201
}
