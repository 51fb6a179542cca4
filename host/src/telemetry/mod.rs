//! What the gateway tells about itself: metrics, logs, access lines. All may use it; it knows nobody.

mod cost;
mod counters;
mod custom;
mod downstream;
mod fault;
mod filter;
mod logging;
mod memory;
mod metrics;
mod mirror;
mod names;
mod pace;
mod panics;
mod reasons;
mod refusal;
pub mod service_manager;
mod store;
mod trace;
mod tunnels;
mod upstream;

pub use cost::CostMetrics;
pub use counters::{Tally, lane};
pub use custom::{CustomMetrics, Definition, DefinitionError, Kind, OtherKind, Series};
pub use downstream::DownstreamMetrics;
pub use fault::{ByFaultClass, FaultClass};
pub use filter::FilterMetrics;
pub use logging::{LogFormat, LogGuard, start as start_logging};
pub use memory::{group_limit, resident};
pub use metrics::{GatewayMetrics, Metrics, RouteMetrics};
pub use mirror::{CopyLost, MirrorMetrics};
pub use panics::watch as watch_panics;
pub use refusal::Refusal;
pub use store::{SpaceMetrics, StoreOperation};
pub use trace::{Attribute, Collector, OpenSpan, SpanKind, Trace, TraceContext, TraceMetrics, TraceSettings, Tracing};
pub use tunnels::TunnelMetrics;
pub use upstream::{EndpointMetrics, UpstreamMetrics};
