//! A connection's socket and what has come on it, shared by the connection's task and the body of the request at hand.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use super::intake::Intake;
use crate::connection::transport::Transport;
use crate::framing::Limits;
use crate::message::Activity;

/// How much of a head, or of the beginning of content, is read at once.
const SCRATCH: usize = 16 << 10;

/// The least and the most that is read at once of content. Content that fills what is asked for is asked for more of.
const READ: std::ops::RangeInclusive<usize> = 8 << 10..=128 << 10;

thread_local! {
    /// Where a worker reads what is small, so that a connection holds no more than what has come on it: idle ones nothing.
    static PAD: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

pub(super) struct Wire {
    /// None once the connection is closed, or has been handed over.
    transport: RefCell<Option<Transport>>,
    pub(super) intake: RefCell<Intake>,
    activity: Rc<Activity>,
    appetite: Cell<usize>,
    /// Whether the body of the request at hand is being read: then nobody else reads.
    has_reader: Cell<bool>,
    /// Whether the client waits to be told to send it.
    uninvited: Cell<bool>,
    /// The connection's task, if it waits for that.
    waiting: RefCell<Option<Waker>>,
}

impl Wire {
    pub(super) fn new(transport: Transport, activity: Rc<Activity>, limits: Limits) -> Rc<Self> {
        Rc::new(Self {
            transport: RefCell::new(Some(transport)),
            intake: RefCell::new(Intake::new(limits)),
            activity,
            appetite: Cell::new(*READ.start()),
            has_reader: Cell::new(false),
            uninvited: Cell::new(false),
            waiting: RefCell::new(None),
        })
    }

    /// Reads more, behind what has come. Zero at the end.
    pub(super) fn poll_read(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut transport = self.transport.borrow_mut();
        let transport = transport.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let mut intake = self.intake.borrow_mut();
        let read = match intake.is_in_content() {
            true => self.poll_content(transport, &mut intake, cx),
            false => PAD.with_borrow_mut(|pad| {
                let mut buffer = ReadBuf::new(pad);
                ready!(Pin::new(transport).poll_read(cx, &mut buffer))?;
                let filled = buffer.filled();
                intake.put(filled);
                Poll::Ready(Ok(filled.len()))
            }),
        };
        if read.is_ready() {
            self.activity.received();
        }
        read
    }

    fn poll_content(
        &self,
        transport: &mut Transport,
        intake: &mut Intake,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let (appetite, buffer) = (self.appetite.get(), intake.buffer());
        buffer.reserve(appetite);
        let room = buffer.capacity() - buffer.len();
        let count = ready!(poll_read_buf(Pin::new(transport), cx, buffer))?;
        if count == room {
            self.appetite.set((appetite * 2).min(*READ.end()));
        }
        Poll::Ready(Ok(count))
    }

    /// Whether the client has gone, while it is its turn to wait. What it sends meanwhile is kept, but not asked for twice.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_reader.get() {
            self.waiting.replace(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        if !self.intake.borrow().is_empty() {
            return Poll::Pending;
        }
        match self.poll_read(cx) {
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(()),
            Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
        }
    }

    /// The body of the request at hand is read by somebody from now on.
    pub(super) fn reader_comes(&self, uninvited: bool) {
        self.has_reader.set(true);
        self.uninvited.set(uninvited);
        self.appetite.set(*READ.start());
    }

    /// It is no longer.
    pub(super) fn reader_goes(&self) {
        if self.has_reader.replace(false)
            && let Some(waiting) = self.waiting.take()
        {
            waiting.wake();
        }
    }

    /// The client is told to send the content.
    pub(super) fn invite(&self) {
        self.uninvited.set(false);
    }

    /// Whether nobody can tell what the next bytes are: the client may or may not send the content that it has announced, or
    /// has broken the rules.
    pub(super) fn is_spoiled(&self) -> bool {
        let intake = self.intake.borrow();
        intake.is_refused() || (self.uninvited.get() && intake.is_in_content())
    }

    /// Whether the request is over, so that another may follow. What has come of its content and was not read is forgotten.
    pub(super) fn finish(&self) -> bool {
        let mut intake = self.intake.borrow_mut();
        let finished = !self.has_reader.get() && intake.discard();
        if finished {
            intake.go_on();
            self.uninvited.set(false);
            if !intake.is_empty() {
                self.activity.received();
            }
        }
        finished
    }

    /// Whether the client may still be sending what nobody wants.
    pub(super) fn is_unfinished(&self) -> bool {
        let intake = self.intake.borrow();
        intake.is_in_content() || intake.is_refused()
    }

    /// Reads and forgets, up to the end or until so many bytes are used up.
    pub(super) fn poll_discard(&self, left: &mut usize, cx: &mut Context<'_>) -> Poll<()> {
        while *left > 0 {
            let read = self.with(|transport| {
                PAD.with_borrow_mut(|pad| {
                    let mut buffer = ReadBuf::new(pad);
                    ready!(transport.poll_read(cx, &mut buffer))?;
                    Poll::Ready(Ok(buffer.filled().len()))
                })
            });
            match ready!(read) {
                Ok(0) | Err(_) => break,
                Ok(count) => *left = left.saturating_sub(count),
            }
        }
        Poll::Ready(())
    }

    /// The socket, and what has come on it for whoever takes over.
    pub(super) fn hand_over(&self) -> Option<(Transport, Bytes)> {
        let rest = std::mem::replace(&mut *self.intake.borrow_mut(), Intake::new(Limits::default()));
        Some((self.transport.take()?, rest.into_rest()))
    }

    /// Closes the socket, whoever still holds on to this.
    pub(super) fn cut(&self) {
        self.transport.take();
    }

    fn with<T>(&self, act: impl FnOnce(Pin<&mut Transport>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &mut *self.transport.borrow_mut() {
            Some(transport) => act(Pin::new(transport)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

/// The way out. The socket is held for the time of a write only, so that a body that is written may read from it.
pub(super) struct Writer<'a>(pub(super) &'a Wire);

impl AsyncWrite for Writer<'_> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, content: &[u8]) -> Poll<io::Result<usize>> {
        self.0.with(|transport| transport.poll_write(cx, content))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        content: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.with(|transport| transport.poll_write_vectored(cx, content))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.with(|transport| transport.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.with(|transport| transport.poll_shutdown(cx))
    }
}
