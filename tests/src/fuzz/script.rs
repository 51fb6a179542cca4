//! A socket that plays pieces and is never slow, so that futures on it need no runtime.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hyper::rt::{Read, ReadBufCursor, Write};

/// Gives its pieces and then the end, and keeps what is written.
pub(super) struct Script {
    pieces: VecDeque<Vec<u8>>,
    written: Rc<RefCell<Vec<u8>>>,
    /// Says nothing before it has been asked.
    answers: bool,
    /// How often it is asked for more before it says that there is none: hyper gives up what it has not answered then.
    patience: u8,
}

const PATIENCE: u8 = 8;

impl Script {
    /// Splits `bytes` every so often.
    pub(super) fn new(bytes: &[u8], every: usize) -> (Self, Rc<RefCell<Vec<u8>>>) {
        let written = Rc::default();
        let pieces = bytes.chunks(every.max(1)).map(<[u8]>::to_vec).collect();
        (Self { pieces, written: Rc::clone(&written), answers: false, patience: PATIENCE }, written)
    }

    /// The same once something has been written.
    pub(super) fn answering(bytes: &[u8], every: usize) -> Self {
        Self { answers: true, ..Self::new(bytes, every).0 }
    }
}

impl Read for Script {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, mut cursor: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if self.answers && self.written.borrow().is_empty() {
            return Poll::Pending;
        }
        if self.pieces.is_empty() && self.patience > 0 {
            self.patience -= 1;
            return Poll::Pending;
        }
        if let Some(mut piece) = self.pieces.pop_front() {
            let rest = piece.split_off(piece.len().min(cursor.remaining()));
            cursor.put_slice(&piece);
            if !rest.is_empty() {
                self.pieces.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for Script {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, content: &[u8]) -> Poll<io::Result<usize>> {
        self.written.borrow_mut().extend_from_slice(content);
        Poll::Ready(Ok(content.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Polls a future that waits for nothing outside until it is done.
pub(super) fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
    panic!("it never comes to an end");
}

/// Runs one future to its end, and the other for as long.
pub(super) async fn beside<F: Future>(future: F, other: impl Future) -> F::Output {
    let (mut future, mut other, mut ended) = (pin!(future), pin!(other), false);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(output);
        }
        ended = ended || other.as_mut().poll(cx).is_ready();
        future.as_mut().poll(cx)
    })
    .await
}
