//! Body hooks: a body that passes a filter piece by piece as it is read, so back-pressure reaches through it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::record::{HookAnswer, HookCall};
use super::run::{Denied, Run, Verdict};
use super::whole::Gathered;
use crate::message::{Body, BodyError, Message, Reply};
use crate::sandbox::{BodyStep, Fault, FaultClass, LocalFuture, TrailersStep};

/// The largest piece that a hook is given, in bytes, unless it wants the whole.
const PIECE: usize = 64 << 10;

/// What any filter may put in the place of one piece, in bytes; or twice as much as is kept for it.
const REPLACEMENT: usize = 1 << 20;

/// A body behind one filter.
pub(super) struct FilteredBody {
    run: Run,
    index: usize,
    message: Message,
    inner: Body,
    /// What has come so far, if the filter sees the whole at once.
    whole: Option<Gathered>,
    /// Read from `inner`, not yet seen by the filter.
    unread: Bytes,
    /// What `unread` is the rest of, if it is more than one piece.
    source: Bytes,
    /// Passed the filter, not yet taken.
    ready: VecDeque<Frame<Bytes>>,
    /// Why nothing comes after that.
    failed: Option<BodyError>,
    /// How many bytes have passed the filter; while the head is held, they are all in `ready`.
    kept: usize,
    /// `inner` has ended; its trailers.
    end: Option<Option<HeaderMap>>,
    /// The filter has seen the last piece.
    finished: bool,
    held: bool,
    /// How much is kept for the filter, in bytes.
    limit: usize,
    /// A hook that waits for something.
    waiting: Option<Waiting>,
}

/// The call of a hook that may wait. `held` says whether the head waited for the piece.
enum Waiting {
    Piece { call: LocalFuture<Result<(BodyStep, bool), Fault>>, piece: Bytes, last: bool, held: bool },
    Trailers { call: LocalFuture<(HeaderMap, Result<TrailersStep, Fault>)>, held: bool },
}

/// What a hook that has waited came to.
enum WaitedFor {
    Piece(Result<(BodyStep, bool), Fault>),
    Trailers(HeaderMap, Result<TrailersStep, Fault>),
}

/// What became of a body whose head was held.
pub(super) enum Held {
    /// The head may go, with this body.
    Released(Body),
    /// The exchange ends with this.
    Reply(Reply),
    /// The filter faulted, and its policy denies then.
    Denied(Denied),
    /// The filter cuts the exchange.
    Aborted,
    /// More was buffered than may be.
    TooLarge,
    /// The body ended early.
    Broken(BodyError),
}

/// Why a body cannot go on.
enum Stop {
    Reply(Reply),
    Denied(Denied),
    Aborted,
    TooLarge,
    Broken(BodyError),
}

/// What goes on of a piece.
struct Passed {
    content: Bytes,
    /// Whether the body ends there.
    ends: bool,
}

impl FilteredBody {
    pub(super) fn new(run: Run, index: usize, message: Message, inner: Body) -> Self {
        let filter = &run.filter(index).policy.filter;
        let limit = usize::try_from(filter.settings.body).unwrap_or(usize::MAX);
        let whole = filter.subscription.whole(message).then(|| Gathered::new(limit));
        Self {
            run,
            index,
            message,
            inner,
            whole,
            unread: Bytes::new(),
            source: Bytes::new(),
            ready: VecDeque::new(),
            failed: None,
            kept: 0,
            end: None,
            finished: false,
            held: false,
            limit,
            waiting: None,
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
                Err(Stop::Aborted) => return Held::Aborted,
                Err(Stop::TooLarge) => return Held::TooLarge,
                Err(Stop::Broken(error)) => return Held::Broken(error),
            }
        }
        Held::Released(if self.finished && self.ready.is_empty() { Body::Empty } else { Body::boxed(self) })
    }

    /// Shows the filter one piece, or reads more.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        if let Some(waiting) = &mut self.waiting {
            return waiting.poll(cx).map(|answer| self.resume(answer));
        }
        if self.unread.is_empty() && self.end.is_none() {
            ready!(self.poll_read(cx))?;
        }
        let last = self.end.is_some();
        if let (Some(whole), true) = (&mut self.whole, last) {
            let piece = whole.take();
            return Poll::Ready(self.show(piece, true));
        }
        let piece = self.unread.split_to(self.unread.len().min(PIECE));
        let last = last && self.unread.is_empty();
        Poll::Ready(if last || !piece.is_empty() { self.show(piece, last) } else { Ok(()) })
    }

    /// Whether more of what came at once can be shown before anything goes on: what passes unchanged goes on as it came, in
    /// one write. What takes its place is not gathered.
    fn gathers(&self) -> bool {
        !self.unread.is_empty() && self.ready.len() < 2 && self.waiting.is_none() && !self.finished
    }

    fn push(&mut self, content: Bytes) {
        match self.joined(&content) {
            Some(joined) => {
                self.ready.pop_back();
                self.ready.push_back(Frame::data(joined));
            }
            None => self.ready.push_back(Frame::data(content)),
        }
    }

    /// The piece before together with this one, if both lie side by side in what came.
    fn joined(&self, content: &Bytes) -> Option<Bytes> {
        let before = self.ready.back()?.data_ref()?;
        let source = self.source.as_ptr().addr();
        let start = before.as_ptr().addr().checked_sub(source)?;
        let (middle, end) = (start + before.len(), start + before.len() + content.len());
        let adjoins = content.as_ptr().addr() == source + middle && end <= self.source.len();
        adjoins.then(|| self.source.slice(start..end))
    }

    /// Takes what there is of the body.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        if let Some(whole) = &self.whole
            && whole.is_too_short_for(self.inner.size_hint().lower())
        {
            return Poll::Ready(Err(Stop::TooLarge));
        }
        // Whoever reads more wants the memory.
        self.source = Bytes::new();
        match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Ok(frame)) => match (frame.into_data(), &mut self.whole) {
                (Ok(data), Some(whole)) => whole.add(data).map_err(|_| Stop::TooLarge)?,
                (Ok(data), None) => {
                    if data.len() > PIECE {
                        self.source = data.clone();
                    }
                    self.unread = data;
                }
                (Err(frame), _) => self.end = Some(frame.into_trailers().ok()),
            },
            Some(Err(error)) => return Poll::Ready(Err(Stop::Broken(error))),
            None => self.end = Some(None),
        }
        if self.end.is_none() && self.inner.is_end_stream() {
            self.end = Some(None);
        }
        Poll::Ready(Ok(()))
    }

    /// Calls the body hook for one piece, and the trailers hook after the last.
    fn show(&mut self, piece: Bytes, last: bool) -> Result<(), Stop> {
        let (index, message, held) = (self.index, self.message, self.held);
        if !self.wants_pieces() {
            return self.pass(Passed { content: piece, ends: false }, last, held);
        }
        self.run.cost(index).bytes(message == Message::Response, piece.len());
        self.run.before(index, HookCall::Body { message, piece: &piece, last });
        if self.run.waits(index) {
            let call = self.run.body_waiting(index, message, piece.clone(), last, held);
            self.waiting = Some(Waiting::Piece { call, piece, last, held });
            return Ok(());
        }
        let answer = self
            .run
            .call(index, |instance, seat, exchange| instance.on_body(seat, message, exchange, &piece, last, held));
        let passed = self.answered(answer, piece, held)?;
        self.pass(passed, last, held)
    }

    /// Goes on after a hook has waited.
    fn resume(&mut self, answer: WaitedFor) -> Result<(), Stop> {
        match (answer, self.waiting.take()) {
            (WaitedFor::Piece(answer), Some(Waiting::Piece { piece, last, held, .. })) => {
                let passed = self.answered(answer, piece, held)?;
                self.pass(passed, last, held)
            }
            (WaitedFor::Trailers(trailers, answer), Some(Waiting::Trailers { held, .. })) => {
                self.pass_trailers(trailers, answer, held)
            }
            // An answer is that of its own call.
            _ => Ok(()),
        }
    }

    /// What goes on of a piece. `held` says whether the head waited for it.
    fn pass(&mut self, passed: Passed, last: bool, held: bool) -> Result<(), Stop> {
        if !passed.content.is_empty() {
            self.kept += passed.content.len();
            self.push(passed.content);
        }
        if held && self.whole.is_none() && self.kept > self.limit {
            return Err(Stop::TooLarge);
        }
        if passed.ends {
            // Whoever sends the rest learns that nobody reads it.
            (self.inner, self.unread, self.end) = (Body::Empty, Bytes::new(), None);
        }
        if last || passed.ends {
            let trailers = self.end.take().flatten();
            self.show_trailers(trailers, held)?;
        }
        Ok(())
    }

    fn wants_pieces(&self) -> bool {
        let subscription = &self.run.filter(self.index).policy.filter.subscription;
        subscription.body(self.message) && !self.run.is_bypassed(self.index)
    }

    /// What goes on in the piece's place.
    fn answered(&mut self, answer: Result<(BodyStep, bool), Fault>, piece: Bytes, held: bool) -> Result<Passed, Stop> {
        match answer {
            Ok((step, release)) => {
                self.run.answered(self.index, HookAnswer::Body(&step, release));
                self.held &= !release;
                self.follow(step, piece, held)
            }
            Err(fault) => self.fault(&fault).map(|()| Passed { content: piece, ends: false }),
        }
    }

    fn follow(&mut self, step: BodyStep, piece: Bytes, held: bool) -> Result<Passed, Stop> {
        match step {
            BodyStep::Replace(content) | BodyStep::End(content) if content.len() > self.most() => {
                let message = format!("puts {} bytes in the place of a piece, which is too much", content.len());
                self.fault(&Fault::new(FaultClass::Answer, message))?;
            }
            BodyStep::Replace(content) => return Ok(Passed { content, ends: false }),
            BodyStep::End(content) => {
                self.held = false;
                return Ok(Passed { content, ends: true });
            }
            BodyStep::Reply(reply) => self.reply(reply, held)?,
            BodyStep::Abort => return Err(Stop::Aborted),
            BodyStep::Pass => {}
        }
        Ok(Passed { content: piece, ends: false })
    }

    /// How long one piece may become.
    fn most(&self) -> usize {
        self.limit.saturating_mul(2).max(REPLACEMENT)
    }

    fn reply(&mut self, reply: Reply, held: bool) -> Result<(), Stop> {
        if held || self.message == Message::Request {
            self.run.filter(self.index).policy.metrics.replied();
            self.run.cost(self.index).replied();
            return Err(Stop::Reply(reply));
        }
        let message = "replies to a response whose head has gone; hold it until the body is seen".to_owned();
        self.fault(&Fault::new(FaultClass::Answer, message))
    }

    fn fault(&mut self, fault: &Fault) -> Result<(), Stop> {
        self.held = false;
        self.run.weigh(self.index, fault).map_err(Stop::Denied)
    }

    /// Calls the trailers hook. `held` says whether the head waited for the last piece.
    fn show_trailers(&mut self, trailers: Option<HeaderMap>, held: bool) -> Result<(), Stop> {
        let (index, message) = (self.index, self.message);
        let subscription = &self.run.filter(index).policy.filter.subscription;
        if !subscription.trailers(message) || self.run.is_bypassed(index) {
            self.finish(trailers);
            return Ok(());
        }
        let mut trailers = trailers.unwrap_or_default();
        self.run.before(index, HookCall::Trailers(message, &trailers));
        if self.run.waits(index) {
            self.waiting = Some(Waiting::Trailers { call: self.run.trailers_waiting(index, message, trailers), held });
            return Ok(());
        }
        let answer = self
            .run
            .call(index, |instance, seat, exchange| instance.on_trailers(seat, message, exchange, &mut trailers));
        self.pass_trailers(trailers, answer, held)
    }

    fn pass_trailers(
        &mut self,
        trailers: HeaderMap,
        answer: Result<TrailersStep, Fault>,
        held: bool,
    ) -> Result<(), Stop> {
        self.finished = true;
        match answer {
            Ok(step) => {
                self.run.answered(self.index, HookAnswer::Trailers(&step, &trailers));
                match step {
                    TrailersStep::Pass => {}
                    TrailersStep::Reply(reply) => self.reply(reply, held)?,
                    TrailersStep::Abort => return Err(Stop::Aborted),
                }
            }
            Err(fault) => self.fault(&fault)?,
        }
        self.finish(Some(trailers));
        Ok(())
    }

    /// The filter has seen all of the body.
    fn finish(&mut self, trailers: Option<HeaderMap>) {
        self.finished = true;
        self.ready.extend(trailers.filter(|trailers| !trailers.is_empty()).map(Frame::trailers));
    }

    /// The exchange is beyond help for this body; whoever waits for it finds the verdict.
    fn stop(&mut self, stop: Stop) -> BodyError {
        self.finished = true;
        let policy = std::sync::Arc::clone(&self.run.filter(self.index).policy.name);
        match stop {
            Stop::Broken(error) => return error,
            Stop::TooLarge => return BodyError::TooLarge(self.limit as u64),
            Stop::Reply(reply) => self.run.decide(Verdict::Reply(reply)),
            Stop::Denied(denied) => self.run.decide(Verdict::Denied(denied)),
            Stop::Aborted => self.run.decide(Verdict::Abort),
        }
        BodyError::Fault(policy)
    }
}

impl Waiting {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<WaitedFor> {
        match self {
            Self::Piece { call, .. } => call.as_mut().poll(cx).map(WaitedFor::Piece),
            Self::Trailers { call, .. } => {
                call.as_mut().poll(cx).map(|(trailers, answer)| WaitedFor::Trailers(trailers, answer))
            }
        }
    }
}

impl HttpBody for FilteredBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if !self.gathers() {
                if let Some(frame) = self.ready.pop_front() {
                    return Poll::Ready(Some(Ok(frame)));
                }
                if let Some(error) = self.failed.take() {
                    return Poll::Ready(Some(Err(error)));
                }
                if self.finished {
                    return Poll::Ready(None);
                }
            }
            if let Err(stop) = ready!(self.poll_step(cx)) {
                self.failed = Some(self.stop(stop));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.finished && self.ready.is_empty() && self.failed.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if !self.finished || self.failed.is_some() || self.ready.iter().any(Frame::is_trailers) {
            return SizeHint::default();
        }
        let left = self.ready.iter().filter_map(Frame::data_ref).map(Bytes::len).sum::<usize>();
        SizeHint::with_exact(left as u64)
    }
}
