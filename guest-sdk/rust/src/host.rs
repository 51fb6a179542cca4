//! Calls into the gateway: the component's imports, or on other targets the stand-in of `testing`.

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::bindings::tollgate::filter::{
    exchange::{fields, get, get_all},
    limiter::take,
    log::write,
};

#[cfg(target_arch = "wasm32")]
pub(crate) fn apply(exchange: u32, edits: Vec<crate::bindings::tollgate::filter::types::Edit>) -> Result<(), String> {
    crate::bindings::tollgate::filter::exchange::apply(exchange, &edits)
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::imports::{apply, fields, get, get_all, take, write};
