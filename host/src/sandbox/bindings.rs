//! The generated host side of `tollgate:filter`, and nothing else.

#![allow(missing_docs, reason = "the documentation of these items is in wit/")]
#![allow(unreachable_pub, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "filter",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: { default: trappable },
});
