//! What the gateway tells about itself: metrics, logs, access lines. All may use it; it knows nobody.

mod counters;
mod downstream;
mod logging;
mod metrics;
mod mirror;
mod names;
mod upstream;

pub use counters::lane;
pub use downstream::DownstreamMetrics;
pub use logging::{LogFormat, LogGuard, start as start_logging};
pub use metrics::{FilterMetrics, GatewayMetrics, Metrics, RouteMetrics};
pub use mirror::{CopyLost, MirrorMetrics};
pub use upstream::{EndpointMetrics, UpstreamMetrics};
