//! The accept loop. It only accepts: whatever fails is counted, and it goes on.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::BACKLOG;
use super::descriptors::{self, Reserve};

/// How long to wait after an error that is about the process rather than the connection, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// How many connections can have been waiting.
const MOST_WAITING: usize = BACKLOG as usize;

/// What the loop tells of.
pub trait Accepted {
    /// A connection.
    fn serve(&mut self, stream: TcpStream, client: SocketAddr);

    /// A connection could not be accepted.
    fn failed(&mut self, error: &io::Error);

    /// For want of descriptors, that many connections were closed instead.
    fn closed(&mut self, _connections: usize) {}

    /// There was not even a descriptor to do that with: something that is open and unused should be closed.
    fn make_room(&mut self) {}
}

/// Accepts connections until told to stop, and then those that the kernel has accepted already.
pub async fn accept(listener: TcpListener, stop: CancellationToken, accepted: &mut impl Accepted) {
    let mut reserve = Reserve::new();
    loop {
        let result = tokio::select! {
            result = listener.accept() => result,
            () = stop.cancelled() => break,
        };
        match result {
            Ok((stream, client)) => accepted.serve(stream, client),
            Err(error) => {
                accepted.failed(&error);
                if descriptors::are_exhausted(&error) {
                    match close_waiting(&listener, &mut reserve) {
                        0 => accepted.make_room(),
                        connections => accepted.closed(connections),
                    }
                }
                if !is_of_connection(&error) {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
    let Ok(listener) = listener.into_std() else { return };
    let waiting = std::iter::repeat_with(|| listener.accept()).map_while(Result::ok);
    // Another process may accept on it too, and then there would be no end.
    for (stream, client) in waiting.take(MOST_WAITING) {
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            accepted.serve(stream, client);
        }
    }
}

/// Closes the connections that wait, so that their clients may go elsewhere; gives their number.
fn close_waiting(listener: &TcpListener, reserve: &mut Reserve) -> usize {
    let next = || matches!(listener.poll_accept(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(_)));
    reserve.lend(|| (0..MOST_WAITING).take_while(|_| next()).count())
}

/// Errors that the connection brought with it (accept(2)).
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
