//! A downstream socket of which the first bytes may have been looked at already, and that notes when the client takes nothing.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::message::Activity;

pub(super) struct Socket {
    stream: TcpStream,
    activity: Rc<Activity>,
    /// Read, but not by whoever is to read it.
    early: Vec<u8>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, activity: Rc<Activity>) -> Self {
        // Heads and small bodies go out at once.
        let _ = stream.set_nodelay(true);
        Self { stream, activity, early: Vec::new() }
    }

    /// What has been looked at.
    pub(super) fn early(&self) -> &[u8] {
        &self.early
    }

    /// Looks at more, up to that many bytes in all.
    pub(super) async fn look(&mut self, most: usize) -> io::Result<()> {
        let more = most.saturating_sub(self.early.len());
        self.early.reserve_exact(more);
        match self.stream.read_buf(&mut (&mut self.early).limit(more)).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Takes away what has been understood; the rest is for whoever reads next.
    pub(super) fn consume(&mut self, count: usize) {
        self.early.drain(..count);
    }

    fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        match written {
            Poll::Ready(_) => self.activity.moved(),
            Poll::Pending => self.activity.blocked(),
        }
        written
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let count = buffer.remaining().min(self.early.len());
        buffer.put_slice(&self.early[..count]);
        self.early.drain(..count);
        if self.early.is_empty() {
            // For the rest of the connection's life.
            self.early = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, content: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, content);
        self.note(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        content: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, content);
        self.note(written)
    }
}
