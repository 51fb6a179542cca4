//! A route on which policies have a version on trial: which of its filters an exchange gets.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderMap;

use super::{Snapshot, Trial};
use crate::chain::{Link, LocalChain, LocalFilter, Policy, Shadow};
use crate::message::ClientInfo;

/// How many policies of a route can be on trial at once; more serve as they did until some of these are done.
const MOST: usize = 64;

/// A worker's filters of a route, in both versions where there are two.
pub(super) struct Fork {
    branches: Vec<Branch>,
    /// The chains that exchanges have had so far, by the places at which they differ from the route's own.
    variants: RefCell<Vec<(u64, LocalChain)>>,
}

/// A place in the chain that has two versions of a policy.
struct Branch {
    place: usize,
    trial: Arc<Trial>,
    /// What is there in the place of the one that stands for the policy.
    other: Link,
}

impl Fork {
    pub(super) fn new(
        chain: &LocalChain,
        snapshot: &Snapshot,
        find: impl Fn(&Arc<Policy>) -> Option<Rc<LocalFilter>>,
    ) -> Self {
        let branch = |(place, link): (usize, &Link)| {
            let trial = Arc::clone(snapshot.trial_of(&link.filter.policy.name)?);
            let other = find(trial.sides().1)?;
            let other = match &trial.course.differences {
                None => {
                    let figures = Some(Arc::clone(trial.figures().1));
                    Link { filter: other, cost: Arc::clone(&link.cost), figures, shadow: None }
                }
                Some(differences) => {
                    let (figures, differences) = (Arc::clone(trial.figures().1), Arc::clone(differences));
                    Link { shadow: Some(Shadow { filter: other, figures, differences }), ..link.clone() }
                }
            };
            Some(Branch { place, trial, other })
        };
        let branches = chain.iter().enumerate().filter_map(branch).take(MOST).collect();
        Self { branches, variants: RefCell::default() }
    }

    /// The chain of an exchange.
    pub(super) fn choose(&self, chain: &LocalChain, fields: &HeaderMap, client: &ClientInfo) -> LocalChain {
        let others = self.branches.iter().enumerate().fold(0, |others, (bit, branch)| {
            let course = &branch.trial.course;
            others | u64::from(course.takes(fields, client) != course.is_immediate()) << bit
        });
        if others == 0 {
            return Rc::clone(chain);
        }
        let mut variants = self.variants.borrow_mut();
        if let Some((_, known)) = variants.iter().find(|(of, _)| *of == others) {
            return Rc::clone(known);
        }
        let made = self.variant(chain, others);
        // There are few in use at a time; each can be made again.
        if variants.len() == MOST {
            variants.clear();
        }
        variants.push((others, Rc::clone(&made)));
        made
    }

    fn variant(&self, chain: &LocalChain, others: u64) -> LocalChain {
        let mut links: Vec<Link> = chain.iter().cloned().collect();
        for (bit, branch) in self.branches.iter().enumerate() {
            if others >> bit & 1 == 1 {
                links[branch.place] = branch.other.clone();
            }
        }
        links.into()
    }
}
