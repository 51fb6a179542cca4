//! What becomes of a document: as configured, and as a tree that is walked along with the document.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use tollgate_filter::prelude::{Deserialize, Schema};

use crate::pointer::Pointer;

#[derive(Default, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Changes {
    /// Gives members of objects another name; what has that name already makes way.
    #[serde(default)]
    rename: BTreeMap<Pointer, String>,
    /// Removes members and elements.
    #[serde(default)]
    remove: Vec<Pointer>,
    /// Replaces members and elements, and adds members that are not there.
    #[serde(default)]
    set: BTreeMap<Pointer, Scalar>,
}

/// A value that can be set.
#[derive(Deserialize, Schema)]
#[serde(untagged)]
enum Scalar {
    Switch(bool),
    Whole(i64),
    Number(f64),
    Text(String),
}

/// A place in documents, and all below it of which something becomes.
#[derive(Default)]
pub(crate) struct Node {
    here: Option<Change>,
    below: BTreeMap<String, Node>,
}

enum Change {
    Rename(String),
    Remove,
    /// A value as JSON.
    Set(String),
}

/// What stands for every member or element that is not named.
const ANY: &str = "*";

impl Node {
    pub(crate) fn of(changes: Changes) -> Result<Self, String> {
        let mut root = Self::default();
        let rename = changes.rename.into_iter().map(|(place, name)| ("rename", place, Change::Rename(name)));
        let remove = changes.remove.into_iter().map(|place| ("remove", place, Change::Remove));
        let set = changes.set.into_iter().map(|(place, value)| ("set", place, Change::Set(value.to_json())));
        for (key, place, change) in rename.chain(remove).chain(set) {
            let node = place.steps().fold(&mut root, |node, step| node.below.entry(step).or_default());
            if node.here.replace(change).is_some() {
                return Err(format!("{key}: `{place}` is changed twice; say once what becomes of it"));
            }
        }
        Ok(root)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.below.is_empty()
    }

    /// The document with everything changed; nothing if it stays as it is.
    pub(crate) fn apply(&self, document: &[u8]) -> serde_json::Result<Option<Vec<u8>>> {
        let document: &RawValue = serde_json::from_slice(document)?;
        let mut changed = Vec::with_capacity(document.get().len());
        Ok(self.write(document, &mut changed)?.then_some(changed))
    }

    /// Writes a value, and says whether it is another one. Goes no deeper than the pointers of the configuration do; what is
    /// below them is copied.
    fn write(&self, value: &RawValue, to: &mut Vec<u8>) -> serde_json::Result<bool> {
        let text = value.get();
        let begin = to.len();
        let is_changed = match text.as_bytes().first() {
            Some(b'{') if !self.is_empty() => self.write_object(serde_json::from_str(text)?, to)?,
            Some(b'[') if !self.is_empty() => self.write_array(serde_json::from_str(text)?, to)?,
            _ => false,
        };
        if !is_changed {
            to.truncate(begin);
            to.extend_from_slice(text.as_bytes());
        }
        Ok(is_changed)
    }

    fn write_object(&self, members: Members<'_>, to: &mut Vec<u8>) -> serde_json::Result<bool> {
        let Members(members) = members;
        let replaced: Vec<_> = members.iter().filter_map(|(name, _)| self.step(name)?.new_name()).collect();
        let (mut list, mut is_changed) = (List::begin(to, b'{'), false);
        for (name, value) in &members {
            let node = self.step(name);
            is_changed |= match node {
                Some(Self { here: Some(Change::Remove), .. }) => true,
                Some(Self { here: Some(Change::Set(json)), .. }) => {
                    list.member(name)?.extend_from_slice(json.as_bytes());
                    json != value.get()
                }
                Some(node) => {
                    let (new_name, to) = (node.new_name(), list.member(node.new_name().unwrap_or(name))?);
                    node.write(value, to)? || new_name.is_some_and(|new_name| new_name != name)
                }
                None if replaced.contains(&name.as_str()) => true,
                None => {
                    list.member(name)?.extend_from_slice(value.get().as_bytes());
                    false
                }
            };
        }
        for (name, json) in self.added(&members) {
            list.member(name)?.extend_from_slice(json.as_bytes());
            is_changed = true;
        }
        list.end(b'}');
        Ok(is_changed)
    }

    fn write_array(&self, elements: Vec<&RawValue>, to: &mut Vec<u8>) -> serde_json::Result<bool> {
        let (mut list, mut is_changed) = (List::begin(to, b'['), false);
        for (index, element) in elements.into_iter().enumerate() {
            is_changed |= match self.step(&index.to_string()) {
                Some(Self { here: Some(Change::Remove), .. }) => true,
                Some(Self { here: Some(Change::Set(json)), .. }) => {
                    list.element().extend_from_slice(json.as_bytes());
                    json != element.get()
                }
                // Elements have no names.
                Some(node) => node.write(element, list.element())?,
                None => {
                    list.element().extend_from_slice(element.get().as_bytes());
                    false
                }
            };
        }
        list.end(b']');
        Ok(is_changed)
    }

    /// What becomes of a member: what is said of its name rather than what is said of all.
    fn step(&self, name: &str) -> Option<&Self> {
        self.below.get(name).or_else(|| self.below.get(ANY))
    }

    fn new_name(&self) -> Option<&str> {
        match &self.here {
            Some(Change::Rename(name)) => Some(name),
            _ => None,
        }
    }

    /// The members that are set and not there.
    fn added(&self, members: &[(String, &RawValue)]) -> Vec<(&str, &str)> {
        let is_there = |name: &str| members.iter().any(|(known, _)| known == name);
        let set = self.below.iter().filter_map(|(name, node)| match &node.here {
            Some(Change::Set(json)) if name != ANY && !is_there(name) => Some((name.as_str(), json.as_str())),
            _ => None,
        });
        set.collect()
    }
}

impl Scalar {
    fn to_json(&self) -> String {
        match self {
            Self::Switch(value) => value.to_string(),
            Self::Whole(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(value) => serde_json::Value::from(value.as_str()).to_string(),
        }
    }
}

/// An object or an array that is being written.
struct List<'a> {
    to: &'a mut Vec<u8>,
    is_begun: bool,
}

impl<'a> List<'a> {
    fn begin(to: &'a mut Vec<u8>, bracket: u8) -> Self {
        to.push(bracket);
        Self { to, is_begun: false }
    }

    fn element(&mut self) -> &mut Vec<u8> {
        if std::mem::replace(&mut self.is_begun, true) {
            self.to.push(b',');
        }
        self.to
    }

    fn member(&mut self, name: &str) -> serde_json::Result<&mut Vec<u8>> {
        let to = self.element();
        serde_json::to_writer(&mut *to, name)?;
        to.push(b':');
        Ok(to)
    }

    fn end(self, bracket: u8) {
        self.to.push(bracket);
    }
}

/// An object with its members in order; a name may be there twice.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(changes: &str, document: &str) -> String {
        let node = Node::of(serde_json::from_str(changes).unwrap()).unwrap();
        let changed = node.apply(document.as_bytes()).unwrap();
        changed.map_or_else(|| document.to_owned(), |changed| String::from_utf8(changed).unwrap())
    }

    #[test]
    fn members_are_renamed_removed_and_set() {
        let changes =
            r#"{ "rename": { "/a": "b" }, "remove": ["/c/d"], "set": { "/e": 1.5, "/f": "\"", "/c/g": true } }"#;
        assert_eq!(
            changed(changes, r#"{"a":1,"b":2,"c":{"d":3,"x":[]},"e":null}"#),
            r#"{"b":1,"c":{"x":[],"g":true},"e":1.5,"f":"\""}"#
        );
    }

    #[test]
    fn elements_are_meant_by_their_number_or_all_at_once() {
        assert_eq!(changed(r#"{ "remove": ["/0", "/2/a"] }"#, r#"[1,2,{"a":3}]"#), "[2,{}]");
        assert_eq!(changed(r#"{ "remove": ["/*/a"] }"#, r#"[{"a":1},{"a":2,"b":3},4]"#), r#"[{},{"b":3},4]"#);
        assert_eq!(changed(r#"{ "set": { "/*": 0, "/b": 1 } }"#, r#"{"a":5,"b":5}"#), r#"{"a":0,"b":1}"#);
    }

    #[test]
    fn what_is_not_changed_stays_as_it_is() {
        let same = r#" {"b":1e400, "a": 12345678901234567890.10,  "b":"\u00e9", "c":{ "x": [ ] } } "#;
        assert_eq!(changed(r#"{ "remove": ["/c/y", "/a/b", "/z"] }"#, same), same);
        let kept = changed(r#"{ "remove": ["/c/x"] }"#, same);
        assert_eq!(kept, r#"{"b":1e400,"a":12345678901234567890.10,"b":"\u00e9","c":{}}"#);
    }

    #[test]
    fn names_that_are_there_twice_are_meant_both() {
        assert_eq!(changed(r#"{ "remove": ["/a"] }"#, r#"{"a":1,"b":2,"\u0061":3}"#), r#"{"b":2}"#);
        assert_eq!(changed(r#"{ "set": { "/~1~0": 1 } }"#, "{}"), r#"{"/~":1}"#);
    }

    #[test]
    fn deep_documents_are_read_and_what_is_no_json_is_not() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(changed(r#"{ "remove": ["/a"] }"#, &deep), deep);
        let node = Node::of(Changes::default()).unwrap();
        for text in ["", "{", "{}}", "\u{1}", "{\"a\" 1}"] {
            assert!(node.apply(text.as_bytes()).is_err(), "{text}");
        }
        assert!(node.apply(b"\"\xff\"").is_err());
    }
}
