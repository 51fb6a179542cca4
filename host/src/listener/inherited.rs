//! Sockets that another process has bound: the one that this process takes over from, or a service manager.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use socket2::{Domain, Socket, Type};

/// Sockets that nobody here has asked for yet, each with its name. Without a name it is that of the admin pages.
#[derive(Debug, Default)]
pub struct Inherited(Vec<(Option<String>, TcpListener)>);

impl Inherited {
    /// Takes in a socket.
    ///
    /// # Errors
    /// If it is none that connections can be accepted on.
    pub fn add(&mut self, name: Option<String>, socket: OwnedFd) -> io::Result<()> {
        let socket = Socket::from(socket);
        let is_tcp = matches!(socket.domain()?, Domain::IPV4 | Domain::IPV6) && socket.r#type()? == Type::STREAM;
        if !is_tcp || !socket.is_listener()? {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a listening TCP socket"));
        }
        socket.set_nonblocking(true)?;
        // Not for the programs that this one starts.
        socket.set_cloexec(true)?;
        self.0.push((name, socket.into()));
        Ok(())
    }

    /// The sockets of an address as configured; with port 0, those of that name on any port.
    pub fn take(&mut self, name: Option<&str>, configured: SocketAddr) -> Vec<TcpListener> {
        let is_wanted = |(of, socket): &mut (Option<String>, TcpListener)| {
            socket.local_addr().is_ok_and(|address| {
                let same_port = address.port() == configured.port();
                let any_port = configured.port() == 0 && of.as_deref() == name;
                address.ip() == configured.ip() && (same_port || any_port)
            })
        };
        self.0.extract_if(.., is_wanted).map(|(_, socket)| socket).collect()
    }

    /// Closes what nobody has asked for; gives the addresses.
    pub fn close(&mut self) -> Vec<SocketAddr> {
        self.0.drain(..).filter_map(|(_, socket)| socket.local_addr().ok()).collect()
    }
}

/// Gives each worker at least one of the sockets, and each socket at least one worker: a connection may wait in any of them.
///
/// # Errors
/// If there are not enough descriptors.
pub fn spread(sockets: Vec<TcpListener>, workers: usize) -> io::Result<Vec<Vec<TcpListener>>> {
    let mut spread: Vec<Vec<TcpListener>> = (0..workers).map(|_| Vec::new()).collect();
    let count = sockets.len();
    for turn in count..workers {
        spread[turn].push(sockets[turn % count].try_clone()?);
    }
    for (turn, socket) in sockets.into_iter().enumerate() {
        spread[turn % workers].push(socket);
    }
    Ok(spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    #[test]
    fn sockets_are_found_by_address_or_by_name() {
        let (one, two, admin) = (listening(), listening(), listening());
        let addresses = [&one, &two, &admin].map(|socket| socket.local_addr().unwrap());
        let mut inherited = Inherited::default();
        for (name, socket) in [(Some("one"), one), (Some("two"), two), (None, admin)] {
            inherited.add(name.map(str::to_owned), socket.into()).unwrap();
        }
        let any = "127.0.0.1:0".parse().unwrap();
        let mut take = |name, configured| -> Vec<SocketAddr> {
            inherited.take(name, configured).iter().map(|socket| socket.local_addr().unwrap()).collect()
        };
        assert_eq!(take(Some("other"), any), []);
        assert_eq!(take(Some("two"), "127.0.0.2:0".parse().unwrap()), []);
        assert_eq!(take(Some("other"), addresses[1]), [addresses[1]], "the address says it, whatever the name");
        assert_eq!(take(None, any), [addresses[2]]);
        assert_eq!(inherited.close(), [addresses[0]]);
    }

    #[test]
    fn only_listening_sockets_are_taken_in() {
        let mut inherited = Inherited::default();
        let datagram = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(inherited.add(None, datagram.into()).is_err());
        assert!(inherited.add(None, std::fs::File::open("/dev/null").unwrap().into()).is_err());
        let connected = std::net::TcpStream::connect(listening().local_addr().unwrap());
        assert!(inherited.add(None, connected.unwrap().into()).is_err());
    }

    #[test]
    fn every_worker_has_a_socket_and_every_socket_a_worker() {
        for (sockets, workers, expected) in [(2, 2, vec![1, 1]), (1, 3, vec![1, 1, 1]), (3, 2, vec![2, 1])] {
            let spread = spread((0..sockets).map(|_| listening()).collect(), workers).unwrap();
            assert_eq!(spread.iter().map(Vec::len).collect::<Vec<_>>(), expected);
        }
    }
}
