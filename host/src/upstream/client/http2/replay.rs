//! A request's body that can be sent again, as far as it has been read: a peer may refuse a stream of which it has taken
//! the first pieces off our hands (RFC 9113, section 8.7).

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};

use tokio::time::Instant;

use crate::message::{Body, BodyError};

/// How much is kept to be sent again. What is kept is shared with what is being sent, not copied.
const MAX_KEPT: usize = 64 << 10;

/// Held beside the body while it is not known whether the peer takes the request.
pub(super) struct Replay(Rc<RefCell<State>>);

struct State {
    rest: Body,
    /// What has been read of the body, unless that was too much.
    kept: Option<Vec<Piece>>,
    bytes: usize,
    /// Why the body broke off.
    failure: Option<BodyError>,
    /// When the body gave something last.
    moved: Instant,
}

enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl Replay {
    pub(super) fn of(body: Body) -> Self {
        Self(Rc::new(RefCell::new(State {
            rest: body,
            kept: Some(Vec::new()),
            bytes: 0,
            failure: None,
            moved: Instant::now(),
        })))
    }

    /// The body to send.
    pub(super) fn body(&self) -> Body {
        if self.0.borrow().rest.is_end_stream() { Body::Empty } else { Body::boxed(Sent(Rc::clone(&self.0))) }
    }

    /// Ends when the request has made no progress for that long. A timer for each request is what many on one connection
    /// cost; there is none if the response is there at once.
    pub(super) async fn stalled(&self, bound: Duration) {
        loop {
            let due = self.0.borrow().moved + bound;
            if due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }

    /// The request has been taken: nothing need be kept any longer.
    pub(super) fn stop(&self) {
        self.0.borrow_mut().kept = None;
    }

    /// Why the body itself broke off, if it did.
    pub(super) fn failure(&self) -> Option<BodyError> {
        self.0.borrow_mut().failure.take()
    }

    /// The whole body once more, if it has been kept.
    pub(super) fn again(&self) -> Option<Body> {
        let mut state = self.0.borrow_mut();
        let kept = state.kept.take().filter(|_| state.failure.is_none())?;
        let rest = std::mem::take(&mut state.rest);
        if kept.is_empty() {
            return Some(rest);
        }
        Some(Body::boxed(Again { kept: kept.into_iter(), rest }))
    }
}

impl State {
    fn keep(&mut self, frame: &Frame<Bytes>) {
        let Some(kept) = &mut self.kept else { return };
        match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) => {
                self.bytes += data.len();
                kept.push(Piece::Data(data.clone()));
            }
            (None, Some(trailers)) => kept.push(Piece::Trailers(trailers.clone())),
            (None, None) => {}
        }
        if self.bytes > MAX_KEPT {
            self.kept = None;
        }
    }
}

/// The body on its way.
struct Sent(Rc<RefCell<State>>);

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut state = self.0.borrow_mut();
        let frame = ready!(Pin::new(&mut state.rest).poll_frame(cx));
        state.moved = Instant::now();
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                state.keep(&frame);
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                // The protocol only need know that it broke off.
                state.failure = Some(error);
                Some(Err(BodyError::Length))
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.borrow().rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.borrow().rest.size_hint()
    }
}

/// What was kept, then the rest.
struct Again {
    kept: std::vec::IntoIter<Piece>,
    rest: Body,
}

impl HttpBody for Again {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.kept.next() {
            Some(Piece::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Piece::Trailers(trailers)) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.kept.len() == 0 && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // The head says how long it is, if that is known.
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn next(body: &mut Body) -> Option<Bytes> {
        poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await?.ok()?.into_data().ok()
    }

    #[tokio::test]
    async fn what_was_sent_can_be_sent_again() {
        let replay = Replay::of(Body::full("content"));
        let mut sent = replay.body();
        assert_eq!(next(&mut sent).await.unwrap(), "content");
        let mut again = replay.again().unwrap();
        assert_eq!(next(&mut again).await.unwrap(), "content");
        assert_eq!(next(&mut again).await, None);
    }

    #[tokio::test]
    async fn nothing_is_kept_of_what_is_large_or_has_been_taken() {
        let large = Replay::of(Body::full(vec![0; MAX_KEPT + 1]));
        assert!(next(&mut large.body()).await.is_some());
        assert!(large.again().is_none());
        let taken = Replay::of(Body::full("content"));
        taken.stop();
        assert!(taken.again().is_none());
    }
}
