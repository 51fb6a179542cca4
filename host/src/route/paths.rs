//! The routes of one host by path.

use std::collections::HashMap;

use regex::{Regex, RegexSet};

use super::conditions::PathCondition;
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

/// Paths that are regular expressions, in the order as written.
#[derive(Debug, Default)]
struct Expressions {
    routes: Vec<usize>,
    single: Vec<Regex>,
    /// All of them in one automaton, if there are several.
    together: Option<RegexSet>,
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
            PathCondition::Matches(expression) => {
                self.expressions.routes.push(index);
                self.expressions.single.push(expression.clone());
            }
        }
    }

    /// Puts everything in order, given the weight of each route.
    pub(super) fn finish<W: Ord + Copy>(&mut self, weights: &[W]) {
        let lists = self.exact.values_mut().chain(self.prefix.values_mut()).chain([&mut self.any]);
        // A stable sort: equal routes stay in the order as written.
        lists.for_each(|list| list.sort_by_key(|index| weights[*index]));
        self.expressions.compile();
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
            .chain(self.expressions.routes.iter().copied())
            .chain(by_length(&self.prefix))
            .chain(self.any.iter().copied())
    }
}

fn by_length(lists: &HashMap<String, Vec<usize>>) -> impl Iterator<Item = usize> {
    let mut lists: Vec<_> = lists.iter().collect();
    lists.sort_by_key(|(path, _)| (std::cmp::Reverse(path.len()), *path));
    lists.into_iter().flat_map(|(_, list)| list).copied()
}

impl Expressions {
    /// One automaton is as fast for a thousand expressions as for a few. Too large a one is no loss: they are tried one
    /// after another then.
    fn compile(&mut self) {
        if self.single.len() > 2 {
            self.together = RegexSet::new(self.single.iter().map(Regex::as_str)).ok();
        }
    }

    fn find(&self, path: &str, accepts: impl Fn(usize) -> bool) -> Option<usize> {
        match &self.together {
            // Asked first whether there is anything, as a list of what there is has to be allocated.
            Some(together) if together.is_match(path) => {
                together.matches(path).iter().map(|place| self.routes[place]).find(|index| accepts(*index))
            }
            Some(_) => None,
            None => {
                let mut both = self.routes.iter().zip(&self.single);
                both.find(|(index, expression)| expression.is_match(path) && accepts(**index)).map(|(index, _)| *index)
            }
        }
    }
}
