//! A socket that hands on only what a [`Tracker`] has approved.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use tokio::time::Sleep;

use super::tracker::{Scan, Tracker};
use super::{Limits, Violation};

/// How much is read at a time while something is held back.
const PIECE: usize = 4 << 10;

/// How much may come while it is not known whether the protocol changes.
const MAX_WAITING: usize = 64 << 10;

/// How much, and for how long, is still read of what nobody wants.
const MAX_DISCARDED: usize = 1 << 20;
const LINGER: Duration = Duration::from_secs(2);

/// Whose socket it is, and what becomes of violations there.
pub trait Role {
    /// Something is about to be read while the tracker waits: tells it how to go on, or wakes the reader once that is known.
    fn decide(&mut self, tracker: &mut Tracker, cx: &Context<'_>);

    /// Something was read.
    fn after_read(&mut self, tracker: &Tracker);

    /// What the reader gets in place of what is not approved, in the midst of a message or before one.
    fn refuse(&mut self, violation: Violation, in_head: bool) -> Refusal;
}

/// What the reader gets in place of what is not approved.
#[derive(Clone, Copy, Debug)]
pub enum Refusal {
    /// These bytes, and nothing after them.
    Instead(&'static [u8]),
    /// An error.
    Fail,
}

/// A socket whose reader sees whole heads, and nothing that could be read in two ways.
pub struct Guarded<T, R> {
    inner: T,
    role: R,
    tracker: Tracker,
    /// What has been read and not been handed on.
    held: Vec<u8>,
    /// How much of that is approved.
    ready: usize,
    refused: Option<(Violation, Refusal)>,
    discarded: usize,
    linger: Option<Pin<Box<Sleep>>>,
}

impl<T: Read + Unpin, R: Role> Guarded<T, R> {
    /// A socket of which nothing has been read.
    pub fn new(inner: T, role: R, limits: Limits) -> Self {
        let tracker = Tracker::new(limits);
        Self { inner, role, tracker, held: Vec::new(), ready: 0, refused: None, discarded: 0, linger: None }
    }

    fn look(&mut self, scan: Scan) {
        self.role.after_read(&self.tracker);
        if let Some(violation) = scan.violation {
            let refusal = self.role.refuse(violation, self.tracker.is_in_head());
            self.refused = Some((violation, refusal));
        }
    }

    /// Reads where the reader wants it, and takes back what is not approved. False at the end.
    #[allow(unsafe_code, reason = "the only way to see what has been read without copying it")]
    fn read_there(&mut self, cx: &mut Context<'_>, cursor: &mut ReadBufCursor<'_>) -> Poll<io::Result<bool>> {
        // SAFETY: a `ReadBuf` never makes bytes uninitialized.
        let mut there = ReadBuf::uninit(unsafe { cursor.as_mut() });
        ready!(Pin::new(&mut self.inner).poll_read(cx, there.unfilled()))?;
        let bytes = there.filled();
        let (count, scan) = (bytes.len(), self.tracker.feed(bytes));
        let approved = scan.approved.min(count);
        if scan.violation.is_none() {
            self.held.extend_from_slice(&bytes[approved..]);
        }
        // SAFETY: these are the first of the bytes that have been read, so they are initialized.
        unsafe { cursor.advance(approved) };
        self.look(scan);
        Poll::Ready(Ok(count > 0))
    }

    /// Reads behind what is held. False at the end.
    fn read_here(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let before = self.held.len();
        self.held.resize(before + PIECE, 0);
        let mut here = ReadBuf::new(&mut self.held[before..]);
        let read = Pin::new(&mut self.inner).poll_read(cx, here.unfilled());
        let count = here.filled().len();
        self.held.truncate(before + count);
        ready!(read)?;
        self.look_at_held();
        Poll::Ready(Ok(count > 0))
    }

    fn look_at_held(&mut self) {
        let scan = self.tracker.feed(&self.held);
        self.ready = scan.approved;
        if scan.violation.is_some() {
            self.held.truncate(self.ready);
        }
        self.look(scan);
    }

    fn hand_on(&mut self, cursor: &mut ReadBufCursor<'_>) {
        let count = self.ready.min(cursor.remaining());
        cursor.put_slice(&self.held[..count]);
        self.ready -= count;
        if count == self.held.len() {
            self.held = Vec::new();
        } else {
            self.held.drain(..count);
        }
    }

    /// Reads and forgets, so that the end is noticed. False at the end, or if there is too much.
    fn discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut piece = [0; PIECE];
        loop {
            let mut buffer = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut self.inner).poll_read(cx, buffer.unfilled()))?;
            let count = buffer.filled().len();
            self.discarded += count;
            if count == 0 || self.discarded > MAX_DISCARDED {
                return Poll::Ready(Ok(false));
            }
        }
    }

    fn read_refused(
        &mut self,
        cx: &mut Context<'_>,
        cursor: &mut ReadBufCursor<'_>,
        violation: Violation,
        refusal: Refusal,
    ) -> Poll<io::Result<()>> {
        match refusal {
            Refusal::Fail => Poll::Ready(Err(violation.into())),
            Refusal::Instead([]) => {
                ready!(self.discard(cx))?;
                Poll::Ready(Ok(()))
            }
            Refusal::Instead(bytes) => {
                self.held = bytes.to_vec();
                self.ready = bytes.len();
                self.refused = Some((violation, Refusal::Instead(&[])));
                self.hand_on(cursor);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<T: Read + Unpin, R: Role + Unpin> Read for Guarded<T, R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut cursor: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let room = cursor.remaining();
        loop {
            if this.ready > 0 {
                this.hand_on(&mut cursor);
                return Poll::Ready(Ok(()));
            }
            if let Some((violation, refusal)) = this.refused {
                return this.read_refused(cx, &mut cursor, violation, refusal);
            }
            if this.tracker.is_waiting() {
                this.role.decide(&mut this.tracker, cx);
                match this.tracker.is_waiting() {
                    false if !this.held.is_empty() => {
                        this.look_at_held();
                        continue;
                    }
                    true if this.held.len() > MAX_WAITING => return Poll::Pending,
                    _ => {}
                }
            }
            let more = match this.held.is_empty() {
                true => ready!(this.read_there(cx, &mut cursor))?,
                false => ready!(this.read_here(cx))?,
            };
            if !more || cursor.remaining() < room {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<T: Read + Write + Unpin, R: Role + Unpin> Write for Guarded<T, R> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, content: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, content)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            if this.refused.is_none() && !this.tracker.is_in_content() {
                return Poll::Ready(Ok(()));
            }
        }
        // The last answer should reach a peer that is still sending: a socket that is closed with unread bytes resets the
        // connection, and what was answered is lost (RFC 9112, section 9.6). Whatever ends that, it has ended.
        if this.discard(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let timer = this.linger.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        timer.as_mut().poll(cx).map(Ok)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        content: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, content)
    }
}
