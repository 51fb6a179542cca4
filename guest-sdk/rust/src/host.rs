//! Calls into the gateway: the component's imports, or on other targets the stand-in of `testing`.

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::bindings::tollgate::filter::{
    exchange::{fields, get, get_all},
    limiter::take,
    log::write,
    metrics::{add as add_to_counter, adjust as adjust_gauge, define, get as series, observe, set as set_gauge},
};

#[cfg(target_arch = "wasm32")]
pub(crate) fn apply(exchange: u32, edits: Vec<crate::bindings::tollgate::filter::types::Edit>) -> Result<(), String> {
    crate::bindings::tollgate::filter::exchange::apply(exchange, &edits)
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::imports::{
    add_to_counter, adjust_gauge, apply, define, fields, get, get_all, observe, series, set_gauge, take, write,
};
