//! What a downstream connection takes in: the requests that may be served, and the one that may not.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

use crate::framing::{Refusal, Role, Tracker, Violation};
use crate::message::ClientInfo;
use crate::telemetry::Metrics;

/// Put in place of a request that is refused, for hyper to come to when it has answered those before. It is known by its
/// number, not by its looks.
const REFUSED: &[u8] = b"- / HTTP/1.1\r\n\r\n";

/// Shared by a connection's socket and its service: how many requests each has seen.
#[derive(Default)]
pub(super) struct Intake {
    approved: Cell<u64>,
    begun: Cell<u64>,
    answered: Cell<u64>,
    switched: Cell<bool>,
    waiting: Cell<Option<Waker>>,
    violation: Cell<Option<Violation>>,
}

impl Intake {
    /// A request has been parsed. One that the socket has not approved stands for what it has refused.
    pub(super) fn begin(&self) -> Option<Violation> {
        self.begun.set(self.begun.get() + 1);
        // Should there be one without a violation, then hyper has found a request where the tracker has not.
        (self.begun.get() > self.approved.get()).then(|| self.violation.get().unwrap_or(Violation::RequestLine))
    }

    /// A response's head is there.
    pub(super) fn answered(&self, status: http::StatusCode) {
        self.answered.set(self.answered.get() + 1);
        if status == http::StatusCode::SWITCHING_PROTOCOLS {
            self.switched.set(true);
        }
        if let Some(reader) = self.waiting.take() {
            reader.wake();
        }
    }
}

/// The client's end.
pub(super) struct Downstream {
    pub(super) intake: Rc<Intake>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) client: Arc<ClientInfo>,
}

impl Role for Downstream {
    fn decide(&mut self, tracker: &mut Tracker, cx: &Context<'_>) {
        if self.intake.switched.get() {
            tracker.step_aside();
        } else if self.intake.answered.get() == tracker.heads() {
            tracker.go_on();
        } else {
            self.intake.waiting.set(Some(cx.waker().clone()));
        }
    }

    fn after_read(&mut self, tracker: &Tracker) {
        self.intake.approved.set(tracker.heads());
    }

    fn refuse(&mut self, violation: Violation, in_head: bool) -> Refusal {
        self.intake.violation.set(Some(violation));
        self.metrics.gateway.invalid(violation as usize, violation.label());
        tracing::debug!(client = %self.client.address, reason = violation.label(), "request refused");
        if in_head { Refusal::Instead(REFUSED) } else { Refusal::Fail }
    }
}
