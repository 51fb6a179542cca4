//! HTTP/1.1: one request after another (RFC 9112). The connection's task does everything: it reads heads, polls the exchange,
//! and writes what comes of it. A request that could be read in two ways is answered, and is the last.

mod content;
mod head;
mod intake;
mod response;
mod wire;

pub use self::head::{Terms, parse};
pub use self::intake::{Intake, Refused};

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Response;
use http_body::Body as _;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use self::content::Content;
use self::wire::{Wire, Writer};
use super::transport::Transport;
use super::{Connection, Front};
use crate::exchange::{self, ExchangeBody};
use crate::framing::Violation;
use crate::message::{Body, RequestHead};
use crate::snapshot::View;
use crate::telemetry::Metrics;
use crate::wire::{Coding, Outgoing, SendError};

/// How much, and for how long, is still read of what nobody wants.
const MOST_DISCARDED: usize = 1 << 20;
const LINGER: Duration = Duration::from_secs(2);

/// Why a connection ended before its time.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the client has gone")]
    Gone,
    #[error("the connection broke")]
    Broken(#[from] io::Error),
    #[error("a filter has cut the exchange")]
    Cut,
    #[error("the response broke off")]
    Response(#[source] crate::message::BodyError),
}

/// What has come on the connection.
enum Arrived {
    /// A request, whose head is where it was wanted.
    Request(Terms, Body),
    /// Something that is not passed on.
    Refused(Violation),
}

pub(super) async fn serve(
    transport: Transport,
    front: &Front,
    known: &Connection,
    metrics: &Metrics,
    view: impl Fn() -> Rc<View>,
) -> Result<(), Ended> {
    let wire = &Wire::new(transport, Rc::clone(&known.activity), view().snapshot.framing);
    let _cut = CutAtEnd(wire);
    let mut outgoing = Outgoing::default();
    loop {
        let mut head = RequestHead::default();
        let Some(arrived) = poll_fn(|cx| poll_request(wire, known, &mut head, cx)).await? else { return Ok(()) };
        let (view, activity) = (view(), Rc::clone(&known.activity));
        let (mut response, terms) = match arrived {
            Arrived::Request(terms, body) => {
                let (client, settings) = (&front.client, &front.settings);
                let served = exchange::serve(view, client, settings, activity, &known.handover, &mut head, body);
                // Pinned where it is made: it is large, and every move would be a copy.
                let served = pin!(served);
                match while_there(wire, known, served).await {
                    Some(response) if response.body().is_cut() => return Err(Ended::Cut),
                    Some(response) => (response, terms),
                    None => return Err(Ended::Gone),
                }
            }
            Arrived::Refused(violation) => (exchange::decline(view, &front.client, activity, violation), Terms::LAST),
        };
        note_violation(wire, front, metrics);
        front.mark(&mut response);
        let last = terms.closes || known.is_draining() || wire.is_spoiled();
        let coding = begin(&mut outgoing, response, terms, last, known.activity.clock().get());
        poll_fn(|cx| poll_send(&mut outgoing, wire, known, cx)).await?;
        note_violation(wire, front, metrics);
        outgoing.rest();
        if known.handover.is_due() {
            return hand_over(wire, known).await;
        }
        if last || coding == Coding::UntilClose || !wire.finish() {
            return Ok(close(wire).await?);
        }
    }
}

/// The next request, once its head is whole. None if the connection ends before one.
fn poll_request(
    wire: &Rc<Wire>,
    known: &Connection,
    head: &mut RequestHead,
    cx: &mut Context<'_>,
) -> Poll<Result<Option<Arrived>, Ended>> {
    loop {
        let next = wire.intake.borrow_mut().next_head();
        match next {
            Ok(Some(bytes)) => return Poll::Ready(Ok(Some(arrive(wire, head::parse(&bytes, head))))),
            Ok(None) => {}
            Err(violation) => return Poll::Ready(Ok(Some(Arrived::Refused(violation)))),
        }
        if known.poll_cut(cx).is_ready() {
            return Poll::Ready(Ok(None));
        }
        if ready!(wire.poll_read(cx)).map_err(Ended::Broken)? == 0 {
            return Poll::Ready(Ok(None));
        }
    }
}

fn arrive(wire: &Rc<Wire>, terms: Option<Terms>) -> Arrived {
    let Some(terms) = terms else {
        return Arrived::Refused(wire.intake.borrow_mut().refuse(Violation::Target));
    };
    let body = match wire.intake.borrow().is_in_content() {
        true => Body::incoming(Content::new(Rc::clone(wire), terms.expects_continue)),
        false => Body::Empty,
    };
    Arrived::Request(terms, body)
}

fn note_violation(wire: &Wire, front: &Front, metrics: &Metrics) {
    if let Some(violation) = wire.intake.borrow_mut().news() {
        metrics.gateway.invalid(violation as usize, violation.label());
        tracing::debug!(client = %front.client.address, reason = violation.label(), "request refused");
    }
}

/// What comes of the exchange, unless the client goes away or the connection is cut before.
async fn while_there<T>(wire: &Wire, known: &Connection, mut served: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    poll_fn(|cx| match served.as_mut().poll(cx) {
        Poll::Ready(response) => Poll::Ready(Some(response)),
        Poll::Pending if known.poll_cut(cx).is_ready() || wire.poll_gone(cx).is_ready() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

fn begin(
    outgoing: &mut Outgoing<ExchangeBody>,
    response: Response<ExchangeBody>,
    terms: Terms,
    last: bool,
    second: u32,
) -> Coding {
    let (head, body) = response.into_parts();
    let coding = response::coding(terms, head.status, &body);
    let content = body.size_hint().exact();
    let last = last || coding == Coding::UntilClose;
    outgoing.begin(coding, body, |buffer| response::encode(buffer, &head, terms, coding, content, last, second));
    if coding == Coding::Complete {
        outgoing.end_body();
    }
    if !terms.takes_trailers {
        outgoing.without_trailers();
    }
    coding
}

fn poll_send(
    outgoing: &mut Outgoing<ExchangeBody>,
    wire: &Wire,
    known: &Connection,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Ended>> {
    match outgoing.poll(&mut Writer(wire), cx) {
        Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
        Poll::Ready(Err(SendError::Body(error))) => Poll::Ready(Err(Ended::Response(error))),
        Poll::Ready(Err(SendError::Stream(error))) => Poll::Ready(Err(error.into())),
        Poll::Pending if known.poll_cut(cx).is_ready() || wire.poll_gone(cx).is_ready() => {
            Poll::Ready(Err(Ended::Gone))
        }
        Poll::Pending => Poll::Pending,
    }
}

/// After a 101: the client's socket is the tunnel's.
async fn hand_over(wire: &Wire, known: &Connection) -> Result<(), Ended> {
    if let Some((transport, read)) = wire.hand_over() {
        Box::pin(known.handover.run(TokioIo::new(transport), read)).await;
    }
    Ok(())
}

/// Ends the connection politely: the last answer should reach a client that is still sending. A socket that is closed with
/// unread bytes resets the connection, and what was answered is lost (RFC 9112, section 9.6).
async fn close(wire: &Wire) -> io::Result<()> {
    let closed = async {
        Writer(wire).shutdown().await?;
        if wire.is_unfinished() {
            let mut left = MOST_DISCARDED;
            poll_fn(|cx| wire.poll_discard(&mut left, cx)).await;
        }
        Ok(())
    };
    // Whatever ends that, it has ended.
    tokio::time::timeout(LINGER, closed).await.unwrap_or(Ok(()))
}

/// Whoever still holds on to the request's body is not to keep the socket open.
struct CutAtEnd<'a>(&'a Wire);

impl Drop for CutAtEnd<'_> {
    fn drop(&mut self) {
        self.0.cut();
    }
}
