//! What an expression can look at, named as Envoy's attributes are. What it does not name is not looked up.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cel::objects::{Key, Map};
use cel::{Context, Value};
use tollgate_filter::Request;

use crate::decision::OfResponse;
use crate::usage::Path;

/// A field of a variable, the fact that it is made of, and how.
type Field = (&'static str, &'static str, &'static str, Form);

#[derive(Clone, Copy)]
enum Form {
    Text,
    /// What comes before the query.
    BeforeQuery,
    Query,
    Number,
    /// Whether the fact is there.
    Presence,
    /// Words, and none if the fact is not there.
    Words,
    /// Asked for, as no fact carries all of them.
    All,
}

const FIELDS: [Field; 20] = [
    ("request", "method", ":method", Form::Text),
    ("request", "path", ":path", Form::Text),
    ("request", "url_path", ":path", Form::BeforeQuery),
    ("request", "query", ":path", Form::Query),
    ("request", "host", ":authority", Form::Text),
    ("request", "scheme", ":scheme", Form::Text),
    ("source", "address", "@client-address", Form::Text),
    ("source", "port", "@client-port", Form::Number),
    ("connection", "mtls", "@tls-subject", Form::Presence),
    ("connection", "tls_version", "@tls-version", Form::Text),
    ("connection", "requested_server_name", "@tls-sni", Form::Text),
    ("connection", "subject_peer_certificate", "@tls-subject", Form::Text),
    ("connection", "uri_san_peer_certificate", "@spiffe-id", Form::Text),
    ("identity", "subject", "@subject", Form::Text),
    ("identity", "issuer", "@issuer", Form::Text),
    ("identity", "consumer", "@consumer", Form::Text),
    ("identity", "scopes", "@scopes", Form::Words),
    ("identity", "groups", "@groups", Form::All),
    ("gateway", "route", "@route", Form::Text),
    ("gateway", "listener", "@listener", Form::Text),
];
const VARIABLES: &str = "request, source, connection, identity, gateway and config";

/// Those that an expression looks at.
#[derive(Default)]
pub(crate) struct Variables {
    fields: Vec<Field>,
    headers: Vec<String>,
    all_headers: bool,
    claims: Vec<String>,
    config: Option<Value>,
    /// The variables that it names, of whose fields there may be none.
    named: Vec<&'static str>,
}

impl Variables {
    pub(crate) fn new(used: &[Path<'_>], config: &serde_json::Value) -> Result<Self, String> {
        let mut variables = Self::default();
        for path in used {
            match path.as_slice() {
                ["config", ..] => variables.config = Some(cel::to_value(config).map_err(|error| error.to_string())?),
                [variable, inner @ ..] => variables.look_at(variable, inner)?,
                [] => {}
            }
        }
        Ok(variables)
    }

    fn look_at(&mut self, variable: &str, inner: &[&str]) -> Result<(), String> {
        let Some((known, ..)) = FIELDS.iter().find(|(known, ..)| *known == variable) else {
            return Err(format!("there is no variable {variable:?}; variables are {VARIABLES}"));
        };
        self.named.push(known);
        match (variable, inner) {
            ("request", ["headers", name, ..]) => self.headers.push(header(name)?),
            ("request", ["headers"]) => self.all_headers = true,
            ("identity", ["claims", name, ..]) => self.claims.push((*name).to_owned()),
            ("identity", ["claims"]) => {
                return Err("a claim is looked up by a name in quotes: identity.claims[\"email\"]".to_owned());
            }
            (_, []) => {
                self.fields.extend(FIELDS.iter().filter(|(of, ..)| *of == variable));
                self.all_headers |= variable == "request";
            }
            (_, [name, ..]) => {
                let found = FIELDS.iter().find(|(of, field, ..)| *of == variable && field == name);
                self.fields.push(*found.ok_or_else(|| unknown(variable, name))?);
            }
        }
        Ok(())
    }

    /// The facts that they are made of.
    pub(crate) fn facts(&self) -> impl Iterator<Item = String> + '_ {
        let fields = self
            .fields
            .iter()
            .filter(|(.., form)| !matches!(form, Form::All))
            .map(|(_, _, fact, _)| (*fact).to_owned());
        let claims = self.claims.iter().map(|name| format!("@claim:{name}"));
        let headers = if self.all_headers { &[] } else { self.headers.as_slice() };
        fields.chain(claims).chain(headers.iter().cloned())
    }

    pub(crate) fn put_into(&self, context: &mut Context<'_, '_>, request: &Request<'_, OfResponse>) {
        let mut maps: BTreeMap<&str, HashMap<Key, Value>> = BTreeMap::new();
        for variable in &self.named {
            maps.entry(variable).or_default();
        }
        for (variable, name, fact, form) in &self.fields {
            if let Some(value) = form.read(fact, request) {
                maps.entry(variable).or_default().insert(key(name), value);
            }
        }
        if self.all_headers || !self.headers.is_empty() {
            maps.entry("request").or_default().insert(key("headers"), self.headers_of(request));
        }
        if !self.claims.is_empty() {
            let claims = self.claims.iter().filter_map(|name| Some((key(name), text(&request.claim(name)?.to_text()))));
            maps.entry("identity").or_default().insert(key("claims"), map(claims.collect()));
        }
        for (variable, fields) in maps {
            context.add_variable_from_value(variable, map(fields));
        }
        if let Some(config) = &self.config {
            context.add_variable_from_value("config", config.clone());
        }
    }

    /// Several fields of one name are one, joined as HTTP joins them.
    fn headers_of(&self, request: &Request<'_, OfResponse>) -> Value {
        if !self.all_headers {
            let found = |name: &String| Some((key(name), text(&request.field(name)?.to_text())));
            return map(self.headers.iter().filter_map(found).collect());
        }
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in request.fields() {
            let separator = if name == "cookie" { "; " } else { ", " };
            let value = String::from_utf8_lossy(&value);
            let joined = all.entry(name).and_modify(|before| before.push_str(separator)).or_default();
            joined.push_str(&value);
        }
        map(all.iter().map(|(name, value)| (key(name), text(value))).collect())
    }
}

impl Form {
    fn read(self, fact: &str, request: &Request<'_, OfResponse>) -> Option<Value> {
        if matches!(self, Self::All) {
            return Some(list(request.values(fact).iter().map(|value| text(&String::from_utf8_lossy(value)))));
        }
        let found = request.field(fact);
        let found = found.as_ref().map(|value| value.to_text());
        match self {
            Self::Presence => return Some(Value::Bool(found.is_some())),
            Self::Words => {
                return Some(list(
                    found.iter().flat_map(|words| words.split(' ').filter(|word| !word.is_empty()).map(text)),
                ));
            }
            Self::Text | Self::BeforeQuery | Self::Query | Self::Number | Self::All => {}
        }
        let found = found?;
        let (before, query) = found.split_once('?').unwrap_or((&found, ""));
        match self {
            Self::BeforeQuery => Some(text(before)),
            Self::Query => Some(text(query)),
            Self::Number => found.parse().ok().map(Value::Int),
            _ => Some(text(&found)),
        }
    }
}

/// Names of fields are in lower case, and nothing but fields is among them.
fn header(name: &str) -> Result<String, String> {
    let lower = name.to_ascii_lowercase();
    if name.is_empty() || name.starts_with([':', '@']) {
        return Err(format!("{name:?} is no name of a header field"));
    }
    if lower != name {
        return Err(format!("names of header fields are in lower case: write {lower:?} instead of {name:?}"));
    }
    Ok(lower)
}

fn unknown(variable: &str, name: &str) -> String {
    let extra = match variable {
        "request" => ", headers",
        "identity" => ", claims",
        _ => "",
    };
    let known: Vec<&str> = FIELDS.iter().filter(|(of, ..)| *of == variable).map(|(_, field, ..)| *field).collect();
    format!("{variable} has no {name:?}; it has {}{extra}", known.join(", "))
}

fn map(map: HashMap<Key, Value>) -> Value {
    Value::Map(Map { map: Arc::new(map) })
}

fn list(values: impl Iterator<Item = Value>) -> Value {
    Value::List(Arc::new(values.collect()))
}

fn key(name: &str) -> Key {
    Key::String(Arc::new(name.to_owned()))
}

fn text(text: &str) -> Value {
    Value::String(Arc::new(text.to_owned()))
}
