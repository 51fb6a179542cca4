//! What a fault means for the exchange: the policy's word.

use std::sync::Arc;

use serde_json::json;

use super::policy::{FaultAnswer, Policy};
use super::run::Denied;
use crate::sandbox::Fault;

/// Counts and logs a fault; an error if the policy denies the exchange for it.
pub(super) fn weigh(policy: &Policy, fault: &Fault) -> Result<(), Denied> {
    note(policy, fault, None);
    if let Some(quarantine) = &policy.quarantine {
        quarantine.faulted(&policy.name);
    }
    answer(policy, policy.on_fault.of(fault.class))
}

/// Counts a fault, logs it unless there was one just now, and tells whoever listens. `hook` is named where there is no exchange.
pub fn note(policy: &Policy, fault: &Fault, hook: Option<&str>) {
    let logged = policy.metrics.faulted(fault.class);
    policy.metrics.tell_fault(&policy.name, logged.is_some(), || {
        let backtrace: Vec<_> = fault.backtrace.iter().map(ToString::to_string).collect();
        let (class, message) = (fault.class.label(), &*fault.message);
        json!({ "event": "fault", "class": class, "hook": hook, "message": message, "backtrace": backtrace })
    });
    if let Some(held_back) = logged {
        let (policy, class, message) = (&*policy.name, fault.class.label(), fault.told());
        tracing::warn!(policy, hook, class, held_back, message, "filter fault");
    }
}

/// What an exchange gets instead of the filter.
pub(super) fn answer(policy: &Policy, answer: FaultAnswer) -> Result<(), Denied> {
    match answer {
        FaultAnswer::Deny(status) => Err(Denied { policy: Arc::clone(&policy.name), status }),
        FaultAnswer::Bypass => Ok(()),
    }
}
