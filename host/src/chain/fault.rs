//! What a fault means for the exchange: the policy's word.

use std::sync::Arc;

use super::policy::{FaultAnswer, Policy};
use super::run::Denied;
use crate::sandbox::Fault;

/// Counts and logs a fault; an error if the policy denies the exchange for it.
pub(super) fn weigh(policy: &Policy, fault: &Fault) -> Result<(), Denied> {
    if let Some(held_back) = policy.metrics.faulted(fault.class) {
        let (policy, class, message) = (&*policy.name, fault.class.label(), &*fault.message);
        tracing::warn!(policy, class, held_back, message, "filter fault");
    }
    if let Some(quarantine) = &policy.quarantine {
        quarantine.faulted(&policy.name);
    }
    answer(policy, policy.on_fault.of(fault.class))
}

/// What an exchange gets instead of the filter.
pub(super) fn answer(policy: &Policy, answer: FaultAnswer) -> Result<(), Denied> {
    match answer {
        FaultAnswer::Deny(status) => Err(Denied { policy: Arc::clone(&policy.name), status }),
        FaultAnswer::Bypass => Ok(()),
    }
}
