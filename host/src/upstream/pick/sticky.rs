//! Names of endpoints for cookies: they tell nothing, and nobody can make one up.

use std::fmt::Write;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;
use std::time::Duration;

use http::HeaderValue;
use sha2::{Digest, Sha256};

use crate::config::Sticky;

/// Half of the hash: far too much to guess.
const BYTES: usize = 16;
/// What SHA-256 hashes at a time.
const BLOCK: usize = 64;

/// The name of an address among those of an upstream.
pub(in crate::upstream) fn name(sticky: &Sticky, upstream: &str, address: &str) -> String {
    let key = sticky.secret.as_deref().map_or_else(|| process_key(), str::as_bytes);
    let mac = hmac(key, &[upstream.as_bytes(), &[0], address.as_bytes()]);
    mac[..BYTES].iter().fold(String::with_capacity(2 * BYTES), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The `Set-Cookie` field that makes a client come back to the endpoint of that name (RFC 6265, section 4.1).
pub(in crate::upstream) fn set_cookie(sticky: &Sticky, name: &str, scheme: &str) -> Option<HeaderValue> {
    let max_age = |ttl: Duration| format!("; Max-Age={}", ttl.as_secs());
    let (ttl, secure) = (sticky.ttl.map(max_age), if scheme == "https" { "; Secure" } else { "" });
    let cookie = &sticky.cookie;
    let text = format!("{cookie}={name}; Path=/{}; HttpOnly; SameSite=Lax{secure}", ttl.unwrap_or_default());
    HeaderValue::from_str(&text).ok()
}

/// A key that no other process has. The standard library takes it from the system's random numbers.
fn process_key() -> &'static [u8] {
    static KEY: OnceLock<[u8; 32]> = OnceLock::new();
    KEY.get_or_init(|| {
        let mut key = [0; 32];
        if rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty()).is_ok_and(|read| read == key.len())
        {
            return key;
        }
        key.chunks_mut(8)
            .for_each(|part| part.copy_from_slice(&RandomState::new().build_hasher().finish().to_ne_bytes()));
        key
    })
}

/// RFC 2104.
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = [0; BLOCK];
    match key.len() {
        0..=BLOCK => block[..key.len()].copy_from_slice(key),
        _ => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    let mut inner = Sha256::new_with_prefix(block.map(|byte| byte ^ 0x36));
    parts.iter().for_each(|part| inner.update(part));
    let outer = Sha256::new_with_prefix(block.map(|byte| byte ^ 0x5c));
    outer.chain_update(inner.finalize()).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sticky(secret: Option<&str>) -> Sticky {
        let ttl = Some(Duration::from_secs(60));
        Sticky { cookie: "gw".into(), ttl, secret: secret.map(str::to_owned) }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_hmac_is_that_of_the_test_vectors() {
        // RFC 4231, sections 4.3 and 4.7.
        let two = hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(hex(&two), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let six = hmac(&[0xaa; 131], &[b"Test Using Larger Than Block-Size Key - Hash Key First"]);
        assert_eq!(hex(&six), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn names_depend_on_key_upstream_and_address() {
        let one = name(&sticky(Some("0123456789abcdef")), "a", "10.0.0.1:80");
        assert_eq!(one.len(), 32);
        assert_eq!(one, name(&sticky(Some("0123456789abcdef")), "a", "10.0.0.1:80"));
        for (secret, upstream, address) in [
            ("fedcba9876543210", "a", "10.0.0.1:80"),
            ("0123456789abcdef", "b", "10.0.0.1:80"),
            ("0123456789abcdef", "a", "10.0.0.2:80"),
        ] {
            assert_ne!(one, name(&sticky(Some(secret)), upstream, address));
        }
        assert_eq!(name(&sticky(None), "a", "x"), name(&sticky(None), "a", "x"));
    }

    #[test]
    fn the_cookie_is_as_closed_as_it_can_be() {
        let plain = set_cookie(&sticky(None), "abc", "http").unwrap();
        assert_eq!(plain, "gw=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
        let session = Sticky { ttl: None, ..sticky(None) };
        assert_eq!(set_cookie(&session, "abc", "https").unwrap(), "gw=abc; Path=/; HttpOnly; SameSite=Lax; Secure");
    }
}
