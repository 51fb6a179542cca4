//! Changes that a filter makes to a head, with the rules that keep a message a valid one.

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use super::exchange::{Context, Exchange, Message};
use super::principal::{Detail, Principal};

/// One change to a head, as a filter asks for it: names and values may still lie in its memory.
#[derive(Clone, Copy, Debug)]
pub enum Edit<'a> {
    /// Replace every field of the name.
    Set(&'a str, &'a [u8]),
    /// Append a field.
    Add(&'a str, &'a [u8]),
    /// Remove every field of the name.
    Remove(&'a str),
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
    /// No message can have more.
    #[error("there are too many fields or attributes")]
    TooMany,
    /// It says something of nobody.
    #[error("there is no identity that this could be said of; set \"@subject\" before")]
    NoIdentity,
}

/// An edit that is known to be possible.
#[derive(Clone, Debug)]
pub struct Change(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Set(HeaderName, HeaderValue),
    Add(HeaderName, HeaderValue),
    Remove(HeaderName),
    Method(Method),
    Path(PathAndQuery),
    Authority(HeaderValue),
    Status(StatusCode),
    Consumer(Option<HeaderValue>),
    Subject(Option<HeaderValue>),
    Detail(Detail),
    Class(Option<Box<str>>),
    Attribute(Box<str>, Option<HeaderValue>),
}

impl Edit<'_> {
    /// How many bytes its name and value have.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Set(name, value) | Self::Add(name, value) => name.len() + value.len(),
            Self::Remove(name) => name.len(),
        }
    }

    /// Looks whether the edit leaves a valid message, so that all edits of an answer are made or none.
    ///
    /// # Errors
    /// If it does not.
    pub fn check(self, message: Message) -> Result<Change, EditError> {
        match self {
            Self::Set(name, value) if name.starts_with(':') => pseudo(message, name, value),
            Self::Set(name, value) if name.starts_with('@') => {
                let value = field_value(name, value)?;
                context(message, name, Some(value))
            }
            Self::Add("@scopes", value) => scope(value).map(Detail::Scope).map(Kind::Detail),
            Self::Add(name @ "@groups", value) => field_value(name, value).map(Detail::Group).map(Kind::Detail),
            Self::Remove(name) if name.starts_with('@') => context(message, name, None),
            edit => edit.check_field(),
        }
        .map(Change)
    }

    /// As `check`, for bare fields: trailers, or a reply's. Facts other than fields cannot be named here.
    ///
    /// # Errors
    /// As `check`.
    pub fn check_bare(self) -> Result<Change, EditError> {
        self.check_field().map(Change)
    }

    fn check_field(self) -> Result<Kind, EditError> {
        Ok(match self {
            Self::Set(name, value) => {
                let value = field_value(name, value)?;
                Kind::Set(field(name)?, value)
            }
            Self::Add(name, value) => {
                let value = field_value(name, value)?;
                Kind::Add(field(name)?, value)
            }
            Self::Remove(name) => Kind::Remove(field(name)?),
        })
    }
}

impl Change {
    /// The header field that it changes, unless it changes something else.
    #[must_use]
    pub fn field(&self) -> Option<&HeaderName> {
        match &self.0 {
            Kind::Set(name, _) | Kind::Add(name, _) | Kind::Remove(name) => Some(name),
            _ => None,
        }
    }

    /// Makes the change to one head of the exchange.
    ///
    /// # Errors
    /// If there is no such head, or no room for more.
    pub fn make(self, exchange: &mut Exchange, message: Message) -> Result<(), EditError> {
        match self.0 {
            Kind::Method(method) => exchange.request.method = method,
            Kind::Path(path) => set_uri(&mut exchange.request.uri, |parts| parts.path_and_query = Some(path)),
            Kind::Authority(host) => {
                set_uri(&mut exchange.request.uri, |parts| (parts.scheme, parts.authority) = (None, None));
                exchange.request.headers.insert(header::HOST, host);
            }
            Kind::Status(status) => exchange.response.as_mut().ok_or(EditError::NoHead("response"))?.status = status,
            Kind::Consumer(consumer) => exchange.context.consumer = consumer,
            // Nothing that was said of somebody else is said of this one.
            Kind::Subject(subject) => {
                exchange.context.consumer = None;
                exchange.context.principal = subject.map(Principal::new).map(Box::new);
            }
            Kind::Detail(detail) => principal(&mut exchange.context)?.change(detail)?,
            Kind::Class(class) => exchange.context.class = class,
            Kind::Attribute(name, value) => set_attribute(&mut exchange.context.attributes, name, value)?,
            kind => Self(kind).make_bare(fields(exchange, message)?)?,
        }
        Ok(())
    }

    /// As `make`, for a change that is there for another time.
    ///
    /// # Errors
    /// As `make`.
    pub fn make_again(&self, exchange: &mut Exchange, message: Message) -> Result<(), EditError> {
        match &self.0 {
            Kind::Remove(name) => drop(fields(exchange, message)?.remove(name)),
            _ => self.clone().make(exchange, message)?,
        }
        Ok(())
    }

    /// As `make`, of bare fields.
    ///
    /// # Errors
    /// If there is no room for more, or the change is of another kind.
    pub fn make_bare(self, fields: &mut HeaderMap) -> Result<(), EditError> {
        match self.0 {
            Kind::Set(name, value) => drop(fields.try_insert(name, value).map_err(|_| EditError::TooMany)?),
            Kind::Add(name, value) => drop(fields.try_append(name, value).map_err(|_| EditError::TooMany)?),
            Kind::Remove(name) => drop(fields.remove(name)),
            _ => return Err(EditError::NoHead("message")),
        }
        Ok(())
    }
}

fn field(name: &str) -> Result<HeaderName, EditError> {
    let field = HeaderName::from_lowercase(name.as_bytes()).map_err(|_| EditError::Name(name.to_owned()))?;
    if is_reserved(&field) { Err(EditError::Reserved(name.to_owned())) } else { Ok(field) }
}

fn field_value(name: &str, value: &[u8]) -> Result<HeaderValue, EditError> {
    HeaderValue::from_bytes(value).map_err(|_| EditError::Value(name.to_owned()))
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

fn pseudo(message: Message, name: &str, value: &[u8]) -> Result<Kind, EditError> {
    let kind = match (message, name) {
        (Message::Request, ":method") => Method::from_bytes(value).ok().map(Kind::Method),
        // Of a fragment nothing would be sent (RFC 9110, section 7.1), so it is not what was meant.
        (Message::Request, ":path") if value.first() == Some(&b'/') && !value.contains(&b'#') => {
            PathAndQuery::from_maybe_shared(Bytes::copy_from_slice(value)).ok().map(Kind::Path)
        }
        (Message::Request, ":path") => None,
        (Message::Request, ":authority") => {
            let authority = Authority::from_maybe_shared(Bytes::copy_from_slice(value)).ok();
            authority.and_then(|authority| HeaderValue::from_str(authority.as_str()).ok()).map(Kind::Authority)
        }
        (Message::Response, ":status") => {
            let status = StatusCode::from_bytes(value).ok().filter(|status| !status.is_informational());
            status.map(Kind::Status)
        }
        _ => return Err(EditError::Name(name.to_owned())),
    };
    kind.ok_or_else(|| EditError::Value(name.to_owned()))
}

fn context(message: Message, name: &str, value: Option<HeaderValue>) -> Result<Kind, EditError> {
    let detail = |detail| Ok(Kind::Detail(detail));
    match (name, name.split_once(':')) {
        ("@consumer", _) => Ok(Kind::Consumer(value)),
        ("@subject", _) if value.as_ref().is_some_and(HeaderValue::is_empty) => Err(EditError::Value(name.to_owned())),
        ("@subject", _) => Ok(Kind::Subject(value)),
        ("@issuer", _) => detail(Detail::Issuer(value)),
        ("@scopes", _) => detail(Detail::Scopes(scopes(value.as_ref())?)),
        ("@groups", _) => detail(Detail::Groups(value.into_iter().collect())),
        // The route has made its choice by the time of the response.
        ("@class", _) if message == Message::Request => class(value.as_ref()).map(Kind::Class),
        (_, Some(("@claim", key))) if !key.is_empty() => detail(Detail::Claim(key.into(), value)),
        (_, Some(("@attr", key))) if !key.is_empty() => Ok(Kind::Attribute(key.into(), value)),
        _ => Err(EditError::Name(name.to_owned())),
    }
}

/// Scopes stand in one text, between spaces (RFC 6749, section 3.3).
fn scopes(value: Option<&HeaderValue>) -> Result<Vec<HeaderValue>, EditError> {
    let parts = value.into_iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b' '));
    parts.filter(|part| !part.is_empty()).map(scope).collect()
}

fn scope(value: &[u8]) -> Result<HeaderValue, EditError> {
    let is_scope = !value.is_empty() && value.iter().all(u8::is_ascii_graphic);
    if is_scope { field_value("@scopes", value) } else { Err(EditError::Value("@scopes".to_owned())) }
}

fn class(value: Option<&HeaderValue>) -> Result<Option<Box<str>>, EditError> {
    let text = |value: &HeaderValue| value.to_str().map(Into::into).map_err(|_| EditError::Value("@class".to_owned()));
    value.map(text).transpose()
}

fn principal(context: &mut Context) -> Result<&mut Principal, EditError> {
    context.principal.as_deref_mut().ok_or(EditError::NoIdentity)
}

/// What is left without the parts that `change` takes away is a valid URI, as the scheme goes with the authority.
fn set_uri(uri: &mut Uri, change: impl FnOnce(&mut http::uri::Parts)) {
    let mut parts = std::mem::take(uri).into_parts();
    change(&mut parts);
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

type Attributes = Vec<(Box<str>, HeaderValue)>;

/// How many attributes an exchange can have.
const MAX_ATTRIBUTES: usize = 64;

fn set_attribute(attributes: &mut Attributes, name: Box<str>, value: Option<HeaderValue>) -> Result<(), EditError> {
    let known = attributes.iter().position(|(known, _)| *known == name);
    match (known, value) {
        (Some(place), Some(value)) => attributes[place].1 = value,
        (Some(place), None) => drop(attributes.remove(place)),
        (None, Some(_)) if attributes.len() >= MAX_ATTRIBUTES => return Err(EditError::TooMany),
        (None, Some(value)) => attributes.push((name, value)),
        (None, None) => {}
    }
    Ok(())
}
