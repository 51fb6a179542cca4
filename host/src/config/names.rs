//! Names: order numbers, look-up by short name, and what somebody may have meant.

/// The name behind an order number: `api-key` for `10-api-key`.
pub(super) fn without_order_number(name: &str) -> Option<&str> {
    let rest = name.trim_start_matches(|c: char| c.is_ascii_digit());
    if rest.len() == name.len() {
        return None;
    }
    rest.strip_prefix(['-', '_']).filter(|rest| !rest.is_empty())
}

/// What a name stands for among others.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// This one.
    One(&'a str),
    /// Any of these, which differ in their order number only.
    Several(Vec<&'a str>),
    /// Nothing.
    Nothing,
}

/// Finds a name in full, else without its order number.
pub(super) fn find<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Meaning<'a> {
    if let Some(same) = known.clone().find(|other| *other == name) {
        return Meaning::One(same);
    }
    let numbered: Vec<&str> = known.filter(|other| without_order_number(other) == Some(name)).collect();
    match numbered.as_slice() {
        [] => Meaning::Nothing,
        [one] => Meaning::One(one),
        _ => Meaning::Several(numbered),
    }
}

/// The remedy for an unknown name: the likeliest one, else all of them. `kind` is a plural such as `upstreams`.
pub fn suggest<'a>(name: &str, kind: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    if let Some(likely) = closest(name, known.clone()) {
        return format!("did you mean {likely:?}?");
    }
    match list(known) {
        names if names.is_empty() => format!("there are no {kind}"),
        names => format!("known {kind}: {names}"),
    }
}

/// The names in order, with commas.
pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let tolerated = (name.chars().count() / 3).max(1);
    known
        .map(|other| {
            let short = without_order_number(other).unwrap_or(other);
            (distance(&name, &other.to_lowercase()).min(distance(&name, &short.to_lowercase())), other)
        })
        .filter(|(edits, other)| *edits <= tolerated && *edits < other.chars().count())
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, other)| other)
}

/// How many characters to insert, delete, replace or swap with their neighbour to get from one text to the other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(a != b);
            let mut best = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_number_is_digits_and_a_dash() {
        assert_eq!(without_order_number("10-api-key"), Some("api-key"));
        assert_eq!(without_order_number("007_x"), Some("x"));
        for plain in ["api-key", "10", "10-", "10api", "-api", ""] {
            assert_eq!(without_order_number(plain), None, "{plain}");
        }
    }

    #[test]
    fn the_full_name_wins_over_the_short_one() {
        let known = ["10-limit", "20-limit", "30-key", "limit"];
        assert_eq!(find("limit", known.into_iter()), Meaning::One("limit"));
        assert_eq!(find("20-limit", known.into_iter()), Meaning::One("20-limit"));
        assert_eq!(find("key", known.into_iter()), Meaning::One("30-key"));
        assert_eq!(find("limit", known[..3].iter().copied()), Meaning::Several(vec!["10-limit", "20-limit"]));
        assert_eq!(find("cors", known.into_iter()), Meaning::Nothing);
    }

    #[test]
    fn a_slip_is_recognised() {
        let known = ["orders", "10-api-key", "x"];
        assert_eq!(suggest("order", "upstreams", known.into_iter()), "did you mean \"orders\"?");
        assert_eq!(suggest("api-kye", "policies", known.into_iter()), "did you mean \"10-api-key\"?");
        assert_eq!(suggest("zebra", "upstreams", known.into_iter()), "known upstreams: 10-api-key, orders, x");
        assert_eq!(suggest("y", "upstreams", known.into_iter()), "known upstreams: 10-api-key, orders, x");
        assert_eq!(suggest("zebra", "upstreams", [].into_iter()), "there are no upstreams");
    }
}
