//! Parameters of a query and cookies: those that are put in are found, and nothing else is.

use http::{HeaderMap, HeaderValue, header};
use tollgate::route::query_values;
use tollgate::upstream::cookie;

/// A query and a field of cookies, parted by a zero.
pub fn run(data: &[u8]) {
    let split = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (query, cookies) = (&data[..split], data.get(split + 1..).unwrap_or_default());
    if let Ok(query) = std::str::from_utf8(query) {
        parameters(query);
    }
    if let Ok(cookies) = HeaderValue::from_bytes(cookies) {
        find_cookies(&cookies);
    }
}

fn parameters(query: &str) {
    let of = |query: &str, name: &str| query_values(query, name).map(|value| value.into_owned()).collect::<Vec<_>>();
    let mut all = 0;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !name.contains('%') {
            let found = of(query, name);
            assert!(value.contains('%') || found.contains(&value.as_bytes().to_vec()), "{query:?}: {name:?}");
        }
        all += 1;
    }
    let name = "\u{10ffff}q";
    assert_eq!(of(query, name).len(), of(&format!("{query}&q"), name).len(), "{query:?}");
    let found = of(&format!("{query}&{name}=%41"), name);
    assert!(found.len() <= all + 1 && found.last().is_some_and(|value| value == b"A"), "{query:?}");
}

fn find_cookies(cookies: &HeaderValue) {
    let mut fields = HeaderMap::new();
    fields.append(header::COOKIE, cookies.clone());
    let name = "gateway-story";
    let known = cookie(&fields, name).map(<[u8]>::to_vec);
    assert!(known.is_none() || cookies.as_bytes().windows(name.len()).any(|window| window == name.as_bytes()));
    fields.append(header::COOKIE, HeaderValue::from_static("a=1; gateway-story=2; b=3"));
    let found = cookie(&fields, name).map(<[u8]>::to_vec);
    assert_eq!(found, known.or(Some(b"2".to_vec())), "the first one counts");
}

/// Queries and cookies.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    super::texts(["version=2&x=%41&version\0a=1; gateway-story=7", "a%26v=1&&=&==\0;;gateway-storys=1;gateway-story"])
}
