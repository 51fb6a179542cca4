//! The harness of the stories in `tests/`: real sockets on ports that the system chooses, and no sleep where something
//! can be waited for.
//!
//! ```text
//! let upstream = Upstream::start();
//! let gateway = TestGateway::new().upstream(&upstream).policy("10-headers", "…").start();
//! let response = gateway.get("/orders");
//! assert_eq!(response.status, 200);
//! ```
//!
//! The HTTP in here is written by hand on blocking sockets, so that nothing is tested against itself and every byte can
//! be lied about. Whatever waits, waits for [`PATIENCE`] at most and fails then.

mod answer;
mod binary;
mod certificates;
mod client;
mod corpus;
mod curl;
mod dns;
mod files;
pub mod fuzz;
mod gate;
mod gateway;
mod grpc_health;
pub mod http2;
mod http2_upstream;
mod lines;
mod load;
mod message;
mod nginx;
mod peer;
mod proxy;
mod raw_filter;
mod recorder;
mod redis;
mod registry;
mod server;
mod tls;
mod upstream;
mod wire;

pub use answer::Answer;
pub use binary::{Binary, Finished};
pub use certificates::{Authority, Pair};
pub use client::{Connection, Request};
pub use corpus::{Case, Fate, corpus};
pub use curl::{curl, tool};
pub use dns::NameServer;
pub use files::{Folder, example, filter, guest, guest_component, target_dir};
pub use gate::{Gate, PATIENCE, eventually};
pub use gateway::{RunningGateway, TestGateway, metric};
pub use grpc_health::GrpcHealth;
pub use http2_upstream::{Http2Call, Http2Upstream};
pub use load::Load;
pub use message::{Echo, Fields, Head, Response};
pub use nginx::Nginx;
pub use peer::{Peer, PeerClient, peer_tool};
pub use proxy::ForwardProxy;
pub use raw_filter::{RawFilter, append_section, leb128};
pub use recorder::{Certain, Recorder};
pub use redis::RedisServer;
pub use registry::Registry;
pub use tls::{TlsClient, TlsConnection};
pub use upstream::{Call, ClosedPort, Received, Upstream};
pub use wire::Chunk;
