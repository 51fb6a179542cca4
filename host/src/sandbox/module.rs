//! A filter's module: read, checked against the world, compiled, linked. Not yet configured.

use std::path::Path;
use std::sync::Arc;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Precompiled, Store};

use super::bindings::FilterPre;
use super::bindings::suspending::SuspendingPre;
use super::content::Digest;
use super::core::{self, CoreGuest};
use super::engine::Sandbox;
use super::foreign::{self, Foreign};
use super::functions::{self, MAX_FUNCTION};
use super::grants::Need;
use super::guest::Guest;
use super::host_wasi;
use super::instance::HostState;
use super::interface::{self, Mismatch};
use super::large_stack;
use super::lines::Lines;
use super::nesting;
use super::suspend::at_once;
use crate::manifest::{Carried, Manifest, ManifestError};

/// The largest module that is read, in bytes.
pub(super) const MAX_MODULE: u64 = 64 << 20;

/// The package whose interfaces a filter may import.
const PACKAGE: &str = "tollgate:filter/";
/// The interface that a filter exports.
pub(super) const HOOKS: &str = "tollgate:filter/hooks@0.1.0";
/// What can be imported from `PACKAGE`.
const INTERFACES: [&str; 10] =
    ["types", "callout", "clock", "exchange", "limiter", "log", "metrics", "random", "secrets", "store"];
/// Of these, those that wait.
const WAITING: [&str; 1] = ["callout"];
/// And those that wait if they are on a server.
const FAR: [&str; 2] = ["limiter", "store"];

/// Where the state of a policy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// In this process.
    Near,
    /// On a server, which calls wait for.
    Far,
}

impl Reach {
    fn waits_for(self, interface: &str) -> bool {
        WAITING.contains(&interface) || (self == Self::Far && FAR.contains(&interface))
    }
}

/// A compiled module that fits the world. Shared by all policies that name it.
pub struct Module {
    /// Of the file as it was read.
    pub digest: Digest,
    /// Whether the module imports the interface that reads any part of an exchange.
    pub reads_exchange: bool,
    /// The interfaces of ours that the module imports, and maybe parts of WASI.
    pub(super) imports: Imports,
    /// Whether an instance can be put back to an earlier state.
    pub(super) is_restorable: bool,
    /// Whether its calls may be suspended, as it imports something that waits.
    pub suspends: bool,
    carried: Carried,
    /// Where in the sources its code comes from, if it says so.
    pub(super) lines: Option<Arc<Lines>>,
    pre: Pre,
    pub(super) sandbox: Sandbox,
    /// What runs it, if it is a script.
    engine: Option<Arc<Module>>,
}

/// Linked and ready to be instantiated.
#[derive(Clone)]
enum Pre {
    Core(wasmtime::InstancePre<HostState>),
    Component(FilterPre<HostState>),
    Suspending(SuspendingPre<HostState>),
}

/// Machine code of either kind of module.
pub(super) enum Compiled {
    /// A core module that carries component metadata.
    Core(wasmtime::Module),
    /// A component.
    Component(Component),
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
    /// Made for another program.
    #[error("made for {what}, and not for tollgate:filter@0.1.0; {remedy}")]
    Foreign {
        /// The program, or its interface.
        what: &'static str,
        /// What its author can do.
        remedy: &'static str,
    },
    /// Wants something that filters are not given.
    #[error("imports {0}, which filters are not granted; build without the feature that needs it")]
    RefusedImport(String),
    /// Above the bound.
    #[error(
        "takes more than {} s of CPU time to be compiled; make its functions smaller, or build it with less inlining", .0.as_secs()
    )]
    TooSlow(std::time::Duration),
    /// A script, and this gateway was built without what runs it.
    #[error(
        "a script, and this gateway was built without the filter {0} that runs it; build it with `cargo xtask build`"
    )]
    NoEngine(&'static str),
    /// Above the bound.
    #[error(
        "has a function of {0} bytes, more than the {MAX_FUNCTION} that are compiled; split it, or build it with less inlining"
    )]
    FunctionTooLarge(usize),
    /// Above the bound.
    #[error("{0} bytes are more than the {MAX_MODULE} that are read; build it in release mode and strip it")]
    TooLarge(u64),
    /// What it says about itself cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl From<Foreign> for ModuleError {
    fn from(Foreign { what, remedy }: Foreign) -> Self {
        Self::Foreign { what, remedy }
    }
}

impl Module {
    /// Whether that many bytes are read at all.
    ///
    /// # Errors
    /// If they are too many.
    pub fn check_size(bytes: u64) -> Result<(), ModuleError> {
        if bytes > MAX_MODULE { Err(ModuleError::TooLarge(bytes)) } else { Ok(()) }
    }

    /// Whether bytes are a core module that is a filter, by what can be read of it: all that comes before machine code.
    ///
    /// # Errors
    /// As for one that is loaded.
    pub fn examine(sandbox: &Sandbox, bytes: &[u8]) -> Result<(), ModuleError> {
        check_core(&sandbox.engine, bytes)?;
        core::expose(bytes).map(drop).map_err(ModuleError::Malformed)
    }

    /// Checks compiled code against the world and links it.
    pub(super) fn link(
        sandbox: &Sandbox,
        compiled: &Compiled,
        carried: Carried,
        lines: Option<Arc<Lines>>,
        digest: Digest,
        reach: Reach,
    ) -> Result<Arc<Self>, ModuleError> {
        let (pre, imports) = match compiled {
            Compiled::Core(module) => link_core(sandbox, module)?,
            Compiled::Component(component) => link_component(sandbox, component, reach)?,
        };
        let reads_exchange = imports.interfaces.contains(&"exchange");
        let is_restorable = matches!(compiled, Compiled::Core(module) if core::is_exposed(module));
        let suspends = matches!(pre, Pre::Suspending(_));
        let sandbox = sandbox.clone();
        Ok(Arc::new(Self {
            digest,
            reads_exchange,
            imports,
            is_restorable,
            suspends,
            carried,
            lines,
            pre,
            sandbox,
            engine: None,
        }))
    }

    /// A script of that digest, which is run by a module and says nothing about itself.
    #[must_use]
    pub fn script(engine: &Arc<Self>, digest: Digest) -> Arc<Self> {
        Arc::new(Self {
            digest,
            reads_exchange: engine.reads_exchange,
            imports: engine.imports.clone(),
            is_restorable: engine.is_restorable,
            suspends: engine.suspends,
            carried: Carried::default(),
            lines: None,
            pre: engine.pre.clone(),
            sandbox: engine.sandbox.clone(),
            engine: Some(Arc::clone(engine)),
        })
    }

    /// What it says about itself, if it does.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        self.carried.manifest.as_ref()
    }

    /// Whether its head hooks answer by nothing but their facts, as it says, or what runs it.
    #[must_use]
    pub(super) fn is_pure(&self) -> bool {
        let said = self.engine.as_ref().map_or_else(|| self.manifest(), |engine| engine.manifest());
        said.is_some_and(|manifest| manifest.pure)
    }

    /// The cases that it carries, as in a file of cases.
    #[must_use]
    pub fn cases(&self) -> Option<&str> {
        self.carried.cases.as_deref()
    }

    /// What it imports: interfaces of ours, and `wasi` if that is among it.
    pub fn imported(&self) -> impl Iterator<Item = &'static str> {
        self.imports.interfaces.iter().copied().chain(self.imports.wasi.then_some("wasi"))
    }

    /// Whether bytes are those of a component rather than of a core module, by how they begin.
    #[must_use]
    pub fn is_component(bytes: &[u8]) -> bool {
        matches!(Kind::of(bytes), Some(Kind::Component))
    }

    /// Whether the module imports that interface of ours.
    #[must_use]
    pub fn imports(&self, interface: &str) -> bool {
        self.imports.interfaces.contains(&interface)
    }

    /// What it cannot do without, as far as its imports say. Those of what runs a script say nothing about the script, whose calls
    /// trap where it is not granted what they need.
    #[must_use]
    pub fn needs(&self) -> Vec<Need> {
        if self.engine.is_some() {
            return Vec::new();
        }
        let needs = [("clock", Need::Clock), ("random", Need::Random), ("secrets", Need::Secrets)];
        needs.into_iter().filter(|(interface, _)| self.imports(interface)).map(|(_, need)| need).collect()
    }

    /// How many instances there are of all modules.
    #[must_use]
    pub fn instances(&self) -> u64 {
        self.sandbox.instances()
    }

    pub(super) fn instantiate(&self, store: &mut Store<HostState>) -> wasmtime::Result<Guest> {
        match &self.pre {
            Pre::Component(pre) => pre.instantiate(store).map(Box::new).map(Guest::Component),
            Pre::Suspending(pre) => at_once(pre.instantiate_async(store)).map(Box::new).map(Guest::Suspending),
            Pre::Core(pre) => {
                let instance = pre.instantiate(&mut *store)?;
                CoreGuest::new(store, &instance).map(Box::new).map(Guest::Core)
            }
        }
    }
}

impl Compiled {
    /// What is compiled in the place of a core module whose calls wait for state on a server: the component that it stands for.
    pub(super) fn far(engine: &Engine, bytes: &[u8]) -> Result<Option<Vec<u8>>, ModuleError> {
        Module::check_size(bytes.len() as u64)?;
        if !matches!(Kind::of(bytes), Some(Kind::Core)) {
            return Ok(None);
        }
        let malformed = |error: wasmtime::Error| ModuleError::Malformed(format!("{error:#}"));
        wasmtime::Module::validate(engine, bytes).map_err(malformed)?;
        check_interface(bytes)?;
        match waits(bytes, Reach::Far)? {
            true => component_of(bytes).map(Some).map_err(ModuleError::WrongWorld),
            false => Ok(None),
        }
    }

    /// Compiles what was read, after the checks that need no compiler.
    pub(super) fn new(engine: &Engine, bytes: &[u8]) -> Result<Self, ModuleError> {
        Module::check_size(bytes.len() as u64)?;
        let malformed = |error: wasmtime::Error| ModuleError::Malformed(format!("{error:#}"));
        match Kind::of(bytes) {
            Some(Kind::Component) => {
                nesting::check(bytes).map_err(ModuleError::Malformed)?;
                functions::check(bytes)?;
                Component::from_binary(engine, bytes).map(Self::Component).map_err(malformed)
            }
            Some(Kind::Core) => {
                check_core(engine, bytes).map_err(|error| by_origin(error, || foreign::module(bytes)))?;
                functions::check(bytes)?;
                // What may wait is called through the component model, which can suspend it wherever it waits.
                if waits(bytes, Reach::Near)? {
                    let component = component_of(bytes).map_err(ModuleError::WrongWorld)?;
                    return Component::from_binary(engine, &component).map(Self::Component).map_err(malformed);
                }
                let exposed = core::expose(bytes).map_err(ModuleError::Malformed)?;
                wasmtime::Module::from_binary(engine, &exposed).map(Self::Core).map_err(malformed)
            }
            None if bytes.is_empty() => Err(ModuleError::Malformed("the file is empty".into())),
            None => Err(ModuleError::Malformed("it does not begin as a WebAssembly file does".into())),
        }
    }

    pub(super) fn serialize(&self) -> wasmtime::Result<Vec<u8>> {
        match self {
            Self::Core(module) => module.serialize(),
            Self::Component(component) => component.serialize(),
        }
    }

    /// # Safety
    ///
    /// In the file is what `serialize` gave for this module, and nobody writes to it.
    #[allow(unsafe_code, reason = "the only way to load compiled code")]
    pub(super) unsafe fn deserialize(engine: &Engine, file: &Path) -> wasmtime::Result<Self> {
        match Engine::detect_precompiled_file(file)? {
            // SAFETY: as the function's own.
            Some(Precompiled::Module) => unsafe { wasmtime::Module::deserialize_file(engine, file) }.map(Self::Core),
            // SAFETY: as the function's own.
            _ => unsafe { Component::deserialize_file(engine, file) }.map(Self::Component),
        }
    }
}

/// What a file's first bytes say it is.
enum Kind {
    Core,
    Component,
}

impl Kind {
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Some(Self::Component),
            [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Some(Self::Core),
            _ => None,
        }
    }
}

/// Whether a core module is a filter by what can be read of it, before any machine code is made.
fn check_core(engine: &Engine, bytes: &[u8]) -> Result<(), ModuleError> {
    // The reader of metadata takes for granted that the module is a valid one, and panics over half of one.
    wasmtime::Module::validate(engine, bytes).map_err(|error| ModuleError::Malformed(format!("{error:#}")))?;
    check_interface(bytes)
}

fn check_interface(bytes: &[u8]) -> Result<(), ModuleError> {
    match interface::check(bytes, HOOKS) {
        Ok(()) => Ok(()),
        Err(Mismatch::NoMetadata(reason)) => Err(ModuleError::NoMetadata(reason)),
        Err(Mismatch::Import(name)) => Err(ModuleError::RefusedImport(name)),
        Err(Mismatch::World(reason)) => Err(ModuleError::WrongWorld(reason)),
    }
}

/// Who has made a module for something else learns more from what that is than from the first thing that does not fit.
fn by_origin(error: ModuleError, origin: impl FnOnce() -> Option<Foreign>) -> ModuleError {
    match error {
        ModuleError::NoMetadata(_) | ModuleError::WrongWorld(_) | ModuleError::RefusedImport(_) => {
            origin().map_or(error, ModuleError::from)
        }
        other => other,
    }
}

fn wrong(error: wasmtime::Error) -> ModuleError {
    ModuleError::WrongWorld(format!("{error:#}"))
}

fn link_core(sandbox: &Sandbox, module: &wasmtime::Module) -> Result<(Pre, Imports), ModuleError> {
    let mut imports = Imports::default();
    for import in module.imports() {
        match known(import.module()) {
            Some(interface) => imports.add(interface),
            None => return Err(ModuleError::RefusedImport(format!("{}#{}", import.module(), import.name()))),
        }
    }
    let pre = sandbox.core_linker.instantiate_pre(module).map_err(wrong)?;
    Ok((Pre::Core(pre), imports))
}

fn link_component(sandbox: &Sandbox, component: &Component, reach: Reach) -> Result<(Pre, Imports), ModuleError> {
    let origin = || {
        let ty = component.component_type();
        let imports: Vec<_> = ty.imports(&sandbox.engine).map(|(name, _)| name).collect();
        let exports: Vec<_> = ty.exports(&sandbox.engine).map(|(name, _)| name).collect();
        foreign::component(&imports, &exports)
    };
    let imports = check_imports(sandbox, component, reach).map_err(|error| by_origin(error, origin))?;
    let base = match reach {
        Reach::Near => &sandbox.linker,
        Reach::Far => &sandbox.far_linker,
    };
    let mut linker: Linker<HostState>;
    let linker = if imports.wasi {
        linker = (**base).clone();
        host_wasi::link(&mut linker, component, &sandbox.engine).map_err(wrong)?;
        &linker
    } else {
        base
    };
    if component.get_export(None, HOOKS).is_none() {
        let error = ModuleError::WrongWorld(format!("it does not export {HOOKS}"));
        return Err(by_origin(error, origin));
    }
    let pre = linker.instantiate_pre(component).map_err(wrong)?;
    let pre = match imports.waits {
        true => Pre::Suspending(SuspendingPre::new(pre).map_err(wrong)?),
        false => Pre::Component(FilterPre::new(pre).map_err(wrong)?),
    };
    Ok((pre, imports))
}

/// Whether a valid core module imports anything that waits. Its metadata lists all that there is, used or not.
fn waits(bytes: &[u8], reach: Reach) -> Result<bool, ModuleError> {
    let malformed = |error: wasmparser::BinaryReaderError| ModuleError::Malformed(error.to_string());
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        let wasmparser::Payload::ImportSection(imports) = payload.map_err(malformed)? else { continue };
        for import in imports.into_imports() {
            if known(import.map_err(malformed)?.module).is_some_and(|interface| reach.waits_for(interface)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The component that a core module's metadata describes.
fn component_of(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let encode = || wit_component::ComponentEncoder::default().module(bytes).and_then(|mut encoder| encoder.encode());
    match large_stack::run(encode) {
        Ok(encoded) => encoded.map_err(|error| format!("{error:#}")),
        Err(reason) => Err(format!("no component can be made of it: {reason}")),
    }
}

/// The name of an interface of ours that may be imported.
fn known(import: &str) -> Option<&'static str> {
    let (interface, version) = import.strip_prefix(PACKAGE)?.split_once('@')?;
    INTERFACES.into_iter().find(|known| *known == interface).filter(|_| version == "0.1.0")
}

/// What a module imports.
#[derive(Clone, Default)]
pub(super) struct Imports {
    /// Whether it needs a part of WASI.
    pub(super) wasi: bool,
    /// Whether it needs something that waits.
    waits: bool,
    /// Those of our own interfaces.
    pub(super) interfaces: Vec<&'static str>,
}

impl Imports {
    fn add(&mut self, interface: &'static str) {
        if !self.interfaces.contains(&interface) {
            self.interfaces.push(interface);
        }
    }
}

fn check_imports(sandbox: &Sandbox, component: &Component, reach: Reach) -> Result<Imports, ModuleError> {
    let mut imports = Imports::default();
    for (name, item) in component.component_type().imports(&sandbox.engine) {
        if matches!(item.ty, ComponentItem::Type(_)) {
            continue;
        }
        match known(name) {
            // Nothing can be called there.
            Some("types") => {}
            Some(interface) => {
                imports.add(interface);
                imports.waits |= reach.waits_for(interface);
            }
            None if host_wasi::provides(name) => imports.wasi = true,
            None => return Err(ModuleError::RefusedImport(name.to_owned())),
        }
    }
    Ok(imports)
}
