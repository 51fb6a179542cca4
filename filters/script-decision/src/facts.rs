//! What a script looks at: facts of the request, in the form that scripts have them in.

use std::collections::BTreeMap;

use tollgate_filter::Request;

use crate::OfResponse;

/// What is made of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Its text.
    Text,
    /// What comes before the query.
    BeforeQuery,
    /// The query, which is empty if there is none.
    Query,
    /// A number.
    Number,
    /// Whether the fact is there.
    Presence,
    /// Words, and none if the fact is not there.
    Words,
    /// All values, asked for, as no fact carries all of them.
    All,
}

/// What has been made of a fact.
#[derive(Debug)]
pub enum Found {
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
    /// Whether it is there.
    Flag(bool),
    /// Several texts.
    List(Vec<String>),
}

impl Form {
    /// Whether the filter has to subscribe to the fact.
    #[must_use]
    pub fn is_subscribed(self) -> bool {
        self != Self::All
    }

    /// What a fact of the request comes to; nothing if it is not there.
    #[must_use]
    pub fn read(self, fact: &str, request: &Request<'_, OfResponse>) -> Option<Found> {
        if self == Self::All {
            let values = request.values(fact);
            return Some(Found::List(values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect()));
        }
        let found = request.field(fact);
        let found = found.as_ref().map(|value| value.to_text());
        match self {
            Self::Presence => return Some(Found::Flag(found.is_some())),
            Self::Words => {
                let words = found.iter().flat_map(|words| words.split(' ')).filter(|word| !word.is_empty());
                return Some(Found::List(words.map(str::to_owned).collect()));
            }
            Self::Text | Self::BeforeQuery | Self::Query | Self::Number | Self::All => {}
        }
        let found = found?;
        let (before, query) = found.split_once('?').unwrap_or((&found, ""));
        match self {
            Self::BeforeQuery => Some(Found::Text(before.to_owned())),
            Self::Query => Some(Found::Text(query.to_owned())),
            Self::Number => found.parse().ok().map(Found::Number),
            _ => Some(Found::Text(found.into_owned())),
        }
    }
}

/// All header fields. Several of one name are one, joined as HTTP joins them.
#[must_use]
pub fn headers(request: &Request<'_, OfResponse>) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in request.fields() {
        let separator = if name == "cookie" { "; " } else { ", " };
        let value = String::from_utf8_lossy(&value);
        let joined = all.entry(name).and_modify(|before| before.push_str(separator)).or_default();
        joined.push_str(&value);
    }
    all
}

/// Names of fields are in lower case, and nothing but fields is among them.
///
/// # Errors
/// If it is no such name.
pub fn header_name(name: &str) -> Result<String, String> {
    let lower = name.to_ascii_lowercase();
    if name.is_empty() || name.starts_with([':', '@']) {
        return Err(format!("{name:?} is no name of a header field"));
    }
    if lower != name {
        return Err(format!("names of header fields are in lower case: write {lower:?} instead of {name:?}"));
    }
    Ok(lower)
}
