//! Where connections come in: sockets, the loop that accepts, and the settings of TLS.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

mod accept;
mod admission;
mod descriptors;
mod inherited;
mod tls;

pub use accept::{Accepted, accept};
pub use admission::{Admission, Admitted, Bounds, UnderWay};
pub use descriptors::room_for_connections;
pub use inherited::{Inherited, spread};
pub use tls::TlsSettings;

/// How many connections may wait to be accepted, on each worker.
const BACKLOG: i32 = 1_024;

/// Binds a socket for each worker to the address. Port 0 lets the system choose a port, the same for all.
///
/// # Errors
/// If the address cannot be bound.
pub fn bind(address: SocketAddr, workers: usize) -> io::Result<(SocketAddr, Vec<Vec<TcpListener>>)> {
    // The kernel gives connections to any socket of one user on the same address, so another gateway on it would take a
    // share unnoticed. A socket without SO_REUSEPORT tells.
    drop(socket(address, false)?);
    let first = socket(address, true)?;
    let address = first.local_addr()?;
    let mut sockets = vec![vec![first]];
    for _ in 1..workers.max(1) {
        sockets.push(vec![socket(address, true)?]);
    }
    Ok((address, sockets))
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart need not wait for connections in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if shared {
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}
