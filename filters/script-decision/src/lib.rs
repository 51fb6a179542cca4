//! What is common to scripts that decide about requests, whatever they are written in.

mod decision;
mod document;
mod facts;

pub use decision::{OfResponse, apply, apply_to_response};
pub use document::Document;
pub use facts::{Form, Found, header_name, headers};
