//! What a module asks of the policy that names it: a configuration as its schema has it, and grants. All that is not met is
//! told at once, before the filter itself sees its configuration.

use std::fmt;

use http::HeaderName;

use super::grants;
use super::secrets::Secrets;
use crate::config::{self, Place, Problem, SecretEntry, grants_with, suggest};
use crate::manifest::{GrantKind, Violation};
use crate::sandbox::{Grants, Module, Need};

/// Something that a filter is not granted and cannot do without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// What kind of thing.
    pub kind: GrantKind,
    /// Which one, if that is known.
    pub name: Option<String>,
    /// What for, if its author says so.
    pub why: Option<String>,
}

/// How a module goes with a policy.
#[derive(Debug)]
pub struct Fit {
    /// What the policy would have to grant besides.
    pub lacks: Vec<Lack>,
    /// The policy's grants with these, as the configuration has them.
    pub grants: String,
    /// What else is wrong with the policy.
    pub problems: Vec<Problem>,
}

impl Fit {
    /// Of a policy whose configuration has these secrets; nothing of the module is run.
    #[must_use]
    pub fn of(policy: &config::Policy, secrets: &[SecretEntry], module: &Module) -> Self {
        let mut known = Secrets::default();
        let mut problems = known.read(secrets).problems;
        let grants = grants::granted(policy, &known);
        let lacks = grants.as_ref().map(|grants| lacks(policy, grants, module)).unwrap_or_default();
        problems.extend(grants.err().unwrap_or_default());
        problems.extend(unfit(policy, module));
        Self { grants: written_with(policy, &lacks), lacks, problems }
    }
}

/// What is to be said if the policy does not grant all that the module asks for.
pub(super) fn ungranted(policy: &config::Policy, grants: &Grants, module: &Module) -> Option<Problem> {
    let lacks = lacks(policy, grants, module);
    (!lacks.is_empty()).then(|| missing(policy, &lacks))
}

fn lacks(policy: &config::Policy, grants: &Grants, module: &Module) -> Vec<Lack> {
    let said = module.manifest().into_iter().flat_map(|manifest| &manifest.needs).filter(|need| !need.optional);
    let said = said.map(|need| Lack { kind: need.kind, name: need.name.clone(), why: Some(need.why.clone()) });
    let mut lacks: Vec<_> = said.filter(|lack| !lack.is_met(policy, grants)).collect();
    for need in module.needs().iter().filter(|need| !grants.meets(need)) {
        let lack = Lack::from(need);
        if !lacks.iter().any(|other| other.kind == lack.kind) {
            lacks.push(lack);
        }
    }
    lacks
}

/// What is to be said if the module is not of the version that the catalogue says.
pub(super) fn another_version(policy: &config::Policy, module: &Module) -> Option<Problem> {
    let (wanted, Place { file, line, key }) = policy.version.clone()?;
    let found = module.manifest().map(|manifest| &manifest.version);
    if found.is_some_and(|found| *found == wanted) {
        return None;
    }
    let is = found.map_or_else(|| "says no version".to_owned(), |found| format!("is version {found}"));
    let message = format!("the module of {:?} {is}, and not {wanted}", policy.filter.name());
    Some(Problem { file, line, key, message, remedy: "write the version that it is, or deploy that one".to_owned() })
}

/// What of the configuration is not as the schema has it.
pub(super) fn unfit(policy: &config::Policy, module: &Module) -> Vec<Problem> {
    let schema = module.manifest().and_then(|manifest| manifest.schema.as_ref());
    let violations = schema.map(|schema| schema.violations(&policy.config)).unwrap_or_default();
    violations.iter().map(|violation| problem(policy, violation)).collect()
}

fn problem(policy: &config::Policy, Violation { pointer, message, remedy, known }: &Violation) -> Problem {
    let name = pointer.rsplit('/').next().unwrap_or_default();
    let remedy = match known {
        Some(known) => suggest(name, "keys", known.iter().map(String::as_str)),
        None => remedy.clone(),
    };
    policy.config_problem_at(pointer, message, remedy)
}

/// What to say where a filter needs more than it is granted.
pub(super) fn missing(policy: &config::Policy, lacks: &[Lack]) -> Problem {
    let Place { file, line, key } = policy.grants_place.clone();
    let named: Vec<_> = lacks.iter().map(ToString::to_string).collect();
    let written = written_with(policy, lacks);
    let remedy = match key {
        Some(_) => format!("if it may have that, write {written}"),
        None => format!("if it may have that, write {written} to {}.toml beside it", policy.name),
    };
    Problem { file, line, key, message: format!("the filter is not granted {}", named.join(", ")), remedy }
}

fn written_with(policy: &config::Policy, lacks: &[Lack]) -> String {
    grants_with(&policy.written_grants, lacks.iter().map(|lack| (lack.kind.key(), lack.name.as_deref())))
}

impl Lack {
    /// Whether a policy grants it.
    fn is_met(&self, policy: &config::Policy, grants: &Grants) -> bool {
        let name = self.name.as_deref();
        let is_named = |mut names: Box<dyn Iterator<Item = &str> + '_>| match name {
            Some(name) => names.any(|granted| granted == name),
            None => names.next().is_some(),
        };
        let field = || name.and_then(|name| HeaderName::from_bytes(name.as_bytes()).ok());
        match self.kind {
            GrantKind::Body => grants.body,
            GrantKind::Clock => grants.clock,
            GrantKind::Random => grants.random,
            GrantKind::Secrets => is_named(Box::new(policy.grants.secrets.iter().map(|grant| grant.name.as_str()))),
            GrantKind::Callouts => is_named(Box::new(policy.grants.callouts.iter().map(|grant| grant.name.as_str()))),
            GrantKind::Store => is_named(Box::new(policy.grants.stores.iter().map(|grant| grant.store.name.as_str()))),
            GrantKind::Read => field().is_none_or(|name| grants.read.allows(&name)),
            GrantKind::Write => field().is_none_or(|name| grants.write.allows(&name)),
        }
    }
}

impl From<&Need> for Lack {
    fn from(need: &Need) -> Self {
        let (kind, name) = match need {
            Need::Clock => (GrantKind::Clock, None),
            Need::Random => (GrantKind::Random, None),
            Need::Secrets => (GrantKind::Secrets, None),
            Need::Read(name) => (GrantKind::Read, Some(name.as_str().to_owned())),
            Need::Write(name) => (GrantKind::Write, Some(name.as_str().to_owned())),
            Need::Body => (GrantKind::Body, None),
        };
        Self { kind, name, why: None }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, &self.name) {
            (GrantKind::Body, _) => f.write_str("bodies"),
            (GrantKind::Clock, _) => f.write_str("clocks"),
            (GrantKind::Random, _) => f.write_str("random numbers"),
            (GrantKind::Secrets, Some(name)) => write!(f, "the secret {name:?}"),
            (GrantKind::Secrets, None) => f.write_str("a secret"),
            (GrantKind::Callouts, Some(name)) => write!(f, "callouts to {name:?}"),
            (GrantKind::Callouts, None) => f.write_str("callouts"),
            (GrantKind::Store, Some(name)) => write!(f, "the store {name:?}"),
            (GrantKind::Store, None) => f.write_str("a store"),
            (GrantKind::Read, Some(name)) => write!(f, "to read {name:?}"),
            (GrantKind::Read, None) => f.write_str("to read header fields"),
            (GrantKind::Write, Some(name)) => write!(f, "to write {name:?}"),
            (GrantKind::Write, None) => f.write_str("to write header fields"),
        }?;
        match &self.why {
            Some(why) if !why.is_empty() => write!(f, " ({why})"),
            _ => Ok(()),
        }
    }
}
