//! The generated host side of `tollgate:filter`, and nothing else.

#![allow(missing_docs, reason = "the documentation of these items is in wit/")]
#![allow(unreachable_pub, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "filter",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: { "tollgate:filter/callout.send-all": async | trappable, default: trappable },
});

/// The same exports for filters whose calls may be suspended; what they import is the same as above.
pub(super) mod suspending {
    wasmtime::component::bindgen!({
        path: "../wit",
        inline: "package tollgate:suspending; world suspending { export tollgate:filter/hooks@0.1.0; }",
        world: "tollgate:suspending/suspending",
        ownership: Borrowing { duplicate_if_necessary: true },
        exports: { default: async },
        with: { "tollgate:filter/types": super::tollgate::filter::types },
    });
}
