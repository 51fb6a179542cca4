//! A version of a policy on trial: it and the one before it serve beside each other until it has proved well or a rule fires.
//! Which of the two an exchange gets is decided when it begins. To give all of them the older one again is one store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Instant;

use http::HeaderMap;

use super::Snapshot;
use super::held::{Ready, Recovery};
use super::policies::PolicyMaker;
use crate::chain::Policy;
use crate::config::{self, PolicyEntry, Problem, Store, TrialMode};
use crate::deploy::{KeptPolicy, Stage, Version};
use crate::message::ClientInfo;
use crate::route::spread;
use crate::sandbox::{Filter, FilterSettings};
use crate::store::{Limiter, Space, Spaces};
use crate::telemetry::{Differences, Figures, TrialMetrics};

/// How much a version that only looks on may keep, in bytes.
const SHADOW_STORE: u64 = 16 << 20;

/// Two versions of a policy that are ready.
pub struct Trial {
    /// The version that has proved well.
    pub stable: Arc<Policy>,
    /// The version on trial.
    pub candidate: Arc<Policy>,
    /// What the version on trial is to be if it proves well, where it only looks on meanwhile.
    pub proper: Option<Arc<Policy>>,
    /// How the trial goes. The same in all snapshots that go on with it.
    pub course: Arc<Course>,
}

/// How a trial goes.
#[derive(Debug)]
pub struct Course {
    /// The policy.
    pub policy: Arc<str>,
    /// The change that it belongs to.
    pub change: u64,
    /// Which version has proved well.
    pub stable: Version,
    /// Which one is on trial.
    pub candidate: Version,
    /// As the policy says.
    pub settings: config::Trial,
    /// Since when.
    pub began: Instant,
    /// What the older version does meanwhile.
    pub stable_figures: Arc<Figures>,
    /// What the version on trial does.
    pub candidate_figures: Arc<Figures>,
    /// The counters of the policy's trials.
    pub metrics: Arc<TrialMetrics>,
    /// In what the version on trial differs, if it only looks on.
    pub differences: Option<Arc<Differences>>,
    told: AtomicBool,
    /// In thousandths of the exchanges.
    share: AtomicU32,
    step: AtomicUsize,
    salt: u64,
}

impl Trial {
    /// The version that stands for the policy meanwhile, and the one beside it.
    #[must_use]
    pub fn sides(&self) -> (&Arc<Policy>, &Arc<Policy>) {
        match self.course.is_immediate() {
            true => (&self.candidate, &self.stable),
            false => (&self.stable, &self.candidate),
        }
    }

    /// The figures of both, in the same order.
    #[must_use]
    pub fn figures(&self) -> (&Arc<Figures>, &Arc<Figures>) {
        let Course { stable_figures, candidate_figures, .. } = &*self.course;
        match self.course.is_immediate() {
            true => (candidate_figures, stable_figures),
            false => (stable_figures, candidate_figures),
        }
    }
}

impl Course {
    /// Whether all exchanges get the version on trial.
    #[must_use]
    pub fn is_immediate(&self) -> bool {
        matches!(self.settings.mode, TrialMode::Immediate(_))
    }

    /// How many thousandths of the exchanges get the version on trial.
    #[must_use]
    pub fn share(&self) -> u32 {
        self.share.load(Ordering::Relaxed)
    }

    /// Which step it is at, from 0.
    #[must_use]
    pub fn step(&self) -> usize {
        self.step.load(Ordering::Relaxed)
    }

    /// Goes on to a step, with its share.
    pub fn go_to(&self, step: usize, share: config::Share) {
        self.step.store(step, Ordering::Relaxed);
        self.set_share(share.thousandths());
    }

    /// No exchange gets the version on trial from now on.
    pub fn stop(&self) {
        self.set_share(0);
    }

    /// Whether it is to be told that it begins, which is told once.
    #[must_use]
    pub fn is_untold(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }

    /// Whether the version on trial has been seen by enough exchanges that no rule has fired for.
    #[must_use]
    pub fn is_convincing(&self) -> bool {
        self.share() > 0 && self.candidate_figures.count().exchanges >= self.settings.rules.exchanges
    }

    /// Whether an exchange gets the version on trial.
    pub(super) fn takes(&self, fields: &HeaderMap, client: &ClientInfo) -> bool {
        let share = self.share();
        let (TrialMode::Canary(canary) | TrialMode::Shadow(canary)) = &self.settings.mode else { return share > 0 };
        if let Some((name, value)) = &canary.only
            && fields.get(name).is_none_or(|found| found.as_bytes() != value.as_bytes())
        {
            return false;
        }
        // What has no such field or cookie is told apart by its address.
        let point = canary.sticky.point(fields, client);
        let point = point.unwrap_or_else(|| spread(client.address_text.as_bytes()));
        // Other policies on trial are for other clients.
        let point = spread(&(point ^ self.salt).to_le_bytes());
        (u128::from(point) * 1_000) >> 64 < u128::from(share)
    }

    fn set_share(&self, share: u32) {
        self.share.store(share, Ordering::Relaxed);
        self.metrics.set_share(share);
    }
}

/// What there is of a policy in the snapshot that serves.
pub(super) struct Loaded {
    /// The version that stands for the policy.
    pub(super) serving: Option<Ready>,
    pub(super) trial: Option<Arc<Trial>>,
    /// Whether it has been said that what serves is no longer trusted.
    pub(super) is_distrusted: bool,
}

impl Loaded {
    pub(super) fn of(policy: &str, snapshot: Option<&Snapshot>) -> Self {
        let found = snapshot.and_then(|snapshot| snapshot.policies.iter().find(|known| *known.name == *policy));
        let status = snapshot.and_then(|snapshot| snapshot.statuses.iter().find(|status| status.name == policy));
        let serving = found.cloned().zip(status.and_then(|status| status.version));
        let trial = snapshot.and_then(|snapshot| snapshot.trial_of(policy)).cloned();
        let is_distrusted = status.is_some_and(|status| !status.distrusted.is_empty());
        Self { serving, trial, is_distrusted }
    }

    /// The version that stands for the policy.
    pub(super) fn version(&self) -> Option<Version> {
        self.serving.as_ref().map(|(_, version)| *version)
    }

    /// Whether exchanges begin on this one: it stands for the policy, or it is the way back from a trial that has been stopped.
    pub(super) fn serves(&self, policy: &Arc<Policy>) -> bool {
        let stopped = self.trial.as_ref().filter(|trial| trial.course.share() == 0);
        let serving = self.serving.iter().map(|(serving, _)| serving);
        serving.chain(stopped.map(|trial| &trial.stable)).any(|serving| Arc::ptr_eq(serving, policy))
    }

    /// All versions of it.
    pub(super) fn all(&self) -> Vec<Arc<Policy>> {
        let serving = self.serving.iter().map(|(policy, _)| Arc::clone(policy));
        let beside = self.trial.iter().map(|trial| Arc::clone(trial.sides().1));
        let proper = self.trial.iter().filter_map(|trial| trial.proper.clone());
        // One that only looks on is nobody's policy.
        let beside = beside.filter(|_| self.trial.as_ref().is_none_or(|trial| trial.proper.is_none()));
        serving.chain(beside).chain(proper).collect()
    }

    pub(super) fn find(&self, version: Version) -> Option<&Arc<Policy>> {
        let serving = self.serving.as_ref().filter(|(_, serving)| *serving == version).map(|(policy, _)| policy);
        serving.or_else(|| {
            let trial = self.trial.as_ref()?;
            let candidate = trial.proper.as_ref().unwrap_or(&trial.candidate);
            let sides = [(trial.course.stable, &trial.stable), (trial.course.candidate, candidate)];
            sides.into_iter().find(|(of, _)| *of == version).map(|(_, policy)| policy)
        })
    }
}

impl PolicyMaker {
    /// The trial that a version which is written has to go through, if it has to.
    ///
    /// # Errors
    /// If it has to, and cannot.
    pub(super) fn try_out(
        &mut self,
        entry: &PolicyEntry,
        (candidate, version): &Ready,
        stores: &[Store],
        loaded: &Loaded,
    ) -> Result<Option<Arc<Trial>>, Vec<Problem>> {
        let Some((policy, settings)) = entry.policy.as_ref().ok().and_then(|it| Some((it, it.trial.clone()?))) else {
            return Ok(None);
        };
        if let Some(trial) = &loaded.trial
            && trial.course.candidate != *version
            && trial.course.is_convincing()
        {
            self.told.deploy.prove(&entry.name, trial.course.candidate);
        }
        let proven = self.told.deploy.proven(&entry.name).filter(|proven| proven != version);
        let stable = proven.and_then(|proven| Some((self.stable(entry, proven, stores, loaded)?, proven)));
        let Some((stable, proven)) = stable else { return Ok(None) };
        let onlooker = match settings.mode {
            TrialMode::Shadow(_) => Some(self.looking_on(policy, candidate, *version, &stable, loaded)?),
            TrialMode::Immediate(_) | TrialMode::Canary(_) => None,
        };
        let running = loaded.trial.as_ref().map(|trial| &trial.course);
        let running = running.filter(|course| (course.stable, course.candidate) == (proven, *version));
        let begin = || Arc::new(self.course(entry, proven, *version, settings));
        let course = running.map_or_else(begin, Arc::clone);
        let proper = onlooker.is_some().then(|| Arc::clone(candidate));
        let candidate = onlooker.unwrap_or_else(|| Arc::clone(candidate));
        Ok(Some(Arc::new(Trial { stable, candidate, proper, course })))
    }

    /// The trial that goes on although what is written is no good by now.
    pub(super) fn go_on(&self, (_, version): &Ready, loaded: &Loaded) -> Option<Arc<Trial>> {
        let trial = loaded.trial.as_ref()?;
        let goes_on = trial.course.candidate == *version && trial.course.share() > 0;
        let may_go_back = || self.objections(&trial.course.policy, trial.course.stable).is_empty();
        (goes_on && may_go_back()).then(|| Arc::clone(trial))
    }

    /// The version on trial as it only looks on: its state, its limits and its counters are its own, and empty.
    fn looking_on(
        &mut self,
        policy: &config::Policy,
        candidate: &Arc<Policy>,
        version: Version,
        stable: &Arc<Policy>,
        loaded: &Loaded,
    ) -> Result<Arc<Policy>, Vec<Problem>> {
        let is_known = |trial: &&Arc<Trial>| trial.proper.as_ref().is_some_and(|proper| Arc::ptr_eq(proper, candidate));
        if let Some(known) = loaded.trial.as_ref().filter(is_known) {
            return Ok(Arc::clone(&known.candidate));
        }
        self.told.steps.enter(Stage::Trial);
        let made = match candidate.filter.module.suspends || stable.filter.module.suspends {
            true => Err("a filter that calls out cannot only look on: it would call twice".to_owned()),
            false => {
                let settings = self.apart(&candidate.filter.settings);
                let made = Filter::prepare(Arc::clone(&candidate.filter.module), settings, self.workers);
                made.map_err(|fault| fault.to_string())
            }
        };
        if made.is_ok() {
            self.told.steps.forget();
        }
        match made {
            Ok(filter) => Ok(Arc::new(Policy {
                name: Arc::clone(&candidate.name),
                filter,
                on_fault: candidate.on_fault,
                quarantine: None,
                load: None,
                metrics: Arc::default(),
                recorder: None,
            })),
            Err(message) => {
                let problems = vec![policy.config_problem(message, "write mode = \"canary\" in its trial")];
                let digest = candidate.filter.module.digest;
                self.told.failed(&policy.name, Some(version), Some(digest), &problems);
                Err(problems)
            }
        }
    }

    /// As those settings, with state of its own.
    fn apart(&self, settings: &FilterSettings) -> FilterSettings {
        let clock = self.state.clock.clone();
        let own = Arc::new(Space::by(clock.clone(), SHADOW_STORE, Arc::default()));
        FilterSettings {
            metrics: Arc::default(),
            limiter: Arc::new(Limiter::by(clock)),
            spaces: Arc::new(Spaces::new(own, None, Vec::new())),
            follows: false,
            ..settings.clone()
        }
    }

    /// The version that has proved well, as it is now: its secrets may be others.
    fn stable(
        &mut self,
        entry: &PolicyEntry,
        version: Version,
        stores: &[Store],
        loaded: &Loaded,
    ) -> Option<Arc<Policy>> {
        let known = loaded.find(version);
        let mode = entry.policy.as_ref().ok().and_then(|policy| Some(&policy.trial.as_ref()?.mode));
        if known.is_none() && self.recovery == Recovery::None {
            return None;
        }
        let told = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let mut kept = self.told.deploy.kept(&entry.name, version);
        let refused = kept.as_mut().ok().and_then(|kept| self.admit(kept).err());
        let is_needed = mode.is_some_and(|mode| !matches!(mode, TrialMode::Immediate(_)));
        let made = match (kept, refused) {
            // It may go on to serve some of the exchanges, but it does not come back.
            (_, Some(problems)) if !is_needed || !known.is_some_and(|known| loaded.serves(known)) => {
                let error = told(problems);
                tracing::warn!(policy = entry.name, %version, error, "no trial: the version before may not serve again");
                return None;
            }
            (_, Some(problems)) => Err(told(problems)),
            (Ok(KeptPolicy { policy, content, .. }), None) => {
                let made = self.prepare_from(&policy, &content, stores, &loaded.all());
                let _ = self.told.steps.finish(made.is_err());
                made.map_err(told)
            }
            (Err(error), None) => Err(error),
        };
        match made {
            Ok(made) => Some(made),
            Err(_) if known.is_some() => known.cloned(),
            Err(error) => {
                tracing::warn!(policy = entry.name, %version, error, "no trial: the version before is not to be had");
                None
            }
        }
    }

    fn course(&self, entry: &PolicyEntry, stable: Version, candidate: Version, settings: config::Trial) -> Course {
        let metrics = self.metrics.trial(&entry.name);
        let (stable_figures, candidate_figures) = (Arc::default(), Arc::default());
        metrics.begin(&stable_figures, &candidate_figures);
        let share = match &settings.mode {
            TrialMode::Immediate(_) => 1_000,
            TrialMode::Canary(canary) | TrialMode::Shadow(canary) => {
                canary.steps.first().map_or(0, |step| step.thousandths())
            }
        };
        let differences = matches!(settings.mode, TrialMode::Shadow(_)).then(Arc::default);
        let course = Course {
            differences,
            policy: entry.name.as_str().into(),
            change: self.told.deploy.change_number(),
            stable,
            candidate,
            settings,
            began: Instant::now(),
            stable_figures,
            candidate_figures,
            metrics,
            told: AtomicBool::new(false),
            share: AtomicU32::new(0),
            step: AtomicUsize::new(0),
            salt: spread(entry.name.as_bytes()),
        };
        course.set_share(share);
        course
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Canary, Share};
    use crate::route::Sticky;

    fn course(policy: &str, share: u32, sticky: Sticky) -> Course {
        let every = std::time::Duration::from_secs(60);
        let mode = TrialMode::Canary(Canary { steps: vec![Share::per_mille(share)], every, sticky, only: None });
        let version = |digit: &str| digit.repeat(12).parse().unwrap();
        Course {
            policy: policy.into(),
            change: 1,
            stable: version("1"),
            candidate: version("2"),
            settings: config::Trial { mode, ..config::Trial::default() },
            began: Instant::now(),
            stable_figures: Arc::default(),
            candidate_figures: Arc::default(),
            metrics: Arc::default(),
            differences: None,
            told: AtomicBool::new(false),
            share: AtomicU32::new(share),
            step: AtomicUsize::new(0),
            salt: spread(policy.as_bytes()),
        }
    }

    fn taken(course: &Course) -> Vec<bool> {
        let client = ClientInfo::new("192.0.2.1:1".parse().unwrap(), "public".into(), "http");
        let fields = |number: usize| HeaderMap::from_iter([("x-user".parse().unwrap(), number.into())]);
        (0..10_000).map(|number| course.takes(&fields(number), &client)).collect()
    }

    #[test]
    fn a_share_of_the_clients_gets_it_always_the_same_and_those_remain_when_it_grows() {
        let sticky = || Sticky::Field("x-user".parse().unwrap());
        let few = taken(&course("a", 50, sticky()));
        let count = few.iter().filter(|taken| **taken).count();
        assert!((400..600).contains(&count), "{count}");
        assert_eq!(few, taken(&course("a", 50, sticky())));
        let more = taken(&course("a", 250, sticky()));
        assert!(few.iter().zip(&more).all(|(few, more)| !few || *more));
        let of_another = taken(&course("b", 50, sticky()));
        let both = few.iter().zip(&of_another).filter(|(one, other)| **one && **other).count();
        assert!(both < 60, "other policies are tried on other clients: {both}");
        assert!(taken(&course("a", 1_000, sticky())).iter().all(|taken| *taken));
        assert!(taken(&course("a", 0, sticky())).iter().all(|taken| !taken));
    }
}
