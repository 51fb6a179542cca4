//! Compiled modules by the digest of their content: in memory while anyone uses them, and on disk across restarts.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use super::compile::Compiler;
use super::engine::Sandbox;
use super::lines::Lines;
use super::module::{Compiled, Module, ModuleError, Reach};
use crate::manifest::Carried;

/// The SHA-256 digest of a module as it was read.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of the given content.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Counts the ways in which modules have been changed before they are compiled (`core/state.rs`).
const PREPARED: u32 = 1;

/// Compiles each content once.
pub struct ModuleCache {
    sandbox: Sandbox,
    dir: Option<PathBuf>,
    live: Mutex<HashMap<(Digest, Reach), Weak<Module>>>,
    compiler: Compiler,
}

impl ModuleCache {
    /// A cache below `dir`, or in memory only. A folder that cannot be made or that others may write to is not used, and
    /// the log says so: compiled code is run as it is.
    #[must_use]
    pub fn new(sandbox: Sandbox, dir: Option<PathBuf>) -> Self {
        let dir = dir.and_then(|dir| match prepare(&dir) {
            Ok(()) => Some(dir),
            Err(error) => {
                tracing::warn!(folder = %dir.display(), %error, "compiled modules are not kept; name a private folder with --state-dir");
                None
            }
        });
        Self { compiler: Compiler::new(sandbox.engine.clone()), sandbox, dir, live: Mutex::default() }
    }

    /// The module with that content, compiled now if it never was. May take a second or more per MiB: not for workers.
    ///
    /// # Errors
    /// If the content is not a filter.
    pub fn load(&self, content: &[u8]) -> Result<Arc<Module>, ModuleError> {
        self.load_for(content, Reach::Near)
    }

    /// As `load`, for a policy whose state is there.
    ///
    /// # Errors
    /// If the content is not a filter.
    pub fn load_for(&self, content: &[u8], reach: Reach) -> Result<Arc<Module>, ModuleError> {
        let digest = Digest::of(content);
        if let Some(module) = self.live(digest, reach) {
            return Ok(module);
        }
        let stand_in = match reach {
            Reach::Near => None,
            Reach::Far => Compiled::far(&self.sandbox.engine, content)?,
        };
        let compiled = match &stand_in {
            Some(component) => self.compiled(component, Digest::of(component))?,
            None => self.compiled(content, digest)?,
        };
        let carried = Carried::read(content)?;
        let lines = Lines::of(content).map(Arc::new);
        let module = Module::link(&self.sandbox, &compiled, carried, lines, digest, reach)?;
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|_, module| module.strong_count() > 0);
        live.insert((digest, reach), Arc::downgrade(&module));
        Ok(module)
    }

    fn compiled(&self, content: &[u8], digest: Digest) -> Result<Compiled, ModuleError> {
        self.read(digest).map_or_else(|| self.compile(content, digest), Ok)
    }

    fn live(&self, digest: Digest, reach: Reach) -> Option<Arc<Module>> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.get(&(digest, reach)).and_then(Weak::upgrade)
    }

    fn compile(&self, content: &[u8], digest: Digest) -> Result<Compiled, ModuleError> {
        let started = std::time::Instant::now();
        let compiled = self.compiler.compile(content, digest)?;
        tracing::debug!(%digest, bytes = content.len(), ms = started.elapsed().as_millis(), "compiled");
        if let Err(error) = self.write(digest, &compiled) {
            tracing::warn!(%digest, %error, "the compiled module could not be kept");
        }
        Ok(compiled)
    }

    /// The name tells content and compiler apart, so another release or CPU never reads it.
    fn path(&self, digest: Digest) -> Option<PathBuf> {
        use std::hash::{Hash, Hasher};
        let mut compiler = std::hash::DefaultHasher::new();
        self.sandbox.engine.precompile_compatibility_hash().hash(&mut compiler);
        PREPARED.hash(&mut compiler);
        self.dir.as_ref().map(|dir| dir.join(format!("{digest}-{:016x}.cwasm", compiler.finish())))
    }

    fn read(&self, digest: Digest) -> Option<Compiled> {
        let path = self.path(digest)?;
        let content = std::fs::read(&path).ok()?;
        // By its age is told whether it is still wanted.
        let _ = std::fs::File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        let (sum, code) = content.split_at_checked(32)?;
        if Sha256::digest(code)[..] != *sum {
            tracing::warn!(file = %path.display(), "a kept compiled module is damaged and is compiled again");
            return None;
        }
        // SAFETY: wasmtime runs this code as it is. It was written by `write` below a folder that only this user can
        // write to, its digest is that of the content written, and its name that of this very engine configuration.
        #[allow(unsafe_code, reason = "the only way to load compiled code")]
        let compiled = unsafe { Compiled::deserialize(&self.sandbox.engine, code) };
        compiled.inspect_err(|error| tracing::warn!(file = %path.display(), %error, "compiled again")).ok()
    }

    /// Removes compiled code, the longest unused first, until no more than that many bytes are left. That of these modules, by
    /// digest, goes last. What is removed is made again when it is needed.
    pub fn collect(&self, bytes: u64, wanted: &BTreeSet<String>) {
        let mut found: Vec<_> =
            self.dir.iter().flat_map(std::fs::read_dir).flatten().flatten().filter_map(kept).collect();
        let mut total: u64 = found.iter().map(|kept| kept.bytes).sum();
        found.sort_by_key(|kept| {
            let module = kept.name.split('-').next().unwrap_or_default();
            (wanted.contains(module), kept.used)
        });
        for kept in found {
            if total <= bytes {
                break;
            }
            total -= kept.bytes;
            if std::fs::remove_file(&kept.path).is_ok() {
                tracing::debug!(file = kept.name, "compiled code is removed for want of room");
            }
        }
    }

    /// Written beside and renamed, so that no reader sees half a file.
    fn write(&self, digest: Digest, compiled: &Compiled) -> io::Result<()> {
        let Some(path) = self.path(digest) else { return Ok(()) };
        let code = compiled.serialize().map_err(io::Error::other)?;
        let temporary = path.with_extension(format!("{}.new", std::process::id()));
        let mut content = Sha256::digest(&code).to_vec();
        content.extend_from_slice(&code);
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        io::Write::write_all(&mut file, &content)?;
        file.sync_all()?;
        std::fs::rename(temporary, &path)?;
        path.parent().map_or(Ok(()), |dir| std::fs::File::open(dir)?.sync_all())
    }
}

/// A file of compiled code.
struct Kept {
    path: PathBuf,
    name: String,
    bytes: u64,
    used: SystemTime,
}

fn kept(entry: std::fs::DirEntry) -> Option<Kept> {
    let (found, name) = (entry.metadata().ok()?, entry.file_name().into_string().ok()?);
    Some(Kept { path: entry.path(), name, bytes: found.len(), used: found.modified().ok()? })
}

fn prepare(dir: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    // Whoever may write to the folder around it can put another one in its place.
    let around = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    for dir in around.into_iter().chain([dir]) {
        let metadata = std::fs::metadata(dir)?;
        let is_trusted = metadata.uid() == 0 || metadata.uid() == rustix::process::geteuid().as_raw();
        if !is_trusted || metadata.mode() & 0o022 != 0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others may write to the folder"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::compile::Bounds;
    use super::*;

    /// A module, and no filter.
    const MODULE: &[u8] = &[0, b'a', b's', b'm', 1, 0, 0, 0];

    #[test]
    fn what_takes_too_long_is_given_up_and_tried_again_when_it_has_ended() {
        let mut cache = ModuleCache::new(Sandbox::new().unwrap(), None);
        cache.compiler.bounds = Bounds { cpu: Duration::ZERO, ..Bounds::USUAL };
        // Unless it is that fast, it is too slow.
        let _ = cache.load(MODULE);
        while cache.compiler.is_given_up(Digest::of(MODULE)) {
            std::thread::yield_now();
        }
        cache.compiler.bounds = Bounds::USUAL;
        let why = cache.load(MODULE).err().unwrap();
        assert!(!matches!(why, ModuleError::TooSlow(_)), "{why}");
    }
}
