//! The spaces that one policy may reach, by the names that its filter gives them.

use std::sync::Arc;

use super::{Moment, Remote, SPACE_BYTES, Space, StoreError};

/// A policy's own space, and those that it shares with others.
#[derive(Clone, Debug)]
pub struct Spaces {
    own: Arc<Space>,
    /// Where the own space is, and the limits, if that is a server; the space of this process may stand in then.
    remote: Option<Remote>,
    shared: Vec<SharedSpace>,
}

/// A space that was granted to a policy.
#[derive(Clone, Debug)]
pub struct SharedSpace {
    /// Its name.
    pub name: Box<str>,
    /// Where it is.
    pub space: Arc<Space>,
    /// The server that it is on, if any.
    pub remote: Option<Remote>,
    /// Whether the policy may change it.
    pub writable: bool,
}

impl Default for Spaces {
    /// An empty space of its own, as large as policies have it by default, and no other.
    fn default() -> Self {
        Self::new(Arc::new(Space::new(SPACE_BYTES, Arc::default())), None, Vec::new())
    }
}

impl Spaces {
    /// The spaces of a policy.
    #[must_use]
    pub fn new(own: Arc<Space>, remote: Option<Remote>, shared: Vec<SharedSpace>) -> Self {
        Self { own, remote, shared }
    }

    /// A space to read, now.
    ///
    /// # Errors
    /// If it is not one of these.
    pub fn read(&self, name: &str) -> Result<Moment<'_>, StoreError> {
        self.find(name, false)
    }

    /// A space to change, now.
    ///
    /// # Errors
    /// If it is not one of these, or only to be read.
    pub fn write(&self, name: &str) -> Result<Moment<'_>, StoreError> {
        self.find(name, true)
    }

    /// Where the policy's own space and its limits are, if that is a server.
    #[must_use]
    pub fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    /// Whether any of them is on a server, so that calls wait.
    #[must_use]
    pub fn are_far(&self) -> bool {
        self.remote.is_some() || self.shared.iter().any(|shared| shared.remote.is_some())
    }

    /// The space of that name in this process, and where it is if that is a server.
    ///
    /// # Errors
    /// If it is not one of these, or is to be changed and only may be read.
    pub fn place(&self, name: &str, to_write: bool) -> Result<(&Arc<Space>, Option<&Remote>), StoreError> {
        if name.is_empty() {
            return Ok((&self.own, self.remote.as_ref()));
        }
        let shared = self.shared.iter().find(|shared| *shared.name == *name).ok_or(StoreError::Denied)?;
        let is_allowed = shared.writable || !to_write;
        if is_allowed { Ok((&shared.space, shared.remote.as_ref())) } else { Err(StoreError::ReadOnly) }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Space> {
        self.shared.iter().map(|shared| &shared.space).chain([&self.own]).map(AsRef::as_ref)
    }

    /// Whether these are the same spaces, to be used in the same way.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        let alike = |(one, other): (&SharedSpace, &SharedSpace)| {
            one.name == other.name
                && one.writable == other.writable
                && Arc::ptr_eq(&one.space, &other.space)
                && same(one.remote.as_ref(), other.remote.as_ref())
        };
        Arc::ptr_eq(&self.own, &other.own)
            && same(self.remote.as_ref(), other.remote.as_ref())
            && self.shared.len() == other.shared.len()
            && self.shared.iter().zip(&other.shared).all(alike)
    }

    fn find(&self, name: &str, to_write: bool) -> Result<Moment<'_>, StoreError> {
        self.place(name, to_write).map(|(space, _)| space.now())
    }
}

fn same(one: Option<&Remote>, other: Option<&Remote>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.same_as(other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_reaches_its_own_space_and_what_it_was_granted() {
        let space = || Arc::new(Space::new(1 << 20, Arc::default()));
        let (one, two) = (space(), space());
        let shared = |name: &str, space: &Arc<Space>, writable| SharedSpace {
            name: name.into(),
            space: Arc::clone(space),
            remote: None,
            writable,
        };
        let a = Spaces::new(space(), None, vec![shared("one", &one, true), shared("two", &two, true)]);
        let b = Spaces::new(space(), None, vec![shared("one", &one, false)]);
        for name in ["", "one", "two"] {
            a.write(name).unwrap().set(b"k", name.as_bytes(), 0).unwrap();
        }
        assert_eq!(b.read("one").unwrap().get(b"k"), Ok(Some(b"one".to_vec())));
        assert_eq!((b.write("one").err(), b.read("two").err()), (Some(StoreError::ReadOnly), Some(StoreError::Denied)));
        assert_eq!(b.read("").unwrap().get(b"k"), Ok(None), "nobody else's own space");
        assert!(a.same_as(&a.clone()) && !a.same_as(&b));
    }
}
