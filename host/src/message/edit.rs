//! Changes that a filter makes to a head, with the rules that keep a message a valid one.

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use super::exchange::{Exchange, Message};

/// One change to a head.
#[derive(Debug)]
pub enum Edit {
    /// Replace every field of the name.
    Set(String, Vec<u8>),
    /// Append a field.
    Add(String, Vec<u8>),
    /// Remove every field of the name.
    Remove(String),
}

/// An edit that would not leave a valid message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Not a token (RFC 9110, section 5.6.2), or not in lower case.
    #[error("{0:?} is not the name of a field or of a fact that can be set")]
    Name(String),
    /// Control characters, or not what the fact takes.
    #[error("the value for {0:?} is not valid")]
    Value(String),
    /// Framing and connection fields are the gateway's.
    #[error("{0:?} frames the message or belongs to the connection, which only the gateway may change")]
    Reserved(String),
    /// There is no head of that kind at this moment.
    #[error("there is no {0} head to edit")]
    NoHead(&'static str),
}

impl Edit {
    /// Applies the edit to one head of the exchange.
    ///
    /// # Errors
    /// If the result would not be a valid message; nothing has been changed then.
    pub fn apply(self, exchange: &mut Exchange, message: Message) -> Result<(), EditError> {
        match self {
            Self::Set(name, value) if name.starts_with(':') => set_pseudo(exchange, message, name, value),
            Self::Set(name, value) if name.starts_with('@') => set_context(exchange, name, value),
            Self::Remove(name) if name.starts_with('@') => remove_context(exchange, name),
            edit => edit.apply_to_fields(fields(exchange, message)?),
        }
    }

    /// Applies the edit to bare fields: trailers, or a reply's.
    ///
    /// # Errors
    /// As `apply`; facts other than fields cannot be named here.
    pub fn apply_to_fields(self, fields: &mut HeaderMap) -> Result<(), EditError> {
        match self {
            Self::Set(name, value) => {
                let value = field_value(&name, value)?;
                fields.insert(field(&name)?, value);
            }
            Self::Add(name, value) => {
                let value = field_value(&name, value)?;
                fields.append(field(&name)?, value);
            }
            Self::Remove(name) => {
                fields.remove(field(&name)?);
            }
        }
        Ok(())
    }
}

fn field(name: &str) -> Result<HeaderName, EditError> {
    let field = HeaderName::from_lowercase(name.as_bytes()).map_err(|_| EditError::Name(name.to_owned()))?;
    if is_reserved(&field) { Err(EditError::Reserved(name.to_owned())) } else { Ok(field) }
}

fn field_value(name: &str, value: Vec<u8>) -> Result<HeaderValue, EditError> {
    HeaderValue::from_maybe_shared(Bytes::from(value)).map_err(|_| EditError::Value(name.to_owned()))
}

fn is_reserved(name: &HeaderName) -> bool {
    *name == header::CONTENT_LENGTH
        || *name == header::TRANSFER_ENCODING
        || *name == header::CONNECTION
        || *name == header::HOST
        || *name == header::TE
        || *name == header::TRAILER
        || *name == header::UPGRADE
        || *name == "keep-alive"
        || *name == "proxy-connection"
}

fn fields(exchange: &mut Exchange, message: Message) -> Result<&mut HeaderMap, EditError> {
    match message {
        Message::Request => Ok(&mut exchange.request.headers),
        Message::Response => match &mut exchange.response {
            Some(head) => Ok(&mut head.headers),
            None => Err(EditError::NoHead("response")),
        },
    }
}

fn set_pseudo(exchange: &mut Exchange, message: Message, name: String, value: Vec<u8>) -> Result<(), EditError> {
    let invalid = |name: &str| EditError::Value(name.to_owned());
    match (message, name.as_str()) {
        (Message::Request, ":method") => {
            exchange.request.method = Method::from_bytes(&value).map_err(|_| invalid(&name))?;
        }
        (Message::Request, ":path") => {
            if value.first() != Some(&b'/') {
                return Err(invalid(&name));
            }
            let path = PathAndQuery::from_maybe_shared(Bytes::from(value)).map_err(|_| invalid(&name))?;
            let mut parts = std::mem::take(&mut exchange.request.uri).into_parts();
            parts.path_and_query = Some(path);
            exchange.request.uri = Uri::from_parts(parts).map_err(|_| invalid(&name))?;
        }
        (Message::Request, ":authority") => {
            let authority = Authority::from_maybe_shared(Bytes::from(value)).map_err(|_| invalid(&name))?;
            let host = HeaderValue::from_str(authority.as_str()).map_err(|_| invalid(&name))?;
            let mut parts = std::mem::take(&mut exchange.request.uri).into_parts();
            parts.scheme = None;
            parts.authority = None;
            exchange.request.uri = Uri::from_parts(parts).map_err(|_| invalid(&name))?;
            exchange.request.headers.insert(header::HOST, host);
        }
        (Message::Response, ":status") => {
            let status = StatusCode::from_bytes(&value).map_err(|_| invalid(&name))?;
            let head = exchange.response.as_mut().ok_or(EditError::NoHead("response"))?;
            if status.is_informational() {
                return Err(invalid(&name));
            }
            head.status = status;
        }
        _ => return Err(EditError::Name(name)),
    }
    Ok(())
}

fn set_context(exchange: &mut Exchange, name: String, value: Vec<u8>) -> Result<(), EditError> {
    let value = field_value(&name, value)?;
    if name == "@consumer" {
        exchange.context.consumer = Some(value);
        return Ok(());
    }
    let Some(key) = name.strip_prefix("@attr:").filter(|key| !key.is_empty()) else {
        return Err(EditError::Name(name));
    };
    let attributes = &mut exchange.context.attributes;
    match attributes.iter().position(|(known, _)| **known == *key) {
        Some(place) => attributes[place].1 = value,
        None if attributes.len() < MAX_ATTRIBUTES => attributes.push((key.into(), value)),
        None => return Err(EditError::Value(name)),
    }
    Ok(())
}

/// How many attributes an exchange can have.
const MAX_ATTRIBUTES: usize = 64;

fn remove_context(exchange: &mut Exchange, name: String) -> Result<(), EditError> {
    if name == "@consumer" {
        exchange.context.consumer = None;
        return Ok(());
    }
    let Some(key) = name.strip_prefix("@attr:") else { return Err(EditError::Name(name)) };
    exchange.context.attributes.retain(|(known, _)| **known != *key);
    Ok(())
}
