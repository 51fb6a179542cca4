//! What a signed path consists of.

/// A path with a time and a signature, which nobody has checked yet.
pub(crate) struct Link<'a> {
    /// What was signed: everything before the signature.
    pub(crate) signed: &'a [u8],
    pub(crate) signature: [u8; 32],
    /// Seconds since 1970.
    pub(crate) expires: u64,
    /// The path without the two parameters.
    pub(crate) bare: Vec<u8>,
}

impl<'a> Link<'a> {
    /// The path as a link: its last parameter is the signature, and just one of the others says when it expires.
    pub(crate) fn of(path: &'a [u8], expires: &[u8], signature: &[u8]) -> Option<Self> {
        let (signed, last) = split_last(path, b'&')?;
        let (resource, query) = split_first(signed, b'?')?;
        let signature = digest(value(last, signature)?)?;
        let (times, others): (Vec<_>, Vec<_>) =
            query.split(|byte| *byte == b'&').partition(|parameter| value(parameter, expires).is_some());
        let [time] = times[..] else { return None };
        let expires = std::str::from_utf8(value(time, expires)?).ok()?.parse().ok()?;
        let bare = match others.is_empty() {
            true => resource.to_vec(),
            false => [resource, b"?", &others.join(&b'&')].concat(),
        };
        Some(Self { signed, signature, expires, bare })
    }
}

/// The value of a parameter of that name.
fn value<'a>(parameter: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    parameter.strip_prefix(name)?.strip_prefix(b"=")
}

fn split_first(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|byte| *byte == at)?;
    Some((&text[..place], &text[place + 1..]))
}

fn split_last(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().rposition(|byte| *byte == at)?;
    Some((&text[..place], &text[place + 1..]))
}

/// 64 hexadecimal digits.
fn digest(hex: &[u8]) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if hex.len() != 2 * digest.len() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16).map(|digit| digit as u8);
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(digest)
}
