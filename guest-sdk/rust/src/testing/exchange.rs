//! One exchange on its way through the filter.

use std::rc::Rc;

use super::gateway::Shared;
use super::head::Head;
use super::message::{Request, Response};
use super::rules;
use super::world::Open;
use crate::bindings::tollgate::filter::exchange::Message;
use crate::bindings::tollgate::filter::types::{self, BodyAction, BodyAnswer, BodyMode, Edit, Field, TrailersAction};
use crate::runtime::Runtime;
use crate::{Fault, Filter, Hook, Next};

/// What has become of a request, and the way for its response.
pub struct Exchange<F: Filter> {
    shared: Rc<Shared<F>>,
    number: u32,
    outcome: Result<Request, Stop>,
}

/// Why a message does not go on.
enum Stop {
    Reply(Response),
    Fault(String),
    /// The exchange was cut.
    Abort,
}

impl<F: Filter> Exchange<F> {
    /// Whether the upstream gets the request.
    #[must_use]
    pub fn is_forwarded(&self) -> bool {
        self.outcome.is_ok()
    }

    /// The request as the upstream gets it, with all edits.
    ///
    /// # Panics
    ///
    /// If it does not get it.
    #[track_caller]
    #[must_use]
    pub fn forwarded(&self) -> &Request {
        match &self.outcome {
            Ok(request) => request,
            Err(stop) => panic!("the request was not forwarded: {}", stop.describe()),
        }
    }

    /// The reply that the filter has made to the request.
    ///
    /// # Panics
    ///
    /// If it has not made one.
    #[track_caller]
    #[must_use]
    pub fn reply(&self) -> &Response {
        match &self.outcome {
            Err(Stop::Reply(reply)) => reply,
            Err(stop) => panic!("the filter did not reply: {}", stop.describe()),
            Ok(_) => panic!("the filter did not reply, the request was forwarded"),
        }
    }

    /// Whether the filter has cut the exchange over its request.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        matches!(self.outcome, Err(Stop::Abort))
    }

    /// The message of the fault in the request's hooks.
    ///
    /// # Panics
    ///
    /// If there was none.
    #[track_caller]
    #[must_use]
    pub fn fault(&self) -> &str {
        match &self.outcome {
            Err(Stop::Fault(message)) => message,
            Err(stop) => panic!("there was no fault: {}", stop.describe()),
            Ok(_) => panic!("there was no fault, the request was forwarded"),
        }
    }

    /// Lets the upstream answer without a body; returns what the client gets.
    ///
    /// # Panics
    ///
    /// As [`respond_with`](Self::respond_with).
    #[track_caller]
    pub fn respond<const N: usize>(&mut self, status: u16, fields: [(&str, &str); N]) -> Response {
        let response = Response::new(status);
        self.respond_with(fields.iter().fold(response, |response, (name, value)| response.field(name, value)))
    }

    /// Lets the upstream answer; returns what the client gets.
    ///
    /// # Panics
    ///
    /// If the request was not forwarded, or a response hook returns a fault.
    #[track_caller]
    pub fn respond_with(&mut self, response: Response) -> Response {
        match self.try_respond(response) {
            Ok(response) => response,
            Err(fault) => panic!("a response hook returned a fault: {fault}"),
        }
    }

    /// Lets the upstream answer; returns what the client gets, or the message of the fault in a response hook, or that the
    /// exchange was cut.
    ///
    /// # Errors
    ///
    /// The fault.
    ///
    /// # Panics
    ///
    /// If the request was not forwarded.
    #[track_caller]
    pub fn try_respond(&mut self, response: Response) -> Result<Response, String> {
        let _ = self.forwarded();
        let Response { head, pieces, trailers } = response;
        self.shared.world.with(self.number, |open| open.response = Some(head));
        match self.shared.pass(self.number, Message::Response, pieces, trailers) {
            Ok((pieces, trailers)) => {
                let head = self.shared.world.with(self.number, |open| open.response.take().unwrap_or_default());
                Ok(Response { head, pieces, trailers })
            }
            Err(Stop::Reply(reply)) => Ok(reply),
            Err(Stop::Fault(message)) => Err(message),
            Err(Stop::Abort) => Err("the exchange was cut".into()),
        }
    }
}

impl<F: Filter> Drop for Exchange<F> {
    fn drop(&mut self) {
        // A hook that panicked has failed the test already; its runtime is still borrowed or in pieces.
        if std::thread::panicking() {
            return;
        }
        if self.shared.subscribed(Hook::End) {
            self.shared.hook(self.number, Message::Request, |runtime| runtime.end(self.number));
        }
        self.shared.world.close(self.number);
    }
}

pub(super) fn begin<F: Filter>(shared: Rc<Shared<F>>, request: Request) -> Exchange<F> {
    let Request { head, exchange, pieces, trailers } = request;
    let number = shared.world.open(Open { request: head, response: None, exchange });
    let outcome = shared.pass(number, Message::Request, pieces, trailers).map(|(pieces, trailers)| {
        shared.world.with(number, |open| Request {
            head: open.request.clone(),
            exchange: open.exchange.clone(),
            pieces,
            trailers,
        })
    });
    Exchange { shared, number, outcome }
}

impl Stop {
    fn describe(&self) -> String {
        match self {
            Self::Reply(reply) => format!("the filter replied {} {}", reply.status(), reply.text()),
            Self::Fault(message) => format!("fault: {message}"),
            Self::Abort => "the exchange was cut".into(),
        }
    }

    fn fault(message: impl Into<String>) -> Self {
        Self::Fault(message.into())
    }

    /// A reply, if the gateway would send it.
    fn reply(reply: &types::Reply) -> Self {
        rules::reply(reply).map_or_else(Self::Fault, |()| Self::Reply(Response::from_reply(reply)))
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault.into_message())
    }
}

impl<F: Filter> Shared<F> {
    /// Shows one message to the hooks of its direction; what they leave of its body and trailers goes on.
    fn pass(
        &self,
        number: u32,
        message: Message,
        body: Vec<Vec<u8>>,
        trailers: Head,
    ) -> Result<(Vec<Vec<u8>>, Head), Stop> {
        let held = self.head(number, message)?;
        if body.is_empty() && trailers.0.is_empty() && !held {
            return Ok((body, trailers));
        }
        let whole = self.whole(message) && !body.is_empty();
        let (body, ended, held) = self.body(number, message, body, held || whole)?;
        let trailers = if ended { Head::default() } else { trailers };
        Ok((body, self.trailers(number, message, trailers, held)?))
    }

    /// Whether the filter holds the head.
    fn head(&self, number: u32, message: Message) -> Result<bool, Stop> {
        let (hook, body_hook, names) = match message {
            Message::Request => (Hook::Request, Hook::RequestBody, &self.subscription.request_facts),
            Message::Response => (Hook::Response, Hook::ResponseBody, &self.subscription.response_facts),
        };
        if !self.subscribed(hook) {
            return Ok(false);
        }
        let (data, ends) = self.facts(number, message, names);
        let (outcome, edits) = self.hook(number, message, |runtime| {
            let outcome = match message {
                Message::Request => runtime.request_head(number, &data, &ends),
                Message::Response => runtime.response_head(number, &data, &ends),
            };
            (outcome, runtime.edits.take_list())
        });
        let held = match outcome? {
            Next::Reply(reply) => return Err(Stop::reply(&reply.into())),
            Next::Hold if !self.subscribed(body_hook) => {
                return Err(Stop::fault("the head is held without a body hook that could release it"));
            }
            Next::Hold => true,
            Next::Forward => false,
        };
        self.edit(number, message, &edits)?;
        Ok(held)
    }

    /// Whether the filter sees the body as a whole.
    fn whole(&self, message: Message) -> bool {
        let mode = match message {
            Message::Request => self.subscription.request_body,
            Message::Response => self.subscription.response_body,
        };
        mode == BodyMode::Whole
    }

    /// What goes on of a body, whether the filter has ended it, and whether the head waited for its last piece.
    fn body(
        &self,
        number: u32,
        message: Message,
        body: Vec<Vec<u8>>,
        mut held: bool,
    ) -> Result<(Vec<Vec<u8>>, bool, bool), Stop> {
        let hook = if message == Message::Request { Hook::RequestBody } else { Hook::ResponseBody };
        if !self.subscribed(hook) || body.is_empty() && !held {
            return Ok((body, false, held));
        }
        let pieces = match body.is_empty() || self.whole(message) {
            true => vec![body.concat()],
            false => body,
        };
        let count = pieces.len();
        let (mut passed, mut waited) = (Vec::new(), held);
        for (index, piece) in pieces.into_iter().enumerate() {
            let (bytes, last) = (piece.clone(), index + 1 == count);
            waited = held;
            let answer = self.hook(number, message, |runtime| match message {
                Message::Request => runtime.request_body(number, bytes, last),
                Message::Response => runtime.response_body(number, bytes, last),
            })?;
            let ends = matches!(answer.action, BodyAction::End(_));
            passed.extend(self.piece(number, message, piece, answer, &mut held)?);
            if ends {
                return Ok((passed, true, waited));
            }
        }
        Ok((passed, false, waited))
    }

    /// What goes on of one piece.
    fn piece(
        &self,
        number: u32,
        message: Message,
        piece: Vec<u8>,
        answer: BodyAnswer,
        held: &mut bool,
    ) -> Result<Option<Vec<u8>>, Stop> {
        if !answer.edits.is_empty() && !*held {
            return Err(Stop::fault("a body hook edited a head that has gone"));
        }
        let bytes = match answer.action {
            BodyAction::Reply(_) if message == Message::Response && !*held => {
                return Err(Stop::fault("a body hook replied although the response's head has gone"));
            }
            BodyAction::Reply(reply) => return Err(Stop::reply(&reply)),
            BodyAction::Abort => return Err(Stop::Abort),
            BodyAction::Pass => piece,
            BodyAction::Replace(bytes) | BodyAction::End(bytes) => bytes,
        };
        self.edit(number, message, &answer.edits)?;
        *held &= !answer.release;
        Ok((!bytes.is_empty()).then_some(bytes))
    }

    fn trailers(&self, number: u32, message: Message, mut trailers: Head, held: bool) -> Result<Head, Stop> {
        let hook = if message == Message::Request { Hook::RequestTrailers } else { Hook::ResponseTrailers };
        if self.subscribed(hook) {
            let field = |(name, value): &(String, Vec<u8>)| Field { name: name.clone(), value: value.clone() };
            let fields: Vec<_> = trailers.0.iter().map(field).collect();
            let answer = self.hook(number, message, |runtime| match message {
                Message::Request => runtime.request_trailers(number, &fields),
                Message::Response => runtime.response_trailers(number, &fields),
            })?;
            match answer.action {
                TrailersAction::Reply(_) if message == Message::Response && !held => {
                    return Err(Stop::fault("a trailers hook replied although the response's head has gone"));
                }
                TrailersAction::Reply(reply) => return Err(Stop::reply(&reply)),
                TrailersAction::Abort => return Err(Stop::Abort),
                TrailersAction::Pass => {}
            }
            rules::apply_to_trailers(&answer.edits, message, &mut trailers).map_err(Stop::Fault)?;
        }
        Ok(trailers)
    }

    pub(super) fn hook<T>(&self, number: u32, message: Message, hook: impl FnOnce(&mut Runtime<F>) -> T) -> T {
        self.world.run(Some((number, message)), || hook(&mut self.runtime.borrow_mut()))
    }

    /// The declared facts, packed.
    fn facts(&self, number: u32, message: Message, names: &[String]) -> (Vec<u8>, Vec<u32>) {
        let (mut data, mut ends) = (Vec::new(), Vec::new());
        self.world.with(number, |open| {
            for name in names {
                let value = open.fact(message, name);
                let absent = value.is_none();
                data.extend(value.unwrap_or_default());
                ends.push(if absent { u32::MAX } else { data.len() as u32 });
            }
        });
        (data, ends)
    }

    fn edit(&self, number: u32, message: Message, edits: &[Edit]) -> Result<(), Stop> {
        self.world.with(number, |open| {
            let (head, exchange) = open.heads(message);
            rules::apply(edits, message, head, exchange).map_err(Stop::Fault)
        })
    }
}
