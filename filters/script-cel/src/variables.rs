//! What an expression can look at, named as Envoy's attributes are. What it does not name is not looked up.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cel::objects::{Key, Map};
use cel::{Context, Value};
use script_decision::{Form, Found, OfResponse, header_name};
use tollgate_filter::Request;

use crate::usage::Path;

/// A field of a variable, the fact that it is made of, and how.
type Field = (&'static str, &'static str, &'static str, Form);

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
            ("request", ["headers", name, ..]) => self.headers.push(header_name(name)?),
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
        let fields =
            self.fields.iter().filter(|(.., form)| form.is_subscribed()).map(|(_, _, fact, _)| (*fact).to_owned());
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
                maps.entry(variable).or_default().insert(key(name), value_of(value));
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

    fn headers_of(&self, request: &Request<'_, OfResponse>) -> Value {
        if self.all_headers {
            let all = script_decision::headers(request);
            return map(all.iter().map(|(name, value)| (key(name), text(value))).collect());
        }
        let found = |name: &String| Some((key(name), text(&request.field(name)?.to_text())));
        map(self.headers.iter().filter_map(found).collect())
    }
}

fn value_of(found: Found) -> Value {
    match found {
        Found::Text(text) => Value::String(Arc::new(text)),
        Found::Number(number) => Value::Int(number),
        Found::Flag(flag) => Value::Bool(flag),
        Found::List(texts) => list(texts.iter().map(|each| text(each))),
    }
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
