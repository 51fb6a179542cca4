//! An inert WASI 0.2 for filters whose standard library cannot do without: no files, no network, no environment, no
//! input; output goes to the log. What is not listed here is refused when the module is loaded, and what is listed but
//! not defined traps when it is called.
//!
//! Not wasmtime-wasi: its synchronous streams block on a runtime, which a worker must never do inside a hook.

use std::time::Duration;

use wasmtime::component::{Component, ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType};
use wasmtime::{Engine, Result, StoreContextMut, bail};

use super::bindings::tollgate::filter::log::Level;
use super::grants::Need;
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
        // Standard libraries look at clocks as they start, so without the grant these stand still rather than trap.
        "wasi:clocks/monotonic-clock" => {
            interface
                .func_wrap("now", |context: Context<'_>, ()| Ok((context.data().monotonic_clock().unwrap_or(0),)))?;
            interface.func_wrap("resolution", |_: Context<'_>, ()| Ok((1u64,)))
        }
        "wasi:clocks/wall-clock" => {
            interface.func_wrap("now", |context: Context<'_>, ()| {
                let now = Duration::from_nanos(context.data().wall_clock().unwrap_or(0));
                Ok((Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() },))
            })?;
            interface.func_wrap("resolution", |_: Context<'_>, ()| Ok((Datetime { seconds: 0, nanoseconds: 1 },)))
        }
        "wasi:io/error" => interface.resource("error", ResourceType::host::<IoError>(), |_, _| Ok(())),
        "wasi:io/poll" => define_poll(interface),
        "wasi:io/streams" => define_streams(interface),
        "wasi:random/insecure-seed" => interface
            .func_wrap("insecure-seed", |context: Context<'_>, ()| Ok(((number(&context)?, number(&context)?),))),
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

/// What is insecure by its name is for the seeds of hash tables, and free.
fn define_random(interface: &mut LinkerInstance<'_, HostState>, prefix: &'static str) -> Result<()> {
    let permit = move |context: &Context<'_>| match prefix {
        "random" => context.data().grants.refuse(&Need::Random),
        _ => Ok(()),
    };
    interface.func_wrap(&format!("get-{prefix}-u64"), move |context: Context<'_>, ()| {
        permit(&context)?;
        Ok((number(&context)?,))
    })?;
    interface.func_wrap(&format!("get-{prefix}-bytes"), move |context: Context<'_>, (count,): (u64,)| {
        permit(&context)?;
        if count > 1 << 16 {
            bail!("{count} random bytes at once are too many");
        }
        Ok((context.data().unforeseen(count as usize)?,))
    })
}

fn number(context: &Context<'_>) -> Result<u64> {
    Ok(context.data().unforeseen(8)?.into_iter().fold(0, |number, byte| number << 8 | u64::from(byte)))
}
