//! Heads of requests (RFC 9112, section 3).

use memchr::memchr;

use super::fields::Framing;
use super::tracker::Content;
use super::{Violation, lexical};

/// What has been seen of a request's head.
#[derive(Debug, Default)]
pub(super) struct RequestHead {
    framing: Framing,
    http_10: bool,
    has_host: bool,
    upgrade: bool,
    /// The authority of an absolute target. Rare, so the copy is no matter.
    authority: Option<Box<[u8]>>,
}

impl RequestHead {
    /// The request line.
    pub(super) fn first(&mut self, line: &[u8]) -> Result<(), Violation> {
        let (method, rest) = lexical::token(line);
        let rest = rest.strip_prefix(b" ").filter(|_| !method.is_empty()).ok_or(Violation::RequestLine)?;
        let space = memchr(b' ', rest).filter(|space| *space > 0).ok_or(Violation::RequestLine)?;
        let (target, version) = (&rest[..space], &rest[space + 1..]);
        self.http_10 = is_http_10(version)?;
        if !lexical::is_target(target) {
            return Err(Violation::Target);
        }
        self.target(method, target)
    }

    /// A field; the value has no white space around it.
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(value),
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.upgrade = true;
                Ok(())
            }
            _ => self.framing.field(name, value),
        }
    }

    /// How the content behind the whole head is framed.
    pub(super) fn content(&self) -> Result<Content, Violation> {
        if !self.has_host && !self.http_10 {
            return Err(Violation::HostCount);
        }
        match self.framing {
            Framing { chunked: true, .. } if self.http_10 => Err(Violation::TransferEncoding),
            Framing { chunked: true, .. } => Ok(Content::Chunked),
            Framing { length, .. } => Ok(Content::Length(length.unwrap_or(0))),
        }
    }

    /// Whether it asks for another protocol behind it.
    pub(super) fn wants_upgrade(&self) -> bool {
        self.upgrade && !self.http_10
    }

    fn target(&mut self, method: &[u8], target: &[u8]) -> Result<(), Violation> {
        if method == b"CONNECT" {
            return Err(Violation::Connect);
        }
        match target {
            [b'/', ..] => Ok(()),
            b"*" if method == b"OPTIONS" => Ok(()),
            _ => {
                self.authority = Some(authority(target)?.into());
                Ok(())
            }
        }
    }

    /// Exactly one, and the same as in an absolute target: which of two wins is a matter of opinion, whatever RFC 9112
    /// says in section 3.2.2.
    fn host(&mut self, value: &[u8]) -> Result<(), Violation> {
        if self.has_host {
            return Err(Violation::HostCount);
        }
        self.has_host = true;
        if !lexical::is_host(value) {
            return Err(Violation::HostSyntax);
        }
        match &self.authority {
            Some(authority) if !authority.eq_ignore_ascii_case(value) => Err(Violation::HostConflict),
            _ => Ok(()),
        }
    }
}

/// The authority of a target in absolute form.
fn authority(target: &[u8]) -> Result<&[u8], Violation> {
    let scheme = [&b"http://"[..], b"https://"]
        .into_iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let rest = &target[scheme.ok_or(Violation::Target)?.len()..];
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    if lexical::is_host(&rest[..end]) { Ok(&rest[..end]) } else { Err(Violation::HostSyntax) }
}

fn is_http_10(version: &[u8]) -> Result<bool, Violation> {
    match version {
        b"HTTP/1.1" => Ok(false),
        b"HTTP/1.0" => Ok(true),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            Err(Violation::Version)
        }
        _ => Err(Violation::RequestLine),
    }
}
