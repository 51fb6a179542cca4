//! What the tests of this module share.

use std::path::{Path, PathBuf};

/// A folder that is gone after the test.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tollgate-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

mod states {
    use super::super::state::{Kept, Rejection, Served, State};
    use super::super::{Deploy, HoldError, Operation, Proof, Version};

    fn version(number: u8) -> Version {
        format!("{number:012x}").parse().unwrap()
    }

    fn kept(number: u8) -> Kept {
        Kept {
            version: version(number),
            since: Some(u64::from(number)),
            module: format!("module-{number}"),
            entry: format!("entry-{number}"),
            filter: "a".into(),
            path: None,
            reference: None,
            proof: Proof::default(),
            file: "a.toml".into(),
            line: None,
            key: None,
        }
    }

    /// Versions 1 to `newest`, of which the last serves.
    fn state(newest: u8) -> State {
        let policies = [("a".to_owned(), version(newest))].into();
        let served = Served { at: 1, texts: [("/t".into(), "text".to_owned())].into(), others: [].into(), policies };
        let versions = [("a".to_owned(), (1..=newest).map(kept).collect())].into();
        State { served: Some(served), versions, ..State::default() }
    }

    fn left(state: &State) -> Vec<u64> {
        state.versions["a"].iter().filter_map(|kept| kept.since).collect()
    }

    #[test]
    fn the_last_versions_are_kept_and_those_in_use() {
        let mut state = state(20);
        state.pins.insert("a".into(), version(3));
        let needed = state.collect(u64::MAX, |_| 1);
        assert_eq!(left(&state), [3, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
        assert!(needed.contains("module-3") && needed.contains("text") && !needed.contains("module-4"));
    }

    #[test]
    fn the_oldest_go_for_want_of_room_but_never_what_is_in_use() {
        let mut state = state(9);
        // The text, and two files for each of three versions.
        state.collect(7, |_| 1);
        assert_eq!(left(&state), [7, 8, 9]);
        state.collect(0, |_| 1);
        assert_eq!(left(&state), [9]);
    }

    #[test]
    fn a_policy_that_is_gone_is_remembered_for_a_while() {
        let mut state = state(9);
        for number in 0..200_u64 {
            state.versions.insert(format!("gone-{number:03}"), vec![Kept { since: Some(number), ..kept(1) }, kept(2)]);
        }
        state.collect(u64::MAX, |_| 1);
        assert_eq!(state.versions.len(), 101);
        assert!(state.versions.contains_key("gone-199") && !state.versions.contains_key("gone-000"));
    }

    #[test]
    fn the_version_before_is_not_the_one_that_was_rolled_back() {
        let mut state = state(3);
        assert_eq!(state.before("a"), Some(version(2)));
        let rejection = Rejection { version: version(3), serve: version(2), reason: String::new() };
        state.rejected.insert("a".into(), rejection);
        state.served.as_mut().unwrap().policies.insert("a".into(), version(2));
        assert_eq!(state.before("a"), Some(version(1)));
        assert_eq!(state.before("b"), None);
    }

    #[test]
    fn an_operation_that_comes_to_nothing_leaves_nothing() {
        let deploy = Deploy::default();
        let unknown = Operation::Pin { policy: "a".into(), version: None };
        assert_eq!(deploy.operate(&unknown, "me").unwrap_err(), HoldError::UnknownPolicy("a".into()));
        let (_, before) = deploy.operate(&Operation::Pause { policy: None }, "me").unwrap();
        assert!(deploy.is_paused());
        deploy.undo(before);
        assert!(!deploy.is_paused());
    }
}
