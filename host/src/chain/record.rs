//! Whoever wants to know what a policy's hooks are given and what they answer: tests of filters, and the capture of faults.

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};

use super::policy::Policy;
use crate::message::{Exchange, Message};
use crate::sandbox::{BodyStep, CalloutError, CalloutResponse, Fault, Found, HeadStep, TrailersStep};

/// Makes records of a policy's exchanges. A policy without one pays a branch a hook.
pub trait Recorder: Send + Sync {
    /// An exchange is about to reach its first hook of the policy.
    fn begin(&self, policy: &Policy) -> Box<dyn Record>;
}

/// Follows one exchange through the hooks of one policy.
pub trait Record {
    /// A hook is about to be called.
    fn before(&mut self, call: HookCall<'_>, exchange: &Exchange);

    /// It has answered, and its edits have been made.
    fn answered(&mut self, answer: HookAnswer<'_>, exchange: &Exchange);

    /// The call had no answer, or none that could be followed.
    fn faulted(&mut self, fault: &Fault);

    /// The hook has called out, and has got this answer.
    fn called_out(&mut self, _: &CalledOut<'_>) {}

    /// The hook has used a key of a store, where it found this.
    fn found(&mut self, _: &Found) {}
}

/// A callout that was sent, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct CalledOut<'a> {
    /// The upstream.
    pub upstream: &'a str,
    /// The method.
    pub method: &'a Method,
    /// Path and query.
    pub uri: &'a Uri,
    /// What came back.
    pub answer: &'a Result<CalloutResponse, CalloutError>,
}

/// What a hook is called for.
#[derive(Clone, Copy, Debug)]
pub enum HookCall<'a> {
    /// A head.
    Head(Message),
    /// A piece of a body.
    Body {
        /// Whose.
        message: Message,
        /// The piece.
        piece: &'a Bytes,
        /// Whether it is the last one.
        last: bool,
    },
    /// Trailers.
    Trailers(Message, &'a HeaderMap),
    /// The end of the exchange.
    End,
}

impl HookCall<'_> {
    /// The hook's name in the interface.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Head(Message::Request) => "on-request-head",
            Self::Head(Message::Response) => "on-response-head",
            Self::Body { message: Message::Request, .. } => "on-request-body",
            Self::Body { message: Message::Response, .. } => "on-response-body",
            Self::Trailers(Message::Request, _) => "on-request-trailers",
            Self::Trailers(Message::Response, _) => "on-response-trailers",
            Self::End => "on-exchange-end",
        }
    }
}

/// What a hook has answered.
#[derive(Clone, Copy, Debug)]
pub enum HookAnswer<'a> {
    /// To a head.
    Head(&'a HeadStep),
    /// To a piece of a body; and whether the head may go now.
    Body(&'a BodyStep, bool),
    /// To trailers, which are now these.
    Trailers(&'a TrailersStep, &'a HeaderMap),
    /// Nothing: the exchange has ended.
    End,
}
