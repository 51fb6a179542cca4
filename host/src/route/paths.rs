//! The routes of one host by path.

use std::collections::HashMap;

use super::conditions::PathCondition;
use super::expressions::Expressions;
use super::path::prefixes;

/// The routes of one host; each list of indices is in order of precedence.
#[derive(Debug, Default)]
pub(super) struct Paths {
    exact: HashMap<String, Vec<usize>>,
    expressions: Expressions,
    prefix: HashMap<String, Vec<usize>>,
    longest_prefix: usize,
    any: Vec<usize>,
}

impl Paths {
    /// Adds a route. [`Paths::finish`] comes after the last.
    pub(super) fn insert(&mut self, path: &PathCondition, index: usize) {
        match path {
            PathCondition::Any => self.any.push(index),
            PathCondition::Exact(path) => self.exact.entry(path.clone()).or_default().push(index),
            PathCondition::Prefix(path) => {
                self.longest_prefix = self.longest_prefix.max(path.len());
                self.prefix.entry(path.clone()).or_default().push(index);
            }
            PathCondition::Matches(expression) => self.expressions.push(expression, index),
        }
    }

    /// Puts everything in order, given the weight of each route.
    pub(super) fn finish<W: Ord + Copy>(&mut self, weights: &[W]) {
        let lists = self.exact.values_mut().chain(self.prefix.values_mut()).chain([&mut self.any]);
        // A stable sort: equal routes stay in the order as written.
        lists.for_each(|list| list.sort_by_key(|index| weights[*index]));
    }

    /// The first route for the path that is acceptable otherwise.
    pub(super) fn find(&self, path: &str, accepts: impl Fn(usize) -> bool) -> Option<usize> {
        let first = |list: &Vec<usize>| list.iter().copied().find(|index| accepts(*index));
        let exact = self.exact.get(path).and_then(first);
        let prefix = || prefixes(path, self.longest_prefix).find_map(|prefix| self.prefix.get(prefix).and_then(first));
        exact.or_else(|| self.expressions.find(path, &accepts)).or_else(prefix).or_else(|| first(&self.any))
    }

    /// All routes in order of precedence, those of the same kind of path by the length of their paths.
    pub(super) fn all(&self) -> impl Iterator<Item = usize> {
        by_length(&self.exact)
            .chain(self.expressions.routes())
            .chain(by_length(&self.prefix))
            .chain(self.any.iter().copied())
    }
}

fn by_length(lists: &HashMap<String, Vec<usize>>) -> impl Iterator<Item = usize> {
    let mut lists: Vec<_> = lists.iter().collect();
    lists.sort_by_key(|(path, _)| (std::cmp::Reverse(path.len()), *path));
    lists.into_iter().flat_map(|(_, list)| list).copied()
}
