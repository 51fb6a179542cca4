//! An inert WASI 0.2 for filters whose standard library cannot do without: no files, no network, no environment, no
//! input; output goes to the log. What is not listed here is refused when the module is loaded, and what is listed but
//! not defined traps when it is called.
//!
//! Not wasmtime-wasi: its synchronous streams block on a runtime, which a worker must never do inside a hook.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wasmtime::component::{Component, ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType};
use wasmtime::{Engine, Result, StoreContextMut, bail};

use super::bindings::tollgate::filter::log::Level;
use super::instance::HostState;

/// The interfaces that may be imported, without `@0.2.x`.
const INTERFACES: [&str; 20] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Whether an import of that name can be satisfied.
pub(super) fn provides(import: &str) -> bool {
    import.split_once("@0.2.").is_some_and(|(interface, _)| INTERFACES.contains(&interface))
}

/// Defines what this component imports, under the versions that it names.
pub(super) fn link(linker: &mut Linker<HostState>, component: &Component, engine: &Engine) -> Result<()> {
    let names: Vec<String> = component
        .component_type()
        .imports(engine)
        .map(|(name, _)| name.to_owned())
        .filter(|name| provides(name))
        .collect();
    for name in names {
        let interface = name.split_once('@').map_or(name.as_str(), |(interface, _)| interface).to_owned();
        define(&mut linker.instance(&name)?, &interface)?;
    }
    linker.define_unknown_imports_as_traps(component)
}

type Context<'a> = StoreContextMut<'a, HostState>;

// One host type for all resources: several interfaces name each of them, and what wasmtime defines as traps where this
// file defines nothing is of that type.
type OutputStream = ();
type IoError = ();
type Pollable = ();

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[allow(dead_code, reason = "part of the interface's type")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    #[allow(dead_code, reason = "part of the interface's type")]
    Closed,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

fn define(interface: &mut LinkerInstance<'_, HostState>, name: &str) -> Result<()> {
    match name {
        "wasi:cli/environment" => {
            interface.func_wrap("get-environment", |_: Context<'_>, ()| Ok((Vec::<(String, String)>::new(),)))?;
            interface.func_wrap("get-arguments", |_: Context<'_>, ()| Ok((Vec::<String>::new(),)))?;
            interface.func_wrap("initial-cwd", |_: Context<'_>, ()| Ok((None::<String>,)))
        }
        "wasi:cli/exit" => interface
            .func_wrap("exit", |_: Context<'_>, (_,): (std::result::Result<(), ()>,)| -> Result<()> {
                bail!("the filter exited")
            }),
        "wasi:cli/stdout" => {
            interface.func_wrap("get-stdout", |_: Context<'_>, ()| Ok((Resource::<OutputStream>::new_own(1),)))
        }
        "wasi:cli/stderr" => {
            interface.func_wrap("get-stderr", |_: Context<'_>, ()| Ok((Resource::<OutputStream>::new_own(2),)))
        }
        "wasi:clocks/monotonic-clock" => {
            let start = Instant::now();
            interface.func_wrap("now", move |_: Context<'_>, ()| Ok((nanoseconds(start.elapsed().as_nanos()),)))?;
            interface.func_wrap("resolution", |_: Context<'_>, ()| Ok((1u64,)))
        }
        "wasi:clocks/wall-clock" => {
            interface.func_wrap("now", |_: Context<'_>, ()| {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Ok((Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() },))
            })?;
            interface.func_wrap("resolution", |_: Context<'_>, ()| Ok((Datetime { seconds: 0, nanoseconds: 1 },)))
        }
        "wasi:io/error" => interface.resource("error", ResourceType::host::<IoError>(), |_, _| Ok(())),
        "wasi:io/poll" => define_poll(interface),
        "wasi:io/streams" => define_streams(interface),
        "wasi:random/insecure-seed" => {
            interface.func_wrap("insecure-seed", |_: Context<'_>, ()| Ok(((random(), random()),)))
        }
        "wasi:random/random" => define_random(interface, "random"),
        "wasi:random/insecure" => define_random(interface, "insecure-random"),
        _ => Ok(()),
    }
}

fn define_streams(interface: &mut LinkerInstance<'_, HostState>) -> Result<()> {
    interface.resource("output-stream", ResourceType::host::<OutputStream>(), |_, _| Ok(()))?;
    type Stream = Resource<OutputStream>;
    type Done = std::result::Result<(), StreamError>;
    interface.func_wrap("[method]output-stream.check-write", |_: Context<'_>, (_,): (Stream,)| {
        Ok((Ok::<u64, StreamError>(4096),))
    })?;
    interface.func_wrap("[method]output-stream.subscribe", |_: Context<'_>, (_,): (Stream,)| {
        Ok((Resource::<Pollable>::new_own(0),))
    })?;
    for write in ["[method]output-stream.write", "[method]output-stream.blocking-write-and-flush"] {
        interface.func_wrap(write, |mut context: Context<'_>, (stream, content): (Stream, Vec<u8>)| {
            let level = if stream.rep() == 2 { Level::Error } else { Level::Info };
            let text = String::from_utf8_lossy(&content);
            let text = text.trim_end();
            if !text.is_empty() {
                context.data_mut().log(level, text, []);
            }
            Ok((Done::Ok(()),))
        })?;
    }
    for flush in ["[method]output-stream.flush", "[method]output-stream.blocking-flush"] {
        interface.func_wrap(flush, |_: Context<'_>, (_,): (Stream,)| Ok((Done::Ok(()),)))?;
    }
    Ok(())
}

/// Only output can be waited for, as nothing makes a pollable for anything else, and that is always ready.
fn define_poll(interface: &mut LinkerInstance<'_, HostState>) -> Result<()> {
    interface.resource("pollable", ResourceType::host::<Pollable>(), |_, _| Ok(()))?;
    interface.func_wrap("[method]pollable.ready", |_: Context<'_>, (_,): (Resource<Pollable>,)| Ok((true,)))?;
    interface.func_wrap("[method]pollable.block", |_: Context<'_>, (_,): (Resource<Pollable>,)| Ok(()))?;
    interface.func_wrap("poll", |_: Context<'_>, (waited,): (Vec<Resource<Pollable>>,)| {
        Ok(((0u32..).zip(waited).map(|(place, _)| place).collect::<Vec<u32>>(),))
    })
}

fn define_random(interface: &mut LinkerInstance<'_, HostState>, prefix: &str) -> Result<()> {
    interface.func_wrap(&format!("get-{prefix}-u64"), |_: Context<'_>, ()| Ok((random(),)))?;
    interface.func_wrap(&format!("get-{prefix}-bytes"), |_: Context<'_>, (count,): (u64,)| {
        if count > 1 << 16 {
            bail!("{count} random bytes at once are too many");
        }
        Ok(((0..count).map(|_| random().to_le_bytes()[0]).collect::<Vec<u8>>(),))
    })
}

/// From the kernel.
fn random() -> u64 {
    let mut word = [0; 8];
    match rustix::rand::getrandom(&mut word, rustix::rand::GetRandomFlags::empty()) {
        Ok(8) => u64::from_ne_bytes(word),
        _ => std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0),
    }
}

fn nanoseconds(count: u128) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
