//! What comes after a 101: bytes both ways, until both sides have said all, one of them breaks, nothing has moved for too
//! long, or the gateway stops.

mod pump;
pub mod websocket;

use std::cell::RefCell;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use self::pump::Pump;
use super::end::ExchangeEnd;
use crate::message::{Duplex, Upgraded};

/// Of the drain time, what is kept for goodbyes: no more than this, and no more than a quarter.
const GOODBYE: Duration = Duration::from_secs(1);

/// A tunnel that is agreed upon; its exchange goes on in it.
pub(super) struct Tunnel {
    upstream: Upgraded,
    end: ExchangeEnd,
    is_websocket: bool,
    idle: Duration,
    drain: Duration,
}

/// Where an exchange leaves a tunnel for the connection that it came on: the client's socket is the connection's.
pub struct Handover {
    stop: CancellationToken,
    tunnel: RefCell<Option<Tunnel>>,
}

impl Handover {
    /// Of a connection that is cancelled through `stop`.
    #[must_use]
    pub fn new(stop: CancellationToken) -> Self {
        Self { stop, tunnel: RefCell::new(None) }
    }

    /// Whether the connection's last exchange goes on as a tunnel.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.tunnel.borrow().is_some()
    }

    /// Runs the tunnel to its end, on the client's socket and what has been read from it already.
    pub async fn run(&self, client: impl Duplex + 'static, read: Bytes) {
        let tunnel = self.tunnel.take();
        if let Some(tunnel) = tunnel {
            tunnel.run(Upgraded::new(client, read), &self.stop).await;
        }
    }

    pub(super) fn put(&self, tunnel: Tunnel) {
        self.tunnel.replace(Some(tunnel));
    }

    /// Runs the tunnel on a stream of an HTTP/2 connection (RFC 8441), beside that connection's other streams.
    pub(super) fn spawn(&self, tunnel: Tunnel, stream: OnUpgrade) {
        let stop = self.stop.clone();
        tokio::task::spawn_local(async move {
            if let Ok(stream) = stream.await {
                tunnel.run(Upgraded::new(stream, Bytes::new()), &stop).await;
            }
        });
    }
}

impl Tunnel {
    pub(super) fn new(upstream: Upgraded, end: ExchangeEnd, is_websocket: bool) -> Self {
        let limits = &end.view().snapshot.limits;
        let (idle, drain) = (limits.upgrade_idle, limits.drain);
        Self { upstream, end, is_websocket, idle, drain }
    }

    async fn run(self, client: Upgraded, stop: &CancellationToken) {
        let view = self.end.view();
        let metrics = &view.snapshot.metrics.tunnels;
        metrics.opened();
        let mut pump = Pump::new(client, self.upstream, self.is_websocket);
        let goodbye = GOODBYE.min(self.drain / 4);
        let mut drained = pin!(async {
            stop.cancelled().await;
            sleep(self.drain.saturating_sub(goodbye)).await;
        });
        let ended = loop {
            let due = pump.moved + self.idle;
            tokio::select! {
                biased;
                ended = pump.run(metrics) => break ended,
                () = &mut drained => {
                    pump.say_goodbye();
                    break timeout(goodbye, pump.finish()).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                }
                () = sleep_until(due) => if pump.moved + self.idle <= Instant::now() {
                    break Err(io::ErrorKind::TimedOut.into());
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "tunnel cut");
        }
        metrics.closed();
        self.end.tunnel_ended(pump.received(), pump.sent());
    }
}
