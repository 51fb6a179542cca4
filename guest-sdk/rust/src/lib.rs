//! Filters for Tollgate in Rust.
//!
//! A filter is a sandboxed WebAssembly component on the way of HTTP exchanges: it sees what it asks for, and answers
//! what becomes of it. Here is a whole one:
//!
//! ```
//! use tollgate_filter::prelude::*;
//!
//! #[derive(Deserialize, Schema)]
//! #[serde(deny_unknown_fields)]
//! struct Stamp {
//!     /// What is put on requests.
//!     value: String,
//! }
//!
//! #[filter]
//! impl Filter for Stamp {
//!     fn on_request(&self, request: &mut Request<'_>) -> Outcome {
//!         request.set("x-stamp", &self.value);
//!         Ok(Next::Forward)
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! # The configuration is the struct
//!
//! Its fields are read with serde from the `[config]` of the policy that uses the filter; `deny_unknown_fields` turns
//! typing errors into messages. [`Filter::check`] looks at what serde cannot know. The crate needs `serde` itself with
//! the feature `derive`, and `crate-type = ["cdylib"]`.
//!
//! With [`Schema`](trait@Schema) derived, the module carries the schema of its configuration, written by the compiler from the
//! same struct and its comments: the gateway tells operators the line and the key of everything that does not fit. Name,
//! version and description come from `Cargo.toml`; what else operators should know, such as what the filter has to be granted
//! and why, is said to [`#[filter]`](macro@filter):
//!
//! ```
//! use tollgate_filter::prelude::*;
//!
//! #[derive(Deserialize, Schema)]
//! struct OnTime {
//!     /// Until when requests pass, in seconds since 1970.
//!     until: u64,
//! }
//!
//! #[filter(needs(clock("knows by it when it is too late")))]
//! impl Filter for OnTime {
//!     fn on_request(&self, _: &mut Request<'_>) -> Outcome {
//!         if clock::now().as_secs() <= self.until { Ok(Next::Forward) } else { Ok(Reply::new(410).into()) }
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! # Hooks
//!
//! [`Filter`] has a method for each moment of an exchange; each says when it is called. Implement the ones that you need:
//! [`#[filter]`](macro@filter) subscribes to these and no others. A head hook returns [`Next`]: forward, hold until the
//! body has been seen, or reply; a body hook returns [`Body`]: pass the piece, replace it, end the body there, reply, or cut
//! the exchange; a trailers hook returns [`Tail`].
//!
//! # Bodies
//!
//! A body comes in pieces, as they arrive and as fast as they are taken at the other end. Where one value may lie in two
//! pieces, keep the end of the first in the [state](#state), or let the gateway put the pieces together:
//!
//! ```
//! use tollgate_filter::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct Shout {}
//!
//! #[filter]
//! impl Filter for Shout {
//!     fn interest(&self) -> Interest {
//!         Interest::new().whole(Hook::ResponseBody)
//!     }
//!
//!     fn on_response_body(&self, response: &mut Response<'_>, body: Piece) -> BodyOutcome {
//!         response.set("x-bytes", body.bytes().len().to_string());
//!         Ok(Body::Replace(body.bytes().to_ascii_uppercase()))
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! The length of the message is the gateway's to say. A message without a body reaches a body hook only if the head hook
//! returns [`Next::Hold`]; then [`Body::Replace`] gives it one.
//!
//! # Reading
//!
//! [`Interest`] declares facts, and declared facts come with the call: reading them costs next to nothing. What was not
//! declared can be read by the same methods, at the price of a call into the gateway. Names are case-insensitive.
//!
//! ```
//! use tollgate_filter::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct OnlyJson {}
//!
//! #[filter]
//! impl Filter for OnlyJson {
//!     fn interest(&self) -> Interest {
//!         Interest::new().request([":method", "content-type"])
//!     }
//!
//!     fn on_request(&self, request: &mut Request<'_>) -> Outcome {
//!         let content_type = request.field("Content-Type").unwrap_or_default();
//!         if request.method() == "POST" && !content_type.starts_with(b"application/json") {
//!             return Ok(Reply::problem(415, "Unsupported Media Type").field("accept", "application/json").into());
//!         }
//!         Ok(Next::Forward)
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! # Writing
//!
//! [`set`](Head::set), [`add`](Head::add) and [`remove`](Head::remove) change fields and other facts, such as `:path` or
//! `@attr:NAME`. They are collected and applied with the answer, in order. The gateway refuses what would break the
//! message, `content-length` for example; that is a fault.
//!
//! # State
//!
//! A filter that remembers something from hook to hook of one exchange says so by its type:
//!
//! ```
//! use tollgate_filter::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct CountBytes {}
//!
//! #[derive(Default)]
//! struct Seen {
//!     bytes: usize,
//! }
//!
//! #[filter]
//! impl Filter for CountBytes {
//!     type State = Seen;
//!
//!     fn on_request_body(&self, request: &mut Request<'_, Seen>, piece: Piece) -> BodyOutcome {
//!         request.state().bytes += piece.bytes().len();
//!         Ok(Body::Pass)
//!     }
//!
//!     fn on_response(&self, response: &mut Response<'_, Seen>) -> Outcome {
//!         let bytes = response.state().bytes;
//!         response.set("x-request-bytes", bytes.to_string());
//!         Ok(Next::Forward)
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! # Asking others
//!
//! A hook can send requests to upstreams that its policy was granted, and waits for the responses as if it blocked: see
//! [`callout`]. Here every request is one that an authorization service lets through:
//!
//! ```
//! use tollgate_filter::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct AskFirst {}
//!
//! #[filter]
//! impl Filter for AskFirst {
//!     fn interest(&self) -> Interest {
//!         Interest::new().request(["authorization"])
//!     }
//!
//!     fn on_request(&self, request: &mut Request<'_>) -> Outcome {
//!         let token = request.field("authorization").unwrap_or_default();
//!         let verdict = callout::Request::get("auth", "/check").field("authorization", token).send()?;
//!         match verdict.status() {
//!             200 => Ok(Next::Forward),
//!             status => Ok(Reply::problem(status, "Not allowed").into()),
//!         }
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! While a hook waits, the instance is its own, so each waiting exchange has one; `&self` is not shared between them.
//!
//! # Between exchanges
//!
//! [`Filter::on_tick`] is called every now and then, once in the whole gateway and for no exchange: to fetch keys or lists, say.
//! What it finds reaches the hooks of exchanges through the [`store`].
//!
//! ```
//! use std::time::Duration;
//! use tollgate_filter::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct Maintenance {}
//!
//! #[filter]
//! impl Filter for Maintenance {
//!     fn interest(&self) -> Interest {
//!         Interest::new().every(Duration::from_secs(5))
//!     }
//!
//!     fn on_tick(&self) -> Result<(), Fault> {
//!         let state = callout::Request::get("operations", "/state").send()?;
//!         store::own().set("state", state.body(), Duration::from_secs(60))?;
//!         Ok(())
//!     }
//!
//!     fn on_request(&self, _: &mut Request<'_>) -> Outcome {
//!         match store::own().text("state")?.as_deref() {
//!             Some("closed") => Ok(Reply::problem(503, "Closed for maintenance").into()),
//!             _ => Ok(Next::Forward),
//!         }
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! # Grants
//!
//! A filter sees and changes header fields and bodies, but credentials only if its policy says so: `authorization`,
//! `proxy-authorization`, `cookie` and `set-cookie`. [`clock`], [`random`] and [`secrets`] have to be granted as well. What
//! is used without a grant keeps the filter from being loaded, with a message that says what to write into the policy.
//!
//! # Faults
//!
//! `Err` is for what should not happen: `?` makes a [`Fault`] of any error. The operator reads it; what the client
//! gets, the policy's `on-fault` says. A panic is a fault too, and its message is in the log; but it costs the instance,
//! with everything that the filter remembers. To refuse a request, return a [`Reply`].
//!
//! # Testing
//!
//! Compiled for the machine that it is written on, a filter talks to a stand-in of the gateway, so `cargo test` is all it
//! takes: see [`testing`].
//!
//! ```
//! # use tollgate_filter::prelude::*;
//! # #[derive(Deserialize)]
//! # struct Stamp { value: String }
//! # #[filter]
//! # impl Filter for Stamp {
//! #     fn on_request(&self, request: &mut Request<'_>) -> Outcome {
//! #         request.set("x-stamp", &self.value);
//! #         Ok(Next::Forward)
//! #     }
//! # }
//! # fn main() -> Result<(), String> {
//! use tollgate_filter::testing::{Request, TestGateway};
//!
//! let gateway = TestGateway::<Stamp>::new(r#"{ "value": "seen" }"#)?;
//! let exchange = gateway.request(Request::get("/"));
//! assert_eq!(exchange.forwarded().value("x-stamp").as_deref(), Some("seen"));
//! # Ok(())
//! # }
//! ```
//!
//! The module itself, as the gateway runs it, is tested by `tollgate filter test` with cases from a file.
//!
//! # Building
//!
//! `cargo build --release --target wasm32-unknown-unknown` makes a module that the gateway takes as it is. On this target
//! the standard library has no clocks, files or sockets; the gateway offers [`callout`], [`clock`], [`limiter`], [`log`],
//! [`metrics`], [`random`], [`secrets`] and [`store`]. Allocation goes through a small
//! allocator of this crate, which the feature `allocator` (on by default) can leave out.

// What macros write names this crate as its users do.
#[cfg(test)]
extern crate self as tollgate_filter;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod abi;
#[cfg(any(test, all(target_arch = "wasm32", target_os = "unknown", feature = "allocator")))]
mod allocator;
mod answer;
mod bindings;
pub mod callout;
pub mod clock;
mod configuration;
mod edits;
mod field_name;
mod filter;
mod hook;
mod host;
mod identity;
mod interest;
pub mod limiter;
pub mod log;
#[doc(hidden)]
pub mod manifest;
mod message;
pub mod metrics;
#[cfg(target_arch = "wasm32")]
mod panic;
pub mod random;
mod runtime;
mod schema;
pub mod secrets;
mod state;
pub mod store;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod trailers;
mod value;

/// The Rust of pages outside this crate is compiled with its documentation.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/tutorial-rust.md")]
    struct Tutorial;
}

pub use answer::{Body, BodyOutcome, Fault, Next, Outcome, Piece, Reply, Tail, TrailersOutcome};
pub use field_name::FieldName;
pub use filter::Filter;
pub use hook::Hook;
pub use identity::Identity;
pub use interest::Interest;
pub use message::{Head, Request, Response};
pub use schema::Schema;
pub use tollgate_filter_macros::{Schema, filter};
pub use trailers::Trailers;
pub use value::Value;

/// Everything that a filter usually names.
pub mod prelude {
    pub use serde::Deserialize;

    pub use crate::{
        Body, BodyOutcome, Fault, FieldName, Filter, Hook, Identity, Interest, Next, Outcome, Piece, Reply, Request,
        Response, Schema, Tail, Trailers, TrailersOutcome, Value, callout, clock, filter, limiter, log, metrics,
        random, secrets, store,
    };
}

/// Exports a filter; there is nothing to export to on this target, but the filter is not dead code all the same.
#[doc(hidden)]
#[cfg(not(target_arch = "wasm32"))]
#[macro_export]
macro_rules! __export {
    ($filter:ident) => {
        const _: Option<$filter> = None;
    };
}
