//! What a scripted upstream answers, step by step.

use std::io;
use std::net::Shutdown;

use crate::gate::Gate;
use crate::message::Fields;
use crate::wire::{Wire, append_fields, encode_chunk, encode_last_chunk};

/// A response, or something that only looks like one.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    fields: Fields,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Wait(Gate),
    /// Content whose length the head tells.
    Body(Vec<u8>),
    /// Content that makes the head say `chunked`.
    Chunk(Vec<u8>),
    Trailers(Fields),
    /// Sent as it is, without a head of ours.
    Raw(Vec<u8>),
    Close,
}

impl Answer {
    /// 200 with that content.
    #[must_use]
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).body(body)
    }

    /// A response without content so far.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, fields: Fields::default(), steps: Vec::new() }
    }

    /// These bytes in place of a response. The connection stays open unless `close` follows.
    #[must_use]
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::status(0).then_raw(bytes)
    }

    /// No response for now.
    #[must_use]
    pub fn after(gate: &Gate) -> Self {
        Self::status(200).wait(gate)
    }

    /// A header field.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.add(name, value);
        self
    }

    /// Content of a length that the head tells.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Body(body.into()))
    }

    /// A chunk of a chunked body.
    #[must_use]
    pub fn chunk(self, data: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Chunk(data.into()))
    }

    /// A trailer field of a chunked body.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        if let Some(Step::Trailers(trailers)) = self.steps.last_mut() {
            trailers.add(name, value);
            return self;
        }
        self.step(Step::Trailers(Fields(vec![(name.to_owned(), value.to_owned())])))
    }

    /// Nothing more until the gate is open.
    #[must_use]
    pub fn wait(self, gate: &Gate) -> Self {
        self.step(Step::Wait(gate.clone()))
    }

    /// These bytes as they are.
    #[must_use]
    pub fn then_raw(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Raw(bytes.into()))
    }

    /// The connection is closed here, whatever has been promised.
    #[must_use]
    pub fn close(self) -> Self {
        self.step(Step::Close)
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Plays all steps; false if the connection is closed then.
    pub(crate) fn play(&self, wire: &mut Wire, method: &str) -> io::Result<bool> {
        let chunked = self.steps.iter().any(|step| matches!(step, Step::Chunk(_) | Step::Trailers(_)));
        let silent = method == "HEAD" || self.status == 204 || self.status == 304;
        let mut head = (self.status != 0).then(|| self.head(chunked));
        let mut trailers = Fields::default();
        for step in &self.steps {
            if !matches!(step, Step::Wait(_))
                && let Some(head) = head.take()
            {
                wire.write(&head)?;
            }
            match step {
                Step::Wait(gate) => gate.wait(),
                Step::Body(_) | Step::Chunk(_) if silent => {}
                Step::Body(data) | Step::Raw(data) => wire.write(data)?,
                Step::Chunk(data) => wire.write(&encode_chunk(data))?,
                Step::Trailers(fields) => trailers = fields.clone(),
                Step::Close => {
                    wire.stream.shutdown(Shutdown::Both)?;
                    return Ok(false);
                }
            }
        }
        if let Some(head) = head {
            wire.write(&head)?;
        }
        if chunked && !silent {
            wire.write(&encode_last_chunk(&trailers))?;
        }
        Ok(true)
    }

    fn head(&self, chunked: bool) -> Vec<u8> {
        let mut fields = self.fields.clone();
        let length: usize =
            self.steps.iter().map(|step| if let Step::Body(body) = step { body.len() } else { 0 }).sum();
        if chunked {
            fields.add("transfer-encoding", "chunked");
        } else if fields.all("content-length").is_empty() && self.status != 204 && self.status != 304 {
            fields.add("content-length", &length.to_string());
        }
        let mut text = format!("HTTP/1.1 {} Whatever\r\n", self.status);
        append_fields(&mut text, &fields);
        text.into_bytes()
    }
}
