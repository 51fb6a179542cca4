//! Moves bytes between two connections. A tunnel that is silent keeps no buffer: all of a worker's read into the same one,
//! and only what the other side does not take at once is kept.

use std::any::Any;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use hyper::rt::ReadBuf;
use tokio::time::Instant;

use super::websocket::{self, Frames};
use crate::message::{Duplex, Upgraded};
use crate::telemetry::TunnelMetrics;

/// How much is read at once.
const PIECE: usize = 32 << 10;

thread_local!(static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into_boxed_slice()));

type Io = Pin<Box<dyn Duplex>>;

/// Both directions.
pub(super) struct Pump {
    client: Io,
    upstream: Io,
    up: Way,
    down: Way,
    /// What goes with the connections.
    _held: [Option<Box<dyn Any>>; 2],
    /// When bytes moved last.
    pub(super) moved: Instant,
}

/// One direction.
struct Way {
    /// Read, but not yet taken by the other side.
    unwritten: Bytes,
    unflushed: bool,
    state: State,
    /// Where the WebSocket frames of this direction begin and end, if it is a WebSocket.
    frames: Option<Frames>,
    bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Nothing more will be read; the other side is told once it has all that was.
    Ending,
    Ended,
}

impl Pump {
    pub(super) fn new(client: Upgraded, upstream: Upgraded, is_websocket: bool) -> Self {
        let frames = || is_websocket.then(Frames::default);
        let (up, down) = (Way::new(client.read, frames()), Way::new(upstream.read, frames()));
        let held = [client.held, upstream.held];
        Self { client: client.io, upstream: upstream.io, up, down, _held: held, moved: Instant::now() }
    }

    /// Runs until both sides have said all. May be given up and taken up again.
    pub(super) async fn run(&mut self, metrics: &TunnelMetrics) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll(cx, metrics)).await
    }

    /// Bytes from the client.
    pub(super) fn received(&self) -> u64 {
        self.up.bytes
    }

    /// Bytes to the client.
    pub(super) fn sent(&self) -> u64 {
        self.down.bytes
    }

    fn poll(&mut self, cx: &mut Context<'_>, metrics: &TunnelMetrics) -> Poll<io::Result<()>> {
        let before = (self.up.bytes, self.down.bytes);
        let up = self.up.poll(cx, &mut self.client, &mut self.upstream);
        let down = self.down.poll(cx, &mut self.upstream, &mut self.client);
        let (received, sent) = (self.up.bytes - before.0, self.down.bytes - before.1);
        if received + sent > 0 {
            self.moved = Instant::now();
            metrics.moved(received, sent);
        }
        match (up, down) {
            (Poll::Ready(Err(error)), _) | (_, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    }

    /// Ends both directions: WebSockets that are between two frames with a close frame, going away (RFC 6455, section
    /// 7.4.1), others at once.
    pub(super) fn say_goodbye(&mut self) {
        self.up.say_goodbye(&websocket::GOING_AWAY_MASKED);
        self.down.say_goodbye(&websocket::GOING_AWAY);
    }

    /// Writes what is left, then waits until the other sides have closed: a socket that is closed with unread bytes takes
    /// back what it has sent.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| {
            let up = self.up.poll(cx, &mut self.client, &mut self.upstream)?;
            let down = self.down.poll(cx, &mut self.upstream, &mut self.client)?;
            let read = [poll_discard(cx, &mut self.client)?, poll_discard(cx, &mut self.upstream)?];
            match up.is_ready() && down.is_ready() && read.iter().all(Poll::is_ready) {
                true => Poll::Ready(Ok(())),
                false => Poll::Pending,
            }
        })
        .await
    }
}

impl Way {
    /// A direction in which these bytes have come already.
    fn new(read: Bytes, mut frames: Option<Frames>) -> Self {
        if let Some(frames) = &mut frames {
            frames.observe(&read);
        }
        Self { bytes: read.len() as u64, unwritten: read, unflushed: false, state: State::Open, frames }
    }

    fn poll(&mut self, cx: &mut Context<'_>, from: &mut Io, to: &mut Io) -> Poll<io::Result<()>> {
        loop {
            while !self.unwritten.is_empty() {
                let written = ready!(to.as_mut().poll_write(cx, &self.unwritten))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.unwritten.advance(written);
                self.unflushed = true;
            }
            match self.state {
                State::Open => {
                    let read = self.poll_read(cx, from, to);
                    if read.is_pending() && self.unflushed && self.unwritten.is_empty() {
                        self.unflushed = to.as_mut().poll_flush(cx)?.is_pending();
                    }
                    ready!(read)?;
                }
                State::Ending => {
                    ready!(to.as_mut().poll_shutdown(cx))?;
                    self.state = State::Ended;
                }
                State::Ended => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Reads a piece and writes as much of it as the other side takes at once.
    fn poll_read(&mut self, cx: &mut Context<'_>, from: &mut Io, to: &mut Io) -> Poll<io::Result<()>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(from.as_mut().poll_read(cx, buffer.unfilled()))?;
            let mut rest = buffer.filled();
            if rest.is_empty() {
                self.state = State::Ending;
                return Poll::Ready(Ok(()));
            }
            self.bytes += rest.len() as u64;
            if let Some(frames) = &mut self.frames {
                frames.observe(rest);
            }
            while let (false, Poll::Ready(written)) = (rest.is_empty(), to.as_mut().poll_write(cx, rest)?) {
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                rest = &rest[written..];
                self.unflushed = true;
            }
            self.unwritten = Bytes::copy_from_slice(rest);
            Poll::Ready(Ok(()))
        })
    }

    fn say_goodbye(&mut self, close: &'static [u8]) {
        if self.state != State::Open {
            return;
        }
        self.state = State::Ending;
        // What is unwritten ends with the last frame then, so the close frame comes after it.
        if self.frames.as_ref().is_some_and(Frames::is_between) {
            self.unwritten = [&self.unwritten[..], close].concat().into();
        }
    }
}

fn poll_discard(cx: &mut Context<'_>, from: &mut Io) -> Poll<io::Result<()>> {
    SCRATCH.with_borrow_mut(|scratch| {
        loop {
            let mut buffer = ReadBuf::new(scratch);
            ready!(from.as_mut().poll_read(cx, buffer.unfilled()))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    })
}
