//! What a request is hashed by. The same in every worker, process and version, so that a fleet of gateways agrees.

use http::{HeaderMap, header};

use crate::config::HashKey;
use crate::message::ClientInfo;

/// The hash of what the key says; none if the request does not have it.
pub(in crate::upstream) fn of(key: &HashKey, fields: &HeaderMap, client: &ClientInfo) -> Option<u64> {
    match key {
        HashKey::ClientAddress => Some(hash(client.address_text.as_bytes(), 0)),
        HashKey::Header(name) => fields.get(name).map(|value| hash(value.as_bytes(), 0)),
        HashKey::Cookie(name) => cookie(fields, name).map(|value| hash(value, 0)),
    }
}

/// The value of a cookie (RFC 6265, section 5.4).
#[must_use]
pub fn cookie<'a>(fields: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let pairs = fields.get_all(header::COOKIE).iter().flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    let value = |pair: &'a [u8]| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=");
    pairs.filter_map(value).next()
}

/// FNV-1a with a finish that spreads over all bits (the one of MurmurHash3).
pub(super) fn hash(bytes: &[u8], seed: u64) -> u64 {
    let mut hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_among_others() {
        let mut fields = HeaderMap::new();
        fields.append(header::COOKIE, "a=1; ab=2".parse().unwrap());
        fields.append(header::COOKIE, "b=3;c".parse().unwrap());
        let found = |name| cookie(&fields, name).map(|value| String::from_utf8_lossy(value).into_owned());
        assert_eq!(found("a").as_deref(), Some("1"));
        assert_eq!(found("b").as_deref(), Some("3"));
        assert_eq!([found("c"), found("d")], [None, None]);
    }

    #[test]
    fn the_hash_is_the_same_for_ever() {
        assert_eq!(hash(b"", 0), 0xefd0_1f60_ba99_2926);
    }
}
