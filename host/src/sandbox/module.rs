//! A filter's module: read, checked against the world, compiled, linked. Not yet configured.

use std::sync::Arc;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use super::bindings::FilterPre;
use super::cache::Digest;
use super::engine::Sandbox;
use super::host_wasi;
use super::instance::HostState;

/// The largest module that is read, in bytes.
pub(super) const MAX_MODULE: usize = 64 << 20;

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
    #[error("a core module without component metadata: {0}; build it with the guest SDK or wit-bindgen against tollgate:filter")]
    NoMetadata(String),
    /// Made for something else.
    #[error("does not fit the world tollgate:filter@0.1.0: {0}")]
    WrongWorld(String),
    /// Wants something that filters are not given.
    #[error("imports {0}, which filters are not granted; build without the feature that needs it")]
    RefusedImport(String),
    /// Above the bound.
    #[error("{0} bytes are more than the {MAX_MODULE} that are read; build it in release mode and strip it")]
    TooLarge(usize),
}

impl Module {
    /// Turns what was read into a component; a core module that carries component metadata becomes one.
    pub(super) fn componentize(bytes: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, ModuleError> {
        if bytes.len() > MAX_MODULE {
            return Err(ModuleError::TooLarge(bytes.len()));
        }
        match bytes {
            [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(bytes.into()),
            [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => encode_core_module(bytes).map(Into::into),
            [] => Err(ModuleError::Malformed("the file is empty".into())),
            _ => Err(ModuleError::Malformed("it does not begin as a WebAssembly file does".into())),
        }
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

fn encode_core_module(bytes: &[u8]) -> Result<Vec<u8>, ModuleError> {
    let chain = |error: &dyn std::fmt::Display| error.to_string();
    let encoder = wit_component::ComponentEncoder::default()
        .validate(true)
        .module(bytes)
        .map_err(|error| ModuleError::NoMetadata(chain(&format_args!("{error:#}"))))?;
    let mut encoder = encoder;
    encoder.encode().map_err(|error| ModuleError::NoMetadata(chain(&format_args!("{error:#}"))))
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
            Some((interface, "0.1.0")) if INTERFACES.contains(&interface) => imports.exchange |= interface == "exchange",
            _ if host_wasi::provides(name) => imports.wasi = true,
            _ => return Err(ModuleError::RefusedImport(name.to_owned())),
        }
    }
    Ok(imports)
}
