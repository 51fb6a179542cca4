//! What the gateway refuses, and why.

use super::head::Head;
use crate::bindings::tollgate::filter::exchange::Message;
use crate::bindings::tollgate::filter::types::{Edit, Field, Reply, Subscription};
use crate::field_name::{FieldName, is_token};

pub(super) fn subscription(subscription: &Subscription) -> Result<(), String> {
    for (facts, message) in
        [(&subscription.request_facts, Message::Request), (&subscription.response_facts, Message::Response)]
    {
        if facts.len() > 64 {
            return Err(format!("{} facts are declared, 64 are possible", facts.len()));
        }
        facts.iter().try_for_each(|name| fact(name, message))?;
    }
    match subscription.tick_ms {
        short @ 1..100 => Err(format!("a tick every {short} ms is asked for, every 100 ms is possible")),
        _ => Ok(()),
    }
}

/// Whether a fact of that name can be read.
pub(super) fn fact(name: &str, message: Message) -> Result<(), String> {
    let known = match (name, message) {
        (":method" | ":path" | ":authority" | ":scheme", Message::Request) | (":status", Message::Response) => true,
        ("@client-address" | "@client-port" | "@listener" | "@route" | "@consumer" | "@subject" | "@class", _) => true,
        ("@tls-version" | "@tls-sni" | "@tls-subject" | "@tls-san" | "@spiffe-id", _) => true,
        (name, Message::Response) if name.starts_with("@request:") => {
            return fact(&name["@request:".len()..], Message::Request);
        }
        (name, _) if is_of_identity(name) => true,
        (name, _) => name.strip_prefix("@attr:").is_some_and(is_token) || is_field_name(name),
    };
    if known { Ok(()) } else { Err(format!("`{name}` is not the name of a fact")) }
}

/// Applies edits in order, up to the first that is not possible.
pub(super) fn apply(edits: &[Edit], message: Message, head: &mut Head, exchange: &mut Head) -> Result<(), String> {
    edits.iter().try_for_each(|edit| {
        check(edit, message)?;
        if name_of(edit) == "@subject" {
            exchange.forget_identity();
        } else if is_of_identity(name_of(edit)) && exchange.get("@subject").is_none() {
            return Err(format!("`{}` is said of nobody; set `@subject` before", name_of(edit)));
        }
        if name_of(edit).starts_with('@') {
            exchange.edit(edit)
        } else {
            head.edit(edit)
        }
        Ok(())
    })
}

/// Applies edits of trailers, which are fields only.
pub(super) fn apply_to_trailers(edits: &[Edit], message: Message, trailers: &mut Head) -> Result<(), String> {
    edits.iter().try_for_each(|edit| {
        let name = name_of(edit);
        if name.starts_with([':', '@']) {
            return Err(format!("`{name}` is not a trailer field"));
        }
        check(edit, message)?;
        trailers.edit(edit);
        Ok(())
    })
}

pub(super) fn reply(reply: &Reply) -> Result<(), String> {
    if !(200..=599).contains(&reply.status) {
        return Err(format!("a reply cannot have status {}", reply.status));
    }
    reply.fields.iter().try_for_each(|entry| field_name(&entry.name).and_then(|()| value(entry)))
}

fn check(edit: &Edit, message: Message) -> Result<(), String> {
    let name = name_of(edit);
    if name.starts_with(':') {
        return match edit {
            Edit::Set(entry) => pseudo(entry, message),
            Edit::Add(_) | Edit::Remove(_) => Err(format!("`{name}` can only be set")),
        };
    }
    if name.starts_with('@') {
        let is_class = name == "@class" && message == Message::Request;
        let known = is_class || matches!(name, "@consumer" | "@subject") || is_of_identity(name);
        if !known && !name.strip_prefix("@attr:").is_some_and(is_token) {
            return Err(format!("`{name}` cannot be changed"));
        }
        if matches!(edit, Edit::Add(_)) && !matches!(name, "@scopes" | "@groups") {
            return Err(format!("`{name}` has one value and cannot be added to"));
        }
    } else {
        field_name(name)?;
    }
    match edit {
        Edit::Set(entry) | Edit::Add(entry) => value(entry),
        Edit::Remove(_) => Ok(()),
    }
}

/// Whether it is said of an identity.
fn is_of_identity(name: &str) -> bool {
    matches!(name, "@issuer" | "@scopes" | "@groups")
        || name.strip_prefix("@claim:").is_some_and(|name| !name.is_empty())
}

fn name_of(edit: &Edit) -> &str {
    match edit {
        Edit::Set(field) | Edit::Add(field) => &field.name,
        Edit::Remove(name) => name,
    }
}

fn pseudo(entry: &Field, message: Message) -> Result<(), String> {
    let possible = match (&*entry.name, message) {
        (":method", Message::Request) => std::str::from_utf8(&entry.value).is_ok_and(is_token),
        (":path", Message::Request) => {
            entry.value.starts_with(b"/") && entry.value.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#')
        }
        (":authority", Message::Request) => !entry.value.is_empty() && entry.value.iter().all(u8::is_ascii_graphic),
        (":status", Message::Response) => {
            matches!(&*entry.value, [b'2'..=b'5', tens, ones] if tens.is_ascii_digit() && ones.is_ascii_digit())
        }
        (name, _) => return Err(format!("`{name}` cannot be changed here")),
    };
    let value = String::from_utf8_lossy(&entry.value);
    if possible { Ok(()) } else { Err(format!("`{value}` is not possible for `{}`", entry.name)) }
}

fn field_name(name: &str) -> Result<(), String> {
    if !is_field_name(name) {
        return Err(format!("`{name}` is not the name of a field in lower case"));
    }
    if FieldName::new(name)?.is_reserved() {
        return Err(format!("`{name}` belongs to the connection and is not for filters"));
    }
    Ok(())
}

fn value(entry: &Field) -> Result<(), String> {
    let value = &entry.value;
    if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(format!("the value of `{}` has a line break or another control character", entry.name));
    }
    if value.trim_ascii().len() != value.len() {
        return Err(format!("the value of `{}` begins or ends with white space", entry.name));
    }
    Ok(())
}

fn is_field_name(name: &str) -> bool {
    is_token(name) && !name.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &[u8], message: Message) -> bool {
        check(&Edit::Set(Field { name: name.into(), value: value.into() }), message).is_ok()
    }

    #[test]
    fn only_possible_edits_pass() {
        use Message::{Request, Response};
        assert!(set("x-a", b"1", Request) && set(":path", b"/a?b", Request) && set(":status", b"404", Response));
        assert!(set("@consumer", b"alice", Response) && set("@attr:plan", b"gold", Request));
        assert!(!set("x a", b"1", Request) && !set("X-A", b"1", Request) && !set("", b"1", Request));
        assert!(!set("x-a", b"1\r\n", Request) && !set("x-a", b" 1", Request));
        assert!(!set("content-length", b"1", Request) && !set("@route", b"x", Request));
        assert!(!set(":status", b"200", Request) && !set(":path", b"a", Request) && !set(":status", b"999", Response));
    }

    #[test]
    fn facts_have_known_names() {
        assert!(fact("@request::path", Message::Response).is_ok() && fact("x-a", Message::Request).is_ok());
        assert!(fact(":path", Message::Response).is_err() && fact("@request:x", Message::Request).is_err());
        assert!(fact("@attr:", Message::Request).is_err() && fact("@who", Message::Request).is_err());
    }
}
