//! Ticks of filters: what a filter does now and then, for no exchange. All of them on one thread, so that no worker waits
//! for any of it; on that thread each policy has a task with an instance of its own, which lives as long as the policy
//! serves.

mod outside;
mod policy;

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use self::outside::Outside;
use self::policy::ticks;
use crate::chain::Policy;
use crate::snapshot::{Snapshot, SnapshotStore};

/// How long a start or a change waits for first ticks: what they find is there for the first request then.
const FIRST: Duration = Duration::from_secs(2);

/// How often unused connections to upstreams are looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// As that of a worker: room for the deepest filter, and then for the host below it.
const STACK: usize = 4 << 20;

/// The running thread. Ends when dropped, and all ticks with it.
pub struct Ticker {
    stop: CancellationToken,
    coming: UnboundedSender<Coming>,
    thread: Option<JoinHandle<()>>,
}

/// A snapshot that is about to serve. Who waits for its ticks is told by the end of all senders.
struct Coming {
    snapshot: Arc<Snapshot>,
    waiting: Sender<()>,
}

impl Ticker {
    /// Starts the thread. There are no ticks before `get_ready` is told of a snapshot.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(store: Arc<SnapshotStore>) -> io::Result<Self> {
        let (stop, (coming, comes)) = (CancellationToken::new(), unbounded_channel());
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("ticks".into()).stack_size(STACK).spawn(move || {
            // The cores belong to traffic.
            let _ = rustix::process::nice(10);
            let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            let Ok(runtime) = runtime.inspect_err(|error| tracing::error!(%error, "filters get no ticks")) else {
                return;
            };
            runtime.block_on(stopped.run_until_cancelled(follow(&store, comes)));
        })?;
        Ok(Self { stop, coming, thread: Some(thread) })
    }

    /// What lets the ticks of a snapshot begin that is about to serve, and those end that it does not have. It returns when
    /// each filter that is new there has had its first, or some time is over.
    pub fn get_ready(&self) -> impl Fn(&Arc<Snapshot>) + Send + use<> {
        let coming = self.coming.clone();
        move |snapshot| {
            let (waiting, first) = channel();
            let told = coming.send(Coming { snapshot: Arc::clone(snapshot), waiting });
            if told.is_ok() {
                // Nothing is ever sent: those who could are gone once all have had it.
                let _ = first.recv_timeout(FIRST);
            }
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A policy's ticks; dropped, they end, in the middle of one if need be.
struct Ticking {
    policy: Arc<Policy>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Has the policies that serve tick, or are about to, and no others.
async fn follow(store: &Arc<SnapshotStore>, mut coming: UnboundedReceiver<Coming>) {
    let (mut changed, mut sweep) = (store.subscribe(), interval(SWEEP));
    let (outside, mut ticking) = (Outside::new(Arc::clone(store)), Vec::new());
    loop {
        tokio::select! {
            // What serves is older news than what is about to.
            biased;
            told = changed.changed() => {
                if told.is_err() {
                    return;
                }
                let snapshot = store.load();
                outside.follow(&snapshot);
                update(&mut ticking, &snapshot, &outside, None);
            }
            Some(Coming { snapshot, waiting }) = coming.recv() => {
                outside.expect(&snapshot);
                update(&mut ticking, &snapshot, &outside, Some(&waiting));
            }
            _ = sweep.tick(), if outside.is_used() => outside.sweep(),
        }
    }
}

fn update(ticking: &mut Vec<Ticking>, snapshot: &Snapshot, outside: &Rc<Outside>, waiting: Option<&Sender<()>>) {
    ticking.retain(|known| snapshot.has(&known.policy));
    for policy in snapshot.ticking() {
        if let Some(period) = policy.filter.subscription.tick()
            && !ticking.iter().any(|known| Arc::ptr_eq(&known.policy, policy))
        {
            let ticks = ticks(Arc::clone(policy), period, Rc::clone(outside), waiting.cloned());
            ticking.push(Ticking { policy: Arc::clone(policy), task: tokio::task::spawn_local(ticks) });
        }
    }
}
