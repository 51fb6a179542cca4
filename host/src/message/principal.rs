//! Who a request is made for, as a filter has found out.

use http::HeaderValue;

use super::edit::EditError;

/// How many scopes, groups and claims there can be, each, and how many bytes together.
const MAX_ENTRIES: usize = 64;
const MAX_BYTES: usize = 8 << 10;

/// An identity. Everything but the subject may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// `@subject`: who it is, for whoever says so.
    pub subject: HeaderValue,
    /// `@issuer`: who says so.
    pub issuer: Option<HeaderValue>,
    /// `@scopes`: what it may do.
    pub scopes: Vec<HeaderValue>,
    /// `@groups`: what it belongs to.
    pub groups: Vec<HeaderValue>,
    /// `@claim:NAME`: what else is said of it.
    pub claims: Vec<(Box<str>, HeaderValue)>,
}

/// A change to what is known of an identity.
#[derive(Clone, Debug)]
pub(super) enum Detail {
    Issuer(Option<HeaderValue>),
    Scopes(Vec<HeaderValue>),
    Scope(HeaderValue),
    Groups(Vec<HeaderValue>),
    Group(HeaderValue),
    Claim(Box<str>, Option<HeaderValue>),
}

impl Principal {
    /// Nothing is known of it yet but who it is.
    #[must_use]
    pub fn new(subject: HeaderValue) -> Self {
        Self { subject, issuer: None, scopes: Vec::new(), groups: Vec::new(), claims: Vec::new() }
    }

    /// A claim by its name.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&HeaderValue> {
        self.claims.iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
    }

    pub(super) fn change(&mut self, detail: Detail) -> Result<(), EditError> {
        match detail {
            Detail::Issuer(issuer) => self.issuer = issuer,
            Detail::Scopes(scopes) => self.scopes = scopes,
            Detail::Scope(scope) => self.scopes.push(scope),
            Detail::Groups(groups) => self.groups = groups,
            Detail::Group(group) => self.groups.push(group),
            Detail::Claim(name, value) => {
                self.claims.retain(|(known, _)| *known != name);
                self.claims.extend(value.map(|value| (name, value)));
            }
        }
        if self.is_bounded() { Ok(()) } else { Err(EditError::TooMany) }
    }

    fn is_bounded(&self) -> bool {
        let lists = [self.scopes.len(), self.groups.len(), self.claims.len()];
        let claims = self.claims.iter().map(|(name, value)| name.len() + value.len());
        let values = self.issuer.iter().chain(&self.scopes).chain(&self.groups).map(HeaderValue::len);
        lists.iter().all(|length| *length <= MAX_ENTRIES)
            && self.subject.len() + values.chain(claims).sum::<usize>() <= MAX_BYTES
    }
}

/// One text of several values.
#[must_use]
pub fn joined(values: &[HeaderValue], separator: &[u8]) -> Option<Vec<u8>> {
    let values: Vec<_> = values.iter().map(HeaderValue::as_bytes).collect();
    (!values.is_empty()).then(|| values.join(separator))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> HeaderValue {
        HeaderValue::from_str(text).unwrap()
    }

    #[test]
    fn an_identity_is_bounded() {
        let mut principal = Principal::new(value("alice"));
        (0..MAX_ENTRIES).for_each(|_| principal.change(Detail::Group(value("g"))).unwrap());
        assert_eq!(principal.change(Detail::Group(value("g"))), Err(EditError::TooMany));
        let mut principal = Principal::new(value("alice"));
        assert_eq!(
            principal.change(Detail::Claim("a".into(), Some(value(&"x".repeat(MAX_BYTES))))),
            Err(EditError::TooMany)
        );
    }

    #[test]
    fn a_claim_has_one_value() {
        let mut principal = Principal::new(value("alice"));
        for text in ["one", "two"] {
            principal.change(Detail::Claim("a".into(), Some(value(text)))).unwrap();
        }
        assert_eq!((principal.claims.len(), principal.claim("a")), (1, Some(&value("two"))));
        principal.change(Detail::Claim("a".into(), None)).unwrap();
        assert_eq!(principal.claim("a"), None);
    }
}
