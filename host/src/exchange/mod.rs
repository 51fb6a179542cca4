//! The story of one exchange: route, request hooks, upstream, response hooks, reply.

mod copy;
mod deadline;
mod end;
mod error;
mod mirror;
mod proxy_headers;
mod redirect;
mod run;

pub use end::ExchangeBody;
pub use run::{decline, serve};
