//! Bodies as they stream through the gateway, piece by piece and never as a whole.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::Upgraded;

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The peer's connection broke, or it framed the body wrongly.
    #[error("the body ended early")]
    Peer(#[from] hyper::Error),
    /// The client's connection broke, or it framed the body wrongly.
    #[error("the body ended early")]
    Client(#[source] std::io::Error),
    /// The upstream's connection broke, or it framed the body wrongly.
    #[error("the body ended early")]
    Upstream(#[source] std::io::Error),
    /// It is shorter or longer than it was said to be.
    #[error("the body is not as long as was said")]
    Length,
    /// The peer sent nothing for too long.
    #[error("no data for {0:?}")]
    Idle(Duration),
    /// The exchange has taken too long.
    #[error("the exchange took longer than {0:?}")]
    Late(Duration),
    /// The request is sent again; what sends it still gets no more of the body.
    #[error("the request is sent again")]
    Superseded,
    /// A filter faulted on a piece of the body and its policy denies on faults.
    #[error("policy {0} faulted on the body")]
    Fault(std::sync::Arc<str>),
    /// There is more of it than the route allows.
    #[error("the body is larger than {0} bytes")]
    TooLarge(u64),
    /// It is a copy, and what it is a copy of has broken off or has been faster than it for too long.
    #[error("the copy of a body broke off")]
    Copy,
}

/// A message's content. Only what is polled is read: back-pressure reaches the sender.
#[derive(Default)]
pub enum Body {
    /// None.
    #[default]
    Empty,
    /// Made here.
    Full(Bytes),
    /// From the client's connection, which may be slow.
    Incoming(IdleTimeout<Pin<Box<Stream>>>),
    /// None either: in place of content, the connection itself. Only a response with status 101 has it, and nobody but
    /// the connection task looks inside.
    Upgraded(Box<Upgraded>),
    /// Anything that wraps another body.
    Boxed(Pin<Box<Stream>>),
}

type Stream = dyn HttpBody<Data = Bytes, Error = BodyError>;

impl Body {
    /// Content that is already here.
    pub fn full(content: impl Into<Bytes>) -> Self {
        let content = content.into();
        if content.is_empty() { Self::Empty } else { Self::Full(content) }
    }

    /// Content that arrives on a connection.
    #[must_use]
    pub fn incoming(body: impl HttpBody<Data = Bytes, Error = BodyError> + 'static) -> Self {
        if body.is_end_stream() { Self::Empty } else { Self::boxed(body) }
    }

    /// The same content; if nothing of it comes for `idle`, it ends with an error.
    #[must_use]
    pub fn watched(self, idle: Duration) -> Self {
        match self {
            Self::Boxed(body) => Self::Incoming(IdleTimeout::new(body, idle)),
            body => body,
        }
    }

    /// Content that some other step makes.
    pub fn boxed(body: impl HttpBody<Data = Bytes, Error = BodyError> + 'static) -> Self {
        Self::Boxed(Box::pin(body))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Empty | Self::Upgraded(_) => Poll::Ready(None),
            body @ Self::Full(_) => match std::mem::take(body) {
                Self::Full(content) => Poll::Ready(Some(Ok(Frame::data(content)))),
                _ => Poll::Ready(None),
            },
            Self::Incoming(body) => Pin::new(body).poll_frame(cx),
            Self::Boxed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty | Self::Upgraded(_) => true,
            Self::Full(_) => false,
            Self::Incoming(body) => body.is_end_stream(),
            Self::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Upgraded(_) => SizeHint::with_exact(0),
            Self::Full(content) => SizeHint::with_exact(content.len() as u64),
            Self::Incoming(body) => body.size_hint(),
            Self::Boxed(body) => body.size_hint(),
        }
    }
}

/// A body that ends with an error if its peer sends nothing for too long. The timer is only made once the body has to be
/// waited for, so content that came with the head costs none.
pub struct IdleTimeout<B> {
    inner: B,
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl<B> IdleTimeout<B> {
    /// Watches over `inner`.
    pub fn new(inner: B, idle: Duration) -> Self {
        Self { inner, idle, timer: None, waiting: false }
    }

    /// The body without the watch.
    pub fn into_inner(self) -> B {
        self.inner
    }
}

impl<B> HttpBody for IdleTimeout<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    BodyError: From<B::Error>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            this.waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)));
        }
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(this.idle)));
        if !this.waiting {
            this.waiting = true;
            timer.as_mut().reset(Instant::now() + this.idle);
        }
        timer.as_mut().poll(cx).map(|()| Some(Err(BodyError::Idle(this.idle))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
