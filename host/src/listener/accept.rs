//! The accept loop. It only accepts: whatever fails is counted, and it goes on.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// How long to wait after an error that is about the process rather than the connection, such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until told to stop, and then those that the kernel has accepted already. `failed` is told of errors.
pub async fn accept(
    listener: TcpListener,
    stop: CancellationToken,
    mut serve: impl FnMut(TcpStream, SocketAddr),
    mut failed: impl FnMut(&io::Error),
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, client)) => serve(stream, client),
            Err(error) => {
                failed(&error);
                if !is_of_connection(&error) {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((stream, client)) = listener.accept() {
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            serve(stream, client);
        }
    }
}

/// Errors that the connection brought with it (accept(2)).
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
