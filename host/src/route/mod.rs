//! Which route a request takes. Knows neither chains nor upstreams.
//!
//! Precedence, most specific first: an exact host, a wildcard host with the longest domain, any host; then an exact path,
//! regular expressions in the order as written, the longest prefix, any path; then more conditions on headers, a method;
//! then the order as written. A host whose routes do not match leaves the request to the less specific ones.

mod path;
mod table;

pub use table::{Conditions, FieldCondition, HostCondition, PathCondition, RouteTable};
