//! The messages that hooks look at.

use std::ops::{Deref, DerefMut};

use crate::bindings::tollgate::filter::exchange::Message;
use crate::edits::{Edits, Kind};
use crate::interest::{Names, canonical};
use crate::state::States;
use crate::{Fault, Identity, Value, host};

/// What [`Request`] and [`Response`] have in common.
///
/// Reads show the message as it was when the hook was called. Edits are collected and go back with the hook's answer;
/// one that is not possible (a name that is not a token, a value with a line break, a field that frames the message
/// such as `content-length`) is a fault. In a body hook a head can be edited only while this filter holds it.
#[derive(Debug)]
pub struct Head<'a, S = ()> {
    pub(crate) exchange: u32,
    pub(crate) message: Message,
    pub(crate) facts: Facts<'a>,
    pub(crate) edits: &'a mut Edits,
    pub(crate) states: &'a mut States<S>,
    pub(crate) released: bool,
}

impl<'a, S: Default> Head<'a, S> {
    /// A header field, or any other fact that [`Interest`](crate::Interest) can name. Several fields of one name come
    /// as one value, joined by `, ` (by `; ` for `cookie`).
    #[inline]
    pub fn field(&self, name: &str) -> Option<Value<'a>> {
        self.fact("", name)
    }

    /// The values of all fields of that name, in order: the only right way to read `set-cookie`. Calls the gateway.
    pub fn values(&self, name: &str) -> Vec<Vec<u8>> {
        host::get_all(self.exchange, self.message, &canonical("", name))
    }

    /// All fields, in order. Calls the gateway.
    pub fn fields(&self) -> Vec<(String, Vec<u8>)> {
        host::fields(self.exchange, self.message).into_iter().map(|field| (field.name, field.value)).collect()
    }

    /// Who the request is made for, as an earlier filter has found out; claims are read one by one, with
    /// [`claim`](Head::claim). Declare `@subject`, `@issuer` and `@scopes`; the groups cost a call into the gateway.
    pub fn identity(&self) -> Option<Identity> {
        let text = |value: Value<'_>| value.to_text().into_owned();
        let subject = self.fact("@subject", "")?;
        let scopes = self.fact("@scopes", "").map(text).unwrap_or_default();
        let groups = host::get_all(self.exchange, self.message, "@groups");
        Some(Identity {
            subject: text(subject),
            issuer: self.fact("@issuer", "").map(text),
            scopes: scopes.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect(),
            groups: groups.iter().map(|group| String::from_utf8_lossy(group).into_owned()).collect(),
            claims: Vec::new(),
        })
    }

    /// What else is said of the identity under that name (the fact `@claim:NAME`).
    pub fn claim(&self, name: &str) -> Option<Value<'a>> {
        self.fact("@claim:", name)
    }

    /// What the request's sender is called: the subject of the identity, unless a filter has said otherwise.
    pub fn consumer(&self) -> Option<Value<'a>> {
        self.fact("@consumer", "")
    }

    /// The address that the request came from, without port.
    pub fn client_address(&self) -> Value<'a> {
        self.fact("@client-address", "").unwrap_or_default()
    }

    /// The name of the route that was found.
    pub fn route(&self) -> Value<'a> {
        self.fact("@route", "").unwrap_or_default()
    }

    /// The name of the listener that took the connection.
    pub fn listener(&self) -> Value<'a> {
        self.fact("@listener", "").unwrap_or_default()
    }

    /// What an earlier hook or filter has noted under that name (the fact `@attr:NAME`).
    pub fn attribute(&self, name: &str) -> Option<Value<'a>> {
        self.fact("@attr:", name)
    }

    /// Replaces every field of that name by this one.
    #[inline]
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.edits.push(Kind::Set, name, value.as_ref());
    }

    /// Appends a field and keeps those that are there.
    #[inline]
    pub fn add(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.edits.push(Kind::Add, name, value.as_ref());
    }

    /// Removes every field of that name. Nothing happens if there is none.
    #[inline]
    pub fn remove(&mut self, name: &str) {
        self.edits.push(Kind::Remove, name, &[]);
    }

    /// Says who the request is made for, for later filters, rate limits, the access log, response hooks and, where the route
    /// has `forward-identity`, the upstream. It takes the place of one that was known before.
    pub fn set_identity(&mut self, identity: &Identity) {
        let mut push = |kind, prefix, name: &str, value: &str| {
            self.edits.push_exact(kind, [prefix, name], value.as_bytes());
        };
        push(Kind::Set, "@subject", "", &identity.subject);
        identity.issuer.iter().for_each(|issuer| push(Kind::Set, "@issuer", "", issuer));
        identity.scopes.iter().for_each(|scope| push(Kind::Add, "@scopes", "", scope));
        identity.groups.iter().for_each(|group| push(Kind::Add, "@groups", "", group));
        identity.claims.iter().for_each(|(name, value)| push(Kind::Set, "@claim:", name, value));
    }

    /// Says what the request's sender is called, for later filters, the access log and response hooks.
    pub fn set_consumer(&mut self, name: impl AsRef<[u8]>) {
        self.edits.push_exact(Kind::Set, ["@consumer", ""], name.as_ref());
    }

    /// Notes something for later filters, the access log and response hooks (the fact `@attr:NAME`).
    pub fn set_attribute(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.edits.push_exact(Kind::Set, ["@attr:", name], value.as_ref());
    }

    /// Applies the edits collected so far at once, where the hook must know whether they are possible. Calls the
    /// gateway.
    ///
    /// # Errors
    ///
    /// Says which edit is not possible; those before it have been applied.
    pub fn apply(&mut self) -> Result<(), Fault> {
        let edits = self.edits.take_list();
        host::apply(self.exchange, edits).map_err(Fault::new)
    }

    /// In a body hook: lets the head go that this filter holds. The last piece lets it go in any case.
    pub fn release(&mut self) {
        self.released = true;
    }

    /// What the filter remembers of this exchange.
    pub fn state(&mut self) -> &mut S {
        self.states.get(self.exchange)
    }

    /// A fact named in two parts, so that a prefix costs no allocation.
    #[inline]
    fn fact(&self, prefix: &str, name: &str) -> Option<Value<'a>> {
        match self.facts.names.position(prefix, name) {
            Some(position) => self.facts.get(position).map(Value::from),
            None => self.ask(self.message, prefix, name),
        }
    }

    #[cold]
    fn ask(&self, message: Message, prefix: &str, name: &str) -> Option<Value<'a>> {
        host::get(self.exchange, message, &canonical(prefix, name)).map(Value::from)
    }
}

/// The request that a hook looks at; see [`Head`] for what it shares with [`Response`].
///
/// Besides fields, [`set`](Head::set) takes `:method`, `:path`, `:authority`, `@class`, `@consumer` and `@attr:NAME`.
#[derive(Debug)]
pub struct Request<'a, S = ()>(pub(crate) Head<'a, S>);

impl<'a, S: Default> Request<'a, S> {
    /// The method, such as `GET`.
    pub fn method(&self) -> Value<'a> {
        self.fact(":method", "").unwrap_or_default()
    }

    /// Path and query, such as `/search?q=a`.
    pub fn path(&self) -> Value<'a> {
        self.fact(":path", "").unwrap_or_default()
    }

    /// Host and, where given, port that the request is for.
    pub fn authority(&self) -> Value<'a> {
        self.fact(":authority", "").unwrap_or_default()
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> Value<'a> {
        self.fact(":scheme", "").unwrap_or_default()
    }

    /// Gives the request a class, by which the route may choose its upstream (`split` with `by-class`).
    pub fn set_class(&mut self, class: &str) {
        self.edits.push_exact(Kind::Set, ["@class", ""], class.as_bytes());
    }

    /// Replaces path and query.
    pub fn set_path(&mut self, path: impl AsRef<[u8]>) {
        self.edits.push_exact(Kind::Set, [":path", ""], path.as_ref());
    }
}

/// The response that a hook looks at; see [`Head`] for what it shares with [`Request`].
///
/// Besides fields, [`set`](Head::set) takes `:status`, `@consumer` and `@attr:NAME`.
#[derive(Debug)]
pub struct Response<'a, S = ()>(pub(crate) Head<'a, S>);

impl<'a, S: Default> Response<'a, S> {
    /// The status code.
    pub fn status(&self) -> u16 {
        let status = self.fact(":status", "").unwrap_or_default();
        status.to_str().and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }

    /// A field or another fact of the request as the request hooks have left it (the fact `@request:NAME`).
    pub fn request_field(&self, name: &str) -> Option<Value<'a>> {
        match self.facts.names.position("@request:", name) {
            Some(position) => self.facts.get(position).map(Value::from),
            None => self.ask(Message::Request, "", name),
        }
    }

    /// Replaces the status code.
    pub fn set_status(&mut self, status: u16) {
        let digits = [status / 100, status / 10 % 10, status % 10].map(|digit| b'0' + (digit % 10) as u8);
        self.edits.push_exact(Kind::Set, [":status", ""], &digits);
    }
}

/// The edits of `Head` once more: only methods of the type itself let the author write
/// `request.set("x-path", request.path())`, as the borrow through `DerefMut` begins before the arguments are read.
macro_rules! edits {
    ($message:ident) => {
        impl<S: Default> $message<'_, S> {
            /// Replaces every field of that name by this one.
            #[inline]
            pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
                self.0.set(name, value);
            }

            /// Appends a field and keeps those that are there.
            #[inline]
            pub fn add(&mut self, name: &str, value: impl AsRef<[u8]>) {
                self.0.add(name, value);
            }

            /// Says who the request is made for; see [`Head::set_identity`].
            pub fn set_identity(&mut self, identity: &Identity) {
                self.0.set_identity(identity);
            }

            /// Says what the request's sender is called, for later filters, the access log and response hooks.
            pub fn set_consumer(&mut self, name: impl AsRef<[u8]>) {
                self.0.set_consumer(name);
            }

            /// Notes something for later filters, the access log and response hooks (the fact `@attr:NAME`).
            pub fn set_attribute(&mut self, name: &str, value: impl AsRef<[u8]>) {
                self.0.set_attribute(name, value);
            }
        }
    };
}

edits!(Request);
edits!(Response);

impl<'a, S> Deref for Request<'a, S> {
    type Target = Head<'a, S>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<S> DerefMut for Request<'_, S> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<'a, S> Deref for Response<'a, S> {
    type Target = Head<'a, S>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<S> DerefMut for Response<'_, S> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// The facts of one call: their names, and all values one directly after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) names: &'a Names,
    pub(crate) data: &'a [u8],
    pub(crate) ends: &'a [u32],
}

/// Stands for a fact that the message does not have.
const ABSENT: u32 = u32::MAX;

impl<'a> Facts<'a> {
    pub(crate) const NONE: Facts<'static> = Facts { names: Names::NONE, data: &[], ends: &[] };

    #[inline]
    fn get(&self, position: usize) -> Option<&'a [u8]> {
        let end = *self.ends.get(position)?;
        if end == ABSENT {
            return None;
        }
        let start = self.ends[..position].iter().rev().find(|end| **end != ABSENT).map_or(0, |end| *end);
        self.data.get(start as usize..end as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_cut_out_of_the_packed_buffer() {
        let facts = Facts { data: b"GET/a", ends: &[3, ABSENT, 5, 5, ABSENT], ..Facts::NONE };
        let all: Vec<_> = (0..6).map(|position| facts.get(position)).collect();
        assert_eq!(all, [Some(&b"GET"[..]), None, Some(b"/a"), Some(b""), None, None]);
    }
}
