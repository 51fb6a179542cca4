//! What has come on a connection: heads of requests, and their content, as far as the tracker approves of it.

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};

use crate::framing::{Content, Limits, Tracker, Violation};
use crate::wire::{Decoder, HeadLimits, Length, Malformed};

/// How much is passed over of content that nobody has read, to keep the connection.
const MOST_DISCARDED: usize = 64 << 10;

/// Read and not yet taken.
pub struct Intake {
    /// Not looked at, or only in part.
    received: BytesMut,
    /// Content that may be passed on.
    approved: BytesMut,
    tracker: Tracker,
    decoder: Decoder,
    trailers: HeadLimits,
    /// Why nothing behind what is approved ever may be.
    violation: Option<Violation>,
    /// Whether that has been told.
    told: bool,
}

/// Why there is no more of a request's content.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The tracker does not approve of it.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// Should ever the decoder find fault with what the tracker has approved.
    #[error("{0}")]
    Malformed(&'static str),
}

impl From<Malformed> for Refused {
    fn from(Malformed(reason): Malformed) -> Self {
        Self::Malformed(reason)
    }
}

impl Intake {
    /// Of a new connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let trailers = HeadLimits { fields: limits.fields, bytes: limits.bytes };
        Self {
            received: BytesMut::new(),
            approved: BytesMut::new(),
            tracker: Tracker::new(limits),
            decoder: Decoder::new(Length::Known(0), trailers),
            trailers,
            violation: None,
            told: false,
        }
    }

    /// Where what comes next belongs.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.received
    }

    /// Keeps what has come. A piece for which there is room of its own costs no more than itself.
    pub fn put(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// Whether there is anything that nobody has taken.
    pub(super) fn is_empty(&self) -> bool {
        self.received.is_empty() && self.approved.is_empty()
    }

    /// Whether content is to come.
    #[must_use]
    pub fn is_in_content(&self) -> bool {
        !self.decoder.is_done()
    }

    /// Whether what comes has broken the rules.
    pub(super) fn is_refused(&self) -> bool {
        self.violation.is_some()
    }

    /// The violation, when it is asked for the first time.
    pub(super) fn news(&mut self) -> Option<Violation> {
        self.violation.filter(|_| !std::mem::replace(&mut self.told, true))
    }

    /// The next head, once it is whole.
    ///
    /// # Errors
    /// If it could be read in two ways, and for ever after.
    pub fn next_head(&mut self) -> Result<Option<Bytes>, Violation> {
        if let Some(violation) = self.violation {
            return Err(violation);
        }
        match self.tracker.next_head(&self.received) {
            Ok(None) => Ok(None),
            Ok(Some((length, content))) => {
                let content = match content {
                    Content::Length(length) => Length::Known(length),
                    Content::Chunked => Length::Chunked,
                };
                self.decoder = Decoder::new(content, self.trailers);
                Ok(Some(take(&mut self.received, length).freeze()))
            }
            Err(violation) => Err(self.refuse(violation)),
        }
    }

    /// Nothing that comes from here on is passed on.
    pub(super) fn refuse(&mut self, violation: Violation) -> Violation {
        self.violation = Some(violation);
        violation
    }

    /// What can be taken of the content; nothing if more has to come, or at its end.
    ///
    /// # Errors
    /// If it could be read in two ways.
    pub fn content(&mut self) -> Result<Option<Frame<Bytes>>, Refused> {
        self.approve();
        if let Some(frame) = self.decoder.take(&mut self.approved)? {
            return Ok(Some(frame));
        }
        match self.violation {
            Some(violation) if self.is_in_content() => Err(violation.into()),
            _ => Ok(None),
        }
    }

    /// How much content is to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        self.decoder.size_hint()
    }

    fn approve(&mut self) {
        if self.received.is_empty() || self.violation.is_some() || !self.is_in_content() {
            return;
        }
        let scan = self.tracker.content(&self.received);
        let approved = take(&mut self.received, scan.approved);
        match self.approved.is_empty() {
            true => self.approved = approved,
            false => self.approved.unsplit(approved),
        }
        self.violation = scan.violation;
    }

    /// Passes over content that has come and that nobody has read, unless it is too much. Says whether it has ended.
    pub(super) fn discard(&mut self) -> bool {
        let mut discarded = 0;
        while self.is_in_content() && discarded <= MOST_DISCARDED {
            match self.content() {
                Ok(Some(frame)) => discarded += frame.data_ref().map_or(0, Bytes::len),
                Ok(None) | Err(_) => break,
            }
        }
        !self.is_in_content()
    }

    /// The protocol stays as it is: what was held back may be looked at.
    pub fn go_on(&mut self) {
        self.tracker.go_on();
    }

    /// What has come, for whoever speaks another protocol from here on.
    pub(super) fn into_rest(self) -> Bytes {
        self.received.freeze()
    }
}

/// The first of what has come, without a copy.
fn take(received: &mut BytesMut, length: usize) -> BytesMut {
    match length == received.len() {
        true => std::mem::take(received),
        false => received.split_to(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::blank_request;

    const PIPELINE: &str = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\n\
        POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\
        POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: 1\r\n\r\n\
        GET /4 HTTP/1.1\r\nHost: a\r\n\r\n";

    /// What is taken of bytes that come in pieces: request lines, content and trailers.
    fn take_all(text: &str, every: usize) -> (Vec<String>, Option<Violation>) {
        let mut intake = Intake::new(Limits::default());
        let (mut taken, mut content) = (Vec::new(), String::new());
        for piece in text.as_bytes().chunks(every) {
            intake.put(piece);
            loop {
                if intake.is_in_content() {
                    match intake.content() {
                        Ok(Some(frame)) => match frame.into_data() {
                            Ok(data) => content.push_str(std::str::from_utf8(&data).unwrap()),
                            Err(frame) => content.push_str(&format!(" {:?}", frame.into_trailers().unwrap())),
                        },
                        Ok(None) if intake.is_in_content() => break,
                        Ok(None) => {}
                        Err(Refused::Violation(violation)) => return (taken, Some(violation)),
                        Err(error) => panic!("{error}"),
                    }
                    continue;
                }
                if !content.is_empty() {
                    taken.push(std::mem::take(&mut content));
                }
                match intake.next_head() {
                    Ok(Some(head)) => {
                        let mut parts = blank_request();
                        super::super::head::parse(&head, &mut parts).unwrap();
                        taken.push(parts.uri.to_string());
                    }
                    Ok(None) => break,
                    Err(violation) => return (taken, Some(violation)),
                }
            }
        }
        (taken, None)
    }

    #[test]
    fn requests_follow_one_another_however_they_are_cut() {
        let expected = ["/1", "/2", "hello", "/3", "abcde {\"x-t\": \"1\"}", "/4"];
        for every in 1..PIPELINE.len() {
            assert_eq!(take_all(PIPELINE, every), (expected.map(str::to_owned).to_vec(), None), "every {every}");
        }
    }

    #[test]
    fn what_comes_before_a_violation_is_taken() {
        let bad = "POST /5 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
        for every in 1..bad.len() {
            let (taken, violation) = take_all(&format!("{PIPELINE}{bad}"), every);
            assert_eq!((taken.last().map(String::as_str), violation), (Some("/5"), Some(Violation::ChunkSize)));
        }
        let (taken, violation) = take_all(&format!("{PIPELINE}GET / HTTP/1.1\r\n\r\n"), 7);
        assert_eq!((taken.len(), violation), (6, Some(Violation::HostCount)));
    }

    #[test]
    fn content_that_nobody_reads_is_passed_over_if_it_is_little() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ";
        let with_content = |length: usize, sent: usize| {
            let mut intake = Intake::new(Limits::default());
            intake.put(format!("{head}{length}\r\n\r\n{}", "x".repeat(sent)).as_bytes());
            assert!(intake.next_head().unwrap().is_some());
            intake.discard()
        };
        assert!(with_content(1_000, 1_000));
        assert!(!with_content(1_000, 999), "the rest may never come");
    }
}
