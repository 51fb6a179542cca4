//! Modules from registries and bundles for policies: what they name is fetched when it is not here yet, and tags are followed from
//! a thread of their own. A registry that is down, slow or hostile changes nothing of what serves: what was fetched last counts.

mod fetch;
mod follow;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use self::fetch::Request;
use self::follow::Follower;
use crate::deploy::{FetchedStore, Home, Journal, Known, Record, Stage};
use crate::oci::{Access, Digest, Reference, Signature};
use crate::sandbox::Content;
use crate::telemetry::{Looked, RegistryMetrics};

/// What a policy wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The policy.
    pub policy: String,
    /// Where its module is.
    pub reference: Reference,
    /// How often its tag is looked at.
    pub every: Duration,
    /// Whether its signatures are needed.
    pub signed: bool,
}

/// A module as it was fetched.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The digest of the artifact.
    pub artifact: Digest,
    /// The module.
    pub module: Content,
    /// The signatures of the artifact, if they were wanted.
    pub signatures: Vec<Signature>,
}

/// What is known of modules elsewhere.
#[derive(Debug)]
pub struct Pulls {
    store: FetchedStore,
    journal: Arc<Journal>,
    metrics: Arc<RegistryMetrics>,
    state: Mutex<State>,
    follower: Mutex<Option<Follower>>,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    wanted: Vec<Wanted>,
    access: Access,
    /// By reference, why it could not be had when it was tried last.
    failures: BTreeMap<String, Failure>,
    /// By reference, what bundles had when they were read last: they are files of this machine.
    bundles: BTreeMap<String, Pulled>,
}

#[derive(Clone, Debug)]
struct Failure {
    problem: String,
    at: Instant,
    in_a_row: u32,
}

impl Pulls {
    /// Those of the gateway with that folder, whose history is there.
    #[must_use]
    pub fn new(home: Option<&Home>, journal: Arc<Journal>, metrics: Arc<RegistryMetrics>) -> Self {
        let store = FetchedStore::open(home.map(Home::path));
        Self {
            store,
            journal,
            metrics,
            state: Mutex::default(),
            follower: Mutex::default(),
            stop: CancellationToken::new(),
        }
    }

    /// Fetches what is not here yet, and reads bundles. It takes as long as that takes, but no longer than registries may.
    pub fn get_ready(self: &Arc<Self>, wanted: &[Wanted], access: &Access) {
        let changed = std::mem::replace(&mut self.state().access, access.clone()) != *access;
        let is_due = |wanted: &&Wanted| {
            let failed = self.state().failures.contains_key(&wanted.reference.to_string());
            wanted.reference.path().is_some() || self.is_new(wanted) && (changed || !failed)
        };
        let due: Vec<_> = wanted.iter().filter(is_due).cloned().collect();
        if due.is_empty() {
            return;
        }
        let (pulls, access) = (Arc::clone(self), access.clone());
        // Whoever waits here may be on a runtime already.
        let thread = std::thread::Builder::new().name("registry".into()).spawn(move || {
            let Some(runtime) = fetch::runtime() else { return };
            runtime.block_on(pulls.stop.run_until_cancelled(pulls.look(due, access)));
            runtime.shutdown_background();
        });
        if thread.map(std::thread::JoinHandle::join).is_err() {
            tracing::error!("there is no thread to fetch modules with");
        }
    }

    /// What a reference means, as far as it is here.
    ///
    /// # Errors
    /// Why it is not.
    pub fn get(&self, reference: &Reference) -> Result<Pulled, String> {
        let key = reference.to_string();
        if reference.path().is_some() {
            let found = self.state().bundles.get(&key).cloned();
            return found.ok_or_else(|| self.failure(&key).unwrap_or_else(|| "was not read".to_owned()));
        }
        let found = self.store.known(&key).and_then(|known| Some((self.store.module(&known)?, known)));
        match found {
            Some((module, Known { artifact, signatures, .. })) => {
                Ok(Pulled { artifact, module, signatures: signatures.unwrap_or_default() })
            }
            None => Err(self.failure(&key).unwrap_or_else(|| "was not fetched yet".to_owned())),
        }
    }

    /// Why a reference could not be looked at when that was tried last.
    #[must_use]
    pub fn failure(&self, reference: &str) -> Option<String> {
        self.state().failures.get(reference).map(|failure| failure.problem.clone())
    }

    /// When what a reference means was fetched, in seconds since 1970.
    #[must_use]
    pub fn fetched_at(&self, reference: &str) -> Option<u64> {
        self.store.known(reference).map(|known| known.at)
    }

    /// Follows what these mean from now on, and says so if it is something else. What nobody wants any more is forgotten.
    pub fn follow(self: &Arc<Self>, wanted: Vec<Wanted>, on_change: &(impl Fn() + Clone + Send + Sync + 'static)) {
        let all: BTreeSet<String> = wanted.iter().map(|wanted| wanted.reference.to_string()).collect();
        self.store.keep(&all);
        let is_any = wanted.iter().any(|wanted| wanted.reference.path().is_none());
        let mut state = self.state();
        state.failures.retain(|reference, _| all.contains(reference));
        state.bundles.retain(|reference, _| all.contains(reference));
        state.wanted = wanted;
        drop(state);
        let mut follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        match &*follower {
            Some(follower) => follower.wake(),
            None if is_any && !self.stop.is_cancelled() => {
                *follower = Follower::start(Arc::clone(self), on_change.clone())
            }
            None => {}
        }
    }

    /// Fetches and follows nothing any more, whatever is under way.
    pub fn stop(&self) {
        self.stop.cancel();
        let follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(follower);
    }

    /// Looks at all of these at once; says whether any means something else than before.
    async fn look(&self, wanted: Vec<Wanted>, access: Access) -> bool {
        let requests = wanted.iter().map(|wanted| Request {
            reference: wanted.reference.clone(),
            signed: wanted.signed,
            known: self.store.known(&wanted.reference.to_string()).filter(|known| self.store.module(known).is_some()),
        });
        let found = fetch::all(requests.collect(), &access).await;
        let mut changed = false;
        for (wanted, found) in wanted.iter().zip(found) {
            changed |= self.take(wanted, found);
        }
        changed
    }

    /// Takes over what came of looking at a reference; says whether it means something else.
    fn take(&self, wanted: &Wanted, found: Result<fetch::Found, String>) -> bool {
        let key = wanted.reference.to_string();
        let stored = found.and_then(|found| match (found, wanted.reference.path()) {
            (fetch::Found::Same, _) => Ok(false),
            (fetch::Found::Other { known, module }, None) => {
                let put = self.store.put(&key, known, module.as_deref());
                put.map(|()| true).map_err(|error| format!("cannot be kept: {error}"))
            }
            (fetch::Found::Other { known, module }, Some(_)) => {
                let Known { artifact, signatures, .. } = known;
                let (module, signatures) = (module.unwrap_or_default().into(), signatures.unwrap_or_default());
                let pulled = Pulled { artifact, module, signatures };
                self.state().bundles.insert(key.clone(), pulled);
                Ok(true)
            }
        });
        match stored {
            Ok(is_other) => {
                self.metrics.looked(if is_other { Looked::Fetched } else { Looked::Unchanged });
                if self.state().failures.remove(&key).is_some() {
                    tracing::info!(policy = wanted.policy, reference = key, "it can be had again");
                }
                is_other
            }
            Err(problem) => {
                self.metrics.looked(Looked::Failed);
                self.fail(wanted, &key, problem);
                false
            }
        }
    }

    /// Remembers a failure, and tells it once.
    fn fail(&self, wanted: &Wanted, key: &str, problem: String) {
        let mut state = self.state();
        state.bundles.remove(key);
        let before = state.failures.get(key).cloned();
        let in_a_row = before.as_ref().map_or(0, |failure| failure.in_a_row) + 1;
        let failure = Failure { problem: problem.clone(), at: Instant::now(), in_a_row };
        state.failures.insert(key.to_owned(), failure);
        drop(state);
        // If there is nothing to serve, the change itself says so.
        let is_here = self.store.known(key).is_some();
        if is_here && before.is_none_or(|before| before.problem != problem) {
            let record = Record::new(self.journal.begin(), Stage::Fetch).of(&wanted.policy, None, None);
            self.journal.record(record.by(Record::REGISTRY, None).failed(format!("{key}: {problem}")));
        }
    }

    /// Whether it has not been looked at yet, or not for signatures, or what was fetched is gone.
    fn is_new(&self, wanted: &Wanted) -> bool {
        let known = self.store.known(&wanted.reference.to_string());
        known.is_none_or(|known| self.store.module(&known).is_none() || wanted.signed && known.signatures.is_none())
    }

    /// Whether something of it is not here that may be there by now.
    fn lacks(&self, wanted: &Wanted) -> bool {
        let known = self.store.known(&wanted.reference.to_string());
        let is_unsigned = |known: &Known| known.signatures.as_ref().is_none_or(Vec::is_empty);
        known.is_none_or(|known| self.store.module(&known).is_none() || wanted.signed && is_unsigned(&known))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
