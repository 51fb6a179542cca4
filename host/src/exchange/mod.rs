//! The story of one exchange: route, request hooks, upstream, response hooks, reply.

mod copy;
mod deadline;
mod end;
mod error;
mod grpc;
mod identity;
mod mirror;
pub mod proxy_headers;
mod redirect;
mod run;
mod trace;
mod tunnel;
mod upgrade;

pub use end::ExchangeBody;
pub use run::{decline, serve};
pub use tunnel::{Handover, websocket};
