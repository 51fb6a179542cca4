//! Paths that are regular expressions. They are not tried one after another: most begin with segments that are no pattern,
//! and only those that a path begins with as well come into question.
//!
//! One automaton for all of them (`RegexSet`) would do without that, but where patterns are many and loose it takes a
//! thousand times as long for a path that is made for it. This takes as long as the expressions that come into question.

use std::collections::HashMap;

use regex::Regex;
use regex_syntax::hir::literal::Extractor;
use smallvec::SmallVec;

use super::path::prefixes;

/// So many are tried before it would pay to look which come into question.
const FEW: usize = 4;

/// Expressions with their routes, in the order as written.
#[derive(Debug, Default)]
pub(super) struct Expressions {
    all: Vec<Entry>,
    /// Places in `all` by the whole segments that every match begins with.
    below: HashMap<String, Vec<usize>>,
    longest: usize,
    /// Places of those that may match below `/`.
    anywhere: Vec<usize>,
}

#[derive(Debug)]
struct Entry {
    route: usize,
    expression: Regex,
    /// What every match begins with.
    literal: String,
}

impl Expressions {
    /// Adds a route behind the others.
    pub(super) fn push(&mut self, expression: &Regex, route: usize) {
        let (place, literal) = (self.all.len(), literal(expression.as_str()));
        match literal.rfind('/') {
            None | Some(0) => self.anywhere.push(place),
            Some(slash) => {
                self.longest = self.longest.max(slash);
                self.below.entry(literal[..slash].to_owned()).or_default().push(place);
            }
        }
        self.all.push(Entry { route, expression: expression.clone(), literal });
    }

    /// The first route whose expression matches and that is acceptable otherwise.
    pub(super) fn find(&self, path: &str, accepts: impl Fn(usize) -> bool) -> Option<usize> {
        let is_found = |entry: &&Entry| {
            path.starts_with(&entry.literal) && entry.expression.is_match(path) && accepts(entry.route)
        };
        if self.all.len() <= FEW {
            return self.all.iter().find(is_found).map(|entry| entry.route);
        }
        let known = prefixes(path, self.longest).filter_map(|prefix| self.below.get(prefix));
        let mut lists: SmallVec<[&[usize]; 8]> = known.chain([&self.anywhere]).map(Vec::as_slice).collect();
        loop {
            // Each list is in the order as written, so the first of them all is at the head of one.
            let next = lists.iter_mut().filter(|list| !list.is_empty()).min_by_key(|list| list[0])?;
            let entry = &self.all[next[0]];
            *next = &next[1..];
            if is_found(&entry) {
                return Some(entry.route);
            }
        }
    }

    /// All routes.
    pub(super) fn routes(&self) -> impl Iterator<Item = usize> {
        self.all.iter().map(|entry| entry.route)
    }
}

/// What every text begins with that the expression matches.
fn literal(expression: &str) -> String {
    let parsed = regex_syntax::parse(expression).ok();
    let prefixes = parsed.map(|parsed| Extractor::new().extract(&parsed));
    let common = prefixes.as_ref().and_then(|prefixes| prefixes.longest_common_prefix()).unwrap_or_default();
    // Cut inside of a character, it is shorter by that.
    let good = std::str::from_utf8(common).map_or_else(|error| error.valid_up_to(), str::len);
    String::from_utf8_lossy(&common[..good]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(expression: &str) -> String {
        format!("^(?:{expression})$")
    }

    fn find(expressions: &[&str], path: &str) -> Option<usize> {
        let mut table = Expressions::default();
        for (route, expression) in expressions.iter().enumerate() {
            table.push(&Regex::new(&whole(expression)).unwrap(), route);
        }
        table.find(path, |_| true)
    }

    #[test]
    fn the_literal_is_what_all_matches_begin_with() {
        for (expression, expected) in [
            ("/users/[0-9]+", "/users/"),
            ("/v1\\.0/x?", "/v1.0/"),
            ("/a/(b|c)/d", "/a/"),
            ("/a/b|/a/c", "/a/"),
            ("/a/b|/c", "/"),
            ("/a/x*", "/a/"),
            ("/a/(x)?|", ""),
            ("(?i)/a/b", "/"),
            (".*/a", ""),
            ("/ä|/ö", "/"),
        ] {
            assert_eq!(literal(&whole(expression)), expected, "{expression}");
        }
    }

    #[test]
    fn the_first_as_written_is_found_wherever_it_is_kept() {
        let expressions = ["/a/b/[0-9]+", "/a/.*/1", "/.*1", "/a/b/.*", "/a/[a-z]/2", ".*"];
        let found = ["/a/b/1", "/a/c/1", "/c/1", "/a/b/x", "/a/c/2", "/x", "*"].map(|path| find(&expressions, path));
        assert_eq!(found, [Some(0), Some(1), Some(2), Some(3), Some(4), Some(5), Some(5)]);
        assert_eq!(find(&expressions[..5], "/a/c/3"), None);
        assert_eq!(find(&["/a/b/.*", "/a/.*"], "/a/b"), Some(1));
        assert_eq!(find(&[], "/a/b"), None);
    }
}
