//! What tests send and look at.

use super::head::Head;
use crate::bindings::tollgate::filter::types;

/// A request: what a test sends, or what the upstream would get.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) head: Head,
    pub(super) exchange: Head,
    pub(super) pieces: Vec<Vec<u8>>,
    pub(super) trailers: Head,
}

/// A response: what a test lets the upstream answer, or what the client would get.
#[derive(Clone, Debug)]
pub struct Response {
    pub(super) head: Head,
    pub(super) pieces: Vec<Vec<u8>>,
    pub(super) trailers: Head,
}

impl Request {
    /// A request without fields and body, for `http://example.com`, from 192.0.2.1, on the listener `main` and the route
    /// `test`.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        let mut head = Head::default();
        for (name, value) in [(":method", method), (":path", path), (":authority", "example.com"), (":scheme", "http")]
        {
            head.set(name, value.as_bytes());
        }
        let mut exchange = Head::default();
        for (name, value) in
            [("@client-address", "192.0.2.1"), ("@client-port", "50000"), ("@listener", "main"), ("@route", "test")]
        {
            exchange.set(name, value.as_bytes());
        }
        Self { head, exchange, pieces: Vec::new(), trailers: Head::default() }
    }

    /// A `GET` request.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A `POST` request.
    #[must_use]
    pub fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    /// Sets a fact, such as `:authority`, `@client-address` or `@route`.
    #[must_use]
    pub fn fact(mut self, name: &str, value: &str) -> Self {
        let head = if name.starts_with('@') { &mut self.exchange } else { &mut self.head };
        head.set(name, value.as_bytes());
        self
    }

    /// Says who sent it, as an earlier filter would have.
    #[must_use]
    pub fn from_consumer(self, name: &str) -> Self {
        self.fact("@consumer", name)
    }

    /// The address that it comes from.
    #[must_use]
    pub fn from_address(self, address: &str) -> Self {
        self.fact("@client-address", address)
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> String {
        self.head.text(":method").unwrap_or_default()
    }

    /// Path and query.
    #[must_use]
    pub fn path(&self) -> String {
        self.head.text(":path").unwrap_or_default()
    }

    /// Who sent it, as a filter has found out.
    #[must_use]
    pub fn consumer(&self) -> Option<String> {
        self.exchange.text("@consumer").or_else(|| self.exchange.text("@subject"))
    }

    /// Any other fact that a filter has found out, such as `@issuer`, `@claim:email` or `@class`.
    #[must_use]
    pub fn known(&self, fact: &str) -> Option<String> {
        self.exchange.text(fact)
    }

    /// What a filter has noted under that name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.exchange.text(&format!("@attr:{name}"))
    }
}

impl Response {
    /// A response without fields and body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        let mut head = Head::default();
        head.set(":status", status.to_string().as_bytes());
        Self { head, pieces: Vec::new(), trailers: Head::default() }
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.text(":status").and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    pub(super) fn from_reply(reply: &types::Reply) -> Self {
        let mut response = Self::new(reply.status);
        reply.fields.iter().for_each(|field| response.head.add(&field.name, &field.value));
        response.body(&reply.body)
    }
}

macro_rules! common {
    ($message:ident) => {
        impl $message {
            /// Appends a header field.
            #[must_use]
            pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
                self.head.add(&name.to_ascii_lowercase(), value.as_ref());
                self
            }

            /// Appends a piece of the body, to be seen by the body hook as it is.
            #[must_use]
            pub fn piece(mut self, bytes: impl AsRef<[u8]>) -> Self {
                self.pieces.push(bytes.as_ref().to_vec());
                self
            }

            /// Sets the whole body, in pieces of 64 KiB.
            #[must_use]
            pub fn body(mut self, bytes: impl AsRef<[u8]>) -> Self {
                self.pieces = bytes.as_ref().chunks(65_536).map(<[u8]>::to_vec).collect();
                self
            }

            /// Appends a trailer field.
            #[must_use]
            pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
                self.trailers.add(&name.to_ascii_lowercase(), value.as_ref());
                self
            }

            /// The header fields of that name as one text.
            #[must_use]
            pub fn value(&self, name: &str) -> Option<String> {
                self.head.text(&name.to_ascii_lowercase())
            }

            /// The header fields of that name, one by one.
            #[must_use]
            pub fn values(&self, name: &str) -> Vec<String> {
                let name = name.to_ascii_lowercase();
                self.head.values(&name).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
            }

            /// The trailer fields of that name as one text.
            #[must_use]
            pub fn trailer_value(&self, name: &str) -> Option<String> {
                self.trailers.text(&name.to_ascii_lowercase())
            }

            /// The whole body.
            #[must_use]
            pub fn content(&self) -> Vec<u8> {
                self.pieces.concat()
            }

            /// The whole body as text.
            #[must_use]
            pub fn text(&self) -> String {
                String::from_utf8_lossy(&self.content()).into_owned()
            }
        }
    };
}

common!(Request);
common!(Response);
