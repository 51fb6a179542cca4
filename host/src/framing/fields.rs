//! Field lines (RFC 9112, section 5), and what frames a message (section 6).

use super::{Violation, lexical};

/// Name and value of a field line. Whether the value has control characters is for the caller to look at.
pub(super) fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
    let (name, rest) = lexical::token(line);
    match rest {
        [b':', value @ ..] if !name.is_empty() => Ok((name, lexical::trim(value))),
        [b' ' | b'\t', ..] if name.is_empty() => Err(Violation::Fold),
        _ => Err(Violation::FieldName),
    }
}

/// The fields that say how long a message's content is.
#[derive(Debug, Default)]
pub(super) struct Framing {
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
}

impl Framing {
    /// Takes a field into account, if it is one of those.
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.transfer_encoding(value),
            _ => Ok(()),
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.chunked {
            return Err(Violation::TwoFramings);
        }
        // Equal ones could be taken for one (RFC 9110, section 8.6), but whoever sends several is not to be trusted.
        let length = lexical::number(value).filter(|_| self.length.is_none());
        self.length = Some(length.ok_or(Violation::ContentLength)?);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.length.is_some() {
            return Err(Violation::TwoFramings);
        }
        if self.chunked {
            return Err(Violation::TransferEncoding);
        }
        self.chunked = value.eq_ignore_ascii_case(b"chunked");
        if self.chunked { Ok(()) } else { Err(unknown_coding(value)) }
    }
}

/// A coding that might have been understood is not implemented; without `chunked` at the end, and only there, the length
/// is not known at all (RFC 9112, sections 6.1 and 6.3).
fn unknown_coding(value: &[u8]) -> Violation {
    let is_chunked = |coding: &[u8]| lexical::trim(coding).eq_ignore_ascii_case(b"chunked");
    let codings: Vec<&[u8]> = value.split(|byte| *byte == b',').collect();
    let well_formed = codings.iter().all(|coding| lexical::is_token(lexical::trim(coding)));
    match codings.split_last() {
        Some((last, others)) if well_formed && is_chunked(last) && !others.iter().any(|coding| is_chunked(coding)) => {
            Violation::Coding
        }
        _ => Violation::TransferEncoding,
    }
}

/// Fields that have no place in trailers (RFC 9110, section 6.5.1): they frame the message, route it, say who sends it or
/// how its content is to be read, and whoever merges trailers into the head would believe them.
const NOT_TRAILERS: [&[u8]; 24] = [
    b"authorization",
    b"cache-control",
    b"connection",
    b"content-encoding",
    b"content-length",
    b"content-location",
    b"content-range",
    b"content-type",
    b"cookie",
    b"expect",
    b"forwarded",
    b"host",
    b"keep-alive",
    b"location",
    b"max-forwards",
    b"proxy-authorization",
    b"proxy-connection",
    b"range",
    b"set-cookie",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"vary",
];

/// Whether a field of this name may be among the trailers.
#[must_use]
pub fn may_be_trailer(name: &[u8]) -> bool {
    let forwarded = name.len() > 12 && name[..12].eq_ignore_ascii_case(b"x-forwarded-");
    !forwarded && !NOT_TRAILERS.iter().any(|denied| name.eq_ignore_ascii_case(denied))
}

/// Takes a line of a trailer section.
pub(super) fn trailer(line: &[u8]) -> Result<(), Violation> {
    if !lexical::is_text(line) {
        return Err(Violation::Control);
    }
    let (name, _) = split(line)?;
    if may_be_trailer(name) { Ok(()) } else { Err(Violation::Trailer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(fields: &[(&str, &str)]) -> Result<(Option<u64>, bool), Violation> {
        let mut framing = Framing::default();
        for (name, value) in fields {
            framing.field(name.as_bytes(), value.as_bytes())?;
        }
        Ok((framing.length, framing.chunked))
    }

    #[test]
    fn one_framing_and_only_one() {
        assert_eq!(framing(&[("Content-Length", "3")]), Ok((Some(3), false)));
        assert_eq!(framing(&[("transfer-encoding", "Chunked")]), Ok((None, true)));
        assert_eq!(framing(&[("content-length", "3"), ("content-length", "3")]), Err(Violation::ContentLength));
        let both = [("content-length", "3"), ("transfer-encoding", "chunked")];
        assert_eq!(framing(&both), Err(Violation::TwoFramings));
        assert_eq!(framing(&[both[1], both[0]]), Err(Violation::TwoFramings));
    }

    #[test]
    fn codings_are_chunked_or_not_implemented() {
        for coding in ["gzip, chunked", "gzip,chunked", "x, y ,\tchunked"] {
            assert_eq!(framing(&[("transfer-encoding", coding)]), Err(Violation::Coding), "{coding}");
        }
        for coding in
            ["", "gzip", "chunked, gzip", "chunked, chunked", ", chunked", "chunked,", "x chunked", "\"chunked\""]
        {
            assert_eq!(framing(&[("transfer-encoding", coding)]), Err(Violation::TransferEncoding), "{coding}");
        }
    }

    #[test]
    fn field_lines() {
        assert_eq!(split(b"a:\t b \t"), Ok((&b"a"[..], &b"b"[..])));
        assert_eq!(split(b"a:"), Ok((&b"a"[..], &b""[..])));
        assert_eq!(split(b" a: b"), Err(Violation::Fold));
        for line in [&b"a : b"[..], b": b", b"a", b"a b: c", b"\xe4: b", b"a\r: b", b"(a): b"] {
            assert_eq!(split(line), Err(Violation::FieldName), "{line:?}");
        }
    }

    #[test]
    fn trailers_neither_frame_nor_route() {
        assert_eq!(trailer(b"X-Checksum: 7"), Ok(()));
        assert_eq!(trailer(b"X: \0"), Err(Violation::Control));
        for line in ["Content-Length: 7", "HOST: a", "transfer-encoding: chunked", "X-Forwarded-For: a"] {
            assert_eq!(trailer(line.as_bytes()), Err(Violation::Trailer), "{line}");
        }
    }
}
