//! What something must be: in full, in part, by an expression, or not at all.

use regex::bytes::Regex;
use serde_json::Value;

use super::content::bytes;
use crate::config::section::Item;

/// What is expected of one thing.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// That it is there.
    Present,
    /// That it is not there.
    Absent,
    /// That it is this; of several fields of one name, that there are these, in this order.
    Exact(Vec<Vec<u8>>),
    /// That this is a part of it.
    Contains(Vec<u8>),
    /// That the expression matches somewhere in it.
    Regex(Regex),
    /// That it is this as JSON, whatever the order of keys and the white space.
    Json(Value),
}

impl Matcher {
    /// Reads one as written.
    pub(super) fn read(item: Item<'_>) -> Option<Self> {
        if item.is_boolean() {
            return item.boolean().map(|at| if at.value { Self::Present } else { Self::Absent });
        }
        if item.is_array() {
            let values = item.array()?.into_iter().map(bytes).collect::<Option<_>>()?;
            return Some(Self::Exact(values));
        }
        if item.is_number() {
            return item.number_or_string("").map(|text| Self::Exact(vec![text.into_bytes()]));
        }
        if item.is_table() { Self::read_table(item) } else { bytes(item).map(|text| Self::Exact(vec![text])) }
    }

    /// As `read`, but a text is one that is contained.
    pub(super) fn read_part(item: Item<'_>) -> Option<Self> {
        if item.is_string() { bytes(item).map(Self::Contains) } else { Self::read(item) }
    }

    fn read_table(item: Item<'_>) -> Option<Self> {
        let (report, place) = (item.report(), item.place());
        let mut section = item.section()?;
        let contains = section.take("contains").and_then(bytes).map(Self::Contains);
        let json = section.take("json").and_then(Item::any_json).map(|at| Self::Json(at.value));
        let exact =
            section.take("hex").and_then(Item::string).and_then(|at| report.good(&at, super::content::hex(&at.value)));
        let exact = exact.map(|bytes| Self::Exact(vec![bytes]));
        let regex = section.take("regex").and_then(Item::string).and_then(|at| {
            let wrong = |error: regex::Error| (error.to_string(), "write an expression of the regex crate".to_owned());
            report.good(&at, Regex::new(&at.value).map_err(wrong)).map(Self::Regex)
        });
        section.finish();
        let mut given = [contains, json, exact, regex].into_iter().flatten();
        let one = given.next();
        if (one.is_none() && !report.concerns(&place.key)) || given.next().is_some() {
            report.at(
                &place,
                "is not one expectation",
                "write text, true, false, or one of contains, regex, json, hex",
            );
        }
        one
    }
}
