//! The header that a load balancer puts before a connection to say whose it is: PROXY protocol, versions 1 and 2
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>).

use std::net::{IpAddr, SocketAddr};

/// The longest header that is read. Version 1 has 107 bytes at most, version 2 216 bytes without extensions.
pub const MAX_BYTES: usize = 4_096;

const V1_MAX_BYTES: usize = 107;
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header as far as it has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Header {
    /// There is more to it.
    Incomplete,
    /// It has that many bytes.
    Complete {
        /// Its length.
        length: usize,
        /// The client's address; none if the header does not name one, as for the balancer's own checks.
        client: Option<SocketAddr>,
    },
}

/// What came instead of a header.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Something else.
    #[error("the connection does not begin with a PROXY protocol header")]
    Absent,
    /// One that says nothing.
    #[error("the PROXY protocol header is malformed")]
    Malformed,
    /// One that nobody needs.
    #[error("the PROXY protocol header is longer than {MAX_BYTES} bytes")]
    TooLong,
}

/// Reads a header at the beginning of these bytes.
///
/// # Errors
/// If they are not the beginning of one.
pub fn read(bytes: &[u8]) -> Result<Header, HeaderError> {
    let begins = |magic: &[u8]| bytes.iter().zip(magic).all(|(byte, wanted)| byte == wanted);
    if begins(b"PROXY ") {
        read_v1(bytes)
    } else if begins(V2_SIGNATURE) {
        read_v2(bytes)
    } else {
        Err(HeaderError::Absent)
    }
}

/// `PROXY TCP4 192.0.2.7 198.51.100.1 4711 443` and the end of the line (section 2.1).
fn read_v1(bytes: &[u8]) -> Result<Header, HeaderError> {
    let Some(end) = bytes.iter().take(V1_MAX_BYTES).position(|byte| *byte == b'\n') else {
        return if bytes.len() < V1_MAX_BYTES { Ok(Header::Incomplete) } else { Err(HeaderError::Malformed) };
    };
    let line = bytes[..end].strip_suffix(b"\r").and_then(|line| str::from_utf8(line).ok());
    let mut words = line.ok_or(HeaderError::Malformed)?.split(' ').skip(1);
    let client = match words.next() {
        Some("UNKNOWN") => None,
        Some(family @ ("TCP4" | "TCP6")) => Some(read_v1_client(family, words).ok_or(HeaderError::Malformed)?),
        _ => return Err(HeaderError::Malformed),
    };
    Ok(Header::Complete { length: end + 1, client })
}

fn read_v1_client<'a>(family: &str, words: impl Iterator<Item = &'a str>) -> Option<SocketAddr> {
    let [source, destination, source_port, destination_port] = words.collect::<Vec<_>>().try_into().ok()?;
    let address = |text: &str| text.parse().ok().filter(|ip: &IpAddr| ip.is_ipv4() == (family == "TCP4"));
    let port = |text: &str| text.parse().ok().filter(|port: &u16| port.to_string() == text);
    let (source, _) = (address(source)?, address(destination)?);
    let (port, _) = (port(source_port)?, port(destination_port)?);
    Some(SocketAddr::new(source, port))
}

/// The binary form (section 2.2).
fn read_v2(bytes: &[u8]) -> Result<Header, HeaderError> {
    let Some(head) = bytes.first_chunk::<16>() else { return Ok(Header::Incomplete) };
    let length = 16 + usize::from(u16::from_be_bytes([head[14], head[15]]));
    if length > MAX_BYTES {
        return Err(HeaderError::TooLong);
    }
    let (command, family) = (head[12], head[13]);
    if !matches!(command, 0x20 | 0x21) {
        return Err(HeaderError::Malformed);
    }
    let Some(addresses) = bytes.get(16..length) else { return Ok(Header::Incomplete) };
    let client = match (command, family) {
        // LOCAL: the balancer speaks for itself. UNSPEC and UNIX sockets have no address that means anything here.
        (0x20, _) | (0x21, 0x00 | 0x31) => None,
        (0x21, 0x11) => Some(v2_client::<4>(addresses)?),
        (0x21, 0x21) => Some(v2_client::<16>(addresses)?),
        _ => return Err(HeaderError::Malformed),
    };
    Ok(Header::Complete { length, client })
}

/// Source address, destination address, source port, destination port.
fn v2_client<const N: usize>(addresses: &[u8]) -> Result<SocketAddr, HeaderError>
where
    IpAddr: From<[u8; N]>,
{
    let source = addresses.first_chunk::<N>().ok_or(HeaderError::Malformed)?;
    let port = addresses.get(2 * N..2 * N + 2).ok_or(HeaderError::Malformed)?;
    addresses.get(2 * N + 2..2 * N + 4).ok_or(HeaderError::Malformed)?;
    Ok(SocketAddr::new(IpAddr::from(*source), u16::from_be_bytes([port[0], port[1]])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(bytes: &[u8]) -> (usize, Option<String>) {
        match read(bytes) {
            Ok(Header::Complete { length, client }) => (length, client.map(|client| client.to_string())),
            other => panic!("{other:?}"),
        }
    }

    fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [V2_SIGNATURE.as_slice(), &[command, family], &length, addresses].concat()
    }

    #[test]
    fn both_versions_name_the_client() {
        let line = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";
        assert_eq!(complete(&[line.as_slice(), b"GET /"].concat()), (line.len(), Some("192.0.2.7:4711".into())));
        let line = b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n";
        assert_eq!(complete(line), (line.len(), Some("[2001:db8::7]:4711".into())));
        assert_eq!(complete(b"PROXY UNKNOWN whatever\r\n").1, None);
        let header = v2(0x21, 0x11, &[192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 1, 187, 4, 0, 1, 9]);
        assert_eq!(complete(&header), (header.len(), Some("192.0.2.7:4711".into())), "with an extension");
        assert_eq!(complete(&v2(0x20, 0x00, &[])), (16, None));
    }

    #[test]
    fn a_header_is_waited_for_to_its_end() {
        let headers = [b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n".to_vec(), v2(0x21, 0x11, &[1; 12])];
        for header in headers {
            for length in 0..header.len() {
                assert_eq!(read(&header[..length]), Ok(Header::Incomplete), "{length} of {header:?}");
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        assert_eq!(read(b"GET / HTTP/1.1\r\n"), Err(HeaderError::Absent));
        assert_eq!(read(b"POST"), Err(HeaderError::Absent));
        for line in [
            "PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443 1\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 04711 443\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 4711 65536\r\n",
            "PROXY TCP4 2001:db8::7 2001:db8::1 4711 443\r\n",
            "PROXY TCP4 192.0.2.7  198.51.100.1 4711 443\r\n",
            "PROXY UDP4 192.0.2.7 198.51.100.1 4711 443\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\n",
            "PROXY TCP4\r\n",
        ] {
            assert_eq!(read(line.as_bytes()), Err(HeaderError::Malformed), "{line}");
        }
        assert_eq!(read(format!("PROXY {}", "x".repeat(200)).as_bytes()), Err(HeaderError::Malformed));
        assert_eq!(read(&v2(0x21, 0x11, &[1; 11])), Err(HeaderError::Malformed), "too short for its addresses");
        assert_eq!(read(&v2(0x21, 0x12, &[1; 12])), Err(HeaderError::Malformed), "UDP");
        assert_eq!(read(&v2(0x11, 0x11, &[1; 12])), Err(HeaderError::Malformed), "version 1 in binary");
        assert_eq!(read(&v2(0x21, 0x11, &[1; 5_000])[..16]), Err(HeaderError::TooLong));
    }
}
