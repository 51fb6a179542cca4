//! What a module finds as `input`: what OPA's plugin for Envoy gives, as far as it is known here, and what the gateway knows besides.
//! What a module does not name is not looked up.

use std::collections::BTreeMap;

use regorus::Value;
use script_decision::{Document, Form, Found, OfResponse, header_name, headers};
use tollgate_filter::Request;

use crate::target;
use crate::usage::{Path, Usage};

const HEADERS: [&str; 4] = ["attributes", "request", "http", "headers"];
const CLAIMS: [&str; 2] = ["identity", "claims"];

/// What is found at the end of a path.
#[derive(Clone, Debug, PartialEq)]
enum Leaf {
    Fact(String, Form),
    /// A certificate's SPIFFE ID, else its subject.
    Principal,
    ParsedPath,
    ParsedQuery,
    AllHeaders,
}

/// Each path of names, the fact that it is made of, and how.
const FACTS: [(&[&str], &str, Form); 20] = [
    (&["attributes", "request", "http", "method"], ":method", Form::Text),
    (&["attributes", "request", "http", "path"], ":path", Form::Text),
    (&["attributes", "request", "http", "host"], ":authority", Form::Text),
    (&["attributes", "request", "http", "scheme"], ":scheme", Form::Text),
    (&["attributes", "request", "http", "query"], ":path", Form::Query),
    (&["attributes", "source", "address", "socketAddress", "address"], "@client-address", Form::Text),
    (&["attributes", "source", "address", "socketAddress", "portValue"], "@client-port", Form::Number),
    (&["attributes", "tlsSession", "sni"], "@tls-sni", Form::Text),
    (&["connection", "mtls"], "@tls-subject", Form::Presence),
    (&["connection", "tls_version"], "@tls-version", Form::Text),
    (&["connection", "requested_server_name"], "@tls-sni", Form::Text),
    (&["connection", "subject_peer_certificate"], "@tls-subject", Form::Text),
    (&["connection", "uri_san_peer_certificate"], "@spiffe-id", Form::Text),
    (&["identity", "subject"], "@subject", Form::Text),
    (&["identity", "issuer"], "@issuer", Form::Text),
    (&["identity", "consumer"], "@consumer", Form::Text),
    (&["identity", "scopes"], "@scopes", Form::Words),
    (&["identity", "groups"], "@groups", Form::All),
    (&["gateway", "route"], "@route", Form::Text),
    (&["gateway", "listener"], "@listener", Form::Text),
];

const OTHERS: [(&[&str], Leaf); 4] = [
    (&["attributes", "source", "principal"], Leaf::Principal),
    (&HEADERS, Leaf::AllHeaders),
    (&["parsed_path"], Leaf::ParsedPath),
    (&["parsed_query"], Leaf::ParsedQuery),
];

/// What a module looks at, as a tree.
#[derive(Debug, Default)]
pub(crate) struct Input {
    root: Vec<(Value, Node)>,
}

#[derive(Debug)]
enum Node {
    Object(Vec<(Value, Node)>),
    Leaf(Leaf),
}

impl Input {
    pub(crate) fn new(document: &Document, used: &Usage<'_>, package: &str) -> Result<Self, String> {
        let mut input = Self::default();
        for path in &used.paths {
            let looked = match path.names.split_first() {
                Some((&"input", names)) => input.look_at(names),
                _ => known_data(path, package),
            };
            looked.map_err(|told| document.at(path.span.line as usize, path.span.col as usize, &told))?;
        }
        Ok(input)
    }

    fn look_at(&mut self, names: &[&str]) -> Result<(), String> {
        match names.strip_prefix(&HEADERS) {
            Some([name, ..]) if matches!(*name, ":method" | ":path" | ":authority") => {
                return self
                    .insert(&[&HEADERS, [*name].as_slice()].concat(), Leaf::Fact((*name).to_owned(), Form::Text));
            }
            Some([name, ..]) => {
                return self
                    .insert(&[&HEADERS, [*name].as_slice()].concat(), Leaf::Fact(header_name(name)?, Form::Text));
            }
            _ => {}
        }
        match names.strip_prefix(&CLAIMS) {
            Some([name, ..]) => {
                return self
                    .insert(&[&CLAIMS, [*name].as_slice()].concat(), Leaf::Fact(format!("@claim:{name}"), Form::Text));
            }
            Some([]) => return Err("a claim is looked up by its name: input.identity.claims.email".to_owned()),
            None => {}
        }
        let known: Vec<_> = all().filter(|(path, _)| path.starts_with(names) || names.starts_with(path)).collect();
        if known.is_empty() {
            return Err(unknown(names));
        }
        known.into_iter().try_for_each(|(path, leaf)| self.insert(path, leaf))
    }

    fn insert(&mut self, path: &[&str], leaf: Leaf) -> Result<(), String> {
        let mut fields = &mut self.root;
        let (last, outer) = path.split_last().ok_or("a path without names")?;
        for name in outer {
            match field(fields, name, || Node::Object(Vec::new())) {
                Node::Object(inner) => fields = inner,
                // All of it is looked up already.
                Node::Leaf(_) => return Ok(()),
            }
        }
        *field(fields, last, || Node::Object(Vec::new())) = Node::Leaf(leaf);
        Ok(())
    }

    /// The facts that it is made of.
    pub(crate) fn facts(&self) -> impl Iterator<Item = String> {
        let mut facts = Vec::new();
        facts_of(&self.root, &mut facts);
        facts.into_iter()
    }

    /// What a request is. Nothing if that cannot be said, as it cannot be decoded.
    pub(crate) fn of(&self, request: &Request<'_, OfResponse>) -> Option<Value> {
        object(&self.root, request)
    }
}

fn all() -> impl Iterator<Item = (&'static [&'static str], Leaf)> {
    let facts = FACTS.iter().map(|(path, fact, form)| (*path, Leaf::Fact((*fact).to_owned(), *form)));
    facts.chain(OTHERS.iter().map(|(path, leaf)| (*path, leaf.clone())))
}

/// The field of that name, which is made if it is not there.
fn field<'a>(fields: &'a mut Vec<(Value, Node)>, name: &str, make: impl FnOnce() -> Node) -> &'a mut Node {
    let place = fields.iter().position(|(known, _)| known.as_string().is_ok_and(|known| **known == *name));
    let place = place.unwrap_or_else(|| {
        fields.push((Value::from(name), make()));
        fields.len() - 1
    });
    &mut fields[place].1
}

fn facts_of(fields: &[(Value, Node)], facts: &mut Vec<String>) {
    for (_, node) in fields {
        match node {
            Node::Object(fields) => facts_of(fields, facts),
            Node::Leaf(Leaf::Fact(fact, form)) if form.is_subscribed() => facts.push(fact.clone()),
            Node::Leaf(Leaf::Principal) => facts.extend(["@spiffe-id", "@tls-subject"].map(str::to_owned)),
            Node::Leaf(Leaf::ParsedPath | Leaf::ParsedQuery) => facts.push(":path".to_owned()),
            Node::Leaf(Leaf::AllHeaders) => facts.extend(PSEUDO.map(str::to_owned)),
            Node::Leaf(Leaf::Fact(..)) => {}
        }
    }
}

/// Envoy has them among the headers.
const PSEUDO: [&str; 3] = [":method", ":path", ":authority"];

fn object(fields: &[(Value, Node)], request: &Request<'_, OfResponse>) -> Option<Value> {
    let mut object = BTreeMap::new();
    for (name, node) in fields {
        let value = match node {
            Node::Object(fields) => Some(self::object(fields, request)?),
            Node::Leaf(Leaf::ParsedPath) => Some(list(target::path(&request.path().to_text())?)),
            Node::Leaf(leaf) => leaf.read(request),
        };
        if let Some(value) = value {
            object.insert(name.clone(), value);
        }
    }
    Some(object.into())
}

impl Leaf {
    fn read(&self, request: &Request<'_, OfResponse>) -> Option<Value> {
        match self {
            Self::Fact(fact, form) => form.read(fact, request).map(value_of),
            Self::Principal => {
                let text = |fact: &str| Form::Text.read(fact, request);
                text("@spiffe-id").or_else(|| text("@tls-subject")).map(value_of)
            }
            Self::ParsedPath => None,
            Self::ParsedQuery => {
                let query = target::query(&request.path().to_text());
                let query = query.into_iter().map(|(name, values)| (Value::from(name), list(values)));
                Some(query.collect::<BTreeMap<_, _>>().into())
            }
            Self::AllHeaders => {
                let pseudo = PSEUDO
                    .iter()
                    .filter_map(|name| Some((Value::from(*name), value_of(Form::Text.read(name, request)?))));
                let all = headers(request).into_iter().map(|(name, value)| (Value::from(name), Value::from(value)));
                Some(pseudo.chain(all).collect::<BTreeMap<_, _>>().into())
            }
        }
    }
}

fn value_of(found: Found) -> Value {
    match found {
        Found::Text(text) => text.into(),
        Found::Number(number) => number.into(),
        Found::Flag(flag) => flag.into(),
        Found::List(texts) => list(texts),
    }
}

fn list(texts: Vec<String>) -> Value {
    texts.into_iter().map(Value::from).collect::<Vec<_>>().into()
}

fn known_data(path: &Path<'_>, package: &str) -> Result<(), String> {
    let own = package.split('.').nth(1).unwrap_or_default();
    match path.names.get(1) {
        Some(name) if *name != "config" && *name != own => Err(format!(
            "data has no {name:?}: it has config, which is the policy's [config], and {own}, which is this package"
        )),
        _ => Ok(()),
    }
}

/// The first name that is not known, and those that are known in its place.
fn unknown(names: &[&str]) -> String {
    let is_known = |names: &[&str]| all().any(|(path, _)| path.starts_with(names)) || CLAIMS.starts_with(names);
    let depth = (0..names.len()).take_while(|depth| is_known(&names[..*depth + 1])).count();
    let (outer, name) = (&names[..depth], names.get(depth).copied().unwrap_or_default());
    let claims = CLAIMS.as_slice();
    let mut there: Vec<&str> = all()
        .map(|(path, _)| path)
        .chain([claims])
        .filter(|path| path.starts_with(outer))
        .filter_map(|path| path.get(depth).copied())
        .collect();
    there.dedup();
    let place: String = ["input"].iter().chain(outer).copied().collect::<Vec<_>>().join(".");
    there.sort_unstable();
    there.dedup();
    format!("{place} has no {name:?}; it has {}", there.join(", "))
}
