//! Which route a request takes, and what a route does with it. Knows neither chains nor upstreams, which are numbers here.
//!
//! Precedence, most specific first: an exact host, a wildcard host with the longest domain, any host; then an exact path,
//! regular expressions in the order as written, the longest prefix, any path; then more conditions on headers and query
//! parameters, a method; then the order as written. A host whose routes do not match leaves the request to the less
//! specific ones.

mod action;
mod conditions;
mod explain;
mod expressions;
mod normal;
mod path;
mod paths;
mod query;
mod redirect;
mod rewrite;
mod split;
mod table;

pub use action::{Action, Answer, Forward, Mirror};
pub use conditions::{Conditions, HostCondition, PathCondition, ValueCondition};
pub use explain::Unmet;
pub use normal::{PathError, PathRules, normalize};
pub use query::values as query_values;
pub use redirect::{NewPath, Redirect};
pub use rewrite::{PathRewrite, PrefixChange, Rewrite, RewriteError};
pub use split::{ByClass, Destination, Split, Sticky, Turns, spread};
pub use table::{Lookup, RouteTable, Row};
