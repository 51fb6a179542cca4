//! The two fields by which a WebSocket's ends show each other that they speak it (RFC 6455, section 4).

use http::HeaderValue;

/// What the server adds to the key of the client, as the RFC has it.
const SALT: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A key as a client makes it (section 4.1): sixteen random bytes in Base64.
#[must_use]
pub fn key() -> HeaderValue {
    let mut random = [0; 16];
    // Were there no randomness, the key would still do its work: it shows that the upstream has read it.
    let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
    value(base64(&random))
}

/// What a server answers to a key (section 4.2.2).
#[must_use]
pub fn accept(key: &HeaderValue) -> HeaderValue {
    let mut sum = sha1_smol::Sha1::from(key.as_bytes().trim_ascii());
    sum.update(SALT);
    value(base64(&sum.digest().bytes()))
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAA=="))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for bytes in bytes.chunks(3) {
        let group = bytes.iter().chain([&0, &0]).take(3).fold(0_usize, |group, byte| group << 8 | usize::from(*byte));
        for index in 0..4 {
            text.push(if index <= bytes.len() { char::from(DIGITS[group >> (18 - 6 * index) & 63]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_answered_as_the_rfc_has_it() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept(&key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_key_is_sixteen_bytes_and_never_the_same() {
        let (one, other) = (key(), key());
        assert!(one.len() == 24 && one.as_bytes().ends_with(b"=="), "{one:?}");
        assert_ne!(one, other);
    }
}
