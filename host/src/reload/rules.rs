//! When a version on trial is too bad.

use std::fmt;
use std::time::Duration;

use super::judge::percent;
use crate::config::{Share, TrialRules};
use crate::snapshot::Course;
use crate::telemetry::{Counted, FaultClass};

/// So many of a kind there have to be at least, whatever share that is: one can be chance.
const LEAST: u64 = 3;

/// A difference counts if it is so many standard deviations of what chance would make.
const DEVIATIONS: f64 = 3.0;

/// What both versions have done in the same time.
#[derive(Clone, Debug, Default)]
pub(super) struct Both {
    pub(super) stable: Counted,
    pub(super) candidate: Counted,
}

/// A rule that has fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fired {
    /// Its key.
    pub(super) rule: &'static str,
    pub(super) why: String,
}

impl Both {
    pub(super) fn of(course: &Course) -> Self {
        Self { stable: course.stable_figures.count(), candidate: course.candidate_figures.count() }
    }

    pub(super) fn since(&self, before: &Self) -> Self {
        Self { stable: self.stable.since(&before.stable), candidate: self.candidate.since(&before.candidate) }
    }
}

impl fmt::Display for Both {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stable, candidate } = self;
        write!(f, "{} exchanges, {} faults", candidate.exchanges, candidate.faults(|_| true))?;
        match stable.exchanges {
            0 => Ok(()),
            exchanges => write!(f, "; of the version before {exchanges} and {}", stable.faults(|_| true)),
        }
    }
}

/// The first rule that what has come in some time breaks. Without a comparison, the version before has had no exchanges.
pub(super) fn fired(rules: &TrialRules, both: &Both, compared: bool) -> Option<Fired> {
    let Both { stable, candidate } = both;
    // That the server of a store does not answer is nothing that the version before would change.
    let counts = |class: FaultClass| compared || class != FaultClass::Store;
    let faults = |of: &Counted| Part { count: of.faults(counts), of: of.exchanges };
    let deadlines = |of: &Counted| Part { count: of.faults(|class| class == FaultClass::Deadline), of: of.exchanges };
    let replies = |of: &Counted, class| Part { count: of.replies(class), of: of.all_replies() };
    let rule = |rule, what: &str, part: fn(&Part) -> Part, limit: Share, new: Part, old: Part| {
        let (new, old) = (part(&new), part(&old));
        new.exceeds(old, limit, rules.exchanges).then(|| Fired { rule, why: format!("{new} {what}{}", against(old)) })
    };
    let same = |part: &Part| *part;
    first(rules, faults(candidate))
        .or_else(|| {
            let (new, old) = (deadlines(candidate), deadlines(stable));
            rule("deadlines", "took longer than they may", same, rules.deadlines, new, old)
        })
        .or_else(|| rule("faults", "faulted", same, rules.faults, faults(candidate), faults(stable)))
        .or_else(|| {
            if !compared {
                return None;
            }
            let statuses = [("server-errors", 5, rules.server_errors), ("client-errors", 4, rules.client_errors)];
            statuses.into_iter().find_map(|(name, class, limit)| {
                let (new, old) = (replies(candidate, class), replies(stable, class));
                let known = old.of >= rules.exchanges;
                let what = if class == 5 { "were answered with 5xx" } else { "were answered with 4xx" };
                known.then(|| rule(name, what, same, limit, new, old)).flatten()
            })
        })
        .or_else(|| slower(rules, both).filter(|_| compared))
}

/// All exchanges so far, right from the start.
fn first(rules: &TrialRules, Part { count, of }: Part) -> Option<Fired> {
    let all = count >= rules.first && count >= of;
    all.then(|| Fired { rule: "first", why: format!("all of the first {of} exchanges faulted") })
}

/// Whether hooks take longer than those of the version before.
fn slower(rules: &TrialRules, Both { stable, candidate }: &Both) -> Option<Fired> {
    if stable.measured() < rules.exchanges || candidate.measured() < rules.exchanges {
        return None;
    }
    let fires = |rule, what, new: Duration, old: Duration, limit| {
        let why = format!("hooks took {new:.1?} an exchange {what}, and {old:.1?} before");
        (new.saturating_sub(old) > limit).then_some(Fired { rule, why })
    };
    let mean = fires("added-mean", "on average", candidate.mean(), stable.mean(), rules.added_mean);
    mean.or_else(|| {
        let hundred = stable.measured() >= 100 && candidate.measured() >= 100;
        fires("added-p99", "at the 99th percentile", candidate.p99(), stable.p99(), rules.added_p99).filter(|_| hundred)
    })
}

/// So many of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    count: u64,
    of: u64,
}

impl Part {
    /// Whether it is more than another one by that share, and not by chance.
    fn exceeds(self, other: Self, by: Share, least: u64) -> bool {
        let by = f64::from(by.thousandths()) / 1_000.0;
        if by >= 1.0 || self.of < least || self.count < LEAST {
            return false;
        }
        let (share, before) = (self.share(), other.share());
        if share - before < by {
            return false;
        }
        if other.count == 0 {
            return true;
        }
        let together = Self { count: self.count + other.count, of: self.of + other.of }.share();
        let spread = together * (1.0 - together) * (1.0 / number(self.of) + 1.0 / number(other.of.max(1)));
        share - before >= DEVIATIONS * spread.sqrt()
    }

    fn share(self) -> f64 {
        if self.of == 0 { 0.0 } else { number(self.count) / number(self.of) }
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of exchanges as parts of each other")]
fn number(count: u64) -> f64 {
    count as f64
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000 and a bit")]
        let thousandths = (self.share() * 1_000.0).round() as u32;
        write!(f, "{} of {} exchanges ({})", self.count, self.of, percent(thousandths))
    }
}

/// What it is compared with, if that has anything of the kind.
fn against(old: Part) -> String {
    if old.count == 0 { String::new() } else { format!(", and of the version before {old}") }
}
