//! What becomes of a request that a route takes.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::redirect::Redirect;
use super::rewrite::Rewrite;
use super::split::Destination;
use crate::message::Reply;

/// What a route does.
#[derive(Clone, Debug)]
pub enum Action {
    /// An upstream answers.
    Forward(Forward),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// The gateway answers.
    Respond(Answer),
}

/// The way to an upstream.
#[derive(Clone, Debug)]
pub struct Forward {
    /// Which upstream.
    pub to: Destination,
    /// What it sees in another way than the client has sent it.
    pub rewrite: Option<Rewrite>,
    /// Who else gets a copy.
    pub mirror: Option<Mirror>,
}

/// A second upstream, whose answers nobody sees.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// Its number.
    pub upstream: usize,
    /// How many of a hundred requests it gets.
    pub percent: u8,
    /// How many bytes of a body it may lag behind.
    pub buffer: usize,
}

/// The same answer for everybody.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Fields, without those that frame the message.
    pub fields: HeaderMap,
    /// The content.
    pub body: Bytes,
}

impl Answer {
    /// One more of it.
    #[must_use]
    pub fn reply(&self) -> Reply {
        Reply::new(self.status, self.fields.clone(), self.body.clone())
    }
}
