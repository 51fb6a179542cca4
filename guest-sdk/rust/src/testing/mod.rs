//! A stand-in of the gateway, for unit tests that run natively.
//!
//! [`TestGateway`] reads the configuration and calls the hooks as the gateway does, with one filter and an upstream that
//! is the test itself. It holds the filter to the same rules: edits and replies that the gateway would refuse are faults.
//!
//! ```
//! use tollgate_filter::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct Stamp {
//!     value: String,
//! }
//!
//! #[filter]
//! impl Filter for Stamp {
//!     fn on_request(&self, request: &mut Request<'_>) -> Outcome {
//!         if request.field("x-banned").is_some() {
//!             return Ok(Reply::problem(403, "Forbidden").into());
//!         }
//!         request.set("x-stamp", &self.value);
//!         Ok(Next::Forward)
//!     }
//!
//!     fn on_response(&self, response: &mut Response<'_>) -> Outcome {
//!         response.remove("server");
//!         Ok(Next::Forward)
//!     }
//! }
//!
//! # fn main() -> Result<(), String> {
//! use tollgate_filter::testing::{Request, TestGateway};
//!
//! let gateway = TestGateway::<Stamp>::new(r#"{ "value": "seen" }"#)?;
//!
//! let mut exchange = gateway.request(Request::get("/a").field("accept", "*/*"));
//! assert_eq!(exchange.forwarded().value("x-stamp").as_deref(), Some("seen"));
//! let response = exchange.respond(200, [("server", "upstream/1.0")]);
//! assert_eq!((response.status(), response.value("server")), (200, None));
//!
//! let exchange = gateway.request(Request::get("/a").field("x-banned", "yes"));
//! assert_eq!(exchange.reply().status(), 403);
//! # Ok(())
//! # }
//! ```
//!
//! The clocks of [`clock`](crate::clock) and of the limiter stand still but for [`TestGateway::advance`]; the random numbers
//! of [`random`](crate::random) are the same in every run, or those of [`TestGateway::seed`]; secrets are those of
//! [`TestGateway::set_secret`]. Everything is granted.
//!
//! What it does not do: other filters, time limits, memory limits, and the upper bound of what a held head buffers. A
//! reply of the filter is not shown to the filter's own response hooks.

mod callouts;
mod exchange;
mod gateway;
mod head;
mod limits;
mod message;
mod metrics;
mod rules;
mod sources;
mod spaces;
mod world;

pub use callouts::Callout;
pub use exchange::Exchange;
pub use gateway::TestGateway;
pub use message::{Request, Response};

pub(crate) use world::imports;
