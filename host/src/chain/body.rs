//! Body hooks: a body that passes a filter piece by piece as it is read, so back-pressure reaches through it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::record::{HookAnswer, HookCall};
use super::run::{Denied, Run};
use crate::message::{Body, BodyError, Message, Reply};
use crate::sandbox::{BodyStep, Fault, FaultClass};

/// The largest piece that a hook is given, in bytes.
const PIECE: usize = 64 << 10;

/// How much of a body is kept while its head is held, in bytes.
const HOLD_LIMIT: usize = 1 << 20;

/// A body behind one filter.
pub(super) struct FilteredBody {
    run: Run,
    index: usize,
    message: Message,
    inner: Body,
    /// Read from `inner`, not yet seen by the filter.
    unread: Bytes,
    /// Passed the filter, not yet taken.
    ready: VecDeque<Frame<Bytes>>,
    /// How many bytes have passed the filter; while the head is held, they are all in `ready`.
    kept: usize,
    /// `inner` has ended; its trailers.
    end: Option<Option<HeaderMap>>,
    /// The filter has seen the last piece.
    finished: bool,
    held: bool,
}

/// What became of a body whose head was held.
pub(super) enum Held {
    /// The head may go, with this body.
    Released(Body),
    /// The exchange ends with this.
    Reply(Reply),
    /// The filter faulted, and its policy denies then.
    Denied(Denied),
    /// More was buffered than may be.
    TooLarge,
    /// The body ended early.
    Broken(BodyError),
}

/// Why a body cannot go on.
enum Stop {
    Reply(Reply),
    Denied(Denied),
    Broken(BodyError),
}

impl FilteredBody {
    pub(super) fn new(run: Run, index: usize, message: Message, inner: Body) -> Self {
        Self {
            run,
            index,
            message,
            inner,
            unread: Bytes::new(),
            ready: VecDeque::new(),
            kept: 0,
            end: None,
            finished: false,
            held: false,
        }
    }

    /// Reads until the filter lets the head go.
    pub(super) async fn hold(mut self) -> Held {
        self.held = true;
        while self.held && !self.finished {
            match std::future::poll_fn(|cx| self.poll_step(cx)).await {
                Ok(()) => {}
                Err(Stop::Reply(reply)) => return Held::Reply(reply),
                Err(Stop::Denied(denied)) => return Held::Denied(denied),
                Err(Stop::Broken(error)) => return Held::Broken(error),
            }
            if self.kept > HOLD_LIMIT {
                return Held::TooLarge;
            }
        }
        Held::Released(if self.finished && self.ready.is_empty() { Body::Empty } else { Body::boxed(self) })
    }

    /// Shows the filter one piece, or reads more.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        if self.unread.is_empty() && self.end.is_none() {
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.unread = data,
                    Err(frame) => self.end = Some(frame.into_trailers().ok()),
                },
                Some(Err(error)) => return Poll::Ready(Err(Stop::Broken(error))),
                None => self.end = Some(None),
            }
            if self.end.is_none() && self.inner.is_end_stream() {
                self.end = Some(None);
            }
        }
        let piece = self.unread.split_to(self.unread.len().min(PIECE));
        let last = self.end.is_some() && self.unread.is_empty();
        let done = if last || !piece.is_empty() { self.show(piece, last) } else { Ok(()) };
        Poll::Ready(done)
    }

    /// Calls the body hook for one piece, and the trailers hook after the last.
    fn show(&mut self, piece: Bytes, last: bool) -> Result<(), Stop> {
        let out = if self.wants_pieces() { self.call(&piece, last)?.unwrap_or(piece) } else { piece };
        if !out.is_empty() {
            self.kept += out.len();
            self.ready.push_back(Frame::data(out));
        }
        if last {
            self.finished = true;
            if let Some(Some(mut trailers)) = self.end.take() {
                self.show_trailers(&mut trailers)?;
                self.ready.push_back(Frame::trailers(trailers));
            }
        }
        Ok(())
    }

    fn wants_pieces(&self) -> bool {
        let subscription = &self.run.filter(self.index).policy.filter.subscription;
        let wanted = match self.message {
            Message::Request => subscription.request_body(),
            Message::Response => subscription.response_body(),
        };
        wanted && !self.run.is_bypassed(self.index)
    }

    /// What goes on in the piece's place, if anything does.
    fn call(&mut self, piece: &Bytes, last: bool) -> Result<Option<Bytes>, Stop> {
        let (message, held) = (self.message, self.held);
        self.run.cost(self.index).bytes(message == Message::Response, piece.len());
        self.run.before(self.index, HookCall::Body { message, piece, last });
        let answer = self
            .run
            .call(self.index, |instance, seat, exchange| instance.on_body(seat, message, exchange, piece, last, held));
        match answer {
            Ok((step, release)) => {
                self.run.answered(self.index, HookAnswer::Body(&step, release));
                self.held &= !release;
                match step {
                    BodyStep::Pass => Ok(None),
                    BodyStep::Replace(content) => Ok(Some(content)),
                    BodyStep::Reply(reply) => self.reply(reply, held),
                }
            }
            Err(fault) => self.fault(&fault).map(|()| None),
        }
    }

    fn reply(&mut self, reply: Reply, held: bool) -> Result<Option<Bytes>, Stop> {
        if held || self.message == Message::Request {
            self.run.filter(self.index).policy.metrics.replied();
            self.run.cost(self.index).replied();
            return Err(Stop::Reply(reply));
        }
        let message = "replies to a response whose head has gone; hold it until the body is seen".to_owned();
        self.fault(&Fault { class: FaultClass::Answer, message }).map(|()| None)
    }

    fn fault(&mut self, fault: &Fault) -> Result<(), Stop> {
        self.held = false;
        self.run.weigh(self.index, fault).map_err(Stop::Denied)
    }

    fn show_trailers(&mut self, trailers: &mut HeaderMap) -> Result<(), Stop> {
        let subscription = &self.run.filter(self.index).policy.filter.subscription;
        let wanted = match self.message {
            Message::Request => subscription.request_trailers(),
            Message::Response => subscription.response_trailers(),
        };
        if !wanted || self.run.is_bypassed(self.index) {
            return Ok(());
        }
        let message = self.message;
        self.run.before(self.index, HookCall::Trailers(message, trailers));
        let done = self
            .run
            .call(self.index, |instance, seat, exchange| instance.on_trailers(seat, message, exchange, trailers));
        if done.is_ok() {
            self.run.answered(self.index, HookAnswer::Trailers(trailers));
        }
        done.or_else(|fault| self.fault(&fault))
    }

    /// The exchange is beyond help for this body; whoever waits for it finds the verdict.
    fn stop(&mut self, stop: Stop) -> BodyError {
        self.finished = true;
        let policy = std::sync::Arc::clone(&self.run.filter(self.index).policy.name);
        match stop {
            Stop::Broken(error) => return error,
            Stop::Reply(reply) => self.run.decide(Ok(reply)),
            Stop::Denied(denied) => self.run.decide(Err(denied)),
        }
        BodyError::Fault(policy)
    }
}

impl HttpBody for FilteredBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if self.finished {
                return Poll::Ready(None);
            }
            if let Err(stop) = ready!(self.poll_step(cx)) {
                return Poll::Ready(Some(Err(self.stop(stop))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.finished && self.ready.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
