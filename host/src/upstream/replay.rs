//! A request's body that can be sent again: what has been sent is kept, up to a bound.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::message::{Body, BodyError};

/// The body of a request, for one attempt after another.
pub(super) struct Replay(Kind);

enum Kind {
    /// It is here as a whole.
    Whole(Bytes),
    /// It arrives while it is sent.
    Streamed(Rc<RefCell<Stream>>),
}

struct Stream {
    source: Body,
    /// What the source has given; none once that was too much.
    kept: Option<Vec<Bytes>>,
    room: usize,
    /// The attempt that may read.
    attempt: usize,
}

impl Replay {
    /// Keeps at most `room` bytes.
    pub(super) fn new(body: Body, room: usize) -> Self {
        Self(match body {
            Body::Empty => Kind::Whole(Bytes::new()),
            Body::Full(content) => Kind::Whole(content),
            source => {
                Kind::Streamed(Rc::new(RefCell::new(Stream { source, kept: Some(Vec::new()), room, attempt: 0 })))
            }
        })
    }

    /// The body for the next attempt. Earlier ones get nothing more.
    pub(super) fn body(&self) -> Body {
        let stream = match &self.0 {
            Kind::Whole(content) => return Body::full(content.clone()),
            Kind::Streamed(stream) => stream,
        };
        let (ahead, attempt) = {
            let mut stream = stream.borrow_mut();
            stream.attempt += 1;
            (stream.kept.clone().unwrap_or_default().into(), stream.attempt)
        };
        Body::boxed(Attempt { stream: Rc::clone(stream), ahead, attempt })
    }

    /// Whether it can be sent from its beginning.
    pub(super) fn is_whole(&self) -> bool {
        match &self.0 {
            Kind::Whole(_) => true,
            Kind::Streamed(stream) => stream.borrow().kept.is_some(),
        }
    }
}

impl Stream {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.source).poll_frame(cx);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => self.keep(frame),
            Poll::Ready(Some(Err(_))) => self.kept = None,
            Poll::Ready(None) | Poll::Pending => {}
        }
        frame
    }

    fn keep(&mut self, frame: &Frame<Bytes>) {
        let room = frame.data_ref().and_then(|data| self.room.checked_sub(data.len()));
        match (room, &mut self.kept, frame.data_ref()) {
            (Some(room), Some(kept), Some(data)) => {
                self.room = room;
                kept.push(data.clone());
            }
            // Too much, or trailers, which come with the end: what follows them is not worth to be kept.
            _ => self.kept = None,
        }
    }
}

/// The body as one attempt sends it: first what is kept, then the rest.
struct Attempt {
    stream: Rc<RefCell<Stream>>,
    ahead: VecDeque<Bytes>,
    attempt: usize,
}

impl HttpBody for Attempt {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(data) = self.ahead.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let mut stream = self.stream.borrow_mut();
        match stream.attempt == self.attempt {
            true => stream.poll(cx),
            false => Poll::Ready(Some(Err(BodyError::Superseded))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.stream.borrow().source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead: u64 = self.ahead.iter().map(|data| data.len() as u64).sum();
        let rest = self.stream.borrow().source.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + ahead);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + ahead);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Content in pieces.
    struct Pieces(VecDeque<Bytes>);

    impl HttpBody for Pieces {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Ready(self.0.pop_front().map(|data| Ok(Frame::data(data))))
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty()
        }
    }

    fn pieces(room: usize) -> Replay {
        Replay::new(Body::boxed(Pieces(["one", "two", "three"].map(Bytes::from).into())), room)
    }

    fn next(body: &mut Body) -> Option<String> {
        match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(frame))) => Some(String::from_utf8(frame.into_data().unwrap().into()).unwrap()),
            Poll::Ready(Some(Err(error))) => Some(error.to_string()),
            Poll::Ready(None) | Poll::Pending => None,
        }
    }

    fn rest(body: &mut Body) -> Vec<String> {
        std::iter::from_fn(|| next(body)).take(9).collect()
    }

    #[test]
    fn what_was_sent_is_sent_again_and_then_the_rest() {
        let replay = pieces(100);
        let mut first = replay.body();
        assert_eq!([next(&mut first), next(&mut first)], [Some("one".into()), Some("two".into())]);
        assert!(replay.is_whole());
        assert_eq!(rest(&mut replay.body()), ["one", "two", "three"]);
        assert_eq!(rest(&mut replay.body()), ["one", "two", "three"]);
    }

    #[test]
    fn more_than_there_is_room_for_is_not_kept() {
        let replay = pieces(6);
        let mut first = replay.body();
        (0..2).for_each(|_| drop(next(&mut first)));
        assert!(replay.is_whole());
        next(&mut first);
        assert!(!replay.is_whole());
    }

    #[test]
    fn an_earlier_attempt_gets_nothing_more() {
        let replay = pieces(100);
        let mut first = replay.body();
        next(&mut first);
        let mut second = replay.body();
        assert_eq!(next(&mut first), Some(BodyError::Superseded.to_string()));
        assert_eq!(rest(&mut second), ["one", "two", "three"]);
    }
}
