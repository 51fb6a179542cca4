//! The exports of the component, at the level of the canonical ABI.
//!
//! Head hooks are on the path of every exchange, so they are written by hand: their answers lie in buffers that are used
//! again, and need neither copies nor a call to free them (`cabi_post_…`). Everything else goes through the code that
//! wit-bindgen generates.

#![allow(unsafe_code, reason = "exports receive raw memory and return addresses")]

use std::cell::UnsafeCell;
use std::marker::PhantomData;

use crate::bindings::exports::tollgate::filter::hooks as generated;
use crate::bindings::tollgate::filter::types::{BodyAnswer, Facts, Field, HeadAnswer, Subscription, TrailersAnswer};
use crate::edits::Packed;
use crate::runtime::Runtime;
use crate::{Fault, Filter, Hook, Next, Outcome, Reply, panic};

/// The place in static memory of the one filter of a component. `#[filter]` makes it.
pub struct Slot<F: Filter>(UnsafeCell<Instance<F>>);

/// What the place holds: the filter, and the last answer until the gateway has read it, which it has when it calls again.
struct Instance<F: Filter> {
    runtime: Option<Runtime<F>>,
    answer: Answer,
    reply: Reply,
    fields: Vec<[u32; 4]>,
    fault: String,
}

/// `result<head-answer, string>` in memory. An `error` overlays `action` and `status` with its address and length.
#[repr(C)]
struct Answer {
    is_fault: u32,
    action: u32,
    status: u32,
    fields: [u32; 2],
    body: [u32; 2],
    edits: [u32; 2],
}

const FORWARD: Answer = Answer { is_fault: 0, action: 0, status: 0, fields: [0; 2], body: [0; 2], edits: [0; 2] };

// SAFETY: a component of this world runs on one thread.
unsafe impl<F: Filter> Sync for Slot<F> {}

impl<F: Filter> Slot<F> {
    /// A place without a filter.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is only made in static memory")]
    pub const fn new() -> Self {
        let reply = Reply { status: 0, fields: Vec::new(), body: Vec::new() };
        let instance = Instance { runtime: None, answer: FORWARD, reply, fields: Vec::new(), fault: String::new() };
        Self(UnsafeCell::new(instance))
    }

    #[expect(clippy::mut_from_ref, reason = "the only way from a static")]
    fn instance(&self) -> &mut Instance<F> {
        // SAFETY: the gateway calls one export at a time, none while an import runs, and each export calls this once.
        unsafe { &mut *self.0.get() }
    }

    fn runtime(&self) -> &mut Runtime<F> {
        self.instance().runtime.as_mut().expect("the gateway configures a filter before it calls a hook")
    }
}

impl<F: Filter> Instance<F> {
    fn answer(&mut self, outcome: Outcome) -> *mut u8 {
        self.answer = FORWARD;
        match outcome {
            Ok(Next::Forward) => self.edits(),
            Ok(Next::Hold) => {
                self.answer.action = 1;
                self.edits();
            }
            Ok(Next::Reply(reply)) => self.reply(reply),
            Err(fault) => self.fault(fault),
        }
        (&raw mut self.answer).cast()
    }

    fn edits(&mut self) {
        if let Some(runtime) = &mut self.runtime {
            let edits: &[Packed] = runtime.edits.pointers();
            self.answer.edits = [edits.as_ptr() as u32, edits.len() as u32];
        }
    }

    fn reply(&mut self, reply: Reply) {
        self.reply = reply;
        self.fields.clear();
        self.fields.extend(self.reply.fields.iter().map(|field| {
            let ([name, length], [value, size]) = (place(field.name.as_bytes()), place(&field.value));
            [name, length, value, size]
        }));
        self.answer.action = 2;
        self.answer.status = u32::from(self.reply.status);
        self.answer.fields = [self.fields.as_ptr() as u32, self.fields.len() as u32];
        self.answer.body = place(&self.reply.body);
    }

    fn fault(&mut self, fault: Fault) {
        self.fault = fault.into_message();
        self.answer.is_fault = 1;
        [self.answer.action, self.answer.status] = place(self.fault.as_bytes());
    }
}

/// A place in static memory for the facts of a head hook, as long as they fit. The gateway finds its address in the global
/// `tollgate:inbox`, and then needs no allocation for them, nor this component a release.
#[repr(C, align(8))]
pub struct Inbox(UnsafeCell<[u8; 4096]>);

// SAFETY: a component of this world runs on one thread.
unsafe impl Sync for Inbox {}

/// The one of a component.
#[unsafe(export_name = "tollgate:inbox")]
pub static INBOX: Inbox = Inbox(UnsafeCell::new([0; 4096]));

/// A list that the gateway has lowered into memory: into the inbox, or into an allocation of its own.
struct Lowered<T> {
    at: *mut T,
    length: usize,
}

impl<T> Lowered<T> {
    fn as_slice(&self) -> &[T] {
        // SAFETY: the gateway has put so many there, aligned, and does not touch them while the hook runs.
        unsafe { std::slice::from_raw_parts(self.at, self.length) }
    }

    fn is_in_inbox(&self) -> bool {
        let inbox = INBOX.0.get() as usize;
        (inbox..inbox + size_of::<Inbox>()).contains(&(self.at as usize))
    }
}

impl<T> Drop for Lowered<T> {
    fn drop(&mut self) {
        if !self.is_in_inbox() {
            // SAFETY: then it comes from `cabi_realloc`, which has allocated it with this layout.
            drop(unsafe { Vec::from_raw_parts(self.at, self.length, self.length) });
        }
    }
}

fn place(bytes: &[u8]) -> [u32; 2] {
    [bytes.as_ptr() as u32, bytes.len() as u32]
}

/// What `#[filter]` implements for the author's type.
pub trait Installed: Filter {
    /// The place of the filter.
    fn slot() -> &'static Slot<Self>;
}

/// # Safety
///
/// Only the gateway may call this, with two lists that it has lowered into the inbox, or into memory from `cabi_realloc`.
#[inline]
pub unsafe fn on_request_head<F: Installed>(
    exchange: u32,
    data: *mut u8,
    length: usize,
    ends: *mut u32,
    count: usize,
) -> *mut u8 {
    let (data, ends) = (Lowered { at: data, length }, Lowered { at: ends, length: count });
    let instance = F::slot().instance();
    let outcome = match &mut instance.runtime {
        Some(runtime) => runtime.request_head(exchange, data.as_slice(), ends.as_slice()),
        None => Err(Fault::new("not configured")),
    };
    instance.answer(outcome)
}

/// # Safety
///
/// As [`on_request_head`].
#[inline]
pub unsafe fn on_response_head<F: Installed>(
    exchange: u32,
    data: *mut u8,
    length: usize,
    ends: *mut u32,
    count: usize,
) -> *mut u8 {
    let (data, ends) = (Lowered { at: data, length }, Lowered { at: ends, length: count });
    let instance = F::slot().instance();
    let outcome = match &mut instance.runtime {
        Some(runtime) => runtime.response_head(exchange, data.as_slice(), ends.as_slice()),
        None => Err(Fault::new("not configured")),
    };
    instance.answer(outcome)
}

/// Whether a filter implements a hook.
#[must_use]
pub const fn has<F: Filter>(hook: Hook) -> bool {
    let mut index = 0;
    while index < F::HOOKS.len() {
        if F::HOOKS[index] as u8 == hook as u8 {
            return true;
        }
        index += 1;
    }
    false
}

/// The gateway calls only what a filter has subscribed to.
pub fn no_such_hook() -> ! {
    std::arch::wasm32::unreachable()
}

/// The filter as the generated code calls it.
pub struct Glue<F>(PhantomData<F>);

impl<F: Installed> generated::Guest for Glue<F> {
    fn configure(configuration: String) -> Result<Subscription, String> {
        panic::report_to_the_log();
        let (runtime, subscription) = Runtime::configure(&configuration)?;
        F::slot().instance().runtime = Some(runtime);
        Ok(subscription)
    }

    fn on_request_head(_: u32, _: Facts) -> Result<HeadAnswer, String> {
        unreachable!("exported by hand")
    }

    fn on_request_body(exchange: u32, piece: Vec<u8>, last: bool) -> Result<BodyAnswer, String> {
        F::slot().runtime().request_body(exchange, piece, last).map_err(Fault::into_message)
    }

    fn on_request_trailers(exchange: u32, fields: Vec<Field>) -> Result<TrailersAnswer, String> {
        F::slot().runtime().request_trailers(exchange, &fields).map_err(Fault::into_message)
    }

    fn on_response_head(_: u32, _: Facts) -> Result<HeadAnswer, String> {
        unreachable!("exported by hand")
    }

    fn on_response_body(exchange: u32, piece: Vec<u8>, last: bool) -> Result<BodyAnswer, String> {
        F::slot().runtime().response_body(exchange, piece, last).map_err(Fault::into_message)
    }

    fn on_response_trailers(exchange: u32, fields: Vec<Field>) -> Result<TrailersAnswer, String> {
        F::slot().runtime().response_trailers(exchange, &fields).map_err(Fault::into_message)
    }

    fn on_exchange_end(exchange: u32) {
        F::slot().runtime().end(exchange);
    }

    fn on_tick() -> Result<(), String> {
        F::slot().runtime().on_tick().map_err(Fault::into_message)
    }
}

pub use crate::bindings::export_bindings;

/// The path under which the generated macro looks for the macro that exports the hooks: it finds ours.
pub mod exports {
    #[expect(missing_docs, reason = "only for the path")]
    pub mod tollgate {
        pub mod filter {
            pub mod hooks {
                pub use crate::__export_hooks as __export_tollgate_filter_hooks_0_1_0_cabi;
                pub use crate::bindings::exports::tollgate::filter::hooks::*;
            }
        }
    }
}

/// Exports a filter: its place, the hooks, and the section that describes them.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($filter:ident) => {
        const _: () = {
            static SLOT: $crate::abi::Slot<$filter> = $crate::abi::Slot::new();

            impl $crate::abi::Installed for $filter {
                fn slot() -> &'static $crate::abi::Slot<Self> {
                    &SLOT
                }
            }

    $crate::abi::export_bindings!($filter with_types_in $crate::abi);
        };
    };
}

/// Head hooks from here, everything else from the generated code with its `cabi_post_…`. Hooks that the filter does not
/// have are exported, as the world demands, but have no code.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_hooks {
    ($filter:ident with_types_in $($path:tt)*) => {
        const _: () = {
            use $crate::Hook;
            use $crate::abi::{self, Glue};
            use $($path)* as generated;

            $crate::__export_hooks! {
                "tollgate:filter/hooks@0.1.0#configure", "cabi_post_tollgate:filter/hooks@0.1.0#configure",
                true, _export_configure_cabi, __post_return_configure, Glue<$filter>,
                (text: *mut u8, length: usize)
            }
            $crate::__export_hooks! {
                "tollgate:filter/hooks@0.1.0#on-request-head",
                abi::has::<$filter>(Hook::Request), on_request_head, $filter,
                (exchange: u32, data: *mut u8, length: usize, ends: *mut u32, count: usize)
            }
            $crate::__export_hooks! {
                "tollgate:filter/hooks@0.1.0#on-request-body",
                "cabi_post_tollgate:filter/hooks@0.1.0#on-request-body",
                abi::has::<$filter>(Hook::RequestBody),
                _export_on_request_body_cabi, __post_return_on_request_body, Glue<$filter>,
                (exchange: i32, piece: *mut u8, length: usize, last: i32)
            }
            $crate::__export_hooks! {
                "tollgate:filter/hooks@0.1.0#on-request-trailers",
                "cabi_post_tollgate:filter/hooks@0.1.0#on-request-trailers",
                abi::has::<$filter>(Hook::RequestTrailers),
                _export_on_request_trailers_cabi, __post_return_on_request_trailers, Glue<$filter>,
                (exchange: i32, fields: *mut u8, length: usize)
            }
            $crate::__export_hooks! {
                "tollgate:filter/hooks@0.1.0#on-response-head",
                abi::has::<$filter>(Hook::Response), on_response_head, $filter,
                (exchange: u32, data: *mut u8, length: usize, ends: *mut u32, count: usize)
            }
            $crate::__export_hooks! {
                "tollgate:filter/hooks@0.1.0#on-response-body",
                "cabi_post_tollgate:filter/hooks@0.1.0#on-response-body",
                abi::has::<$filter>(Hook::ResponseBody),
                _export_on_response_body_cabi, __post_return_on_response_body, Glue<$filter>,
                (exchange: i32, piece: *mut u8, length: usize, last: i32)
            }
            $crate::__export_hooks! {
                "tollgate:filter/hooks@0.1.0#on-response-trailers",
                "cabi_post_tollgate:filter/hooks@0.1.0#on-response-trailers",
                abi::has::<$filter>(Hook::ResponseTrailers),
                _export_on_response_trailers_cabi, __post_return_on_response_trailers, Glue<$filter>,
                (exchange: i32, fields: *mut u8, length: usize)
            }
            $crate::__export_hooks! {
                "tollgate:filter/hooks@0.1.0#on-tick", "cabi_post_tollgate:filter/hooks@0.1.0#on-tick",
                abi::has::<$filter>(Hook::Tick), _export_on_tick_cabi, __post_return_on_tick, Glue<$filter>,
                ()
            }

            #[unsafe(export_name = "tollgate:filter/hooks@0.1.0#on-exchange-end")]
            unsafe extern "C" fn end(exchange: i32) {
                unsafe { generated::_export_on_exchange_end_cabi::<Glue<$filter>>(exchange) }
            }
        };
    };
    ($name:literal, $has:expr, $hook:ident, $filter:ty, ($($parameter:ident: $type:ty),*)) => {
        const _: () = {
            #[unsafe(export_name = $name)]
            unsafe extern "C" fn hook($($parameter: $type),*) -> *mut u8 {
                if const { $has } { unsafe { abi::$hook::<$filter>($($parameter),*) } } else { abi::no_such_hook() }
            }
        };
    };
    (
        $name:literal, $post_name:literal,
        $has:expr, $hook:ident, $post:ident, $filter:ty, ($($parameter:ident: $type:ty),*)
    ) => {
        const _: () = {
            #[unsafe(export_name = $name)]
            unsafe extern "C" fn hook($($parameter: $type),*) -> *mut u8 {
                if const { $has } { unsafe { generated::$hook::<$filter>($($parameter),*) } } else { abi::no_such_hook() }
            }

            #[unsafe(export_name = $post_name)]
            unsafe extern "C" fn post(answer: *mut u8) {
                if const { $has } {
                    unsafe { generated::$post::<$filter>(answer) }
                }
            }
        };
    };
}
