//! Calls into the gateway: the component's imports, or on other targets the stand-in of `testing`.

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::bindings::tollgate::filter::{
    callout::send_all,
    clock::{monotonic, now},
    exchange::{fields, get, get_all},
    limiter::take,
    log::write,
    metrics::{add as add_to_counter, adjust as adjust_gauge, define, get as series, observe, set as set_gauge},
    random::{get_bytes, get_u64},
    secrets::get as secret,
    store::{
        acquire as store_acquire, compare_and_swap as store_compare_and_swap, delete as store_delete, get as store_get,
        increment as store_increment, release as store_release, renew as store_renew, set as store_set,
    },
};

#[cfg(target_arch = "wasm32")]
pub(crate) fn apply(exchange: u32, edits: Vec<crate::bindings::tollgate::filter::types::Edit>) -> Result<(), String> {
    crate::bindings::tollgate::filter::exchange::apply(exchange, &edits)
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::imports::{
    add_to_counter, adjust_gauge, apply, define, fields, get, get_all, get_bytes, get_u64, monotonic, now, observe,
    secret, send_all, series, set_gauge, store_acquire, store_compare_and_swap, store_delete, store_get,
    store_increment, store_release, store_renew, store_set, take, write,
};
