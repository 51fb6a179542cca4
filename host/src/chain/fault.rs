//! What a fault means for the exchange: the policy's word.

use std::sync::Arc;

use super::policy::{OnFault, Policy};
use super::run::Denied;
use crate::sandbox::{Fault, FaultClass};

/// Counts and logs a fault; an error if the policy denies the exchange for it.
pub(super) fn weigh(policy: &Policy, fault: &Fault) -> Result<(), Denied> {
    let class = FaultClass::ALL.iter().position(|class| *class == fault.class).unwrap_or(0);
    if let Some(held_back) = policy.metrics.faulted(class, fault.class.label()) {
        let (policy, class, message) = (&*policy.name, fault.class.label(), &*fault.message);
        tracing::warn!(policy, class, held_back, message, "filter fault");
    }
    match policy.on_fault {
        OnFault::Deny => Err(Denied { policy: Arc::clone(&policy.name) }),
        OnFault::Bypass => Ok(()),
    }
}
