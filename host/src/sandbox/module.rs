//! A filter's module: read, checked against the world, compiled, linked. Not yet configured.

use std::borrow::Cow;
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use super::bindings::FilterPre;
use super::cache::Digest;
use super::engine::Sandbox;
use super::host_wasi;
use super::instance::HostState;

/// The largest module that is read, in bytes.
pub(super) const MAX_MODULE: u64 = 64 << 20;

/// The package whose interfaces a filter may import.
const PACKAGE: &str = "tollgate:filter/";
/// The interface that a filter exports.
const HOOKS: &str = "tollgate:filter/hooks@0.1.0";
/// What can be imported from `PACKAGE`.
const INTERFACES: [&str; 4] = ["types", "exchange", "limiter", "log"];

/// A compiled module that fits the world. Shared by all policies that name it.
pub struct Module {
    /// Of the file as it was read.
    pub digest: Digest,
    /// Whether the module imports the interface that reads any part of an exchange.
    pub reads_exchange: bool,
    pub(super) pre: FilterPre<HostState>,
    pub(super) sandbox: Sandbox,
}

/// Why a module cannot be a filter.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// Neither a component nor a core module, or a broken one.
    #[error("not a WebAssembly component: {0}; rebuild it, or check that the file was copied whole")]
    Malformed(String),
    /// A core module without the metadata from which a component is made.
    #[error(
        "a core module without component metadata: {0}; build it with the guest SDK or wit-bindgen against tollgate:filter"
    )]
    NoMetadata(String),
    /// Made for something else.
    #[error("does not fit the world tollgate:filter@0.1.0: {0}; build it against the interface of this release")]
    WrongWorld(String),
    /// Wants something that filters are not given.
    #[error("imports {0}, which filters are not granted; build without the feature that needs it")]
    RefusedImport(String),
    /// Above the bound.
    #[error("{0} bytes are more than the {MAX_MODULE} that are read; build it in release mode and strip it")]
    TooLarge(u64),
}

impl Module {
    /// Turns what was read into a component; a core module that carries component metadata becomes one.
    pub(super) fn componentize<'a>(engine: &Engine, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, ModuleError> {
        Self::check_size(bytes.len() as u64)?;
        match bytes {
            [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(bytes.into()),
            [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => encode_core_module(engine, bytes).map(Into::into),
            [] => Err(ModuleError::Malformed("the file is empty".into())),
            _ => Err(ModuleError::Malformed("it does not begin as a WebAssembly file does".into())),
        }
    }

    /// Whether that many bytes are read at all.
    ///
    /// # Errors
    /// If they are too many.
    pub fn check_size(bytes: u64) -> Result<(), ModuleError> {
        if bytes > MAX_MODULE { Err(ModuleError::TooLarge(bytes)) } else { Ok(()) }
    }

    /// Checks a compiled component against the world and links it.
    pub(super) fn link(sandbox: &Sandbox, component: &Component, digest: Digest) -> Result<Arc<Self>, ModuleError> {
        let imports = check_imports(sandbox, component)?;
        let mut linker: Linker<HostState>;
        let linker = if imports.wasi {
            linker = (*sandbox.linker).clone();
            host_wasi::link(&mut linker, component, &sandbox.engine)
                .map_err(|error| ModuleError::WrongWorld(format!("{error:#}")))?;
            &linker
        } else {
            &*sandbox.linker
        };
        let wrong = |error: wasmtime::Error| ModuleError::WrongWorld(format!("{error:#}"));
        if component.get_export(None, HOOKS).is_none() {
            return Err(ModuleError::WrongWorld(format!("it does not export {HOOKS}")));
        }
        let pre = FilterPre::new(linker.instantiate_pre(component).map_err(wrong)?).map_err(wrong)?;
        Ok(Arc::new(Self { digest, reads_exchange: imports.exchange, pre, sandbox: sandbox.clone() }))
    }
}

fn encode_core_module(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, ModuleError> {
    // The encoder takes for granted that the module is a valid one, and panics over half of one.
    wasmtime::Module::validate(engine, bytes).map_err(|error| ModuleError::Malformed(format!("{error:#}")))?;
    let encode = || wit_component::ComponentEncoder::default().validate(true).module(bytes)?.encode();
    match std::panic::catch_unwind(encode) {
        Ok(encoded) => encoded.map_err(|error| ModuleError::NoMetadata(format!("{error:#}"))),
        Err(_) => Err(ModuleError::NoMetadata("it cannot be read".into())),
    }
}

struct Imports {
    wasi: bool,
    exchange: bool,
}

fn check_imports(sandbox: &Sandbox, component: &Component) -> Result<Imports, ModuleError> {
    let mut imports = Imports { wasi: false, exchange: false };
    for (name, item) in component.component_type().imports(&sandbox.engine) {
        if matches!(item.ty, ComponentItem::Type(_)) {
            continue;
        }
        let interface = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@'));
        match interface {
            Some((interface, "0.1.0")) if INTERFACES.contains(&interface) => {
                imports.exchange |= interface == "exchange"
            }
            _ if host_wasi::provides(name) => imports.wasi = true,
            _ => return Err(ModuleError::RefusedImport(name.to_owned())),
        }
    }
    Ok(imports)
}
