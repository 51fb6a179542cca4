//! PROXY protocol headers: waited for to their end, and nothing behind them counts.

use tollgate::connection::proxy_protocol::{Header, HeaderError, MAX_BYTES, read};

/// Bytes as they come on a connection.
pub fn run(data: &[u8]) {
    match read(data) {
        Ok(Header::Complete { length, client }) => {
            assert!(length <= MAX_BYTES && length <= data.len(), "{length} bytes");
            assert_eq!(read(&data[..length]), Ok(Header::Complete { length, client }), "what comes behind it counts");
            for short in 0..length {
                assert_eq!(read(&data[..short]), Ok(Header::Incomplete), "{short} of {length} bytes");
            }
        }
        Ok(Header::Incomplete) => assert!(data.len() < MAX_BYTES, "it never ends"),
        Err(HeaderError::Absent | HeaderError::Malformed | HeaderError::TooLong) => {}
    }
}

/// A header of each kind.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let v2 = |command: u8, family: u8, addresses: &[u8]| {
        let length = u8::try_from(addresses.len()).unwrap_or(u8::MAX);
        [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[command, family, 0, length], addresses, b"GET /"].concat()
    };
    vec![
        b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\nGET /".to_vec(),
        b"PROXY TCP6 2001:db8::7 ::1 4711 443\r\n".to_vec(),
        b"PROXY UNKNOWN whatever\r\n".to_vec(),
        v2(0x21, 0x11, &[192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 1, 187, 4, 0, 1, 9]),
        v2(0x21, 0x21, &[7; 36]),
        v2(0x20, 0, &[]),
    ]
}
