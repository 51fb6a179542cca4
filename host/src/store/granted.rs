//! The spaces that one policy may reach, by the names that its filter gives them.

use std::sync::Arc;

use super::{Moment, SPACE_BYTES, Space, StoreError};

/// A policy's own space, and those that it shares with others.
#[derive(Clone, Debug)]
pub struct Spaces {
    own: Arc<Space>,
    shared: Vec<SharedSpace>,
}

/// A space that was granted to a policy.
#[derive(Clone, Debug)]
pub struct SharedSpace {
    /// Its name.
    pub name: Box<str>,
    /// Where it is.
    pub space: Arc<Space>,
    /// Whether the policy may change it.
    pub writable: bool,
}

impl Default for Spaces {
    /// An empty space of its own, as large as policies have it by default, and no other.
    fn default() -> Self {
        Self::new(Arc::new(Space::new(SPACE_BYTES, Arc::default())), Vec::new())
    }
}

impl Spaces {
    /// The spaces of a policy.
    #[must_use]
    pub fn new(own: Arc<Space>, shared: Vec<SharedSpace>) -> Self {
        Self { own, shared }
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

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Space> {
        self.shared.iter().map(|shared| &shared.space).chain([&self.own]).map(AsRef::as_ref)
    }

    /// Whether these are the same spaces, to be used in the same way.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        let alike = |(one, other): (&SharedSpace, &SharedSpace)| {
            one.name == other.name && one.writable == other.writable && Arc::ptr_eq(&one.space, &other.space)
        };
        Arc::ptr_eq(&self.own, &other.own)
            && self.shared.len() == other.shared.len()
            && self.shared.iter().zip(&other.shared).all(alike)
    }

    fn find(&self, name: &str, to_write: bool) -> Result<Moment<'_>, StoreError> {
        if name.is_empty() {
            return Ok(self.own.now());
        }
        let shared = self.shared.iter().find(|shared| *shared.name == *name).ok_or(StoreError::Denied)?;
        if to_write && !shared.writable { Err(StoreError::ReadOnly) } else { Ok(shared.space.now()) }
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
            writable,
        };
        let a = Spaces::new(space(), vec![shared("one", &one, true), shared("two", &two, true)]);
        let b = Spaces::new(space(), vec![shared("one", &one, false)]);
        for name in ["", "one", "two"] {
            a.write(name).unwrap().set(b"k", name.as_bytes(), 0).unwrap();
        }
        assert_eq!(b.read("one").unwrap().get(b"k"), Ok(Some(b"one".to_vec())));
        assert_eq!((b.write("one").err(), b.read("two").err()), (Some(StoreError::ReadOnly), Some(StoreError::Denied)));
        assert_eq!(b.read("").unwrap().get(b"k"), Ok(None), "nobody else's own space");
        assert!(a.same_as(&a.clone()) && !a.same_as(&b));
    }
}
