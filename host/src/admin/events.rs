//! `/events`: what filters log, and their faults, as they happen, until the client has heard enough. A line of JSON for each, or an
//! event of `text/event-stream` for who accepts that.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::{Either, Full};
use tokio::time::{Interval, interval};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::Admin;
use super::pages::{page, policy_of};
use crate::telemetry::Listening;

/// The content of any page.
pub(super) type Content = Either<Full<Bytes>, Events>;

/// How often a client is sent something although nothing has happened: one who has gone is noticed by that.
const STILL_THERE: Duration = Duration::from_secs(15);

impl Admin {
    /// Any page, or the events. These end when `stop` is cancelled.
    pub(super) fn content<B>(&self, request: &http::Request<B>, stop: &CancellationToken) -> Response<Content> {
        if request.uri().path() == "/events" && request.method() == http::Method::GET {
            return self.events(request.uri().query(), request.headers(), stop);
        }
        whole(self.page(request.method(), request.uri(), request.headers()))
    }

    fn events(&self, query: Option<&str>, fields: &HeaderMap, stop: &CancellationToken) -> Response<Content> {
        let Some(listening) = self.metrics.feed.listen(policy_of(query)) else {
            let text = "as many listen as may; close one of the others\n";
            return whole(page(StatusCode::SERVICE_UNAVAILABLE, "text/plain", text));
        };
        let accepted = fields.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
        let is_event_stream = accepted.contains("text/event-stream");
        let kind = if is_event_stream { "text/event-stream" } else { "application/x-ndjson" };
        let stopped = Box::pin(stop.clone().cancelled_owned());
        let events = Events { listening, is_event_stream, still_there: interval(STILL_THERE), stopped };
        page(StatusCode::OK, kind, String::new()).map(|_| Either::Right(events))
    }
}

pub(super) fn whole(page: Response<String>) -> Response<Content> {
    page.map(|text| Either::Left(Full::new(Bytes::from(text))))
}

/// Events as they come.
pub(super) struct Events {
    listening: Listening,
    is_event_stream: bool,
    still_there: Interval,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.stopped.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        let piece = match self.listening.poll(context) {
            Poll::Ready(Some(line)) if self.is_event_stream => Bytes::from([b"data: ", &line[..], b"\n"].concat()),
            Poll::Ready(Some(line)) => line,
            Poll::Ready(None) => return Poll::Ready(None),
            // The first comes at once: whoever listens knows from it that nothing is missed from now on.
            Poll::Pending if self.still_there.poll_tick(context).is_ready() => match self.is_event_stream {
                true => Bytes::from_static(b":\n\n"),
                false => Bytes::from_static(b"\n"),
            },
            Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}
