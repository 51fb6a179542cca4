//! Looking after upstreams: finding their endpoints, asking how they are, leaving some out for a while. On the control
//! thread, once for all workers.

mod check;
mod dns;
mod grpc;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use self::check::Checks;
pub use self::grpc::serving_status;
use super::Upstream;

/// How long a start or a change waits for names that have not been found yet.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often weights rise and ejections are looked at.
const SHORTEST_PACE: Duration = Duration::from_millis(10);
const LONGEST_PACE: Duration = Duration::from_secs(1);

/// Looks after the upstreams of what serves now.
#[derive(Debug, Default)]
pub struct Caretaker {
    tended: Vec<(Arc<Upstream>, AbortHandle)>,
    tasks: JoinSet<()>,
}

impl Caretaker {
    /// Looks after these and no others.
    pub fn follow(&mut self, upstreams: &[Arc<Upstream>]) {
        self.tended.retain(|(known, task)| {
            let stays = upstreams.iter().any(|upstream| Arc::ptr_eq(upstream, known));
            if !stays {
                task.abort();
            }
            stays
        });
        for upstream in upstreams {
            if !self.tended.iter().any(|(known, _)| Arc::ptr_eq(known, upstream)) {
                let task = self.tasks.spawn_local(tend(Arc::clone(upstream)));
                self.tended.push((Arc::clone(upstream), task));
            }
        }
        while self.tasks.try_join_next().is_some() {}
    }
}

/// Finds the addresses of new names, so that the first requests find endpoints. What takes too long is found later.
pub fn find_names(upstreams: &[Arc<Upstream>]) {
    let unknown: Vec<_> = upstreams.iter().filter(|upstream| upstream.has_new_names()).collect();
    if unknown.is_empty() {
        return;
    }
    // On a thread of its own, as whoever starts a gateway may be in a runtime.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            let Ok(runtime) = runtime.inspect_err(|error| tracing::error!(%error, "no names can be found")) else {
                return;
            };
            runtime.block_on(async {
                let mut searches = JoinSet::new();
                for upstream in &unknown {
                    searches.spawn_local(dns::find_once(Arc::clone(upstream)));
                }
                let _ = tokio::time::timeout(PATIENCE, searches.join_all()).await;
            });
        });
    });
}

/// Does whatever the upstream needs, for ever.
async fn tend(upstream: Arc<Upstream>) {
    let mut tasks = JoinSet::new();
    for source in dns::names(&upstream) {
        tasks.spawn_local(dns::keep_finding(Arc::clone(&upstream), source));
    }
    let options = &upstream.settings.options;
    if options.health.is_some() {
        tasks.spawn_local(check_all(Arc::clone(&upstream)));
    }
    if options.outlier.is_some() || options.slow_start.is_some() {
        tasks.spawn_local(keep_pace(Arc::clone(&upstream)));
    }
    // None of them ends. Dropped with this task, they are stopped.
    while tasks.join_next().await.is_some() {}
}

/// One task for each endpoint that there is.
async fn check_all(upstream: Arc<Upstream>) {
    let mut published = upstream.endpoints.subscribe();
    let mut checks = Checks::new(Arc::clone(&upstream));
    loop {
        checks.follow(&upstream.endpoints.load().all);
        // The sender lives in the upstream.
        if published.changed().await.is_err() {
            return;
        }
    }
}

/// Ejects and readmits, and lets weights rise.
async fn keep_pace(upstream: Arc<Upstream>) {
    let options = &upstream.settings.options;
    let rise = options.slow_start.map(|whole| whole / 20);
    let review = options.outlier.as_ref().map(|rules| rules.interval.min(rules.ejection));
    let pace = rise.into_iter().chain(review).min().unwrap_or(LONGEST_PACE).clamp(SHORTEST_PACE, LONGEST_PACE);
    let mut forgiven = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(pace) => {}
            () = upstream.endpoints.suspicion.notified() => {}
        }
        let forgive = options.outlier.as_ref().is_some_and(|rules| forgiven.elapsed() >= rules.interval);
        if forgive {
            forgiven = Instant::now();
        }
        review_outliers(&upstream, forgive);
    }
}

fn review_outliers(upstream: &Upstream, forgive: bool) {
    let ejected = upstream.change(|publisher, known, now| {
        known.roster.readmit(now);
        if forgive {
            known.roster.forgive();
        }
        let rules = upstream.settings.options.outlier.as_ref();
        let ejected = rules.map(|rules| known.roster.eject(rules, now)).unwrap_or_default();
        publisher.publish(known, now);
        ejected
    });
    for endpoint in ejected {
        upstream.metrics.ejected();
        tracing::warn!(upstream = upstream.name(), endpoint = %endpoint, "endpoint ejected: too many failures in a row");
    }
}

/// An answer to a check has come.
fn checked(upstream: &Upstream, address: SocketAddr, answer: Result<(), String>) {
    let Some(rules) = &upstream.settings.options.health else { return };
    let complaint = answer.as_ref().err().cloned();
    upstream.metrics.checked(answer.is_ok());
    let changed = upstream.change(|publisher, known, now| {
        let changed = known.roster.checked(address, answer, rules, now);
        if changed {
            publisher.publish(known, now);
        }
        changed
    });
    match complaint {
        _ if !changed => {}
        None => tracing::info!(upstream = upstream.name(), %address, "endpoint is healthy"),
        Some(complaint) => tracing::warn!(upstream = upstream.name(), %address, complaint, "endpoint is unhealthy"),
    }
}
