//! The trait that an author implements.

use serde::de::DeserializeOwned;

use crate::manifest::Object;
use crate::{
    Body, BodyOutcome, Fault, Hook, Interest, Next, Outcome, Piece, Request, Response, Tail, Trailers, TrailersOutcome,
};

/// A filter: its fields are its configuration, its methods the hooks that the gateway calls.
///
/// Implement it under [`#[filter]`](crate::filter), and only the hooks that are needed: what is not implemented is not
/// called and costs nothing. The gateway calls one hook at a time on an instance; hooks of different exchanges may
/// alternate. `&self` is the same configuration for all of them; what belongs to one exchange goes into
/// [`State`](Filter::State).
///
/// An `Err` or a panic in a hook is a fault: the operator reads its message, the client gets what the policy's
/// `on-fault` says. To answer the client, return a [`Reply`](crate::Reply).
pub trait Filter: DeserializeOwned + Sized + 'static {
    /// What the filter remembers of one exchange from hook to hook, made by `Default` when it is first asked for and
    /// dropped when the exchange ends. `#[filter]` adds `type State = ();` where nothing is to be remembered.
    type State: Default + 'static;

    /// The hooks that are implemented. Written by `#[filter]`.
    const HOOKS: &'static [Hook];

    /// What the module says about itself. Written by `#[filter]`.
    #[doc(hidden)]
    const MANIFEST: &'static Object = &Object { base: None, own: &[] };

    /// Called once after the configuration has been read: the place to check what serde cannot, and to compute what
    /// the hooks would otherwise compute each time (a field with `#[serde(skip)]` can keep it).
    ///
    /// # Errors
    ///
    /// The message is shown to whoever changed the configuration, so let it name the key and the remedy.
    fn check(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// Called once after [`check`](Filter::check): the facts that the hooks will read. Reading a fact that was not
    /// declared works too, but costs a call into the gateway each time.
    fn interest(&self) -> Interest {
        Interest::new()
    }

    /// Called once an exchange, when the request's head has been received and a route was found.
    ///
    /// # Errors
    ///
    /// A fault.
    fn on_request(&self, request: &mut Request<'_, Self::State>) -> Outcome {
        let _ = request;
        Ok(Next::Forward)
    }

    /// Called for each piece of the request's body, and once with [`is_last`](Piece::is_last), where the piece may be
    /// empty; with [`Interest::whole`] once, with the whole body. Not called for a request without a body unless its head is
    /// held.
    ///
    /// # Errors
    ///
    /// A fault.
    fn on_request_body(&self, request: &mut Request<'_, Self::State>, piece: Piece) -> BodyOutcome {
        let _ = (request, piece);
        Ok(Body::Pass)
    }

    /// Called once, after the last piece of the request's body, with its trailers, of which there may be none. Not called
    /// for a request without a body unless its head is held.
    ///
    /// # Errors
    ///
    /// A fault.
    fn on_request_trailers(
        &self,
        request: &mut Request<'_, Self::State>,
        trailers: &mut Trailers<'_>,
    ) -> TrailersOutcome {
        let _ = (request, trailers);
        Ok(Tail::Pass)
    }

    /// Called once an exchange with the head of the final response, whether the upstream, the gateway or a later
    /// filter made it. Filters are called in reverse order, and only those whose request hooks have run.
    ///
    /// # Errors
    ///
    /// A fault.
    fn on_response(&self, response: &mut Response<'_, Self::State>) -> Outcome {
        let _ = response;
        Ok(Next::Forward)
    }

    /// Called for each piece of the response's body, as [`on_request_body`](Filter::on_request_body).
    ///
    /// # Errors
    ///
    /// A fault.
    fn on_response_body(&self, response: &mut Response<'_, Self::State>, piece: Piece) -> BodyOutcome {
        let _ = (response, piece);
        Ok(Body::Pass)
    }

    /// Called once, after the last piece of the response's body, as [`on_request_trailers`](Filter::on_request_trailers).
    ///
    /// # Errors
    ///
    /// A fault.
    fn on_response_trailers(
        &self,
        response: &mut Response<'_, Self::State>,
        trailers: &mut Trailers<'_>,
    ) -> TrailersOutcome {
        let _ = (response, trailers);
        Ok(Tail::Pass)
    }

    /// Called once for each exchange of which this instance has seen a hook, whatever became of it. A filter that only
    /// wants its state dropped does not need it.
    fn on_end(&self, state: Self::State) {
        drop(state);
    }

    /// Called every [`Interest::every`], and first before the filter serves: the place to fetch what the hooks of
    /// exchanges are to find. There is one instance for it in the whole gateway, which sees no exchanges; what it finds is
    /// handed on in the [`store`](crate::store). Calls never overlap, and no exchange waits for one.
    ///
    /// # Errors
    ///
    /// A fault. The next call comes sooner then.
    fn on_tick(&self) -> Result<(), Fault> {
        Ok(())
    }
}
