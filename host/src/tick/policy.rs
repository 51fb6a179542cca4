//! One policy's ticks, one after another.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::outside::Outside;
use crate::chain::{Policy, note_fault};
use crate::sandbox::{Fault, FaultClass, Instance};

/// How soon a tick that has failed is tried again, unless they come more often anyway.
const RETRY: Duration = Duration::from_secs(1);

/// How long it may take at most until one that fails again and again is tried again, unless they come less often anyway.
const RARELY: Duration = Duration::from_secs(60);

/// Ticks for as long as the policy serves. `first` is dropped after the first.
pub(super) async fn ticks(policy: Arc<Policy>, period: Duration, outside: Rc<Outside>, mut first: Option<Sender<()>>) {
    let (mut instance, mut failures) = (None, 0);
    while outside.serves(&policy) {
        // On the heap: a call takes room, and most of the time there is none.
        match Box::pin(tick(&policy, &outside, &mut instance)).await {
            Ok(()) => {
                failures = 0;
                let before = policy.metrics.ticks.done();
                if before > 0 {
                    tracing::info!(policy = &*policy.name, failures = before, "the tick of a filter is done again");
                }
            }
            Err(fault) => {
                failures += 1;
                note(&policy, &fault);
            }
        }
        drop(first.take());
        tokio::time::sleep(around(pause(period, failures))).await;
    }
}

/// One tick, on the instance that there is or a new one; none is left that cannot be used again.
async fn tick(policy: &Arc<Policy>, outside: &Rc<Outside>, place: &mut Option<Instance>) -> Result<(), Fault> {
    // Out of its place for the time of the call, so that it is gone if that is dropped half-way.
    let mut instance = match place.take() {
        Some(instance) => instance,
        None => policy.filter.ticking_instance()?,
    };
    policy.metrics.called();
    let around = policy.aside(outside.carrier());
    let within = policy.filter.settings.tick_timeout;
    let outcome = tokio::time::timeout(within, instance.on_tick(&around)).await.map_err(|_| too_late(within))?;
    if let Some(spent) = instance.spent() {
        policy.metrics.ticks.took(spent.cpu);
    }
    policy.metrics.memory(instance.memory_high_water());
    if instance.is_poisoned() {
        return outcome;
    }
    match instance.is_worn(&policy.filter.settings) {
        true => policy.metrics.recycled(),
        false => *place = Some(instance),
    }
    outcome
}

fn too_late(within: Duration) -> Fault {
    Fault::new(FaultClass::Deadline, format!("the tick took longer than {within:?}; see limits.tick-timeout"))
}

fn note(policy: &Policy, fault: &Fault) {
    policy.metrics.ticks.faulted(fault.class, fault.to_string());
    note_fault(policy, fault, Some("on-tick"));
}

/// How long it is until the next tick, after so many failures in a row.
fn pause(period: Duration, failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => period,
        Some(more) => {
            let doubled = 1_u32.checked_shl(more).unwrap_or(u32::MAX);
            period.min(RETRY).saturating_mul(doubled).min(period.max(RARELY))
        }
    }
}

/// Give or take a tenth, so that many gateways do not ask at the same moment.
fn around(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 201;
    pause * (900 + u32::try_from(random).unwrap_or(100)) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(period: Duration) -> Vec<u128> {
        [0, 1, 2, 3, 40].map(|failures| pause(period, failures).as_millis()).into()
    }

    #[test]
    fn failures_are_tried_again_soon_and_then_ever_more_rarely() {
        assert_eq!(pauses(Duration::from_secs(300)), [300_000, 1_000, 2_000, 4_000, 300_000]);
        assert_eq!(pauses(Duration::from_millis(100)), [100, 100, 200, 400, 60_000]);
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        let period = Duration::from_secs(10);
        let all: Vec<_> = (0..1_000).map(|_| around(period)).collect();
        assert!(all.iter().all(|pause| (9_000..=11_000).contains(&pause.as_millis())));
        assert!(all.iter().any(|pause| *pause < period) && all.iter().any(|pause| *pause > period));
    }
}
