//! What a policy's filter may do beyond looking at ordinary messages, and what it needs.

use std::fmt::{self, Write};
use std::sync::Arc;

use http::{HeaderName, header};

use super::fault::{Fault, FaultClass};
use super::secret::Secret;
use crate::message::{Change, Reply};

/// What a filter is granted. The default is what is granted unless somebody says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// Whether it may know what time it is.
    pub clock: bool,
    /// Whether it is given random numbers.
    pub random: bool,
    /// The secrets that it may see.
    pub secrets: Vec<GrantedSecret>,
    /// The header fields that it may see.
    pub read: FieldRule,
    /// The header fields that it may change.
    pub write: FieldRule,
    /// Whether it may see bodies and trailers.
    pub body: bool,
}

impl Default for Grants {
    fn default() -> Self {
        Self {
            clock: false,
            random: false,
            secrets: Vec::new(),
            read: FieldRule::Ordinary,
            write: FieldRule::Ordinary,
            body: true,
        }
    }
}

/// A secret with the name that the filter knows it by.
#[derive(Clone, Debug)]
pub struct GrantedSecret {
    /// The name.
    pub name: Box<str>,
    /// The secret.
    pub secret: Arc<Secret>,
}

/// Another value of the same secret is the same.
impl PartialEq for GrantedSecret {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.secret, &other.secret)
    }
}

impl Eq for GrantedSecret {}

/// Which header fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldRule {
    /// All.
    Any,
    /// All but credentials.
    Ordinary,
    /// Those that one of these means.
    These(Vec<FieldPattern>),
}

/// Header fields by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldPattern {
    /// `*`: all but credentials.
    Ordinary,
    /// `x-*`: all with this beginning but credentials.
    Prefix(Box<str>),
    /// This one, which may be a credential.
    Name(HeaderName),
}

impl FieldRule {
    /// Whether a field of that name is among them.
    #[must_use]
    pub fn allows(&self, name: &HeaderName) -> bool {
        match self {
            Self::Any => true,
            Self::Ordinary => !is_credential(name),
            Self::These(patterns) => patterns.iter().any(|pattern| pattern.matches(name)),
        }
    }

    fn with(&self, name: &HeaderName) -> Self {
        if self.allows(name) {
            return self.clone();
        }
        let mut patterns = match self {
            Self::These(patterns) => patterns.clone(),
            Self::Any | Self::Ordinary => vec![FieldPattern::Ordinary],
        };
        patterns.push(FieldPattern::Name(name.clone()));
        Self::These(patterns)
    }
}

impl FieldPattern {
    fn matches(&self, name: &HeaderName) -> bool {
        match self {
            Self::Ordinary => !is_credential(name),
            Self::Prefix(prefix) => name.as_str().starts_with(&**prefix) && !is_credential(name),
            Self::Name(named) => named == name,
        }
    }
}

impl fmt::Display for FieldPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ordinary => f.write_str("*"),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::Name(name) => f.write_str(name.as_str()),
        }
    }
}

/// Whether a field carries what lets its sender in. Only its full name grants such a field.
fn is_credential(name: &HeaderName) -> bool {
    *name == header::AUTHORIZATION
        || *name == header::COOKIE
        || *name == header::SET_COOKIE
        || *name == header::PROXY_AUTHORIZATION
}

/// Something that a filter cannot do without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// What time it is.
    Clock,
    /// Random numbers.
    Random,
    /// Some secret.
    Secrets,
    /// To see fields of that name.
    Read(HeaderName),
    /// To change fields of that name.
    Write(HeaderName),
    /// To see bodies or trailers.
    Body,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clock => f.write_str("clocks"),
            Self::Random => f.write_str("random numbers"),
            Self::Secrets => f.write_str("a secret"),
            Self::Read(name) => write!(f, "to read {:?}", name.as_str()),
            Self::Write(name) => write!(f, "to write {:?}", name.as_str()),
            Self::Body => f.write_str("bodies"),
        }
    }
}

impl Grants {
    /// Whether a need is met.
    #[must_use]
    pub fn meets(&self, need: &Need) -> bool {
        match need {
            Need::Clock => self.clock,
            Need::Random => self.random,
            Need::Secrets => !self.secrets.is_empty(),
            Need::Read(name) => self.read.allows(name),
            Need::Write(name) => self.write.allows(name),
            Need::Body => self.body,
        }
    }

    /// Ends a call that needs more.
    pub(super) fn refuse(&self, need: &Need) -> wasmtime::Result<()> {
        if !self.meets(need) {
            wasmtime::bail!("{}", self.refusal(need));
        }
        Ok(())
    }

    /// Ends a call that would see a field that is not granted.
    pub(super) fn permit_read(&self, name: &HeaderName) -> wasmtime::Result<()> {
        if self.read.allows(name) { Ok(()) } else { self.refuse(&Need::Read(name.clone())) }
    }

    /// Why a change may not be made.
    pub(super) fn refusal_of(&self, change: &Change) -> Option<String> {
        let name = change.field().filter(|name| !self.write.allows(name))?;
        Some(self.refusal(&Need::Write(name.clone())))
    }

    /// Whether changes may be made.
    #[inline]
    pub(super) fn permit(&self, changes: &[Change]) -> Result<(), Fault> {
        match changes.iter().find_map(|change| self.refusal_of(change)) {
            None => Ok(()),
            Some(refusal) => Err(Fault::new(FaultClass::Refused, refusal)),
        }
    }

    /// A reply's fields are the filter's own, but a cookie is the client's from then on.
    pub(super) fn permit_reply(&self, reply: &Reply) -> Result<(), Fault> {
        if reply.fields().contains_key(header::SET_COOKIE) && !self.write.allows(&header::SET_COOKIE) {
            return Err(Fault::new(FaultClass::Refused, self.refusal(&Need::Write(header::SET_COOKIE))));
        }
        Ok(())
    }

    fn refusal(&self, need: &Need) -> String {
        format!("the policy is not granted {need}; write {}", self.written_with(std::slice::from_ref(need)))
    }

    /// As the configuration has to say it so that these needs are met as well.
    #[must_use]
    pub fn written_with(&self, needs: &[Need]) -> String {
        let mut wanted = self.clone();
        for need in needs {
            match need {
                Need::Clock => wanted.clock = true,
                Need::Random => wanted.random = true,
                Need::Secrets => {}
                Need::Read(name) => wanted.read = wanted.read.with(name),
                Need::Write(name) => wanted.write = wanted.write.with(name),
                Need::Body => wanted.body = true,
            }
        }
        let mut keys = Vec::new();
        keys.extend(wanted.clock.then(|| "clock = true".to_owned()));
        keys.extend(wanted.random.then(|| "random = true".to_owned()));
        let names = wanted.secrets.iter().map(|secret| &*secret.name);
        let unknown = needs.contains(&Need::Secrets).then_some("NAME").filter(|_| wanted.secrets.is_empty());
        let names: Vec<_> = names.chain(unknown).collect();
        keys.extend((!names.is_empty()).then(|| format!("secrets = {}", list(&names))));
        keys.extend(rule("read", &wanted.read));
        keys.extend(rule("write", &wanted.write));
        keys.extend((!wanted.body).then(|| "body = false".to_owned()));
        format!("grants = {{ {} }}", keys.join(", "))
    }
}

fn rule(key: &str, rule: &FieldRule) -> Option<String> {
    match rule {
        FieldRule::Any | FieldRule::Ordinary => None,
        FieldRule::These(patterns) => {
            let names: Vec<_> = patterns.iter().map(ToString::to_string).collect();
            Some(format!("{key} = {}", list(&names)))
        }
    }
}

fn list(names: &[impl AsRef<str>]) -> String {
    let mut text = String::from("[");
    for (place, name) in names.iter().enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        // Writing to memory does not fail.
        let _ = write!(text, "{comma}{:?}", name.as_ref());
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: HeaderName = HeaderName::from_static("x-length");

    #[test]
    fn credentials_are_granted_by_their_full_names_only() {
        let prefix = FieldRule::These(vec![FieldPattern::Prefix("a".into())]);
        let all = [FieldRule::Ordinary, FieldRule::These(vec![FieldPattern::Ordinary]), prefix];
        for rule in all {
            assert!(!rule.allows(&header::AUTHORIZATION), "{rule:?}");
            assert!(rule.allows(&header::ACCEPT), "{rule:?}");
            assert!(rule.with(&header::AUTHORIZATION).allows(&header::AUTHORIZATION), "{rule:?}");
        }
        let named = FieldRule::These(vec![FieldPattern::Name(header::COOKIE)]);
        assert!(named.allows(&header::COOKIE) && !named.allows(&header::SET_COOKIE) && !named.allows(&LENGTH));
    }

    #[test]
    fn what_is_missing_is_written_beside_what_is_granted() {
        let grants = Grants { clock: true, body: false, ..Grants::default() };
        let needs = [Need::Read(header::AUTHORIZATION), Need::Random, Need::Secrets, Need::Body, Need::Clock];
        let missing: Vec<_> = needs.iter().filter(|need| !grants.meets(need)).collect();
        assert_eq!(missing.len(), 4);
        let written =
            "grants = { clock = true, random = true, secrets = [\"NAME\"], read = [\"*\", \"authorization\"] }";
        assert_eq!(grants.written_with(&needs), written);
        assert_eq!(grants.written_with(&[]), "grants = { clock = true, body = false }");
        let none = Grants { write: FieldRule::These(vec![]), ..Grants::default() };
        assert_eq!(none.written_with(&[Need::Write(LENGTH)]), "grants = { write = [\"x-length\"] }");
    }
}
