//! Follows the requests of a connection, one after another.

use memchr::memchr;

use super::head::HeadScan;
use super::request::RequestHead;
use super::{Limits, Violation, chunks, fields, lexical};

/// How content is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// That many bytes, or none.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// Less than 16 KiB, with the empty line at the end: what hyper takes, to which this is held.
const MAX_TRAILERS: usize = (16 << 10) - 3;

/// Says of each byte whether it may be passed on.
#[derive(Debug)]
pub struct Tracker {
    limits: Limits,
    state: State,
    scan: HeadScan,
    head: RequestHead,
    heads: u64,
    content: Content,
    /// What comes after this message has to wait.
    waits: bool,
    extensions: usize,
    trailers: usize,
    trailer_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    Waiting,
    Aside,
}

/// What came of looking at some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// How many of them may be passed on. The others have to be shown again, with what comes after them.
    pub approved: usize,
    /// Why nothing behind those ever may.
    pub violation: Option<Violation>,
}

impl Tracker {
    /// Of a new connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Head,
            scan: HeadScan::default(),
            head: RequestHead::default(),
            heads: 0,
            content: Content::Length(0),
            waits: false,
            extensions: 0,
            trailers: 0,
            trailer_bytes: 0,
        }
    }

    /// How many heads have been approved.
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether the next byte belongs to a head.
    pub fn is_in_head(&self) -> bool {
        self.state == State::Head
    }

    /// Whether the content of a message has not ended.
    pub fn is_in_content(&self) -> bool {
        !matches!(self.state, State::Head | State::Waiting | State::Aside)
    }

    /// Whether what comes has to wait until it is known whether the protocol changes.
    pub fn is_waiting(&self) -> bool {
        self.state == State::Waiting
    }

    /// The protocol stays as it is.
    pub fn go_on(&mut self) {
        if self.is_waiting() {
            self.state = State::Head;
        }
    }

    /// The protocol has changed: whatever comes is none of its business.
    pub fn step_aside(&mut self) {
        self.state = State::Aside;
    }

    /// Looks at bytes from the first of a head. Gives the head's length, with an empty line before it if there was one, and
    /// how its content is framed; nothing if it is not complete, which has to be shown again, with what comes after it.
    ///
    /// # Errors
    /// If it could be read in more than one way.
    pub fn next_head(&mut self, bytes: &[u8]) -> Result<Option<(usize, Content)>, Violation> {
        if bytes.is_empty() || !self.is_in_head() {
            return Ok(None);
        }
        let length = self.head(bytes)?;
        Ok((length > 0).then_some((length, self.content)))
    }

    /// Looks at bytes from the first that has not been approved, up to the end of this message.
    pub fn content(&mut self, bytes: &[u8]) -> Scan {
        self.follow(bytes, Self::is_in_content)
    }

    /// Looks at bytes from the first that has not been approved.
    pub fn feed(&mut self, bytes: &[u8]) -> Scan {
        self.follow(bytes, |_| true)
    }

    fn follow(&mut self, bytes: &[u8], further: fn(&Self) -> bool) -> Scan {
        let mut approved = 0;
        while approved < bytes.len() && further(self) {
            match self.step(&bytes[approved..]) {
                Ok(0) => break,
                Ok(more) => approved += more,
                Err(violation) => return Scan { approved, violation: Some(violation) },
            }
        }
        Scan { approved, violation: None }
    }

    /// One unit: a head, a line, or as much content as there is. Nothing if it is not complete.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        match self.state {
            State::Head => self.head(bytes),
            State::Length(left) => Ok(self.data(bytes, left, State::Length)),
            State::ChunkData(left) => Ok(self.data(bytes, left, State::ChunkData)),
            State::ChunkSize => self.chunk_size(bytes),
            State::ChunkEnd => self.chunk_end(bytes),
            State::Trailers => self.trailer(bytes),
            State::Aside => Ok(bytes.len()),
            State::Waiting => Ok(0),
        }
    }

    fn head(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        let Some(length) = self.scan.scan(bytes, &self.limits, &mut self.head)? else { return Ok(0) };
        let head = std::mem::take(&mut self.head);
        let content = head.content()?;
        self.scan = HeadScan::default();
        self.heads += 1;
        self.waits = head.wants_upgrade();
        self.content = content;
        match content {
            Content::Length(0) => self.end(),
            Content::Length(length) => self.state = State::Length(length),
            Content::Chunked => {
                (self.extensions, self.trailers, self.trailer_bytes) = (0, 0, 0);
                self.state = State::ChunkSize;
            }
        }
        Ok(length)
    }

    /// The message has ended.
    fn end(&mut self) {
        self.state = if self.waits { State::Waiting } else { State::Head };
    }

    fn data(&mut self, bytes: &[u8], left: u64, state: fn(u64) -> State) -> usize {
        let here = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        match left - here as u64 {
            0 if self.state == State::ChunkData(left) => self.state = State::ChunkEnd,
            0 => self.end(),
            left => self.state = state(left),
        }
        here
    }

    fn chunk_size(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        let most = chunks::MAX_LINE + self.limits.extensions - self.extensions;
        let Some((line, length)) = line(bytes)? else {
            let is_size = bytes.len() <= chunks::MAX_LINE || bytes.contains(&b';');
            return match bytes.len() > most {
                true if is_size => Err(Violation::ChunkExtension),
                _ if !is_size => Err(Violation::ChunkSize),
                _ => Ok(0),
            };
        };
        let (size, extension) = chunks::size(line)?;
        self.extensions += extension;
        if self.extensions > self.limits.extensions {
            return Err(Violation::ChunkExtension);
        }
        self.state = if size == 0 { State::Trailers } else { State::ChunkData(size) };
        Ok(length)
    }

    fn chunk_end(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        match bytes {
            [b'\r', b'\n', ..] => {
                self.state = State::ChunkSize;
                Ok(2)
            }
            [b'\r'] => Ok(0),
            _ => Err(Violation::ChunkEnd),
        }
    }

    fn trailer(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        let Some((line, length)) = line(bytes)? else {
            return if bytes.len() > self.limits.field { Err(Violation::FieldSize) } else { Ok(0) };
        };
        if line.is_empty() {
            self.end();
            return Ok(length);
        }
        self.trailers += 1;
        self.trailer_bytes += length;
        if self.trailers > self.limits.fields {
            return Err(Violation::FieldCount);
        }
        if line.len() > self.limits.field || self.trailer_bytes > self.limits.bytes.min(MAX_TRAILERS) {
            return Err(Violation::FieldSize);
        }
        fields::trailer(line)?;
        Ok(length)
    }
}

/// The first line without its end, and its length with it; none if the end has not come.
fn line(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, Violation> {
    let Some(end) = memchr(b'\n', bytes) else {
        return if lexical::has_bare_cr(bytes) { Err(Violation::LineEnd) } else { Ok(None) };
    };
    let line = bytes[..end].strip_suffix(b"\r").ok_or(Violation::LineEnd)?;
    Ok(Some((line, end + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &[u8] =
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n";
    const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n";

    fn requests() -> Tracker {
        Tracker::new(Limits::default())
    }

    fn whole(length: usize) -> Scan {
        Scan { approved: length, violation: None }
    }

    #[test]
    fn messages_follow_one_another() {
        let bytes = [GET, POST, GET, b"GET"].concat();
        let mut tracker = requests();
        assert_eq!(tracker.feed(&bytes), whole(bytes.len() - 3));
        assert_eq!((tracker.heads(), tracker.is_in_head()), (3, true));
        assert_eq!(tracker.feed(GET), whole(GET.len()), "the rest is shown again, with what comes after it");
    }

    #[test]
    fn what_comes_before_a_violation_is_let_through() {
        let bad = b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n";
        let mut tracker = requests();
        let scan = tracker.feed(&[POST, bad].concat());
        assert_eq!(scan, Scan { approved: POST.len(), violation: Some(Violation::HostCount) });
        assert_eq!((tracker.heads(), tracker.is_in_head()), (1, true));
    }

    #[test]
    fn what_comes_behind_an_upgrade_waits() {
        let bytes = [UPGRADE, b"\x81\x00"].concat();
        let mut tracker = requests();
        assert_eq!(tracker.feed(&bytes), whole(UPGRADE.len()));
        assert_eq!(tracker.feed(b"\x81\x00"), whole(0));
        assert!(tracker.is_waiting());
        tracker.step_aside();
        assert_eq!(tracker.feed(b"\x81\x00"), whole(2));
        let mut tracker = requests();
        tracker.feed(UPGRADE);
        tracker.go_on();
        assert_eq!(tracker.feed(b"\x81\x00").violation, Some(Violation::RequestLine));
    }
}
