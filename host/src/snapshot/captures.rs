//! Who captures the faults of which policy.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::capture::{FaultCapture, Writer};
use crate::chain::{Policy, Recorder};
use crate::config;

/// The recorders of all policies, which share a thread that writes.
#[derive(Default)]
pub(super) struct Captures {
    writer: Weak<Writer>,
    recorders: HashMap<String, Weak<FaultCapture>>,
}

impl Captures {
    /// Whether a policy that is taken over as it is has the recorder that it should have.
    pub(super) fn is_unchanged(&self, policy: &config::Policy, older: &Policy) -> bool {
        match (&policy.capture, &older.recorder) {
            (None, None) => true,
            (Some(_), Some(_)) => {
                let recorder = self.recorders.get(&policy.name).and_then(Weak::upgrade);
                recorder.is_some_and(|recorder| recorder.is_for(policy))
            }
            _ => false,
        }
    }

    /// A recorder, if the policy wants one.
    pub(super) fn recorder(&mut self, policy: &config::Policy) -> Option<Arc<dyn Recorder>> {
        let settings = policy.capture.clone()?;
        let writer = self.writer()?;
        let recorder = Arc::new(FaultCapture::new(policy, settings, writer));
        self.recorders.retain(|_, recorder| recorder.strong_count() > 0);
        self.recorders.insert(policy.name.clone(), Arc::downgrade(&recorder));
        Some(recorder)
    }

    fn writer(&mut self) -> Option<Arc<Writer>> {
        if let Some(writer) = self.writer.upgrade() {
            return Some(writer);
        }
        match Writer::start() {
            Ok(writer) => {
                let writer = Arc::new(writer);
                self.writer = Arc::downgrade(&writer);
                Some(writer)
            }
            Err(error) => {
                tracing::warn!(%error, "faults cannot be captured: there is no thread for it");
                None
            }
        }
    }
}
