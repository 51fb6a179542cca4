//! What the steps of the path hand each other: heads, bodies, facts, edits.

mod activity;
mod body;
mod edit;
mod exchange;
mod fact;
mod head;
mod limit;
mod principal;
mod tls;
mod upgraded;
pub mod websocket;

pub use activity::{Activity, Seconds};
pub use body::{Body, BodyError, IdleTimeout};
pub use edit::{Change, Edit, EditError};
pub use exchange::{ClientInfo, Context, Exchange, MadeHere, Message, Reply};
pub use fact::{Fact, FactError};
pub use head::{RequestHead, blank_request};
pub use principal::{Principal, joined};
pub use tls::{Identity, TlsInfo};
pub use upgraded::{Duplex, Upgraded};
