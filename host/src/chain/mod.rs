//! The filters on the way of an exchange: a request passes them forward, its response in reverse, and only over those
//! that the request has passed.

mod aside;
mod body;
mod fault;
mod follow;
mod free_list;
mod load;
mod local;
mod own;
mod policy;
mod quarantine;
mod record;
mod request;
mod response;
mod run;
mod shadow;
mod shared;
mod waiting;
mod whole;

pub use fault::note as note_fault;
pub use load::Load;
pub use local::{Link, LocalChain, LocalFilter};
pub use policy::{Chain, FaultAnswer, OnFault, Policy};
pub use quarantine::{Quarantine, QuarantineSettings};
pub use record::{CalledOut, HookAnswer, HookCall, Record, Recorder};
pub use run::{Aborted, Denied, Lent, Run, Step, Verdict};
pub use shadow::Shadow;
