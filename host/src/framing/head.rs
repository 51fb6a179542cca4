//! A head, line by line. Remembers how far it has come, so that a head that comes byte by byte is read once.

use memchr::memchr;

use super::fields::split;
use super::request::RequestHead;
use super::{Limits, Violation, lexical};

/// How far a head has been read. Positions are from its beginning.
#[derive(Debug, Default)]
pub(super) struct HeadScan {
    /// Where the line begins that has not ended.
    line: usize,
    lines: usize,
    searched: usize,
    fields: usize,
    first_seen: bool,
    empty_line_seen: bool,
}

impl HeadScan {
    /// Goes on in the same head, of which more may be there than the last time. Gives its length once it is complete.
    pub(super) fn scan(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        head: &mut RequestHead,
    ) -> Result<Option<usize>, Violation> {
        while let Some(found) = memchr(b'\n', &bytes[self.searched..]) {
            let end = self.searched + found;
            let line = bytes[self.line..end].strip_suffix(b"\r").ok_or(Violation::LineEnd)?;
            (self.line, self.searched) = (end + 1, end + 1);
            self.lines += 1;
            if end >= limits.bytes {
                return Err(Violation::HeadSize);
            }
            if self.first_seen && line.is_empty() {
                return self.check_controls(&bytes[..=end]).map(|()| Some(end + 1));
            }
            self.take(line, limits, head)?;
        }
        self.searched = bytes.len();
        self.check_rest(bytes, limits).map(|()| None)
    }

    fn take(&mut self, line: &[u8], limits: &Limits, head: &mut RequestHead) -> Result<(), Violation> {
        if self.first_seen {
            self.fields += 1;
            if self.fields > limits.fields {
                return Err(Violation::FieldCount);
            }
            if line.len() > limits.field {
                return Err(Violation::FieldSize);
            }
            let (name, value) = split(line)?;
            return head.field(name, value);
        }
        if line.is_empty() && !self.empty_line_seen {
            // Some clients send one after a body (RFC 9112, section 2.2); it is skipped.
            self.empty_line_seen = true;
            return Ok(());
        }
        if line.len() > limits.line {
            return Err(Violation::LineSize);
        }
        self.first_seen = true;
        head.first(line)
    }

    /// Each line has a CR and an LF at its end, and there is no control character but those: looked for in the head as a
    /// whole, which is cheaper than in each value.
    fn check_controls(&self, head: &[u8]) -> Result<(), Violation> {
        match lexical::count_controls(head) == 2 * self.lines {
            true => Ok(()),
            false if lexical::has_bare_cr(head) => Err(Violation::LineEnd),
            false => Err(Violation::Control),
        }
    }

    /// What can be said about a line whose end has not come.
    fn check_rest(&self, bytes: &[u8], limits: &Limits) -> Result<(), Violation> {
        let rest = &bytes[self.line..];
        match rest.first() {
            Some(first) if !self.first_seen && *first != b'\r' && !lexical::is_token(&[*first]) => {
                // TLS, most likely, whose client would wait for an answer.
                Err(Violation::RequestLine)
            }
            _ if !self.first_seen && rest.len() > limits.line => Err(Violation::LineSize),
            _ if self.first_seen && rest.len() > limits.field => Err(Violation::FieldSize),
            _ if lexical::has_bare_cr(rest) => Err(Violation::LineEnd),
            _ if bytes.len() >= limits.bytes => Err(Violation::HeadSize),
            _ => Ok(()),
        }
    }
}
