//! The thread for everything that is not traffic: admin pages, looking after upstreams, and small chores.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::admin::Admin;
use crate::snapshot::Snapshot;
use crate::store::Space;
use crate::telemetry;
use crate::upstream::Caretaker;

/// How often rate limit cells that are idle, and state whose time is over, are forgotten.
const STATE_SWEEP: Duration = Duration::from_secs(10);

/// How often the memory in use is looked at, and spaces that are more than half full are swept.
const MEMORY_CHECK: Duration = Duration::from_secs(1);

/// How often instances are counted, and made for workers whose own are worn.
const INSTANCES: Duration = Duration::from_secs(1);

/// The running thread. Ends when dropped.
pub(super) struct Control {
    stop: CancellationToken,
    stop_admin: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    pub(super) fn start(pages: Arc<Admin>, socket: Option<TcpListener>) -> io::Result<Self> {
        if let Some(address) = socket.as_ref().map(TcpListener::local_addr).transpose()? {
            tracing::info!(%address, "admin pages");
        }
        let stop = CancellationToken::new();
        let stop_admin = stop.child_token();
        let (chores, serving) = (stop.clone(), stop_admin.clone());
        let thread = std::thread::Builder::new().name("control".into()).spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            let Ok(runtime) = runtime.inspect_err(|error| tracing::error!(%error, "no admin listener")) else { return };
            runtime.block_on(async {
                let serve = serve(Arc::clone(&pages), socket, serving);
                let tend = chores.run_until_cancelled(tend_upstreams(&pages));
                let operators = Arc::clone(&pages).serve_operators(chores.clone());
                tokio::join!(serve, tend, do_chores(&pages, &chores), operators);
            });
        })?;
        Ok(Self { stop, stop_admin, thread: Some(thread) })
    }

    /// Leaves the admin pages to another process.
    pub(super) fn release_admin(&self) {
        self.stop_admin.cancel();
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(pages: Arc<Admin>, socket: Option<TcpListener>, stop: CancellationToken) {
    let Some(socket) = socket else { return };
    if let Err(error) = pages.serve(socket, stop).await {
        tracing::error!(%error, "the admin listener ended");
    }
}

async fn tend_upstreams(pages: &Admin) {
    let store = pages.serving().await;
    let (mut changed, mut caretaker) = (store.subscribe(), Caretaker::default());
    loop {
        caretaker.follow(&store.load().upstreams);
        if changed.changed().await.is_err() {
            return;
        }
    }
}

async fn do_chores(pages: &Admin, stop: &CancellationToken) {
    let (mut sweep, mut memory, mut instances) = (interval(STATE_SWEEP), interval(MEMORY_CHECK), interval(INSTANCES));
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = memory.tick() => pages.snapshot().iter().for_each(|snapshot| look_after_memory(snapshot)),
            _ = instances.tick() => {
                pages.metrics.gateway.set_snapshots(pages.snapshots());
                pages.snapshot().iter().for_each(|snapshot| tend_filters(snapshot));
            }
            _ = sweep.tick() => pages.snapshot().iter().for_each(|snapshot| sweep_state(snapshot)),
        }
    }
}

fn sweep_state(snapshot: &Snapshot) {
    for policy in snapshot.loaded() {
        policy.filter.settings.limiter.sweep();
        policy.filter.settings.spaces.all().for_each(Space::sweep);
    }
}

fn tend_filters(snapshot: &Snapshot) {
    for policy in snapshot.loaded() {
        if let Err(fault) = policy.filter.make_spares() {
            tracing::warn!(policy = &*policy.name, %fault, "no instance for a worker whose own is worn");
        }
    }
    let instances = snapshot.policies.first().map_or(0, |policy| policy.filter.module.instances());
    snapshot.metrics.gateway.set_instances(instances);
}

fn look_after_memory(snapshot: &Snapshot) {
    watch_memory(snapshot);
    let spaces = snapshot.policies.iter().flat_map(|policy| policy.filter.settings.spaces.all());
    spaces.for_each(Space::sweep_if_crowded);
}

/// Lets nothing new in while more memory is in use than may be; by default, nine tenths of what the control group allows.
fn watch_memory(snapshot: &Snapshot) {
    let allowed = || telemetry::group_limit().map(|limit| limit / 10 * 9);
    let short = match snapshot.limits.overload.memory.or_else(allowed) {
        Some(bound) => telemetry::resident().is_some_and(|resident| resident > bound),
        None => false,
    };
    if short != snapshot.admission.is_short_of_memory() {
        snapshot.admission.set_short_of_memory(short);
        match short {
            true => tracing::error!("memory is short: nothing new is let in"),
            false => tracing::info!("memory is no longer short"),
        }
    }
}
