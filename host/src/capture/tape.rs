//! What one filter has seen of one exchange.

use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use super::Shared;
use super::outside::Outside;
use crate::chain::{CalledOut, HookAnswer, HookCall, Record};
use crate::message::{ClientInfo, Exchange, Message, Principal};
use crate::sandbox::{Digest, Fault, Found};

/// How many pieces of a body are told apart.
const PIECES: usize = 64;

/// Follows an exchange until it has faulted once.
pub(super) struct Tape {
    shared: Arc<Shared>,
    taken: Option<Box<Taken>>,
    module: Digest,
    hook: &'static str,
    is_sent: bool,
}

/// The exchange as far as it went.
pub(super) struct Taken {
    pub(super) client: Arc<ClientInfo>,
    pub(super) route: Arc<str>,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) consumer: Option<HeaderValue>,
    pub(super) attributes: Vec<(Box<str>, HeaderValue)>,
    pub(super) principal: Option<Box<Principal>>,
    pub(super) class: Option<Box<str>>,
    pub(super) request: TakenMessage,
    /// Its status too, if it has come.
    pub(super) response: Option<(StatusCode, TakenMessage)>,
    /// What came from elsewhere.
    pub(super) outside: Outside,
}

/// Fields and pieces of one message.
#[derive(Default)]
pub(super) struct TakenMessage {
    pub(super) fields: HeaderMap,
    pub(super) trailers: HeaderMap,
    /// The beginning of the body, as much as may be kept.
    pub(super) kept: Vec<u8>,
    /// The lengths of its pieces, also of what is not kept.
    pub(super) pieces: Vec<usize>,
}

/// A fault with the exchange that led to it, on the way to the writer.
pub(super) struct Captured {
    pub(super) shared: Arc<Shared>,
    pub(super) taken: Box<Taken>,
    pub(super) module: Digest,
    pub(super) hook: &'static str,
    pub(super) fault: Fault,
    pub(super) at: SystemTime,
}

impl Tape {
    pub(super) fn new(shared: Arc<Shared>, module: Digest) -> Self {
        Self { shared, taken: None, module, hook: "", is_sent: false }
    }
}

impl Record for Tape {
    fn before(&mut self, call: HookCall<'_>, exchange: &Exchange) {
        if self.is_sent {
            return;
        }
        self.hook = call.name();
        let most = self.shared.settings.bodies;
        let taken = self.taken.get_or_insert_with(|| Box::new(Taken::of(exchange)));
        if taken.response.is_none()
            && let Some(head) = &exchange.response
        {
            taken.response = Some((head.status, TakenMessage { fields: head.headers.clone(), ..Default::default() }));
        }
        match call {
            HookCall::Head(_) | HookCall::End => {}
            HookCall::Body { message, piece, .. } => {
                if let Some(message) = taken.message(message) {
                    message.add(piece, most);
                }
            }
            HookCall::Trailers(message, trailers) => {
                if let Some(message) = taken.message(message) {
                    message.trailers = trailers.clone();
                }
            }
        }
    }

    fn answered(&mut self, _: HookAnswer<'_>, _: &Exchange) {}

    fn called_out(&mut self, called: &CalledOut<'_>) {
        let most = self.shared.settings.bodies;
        if let Some(taken) = &mut self.taken {
            taken.outside.called_out(called, most);
        }
    }

    fn found(&mut self, found: &Found) {
        if let Some(taken) = &mut self.taken {
            taken.outside.found(found);
        }
    }

    fn faulted(&mut self, fault: &Fault) {
        self.is_sent = true;
        let Some(taken) = self.taken.take() else { return };
        let (shared, fault) = (Arc::clone(&self.shared), fault.clone());
        let captured = Captured { shared, taken, module: self.module, hook: self.hook, fault, at: SystemTime::now() };
        self.shared.writer.send(captured);
    }
}

impl Taken {
    fn of(exchange: &Exchange) -> Self {
        Self {
            client: Arc::clone(&exchange.client),
            route: Arc::clone(&exchange.route),
            method: exchange.request.method.clone(),
            uri: exchange.request.uri.clone(),
            consumer: exchange.context.consumer().cloned(),
            attributes: exchange.context.attributes.clone(),
            principal: exchange.context.principal.clone(),
            class: exchange.context.class.clone(),
            request: TakenMessage { fields: exchange.request.headers.clone(), ..Default::default() },
            response: None,
            outside: Outside::default(),
        }
    }

    fn message(&mut self, message: Message) -> Option<&mut TakenMessage> {
        match message {
            Message::Request => Some(&mut self.request),
            Message::Response => self.response.as_mut().map(|(_, message)| message),
        }
    }
}

impl TakenMessage {
    fn add(&mut self, piece: &[u8], most: usize) {
        let is_full = self.pieces.len() >= PIECES;
        match self.pieces.last_mut() {
            Some(last) if is_full => *last += piece.len(),
            _ => self.pieces.push(piece.len()),
        }
        let room = most.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&piece[..piece.len().min(room)]);
    }
}
