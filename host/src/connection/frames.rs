//! Watches the frames that an HTTP/2 client sends, and cuts off one that keeps the gateway busy for nothing: streams that are
//! reset as soon as they are opened (CVE-2023-44487), and floods of control frames (CVE-2019-9512, -9515 and their kin).
//!
//! h2 itself bounds what such a client can make it remember; this bounds how often it can make it work. The rest is h2's:
//! CONTINUATION floods, header lists, tiny DATA frames, resets that a client's errors provoke.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::message::{Activity, Seconds};
use crate::telemetry::Metrics;

/// `PRI * HTTP/2.0 …`: comes before the first frame (RFC 9113, section 3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;

/// How many control frames may come at once, and how many more each second. Each frame with content earns some, as those
/// that measure or steer a transfer come with it, and so does what is sent.
const CONTROL: Allowance = Allowance { left: 2_000, most: 2_000, each_second: 1_000 };
const EARNED_BY_FRAME: i64 = 4;
const BYTES_SENT_FOR_ONE: usize = 256;

/// Resets cost two, a new stream earns one, so who resets less than half of what it opens is never cut. Who resets
/// everything is after 400 streams, unless it takes its time.
const RESETS: Allowance = Allowance { left: 400, most: 400, each_second: 100 };
const COST_OF_RESET: i64 = 2;

/// A connection that speaks HTTP/2, and what its client has sent.
pub(super) struct Watched<T> {
    inner: T,
    activity: Rc<Activity>,
    metrics: Arc<Metrics>,
    frames: Frames,
}

impl<T> Watched<T> {
    pub(super) fn new(inner: T, activity: Rc<Activity>, metrics: Arc<Metrics>) -> Self {
        let frames = Frames::new(Rc::clone(activity.clock()));
        Self { inner, activity, metrics, frames }
    }
}

/// Why a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flood {
    /// Too many resets.
    #[error("streams are reset faster than they are used")]
    Resets,
    /// Too many frames without content.
    #[error("too many control frames")]
    Control,
}

/// Finds the heads of frames in what is read.
pub struct Frames {
    head: [u8; HEAD],
    have: usize,
    /// How many bytes to go to the next head.
    skip: usize,
    sent: usize,
    clock: Seconds,
    second: u32,
    control: Allowance,
    resets: Allowance,
}

#[derive(Clone, Copy)]
struct Allowance {
    left: i64,
    most: i64,
    each_second: i64,
}

impl Frames {
    /// Of a connection whose preface is to come.
    #[must_use]
    pub fn new(clock: Seconds) -> Self {
        let second = clock.get();
        Self { head: [0; HEAD], have: 0, skip: PREFACE.len(), sent: 0, clock, second, control: CONTROL, resets: RESETS }
    }

    /// Looks at bytes as they come; says whether a request's head began among them.
    ///
    /// # Errors
    /// If there are too many frames that nobody has a use for.
    pub fn read(&mut self, mut bytes: &[u8]) -> Result<bool, Flood> {
        let mut head_began = false;
        while !bytes.is_empty() {
            if self.skip > 0 {
                let now = self.skip.min(bytes.len());
                self.skip -= now;
                bytes = &bytes[now..];
                continue;
            }
            let now = (HEAD - self.have).min(bytes.len());
            self.head[self.have..self.have + now].copy_from_slice(&bytes[..now]);
            self.have += now;
            bytes = &bytes[now..];
            if self.have == HEAD {
                self.have = 0;
                head_began |= self.frame()?;
            }
        }
        Ok(head_began)
    }

    fn frame(&mut self) -> Result<bool, Flood> {
        let [a, b, c, kind, ..] = self.head;
        self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
        self.refill();
        match kind {
            HEADERS => {
                self.resets.earn(1);
                self.control.earn(EARNED_BY_FRAME);
            }
            DATA if self.skip > 0 => self.control.earn(EARNED_BY_FRAME),
            RST_STREAM => self.resets.spend(COST_OF_RESET, Flood::Resets)?,
            _ => self.control.spend(1, Flood::Control)?,
        }
        Ok(kind == HEADERS)
    }

    fn refill(&mut self) {
        let passed = i64::from(self.clock.get().wrapping_sub(self.second));
        if passed > 0 {
            self.second = self.clock.get();
            self.control.earn(passed * CONTROL.each_second);
            self.resets.earn(passed * RESETS.each_second);
        }
    }

    fn sent(&mut self, count: usize) {
        self.sent += count;
        self.control.earn((self.sent / BYTES_SENT_FOR_ONE) as i64);
        self.sent %= BYTES_SENT_FOR_ONE;
    }
}

impl Allowance {
    fn earn(&mut self, amount: i64) {
        self.left = (self.left + amount).min(self.most);
    }

    fn spend(&mut self, amount: i64, flood: Flood) -> Result<(), Flood> {
        self.left -= amount;
        if self.left < 0 { Err(flood) } else { Ok(()) }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.inner).poll_read(cx, buffer);
        if let Poll::Ready(Ok(())) = &read {
            match this.frames.read(&buffer.filled()[before..]) {
                Ok(true) => this.activity.received(),
                Ok(false) => {}
                Err(flood) => {
                    this.metrics.downstream.flooded();
                    return Poll::Ready(Err(io::Error::other(flood)));
                }
            }
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> Watched<T> {
    fn note(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = written {
            self.frames.sent(count);
        }
        written
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, content: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, content);
        self.note(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        content: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, content);
        self.note(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, length: usize) -> Vec<u8> {
        let length_bytes = u32::try_from(length).unwrap().to_be_bytes();
        [&length_bytes[1..], &[kind, 0, 0, 0, 0, 1], &vec![0; length]].concat()
    }

    fn frames(clock: &Seconds) -> Frames {
        let mut frames = Frames::new(Rc::clone(clock));
        frames.read(PREFACE).unwrap();
        frames
    }

    /// How many times the bytes are taken before the connection is cut, up to a bound.
    fn taken(frames: &mut Frames, bytes: &[u8], most: usize) -> usize {
        (0..most).take_while(|_| frames.read(bytes).is_ok()).count()
    }

    #[test]
    fn frames_are_found_wherever_reads_end() {
        let bytes = [PREFACE.to_vec(), frame(4, 6), frame(DATA, 300), frame(HEADERS, 20)].concat();
        for size in [1, 2, 7, 9, 100, bytes.len()] {
            let mut frames = Frames::new(Seconds::default());
            let heads = bytes.chunks(size).filter(|piece| frames.read(piece).unwrap()).count();
            assert_eq!((heads, frames.have, frames.skip), (1, 0, 0), "in pieces of {size}");
        }
    }

    #[test]
    fn rapid_resets_are_cut_off_and_slow_or_few_ones_are_not() {
        let clock = Seconds::default();
        let open_and_reset = [frame(HEADERS, 10), frame(RST_STREAM, 4)].concat();
        assert_eq!(taken(&mut frames(&clock), &open_and_reset, 10_000), 399);
        let half = [frame(HEADERS, 10), frame(HEADERS, 10), frame(RST_STREAM, 4)].concat();
        assert_eq!(taken(&mut frames(&clock), &half, 10_000), 10_000);
        let mut slow = frames(&clock);
        for _ in 0..100 {
            clock.set(clock.get() + 1);
            assert_eq!(taken(&mut slow, &open_and_reset, 90), 90);
        }
    }

    #[test]
    fn control_frames_come_with_content_or_not_for_long() {
        let clock = Seconds::default();
        for kind in [4, PING, 2, DATA, 9, 0xfa] {
            assert_eq!(taken(&mut frames(&clock), &frame(kind, 0), 10_000), 2_000, "frames of type {kind}");
        }
        let with_data = [frame(DATA, 100), frame(PING, 8), frame(8, 4)].concat();
        assert_eq!(taken(&mut frames(&clock), &with_data, 10_000), 10_000);
        let mut download = frames(&clock);
        for _ in 0..10_000 {
            download.sent(16 << 10);
            download.read(&[frame(8, 4), frame(8, 4), frame(PING, 8)].concat()).unwrap();
        }
    }
}
