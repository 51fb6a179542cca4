//! Facts about an exchange by name: what a filter can subscribe to and what templates can quote.

use std::io::Write;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::exchange::{Exchange, Message};
use super::principal::{Principal, joined};

/// One thing that is known about an exchange. Parsed once, read once per exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A header field of the message at hand.
    Field(HeaderName),
    /// `:method`
    Method,
    /// `:path`, with the query
    Path,
    /// `:authority`
    Authority,
    /// `:scheme`
    Scheme,
    /// `:status`
    Status,
    /// `@client-address`
    ClientAddress,
    /// `@client-port`
    ClientPort,
    /// `@listener`
    Listener,
    /// `@tls-version`
    TlsVersion,
    /// `@tls-sni`
    TlsSni,
    /// `@tls-subject`
    TlsSubject,
    /// `@tls-san`
    TlsNames,
    /// `@spiffe-id`
    SpiffeId,
    /// `@route`
    Route,
    /// `@trace-id`
    TraceId,
    /// `@span-id`
    SpanId,
    /// `@consumer`
    Consumer,
    /// `@subject`
    Subject,
    /// `@issuer`
    Issuer,
    /// `@scopes`
    Scopes,
    /// `@groups`
    Groups,
    /// `@claim:NAME`
    Claim(Box<str>),
    /// `@class`
    Class,
    /// `@attr:NAME`
    Attribute(Box<str>),
    /// `@request:FACT` in a response hook
    OfRequest(Box<Fact>),
}

/// A name that is no fact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a fact of a {}; known are header fields in lower case, :method, :path, :authority, :scheme, \
         :status (response), @client-address, @client-port, @listener, @tls-version, @tls-sni, @tls-subject, @tls-san, \
         @spiffe-id, @route, @trace-id, @span-id, @consumer, @subject, @issuer, @scopes, @groups, @claim:NAME, @class, \
         @attr:NAME and, for a response, \
         @request:FACT", if *.message == Message::Request { "request" } else { "response" })]
pub struct FactError {
    name: String,
    message: Message,
}

impl Fact {
    /// Reads the name of a fact of the given message.
    ///
    /// # Errors
    /// If there is no such fact; the message lists those that are known.
    pub fn parse(name: &str, message: Message) -> Result<Self, FactError> {
        let unknown = || FactError { name: name.to_owned(), message };
        let request_only = |fact: Self| if message == Message::Request { Ok(fact) } else { Err(unknown()) };
        match name {
            ":method" => request_only(Self::Method),
            ":path" => request_only(Self::Path),
            ":authority" => request_only(Self::Authority),
            ":scheme" => request_only(Self::Scheme),
            ":status" if message == Message::Response => Ok(Self::Status),
            "@client-address" => Ok(Self::ClientAddress),
            "@client-port" => Ok(Self::ClientPort),
            "@listener" => Ok(Self::Listener),
            "@tls-version" => Ok(Self::TlsVersion),
            "@tls-sni" => Ok(Self::TlsSni),
            "@tls-subject" => Ok(Self::TlsSubject),
            "@tls-san" => Ok(Self::TlsNames),
            "@spiffe-id" => Ok(Self::SpiffeId),
            "@route" => Ok(Self::Route),
            "@trace-id" => Ok(Self::TraceId),
            "@span-id" => Ok(Self::SpanId),
            "@consumer" => Ok(Self::Consumer),
            "@subject" => Ok(Self::Subject),
            "@issuer" => Ok(Self::Issuer),
            "@scopes" => Ok(Self::Scopes),
            "@groups" => Ok(Self::Groups),
            "@class" => Ok(Self::Class),
            _ => {
                if let Some(claim) = name.strip_prefix("@claim:").filter(|claim| !claim.is_empty()) {
                    return Ok(Self::Claim(claim.into()));
                }
                if let Some(attribute) = name.strip_prefix("@attr:").filter(|attribute| !attribute.is_empty()) {
                    return Ok(Self::Attribute(attribute.into()));
                }
                if let (Some(inner), Message::Response) = (name.strip_prefix("@request:"), message) {
                    return Self::parse(inner, Message::Request)
                        .map(|fact| Self::OfRequest(Box::new(fact)))
                        .map_err(|_| unknown());
                }
                HeaderName::from_lowercase(name.as_bytes()).map(Self::Field).map_err(|_| unknown())
            }
        }
    }

    /// The header field that it is the value of, if it is one.
    #[must_use]
    pub fn field(&self) -> Option<&HeaderName> {
        match self {
            Self::Field(name) => Some(name),
            Self::OfRequest(fact) => fact.field(),
            _ => None,
        }
    }

    /// Appends the value; false if the exchange has no such fact.
    pub fn write(&self, exchange: &Exchange, message: Message, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Field(name) => exchange.fields(message).is_some_and(|fields| write_field(fields, name, out)),
            Self::Method => append(out, exchange.request.method.as_str()),
            Self::Path => append(out, exchange.path_and_query()),
            Self::Authority => exchange.authority().is_some_and(|authority| append(out, authority)),
            Self::Scheme => append(out, exchange.client.scheme),
            Self::Status => exchange.response.as_ref().is_some_and(|head| append(out, head.status.as_str())),
            Self::ClientAddress => append(out, exchange.client.address_text.as_bytes()),
            Self::ClientPort => write!(out, "{}", exchange.client.address.port()).is_ok(),
            Self::Listener => append(out, &*exchange.client.listener),
            Self::TlsVersion => exchange.client.tls.as_ref().is_some_and(|tls| append(out, tls.version)),
            Self::TlsSni => append_some(out, exchange.client.tls.as_ref().and_then(|tls| tls.sni.as_deref())),
            Self::TlsSubject => append_some(out, exchange.client.identity().map(|identity| &*identity.subject)),
            Self::TlsNames => {
                append_some(out, exchange.client.identity().and_then(|identity| identity.alternative_names.as_deref()))
            }
            Self::SpiffeId => {
                append_some(out, exchange.client.identity().and_then(|identity| identity.spiffe_id.as_deref()))
            }
            Self::Route => append(out, &*exchange.route),
            Self::TraceId => exchange.trace.is_some_and(|trace| write!(out, "{:032x}", trace.trace).is_ok()),
            Self::SpanId => exchange.trace.is_some_and(|trace| write!(out, "{:016x}", trace.span).is_ok()),
            Self::Consumer => exchange.context.consumer().is_some_and(|name| append(out, name.as_bytes())),
            Self::Class => append_some(out, exchange.context.class.as_deref()),
            Self::Subject | Self::Issuer | Self::Scopes | Self::Groups | Self::Claim(_) => {
                exchange.context.principal.as_deref().is_some_and(|principal| self.write_of(principal, out))
            }
            Self::Attribute(name) => {
                let found = exchange.context.attributes.iter().find(|(key, _)| key == name);
                found.is_some_and(|(_, value)| append(out, value.as_bytes()))
            }
            Self::OfRequest(fact) => fact.write(exchange, Message::Request, out),
        }
    }
}

impl Fact {
    fn write_of(&self, principal: &Principal, out: &mut Vec<u8>) -> bool {
        let one =
            |value: Option<&HeaderValue>, out: &mut Vec<u8>| value.is_some_and(|value| append(out, value.as_bytes()));
        let list = |values, separator, out| joined(values, separator).is_some_and(|text| append(out, text));
        match self {
            Self::Subject => one(Some(&principal.subject), out),
            Self::Issuer => one(principal.issuer.as_ref(), out),
            Self::Scopes => list(&principal.scopes, b" ".as_slice(), out),
            Self::Groups => list(&principal.groups, b", ".as_slice(), out),
            Self::Claim(name) => one(principal.claim(name), out),
            _ => false,
        }
    }
}

impl std::fmt::Display for Fact {
    /// The name by which it is subscribed to.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Field(name) => name.as_str(),
            Self::Method => ":method",
            Self::Path => ":path",
            Self::Authority => ":authority",
            Self::Scheme => ":scheme",
            Self::Status => ":status",
            Self::ClientAddress => "@client-address",
            Self::ClientPort => "@client-port",
            Self::Listener => "@listener",
            Self::TlsVersion => "@tls-version",
            Self::TlsSni => "@tls-sni",
            Self::TlsSubject => "@tls-subject",
            Self::TlsNames => "@tls-san",
            Self::SpiffeId => "@spiffe-id",
            Self::Route => "@route",
            Self::TraceId => "@trace-id",
            Self::SpanId => "@span-id",
            Self::Consumer => "@consumer",
            Self::Subject => "@subject",
            Self::Issuer => "@issuer",
            Self::Scopes => "@scopes",
            Self::Groups => "@groups",
            Self::Class => "@class",
            Self::Claim(name) => return write!(f, "@claim:{name}"),
            Self::Attribute(name) => return write!(f, "@attr:{name}"),
            Self::OfRequest(fact) => return write!(f, "@request:{fact}"),
        })
    }
}

fn append(out: &mut Vec<u8>, value: impl AsRef<[u8]>) -> bool {
    out.extend_from_slice(value.as_ref());
    true
}

fn append_some(out: &mut Vec<u8>, value: Option<&str>) -> bool {
    value.is_some_and(|value| append(out, value))
}

/// Several fields of one name become one value (RFC 9110, section 5.3; for cookies RFC 9113, section 8.2.3).
fn write_field(fields: &HeaderMap, name: &HeaderName, out: &mut Vec<u8>) -> bool {
    let mut values = fields.get_all(name).iter();
    let Some(first) = values.next() else { return false };
    out.extend_from_slice(first.as_bytes());
    let separator: &[u8] = if *name == header::COOKIE { b"; " } else { b", " };
    for value in values {
        out.extend_from_slice(separator);
        out.extend_from_slice(value.as_bytes());
    }
    true
}
