//! The configuration: as written, and as it is run on.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use tollgate_filter::FieldName;
use tollgate_filter::prelude::{Deserialize, Schema};

use crate::template::{Direction, Template};

/// What becomes of both messages.
#[derive(Deserialize, Schema)]
#[serde(try_from = "Written")]
pub(crate) struct Headers {
    pub(crate) request: Changes,
    pub(crate) response: Changes,
}

/// What becomes of one message, in the order of the fields.
pub(crate) struct Changes {
    pub(crate) rename: Vec<(FieldName, FieldName)>,
    pub(crate) remove: Vec<FieldName>,
    pub(crate) set: Vec<(FieldName, Template)>,
    pub(crate) add: Vec<(FieldName, Template)>,
}

#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct Written {
    /// What becomes of requests.
    #[serde(default)]
    request: WrittenChanges,
    /// What becomes of responses.
    #[serde(default)]
    response: WrittenChanges,
}

#[derive(Default, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct WrittenChanges {
    /// Gives fields another name.
    #[serde(default)]
    rename: Table<FieldName>,
    /// Removes fields.
    #[serde(default)]
    remove: Vec<FieldName>,
    /// Replaces fields by values, which may quote facts.
    #[serde(default)]
    set: Table<String>,
    /// Appends fields.
    #[serde(default)]
    add: Table<String>,
}

/// Fields in the order of the configuration, each of them once.
#[derive(Schema)]
#[schema(as = "BTreeMap<FieldName, T>")]
struct Table<T>(Vec<(FieldName, T)>);

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.rename.is_empty() && self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    /// The facts that applying them reads.
    pub(crate) fn facts(&self) -> impl Iterator<Item = &str> {
        let renamed = self.rename.iter().map(|(from, _)| &**from);
        let quoted = self.set.iter().chain(&self.add).flat_map(|(_, template)| template.facts());
        renamed.chain(quoted)
    }
}

impl TryFrom<Written> for Headers {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let request = changes(written.request, Direction::Request).map_err(|error| ["request.", &*error].concat())?;
        let response =
            changes(written.response, Direction::Response).map_err(|error| ["response.", &*error].concat())?;
        Ok(Self { request, response })
    }
}

fn changes(written: WrittenChanges, direction: Direction) -> Result<Changes, String> {
    let WrittenChanges { rename: Table(rename), remove, set: Table(set), add: Table(add) } = written;
    for (from, to) in &rename {
        changeable("rename", from).and_then(|()| changeable("rename", to))?;
        if &**from == "set-cookie" {
            return Err("rename.set-cookie: cookies cannot be renamed, as they cannot be joined into one field".into());
        }
    }
    remove.iter().try_for_each(|name| changeable("remove", name))?;
    Ok(Changes { rename, remove, set: templates("set", set, direction)?, add: templates("add", add, direction)? })
}

fn templates(
    key: &str,
    table: Vec<(FieldName, String)>,
    direction: Direction,
) -> Result<Vec<(FieldName, Template)>, String> {
    let parse = |(name, text): (FieldName, String)| {
        changeable(key, &name)?;
        match Template::parse(&text, direction) {
            Ok(template) => Ok((name, template)),
            Err(error) => Err([key, ".", &*name, ": ", &*error].concat()),
        }
    };
    table.into_iter().map(parse).collect()
}

fn changeable(key: &str, name: &FieldName) -> Result<(), String> {
    if name.is_reserved() {
        return Err([key, ": `", &**name, "` frames the message or belongs to the connection; remove it here"].concat());
    }
    Ok(())
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

struct Entries<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
    type Value = Table<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a table of header fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table<T>, A::Error> {
        let mut table: Vec<(FieldName, T)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<FieldName, T>()? {
            if table.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(["`", &*name, "` is there twice; names are case-insensitive"].concat()));
            }
            table.push((name, value));
        }
        Ok(Table(table))
    }
}
