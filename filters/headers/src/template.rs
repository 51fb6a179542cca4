//! Values that quote facts, such as `{consumer} from {client-address}`.

use tollgate_filter::Value;

pub(crate) struct Template(Vec<Part>);

enum Part {
    Text(String),
    /// The name of a fact as the gateway knows it.
    Fact(String),
}

/// The message that a template is for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Direction {
    Request,
    Response,
}

impl Template {
    pub(crate) fn parse(text: &str, direction: Direction) -> Result<Self, String> {
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err("has a line break or another control character; remove it".into());
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, brace, after)) = split_at_brace(rest) {
            literal.push_str(before);
            rest = match after.strip_prefix(brace) {
                Some(after) => {
                    literal.push(brace);
                    after
                }
                None => {
                    let (name, after) = quoted(brace, after)?;
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal)));
                    }
                    parts.push(Part::Fact(fact(name, direction)?));
                    after
                }
            };
        }
        literal.push_str(rest);
        parts.push(Part::Text(literal));
        Ok(Self(parts))
    }

    pub(crate) fn facts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Fact(name) => Some(&**name),
        })
    }

    /// The value. A fact that is absent is empty.
    pub(crate) fn render<'a>(&self, read: impl Fn(&str) -> Option<Value<'a>>) -> Vec<u8> {
        let mut value = Vec::with_capacity(64);
        for part in &self.0 {
            match part {
                Part::Text(text) => value.extend_from_slice(text.as_bytes()),
                Part::Fact(name) => value.extend_from_slice(&read(name).unwrap_or_default()),
            }
        }
        value
    }
}

fn split_at_brace(text: &str) -> Option<(&str, char, &str)> {
    let position = text.bytes().position(|byte| matches!(byte, b'{' | b'}'))?;
    let brace = if text.as_bytes()[position] == b'{' { '{' } else { '}' };
    Some((text.get(..position)?, brace, text.get(position + 1..)?))
}

/// The name up to the closing brace, and what follows it.
fn quoted(brace: char, after: &str) -> Result<(&str, &str), String> {
    let end = if brace == '{' { after.split_once('}') } else { None };
    end.ok_or_else(|| "a single brace quotes nothing; write {NAME}, or {{ and }} for braces".into())
}

/// The fact that a name stands for.
fn fact(name: &str, direction: Direction) -> Result<String, String> {
    let on_request = direction == Direction::Request;
    let request = if on_request { "" } else { "@request:" };
    let fact = match name {
        "consumer" | "client-address" | "route" | "listener" => ["@", name].concat(),
        "method" | "path" => [request, ":", name].concat(),
        "host" => [request, ":authority"].concat(),
        "status" if !on_request => ":status".into(),
        _ => match name.split_once(':') {
            Some(("header", field)) => tollgate_filter::FieldName::new(field)?.to_string(),
            Some(("request", field)) if !on_request => {
                ["@request:", &*tollgate_filter::FieldName::new(field)?].concat()
            }
            _ => return Err(unknown(name, on_request)),
        },
    };
    Ok(fact)
}

fn unknown(name: &str, on_request: bool) -> String {
    let more = if on_request { "" } else { ", {status}, {request:NAME}" };
    [
        "`{",
        name,
        "}` is unknown; known are {consumer}, {client-address}, {method}, {path}, {host}, {route}, {listener}, \
         {header:NAME}",
        more,
    ]
    .concat()
}
