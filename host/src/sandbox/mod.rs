//! Everything that touches wasmtime: modules become configured filters, and filters become instances that hooks are
//! called on. Knows heads and edits, but neither routes nor connections.

mod answer;
mod bindings;
mod cache;
mod callout;
mod component;
mod core;
mod deadline;
mod engine;
mod facts;
mod fault;
mod filter;
mod found;
mod grants;
mod guest;
mod host;
mod host_imports;
mod host_wasi;
mod image;
mod instance;
mod interface;
mod large_stack;
mod meter;
mod module;
mod pages;
mod secret;
mod sources;
mod suspend;
mod suspending;
mod tick;
mod waiting;
mod written;

pub use cache::{Digest, ModuleCache};
pub use callout::{Callout, CalloutError, CalloutGrants, CalloutResponse, Carrier};
pub use core::read_answer;
pub use engine::{MAX_MEMORY, Sandbox};
pub use fault::{Fault, FaultClass};
pub use filter::{Filter, FilterSettings, Isolation, Subscription};
pub use found::Found;
pub use grants::{FieldPattern, FieldRule, GrantedSecret, Grants, Need};
pub use instance::{BodyStep, HeadStep, Instance, Seat, TrailersStep};
pub use meter::{Spent, host_calls};
pub use module::{Module, ModuleError, Reach};
pub use secret::{MAX_SECRET, Secret, SecretValue};
pub use sources::Sources;
pub use suspend::{LocalFuture, Surroundings};
