//! The stand-in's upstreams for callouts: whatever the test says.

use std::cell::{Cell, RefCell};
use std::fmt;

use crate::bindings::tollgate::filter::callout as raw;
use crate::callout::{Error, MAX_AT_ONCE, Response};

/// How many callouts an exchange may make, as the gateway has it by default.
const PER_EXCHANGE: u32 = 8;

/// A request of the filter's own, as an upstream would get it.
#[derive(Clone, Debug)]
pub struct Callout {
    /// The upstream's name.
    pub upstream: String,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The header fields, in order.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The content.
    pub body: Vec<u8>,
}

impl Callout {
    /// The value of the first field of that name, as text.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<String> {
        let (_, value) = self.fields.iter().find(|(known, _)| known == name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }
}

type Answer = Box<dyn Fn(&Callout) -> Result<Response, Error>>;

#[derive(Default)]
pub(super) struct Callouts {
    answer: RefCell<Option<Answer>>,
    sent: RefCell<Vec<Callout>>,
    /// Of the running exchange, or, without one, tick.
    made: Cell<(Option<u32>, u32)>,
}

impl Callouts {
    pub(super) fn answer_with(&self, answer: Answer) {
        *self.answer.borrow_mut() = Some(answer);
    }

    pub(super) fn sent(&self) -> Vec<Callout> {
        self.sent.borrow().clone()
    }

    /// A tick begins, which may make as many as an exchange.
    pub(super) fn begin(&self) {
        self.made.set((None, 0));
    }

    pub(super) fn send_all(
        &self,
        exchange: Option<u32>,
        requests: &[raw::Request],
    ) -> Vec<Result<raw::Response, Error>> {
        if requests.len() > MAX_AT_ONCE {
            return requests.iter().map(|_| Err(Error::TooMany)).collect();
        }
        requests.iter().map(|request| self.send(exchange, request)).collect()
    }

    fn send(&self, exchange: Option<u32>, request: &raw::Request) -> Result<raw::Response, Error> {
        let answer = self.answer.borrow();
        let answer = answer.as_ref().ok_or(Error::NotGranted)?;
        if !request.path.starts_with('/') {
            return Err(Error::Invalid("the path is not valid, or does not begin with \"/\"".into()));
        }
        if request.path.contains('#') {
            return Err(Error::Invalid("the path has a fragment, which is never sent; write %23 for `#`".into()));
        }
        let made = match self.made.get() {
            (last, made) if last == exchange => made,
            _ => 0,
        };
        if made == PER_EXCHANGE {
            return Err(Error::TooMany);
        }
        self.made.set((exchange, made + 1));
        let callout = Callout {
            upstream: request.upstream.clone(),
            method: request.method.clone(),
            path: request.path.clone(),
            fields: request.fields.iter().map(|field| (field.name.clone(), field.value.clone())).collect(),
            body: request.body.clone(),
        };
        self.sent.borrow_mut().push(callout.clone());
        answer(&callout).map(Response::into_raw)
    }
}

impl fmt::Debug for Callouts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sent.borrow().fmt(formatter)
    }
}
