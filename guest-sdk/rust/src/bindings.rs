//! The generated guest side of `tollgate:filter`, and nothing else.

#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    unused_unsafe,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code; the documentation of these items is in wit/"
)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "filter",
    pub_export_macro: true,
    export_macro_name: "export_bindings",
    default_bindings_module: "::tollgate_filter::abi",
});
