//! What a policy's filter is surrounded by where it is called for no exchange: its way out, and nothing else.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use super::policy::Policy;
use super::waiting::{Answers, Outlet};
use crate::message::Exchange;
use crate::sandbox::{Callout, CalloutError, Carrier, LocalFuture, Surroundings};

struct Aside(Outlet);

impl Policy {
    /// What a call is surrounded by that is on behalf of no exchange. It may make as many callouts as an exchange.
    #[must_use]
    pub fn aside(self: &Arc<Self>, carrier: Rc<dyn Carrier>) -> Rc<dyn Surroundings> {
        let left = Rc::new(Cell::new(self.filter.settings.callouts.count));
        Rc::new(Aside(Outlet { policy: Arc::clone(self), carrier: Some(carrier), left }))
    }
}

impl Surroundings for Aside {
    fn lend(&self) -> Option<Box<Exchange>> {
        None
    }

    fn take_back(&self, _: Box<Exchange>) {}

    fn call_out(&self, callouts: Vec<Result<Callout, CalloutError>>) -> LocalFuture<Answers> {
        self.0.call_out(callouts)
    }
}
