//! Waiting for a connection where they are bounded, and leaving connections to those who wait.

use std::cell::Cell;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::time::Duration;

use tokio::sync::watch;

use super::UpstreamError;
use super::client::{Connection, Pool};
use super::limits::Connections;
use super::local::Local;

impl Pool {
    /// A connection that has served nobody.
    pub(super) async fn new_connection(
        &self,
        local: &Rc<Local>,
        within: Duration,
    ) -> Result<Box<Connection>, UpstreamError> {
        let Some(connections) = &self.upstream.limits.connections else {
            return self.connect(local, None, within).await;
        };
        match connections.try_one() {
            Some(permit) => self.connect(local, Some(permit), within).await,
            None => self.wait(local, connections, within).await,
        }
    }

    /// Waits for a connection of this worker that is returned, or for the permit to open one.
    async fn wait(
        &self,
        local: &Rc<Local>,
        connections: &Connections,
        within: Duration,
    ) -> Result<Box<Connection>, UpstreamError> {
        let _pending = connections.wait()?;
        let _waiting = Waiting::new(local);
        let permit = async {
            let mut permit = pin!(connections.one());
            loop {
                tokio::select! {
                    permit = &mut permit => return Err(permit),
                    () = local.returned.notified() => if let Some(connection) = self.take_idle(local) {
                        return Ok(connection);
                    },
                }
            }
        };
        match tokio::time::timeout(within, permit).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(permit)) => self.connect(local, permit, within).await,
            Err(_) => Err(UpstreamError::Full { bound: "connections" }),
        }
    }

    /// Whether a connection that is free may be kept. Tells a request of this worker that waits for it.
    pub(super) fn may_keep(&self, local: &Local) -> bool {
        let Some(connections) = &self.upstream.limits.connections else { return true };
        let (wanted, here) = (connections.wanted(), local.waiting.get());
        if wanted > here && (here == 0 || self.picker.is_generous()) {
            return false;
        }
        if here > 0 {
            local.returned.notify_one();
        }
        true
    }

    /// Begins to listen for requests that wait.
    pub(super) fn listen(self: &Rc<Self>) {
        if let Some(connections) = &self.upstream.limits.connections
            && !self.listens.replace(true)
        {
            tokio::task::spawn_local(give_up_when_asked(Rc::downgrade(self), connections.subscribe()));
        }
    }
}

/// Closes an unused connection whenever a request waits for one: another worker, or another endpoint, has a use for its
/// permit, but no way to it.
async fn give_up_when_asked(pool: Weak<Pool>, mut asked: watch::Receiver<()>) {
    // A request may have begun to wait before anybody listened.
    asked.mark_changed();
    while asked.changed().await.is_ok() {
        let Some(pool) = pool.upgrade() else { return };
        if pool.upstream.limits.connections.as_ref().is_some_and(|connections| connections.wanted() > 0) {
            let set = pool.endpoints();
            // The oldest of one endpoint.
            let give_up = |local: &Rc<Local>| local.idle.borrow_mut().pop_front().is_some() || local.http2.give_up();
            set.all.iter().any(give_up);
        }
    }
}

/// A request of this worker that waits for a connection.
struct Waiting<'a>(&'a Cell<usize>);

impl<'a> Waiting<'a> {
    fn new(local: &'a Local) -> Self {
        local.waiting.set(local.waiting.get() + 1);
        Self(&local.waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
