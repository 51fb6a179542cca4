//! Compiled modules by the digest of their content: in memory while anyone uses them, and on disk across restarts.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::compile::Compiler;
use super::content::Digest;
use super::engine::Sandbox;
use super::kept::KeptCode;
use super::lines::Lines;
use super::module::{Compiled, Module, ModuleError, Reach};
use crate::manifest::Carried;

/// Compiles each content once.
pub struct ModuleCache {
    sandbox: Sandbox,
    kept: Option<KeptCode>,
    live: Mutex<HashMap<(Digest, Reach), Weak<Module>>>,
    compiler: Compiler,
}

impl ModuleCache {
    /// A cache below `dir`, or in memory only. A folder that cannot be made or that others may write to is not used, and
    /// the log says so: compiled code is run as it is.
    #[must_use]
    pub fn new(sandbox: Sandbox, dir: Option<PathBuf>) -> Self {
        let kept = dir.and_then(|dir| match KeptCode::open(&dir, &sandbox.engine) {
            Ok(kept) => Some(kept),
            Err(error) => {
                tracing::warn!(folder = %dir.display(), %error, "compiled modules are not kept; name a private folder with --state-dir");
                None
            }
        });
        Self { compiler: Compiler::new(sandbox.engine.clone()), sandbox, kept, live: Mutex::default() }
    }

    /// The module with that content, compiled now if it never was. May take a second or more per MiB: not for workers.
    ///
    /// # Errors
    /// If the content is not a filter.
    pub fn load(&self, content: &[u8]) -> Result<Arc<Module>, ModuleError> {
        self.load_for(content, Digest::of(content), Reach::Near)
    }

    /// As `load`, of content whose digest is known, for a policy whose state is there.
    ///
    /// # Errors
    /// If the content is not a filter.
    pub fn load_for(&self, content: &[u8], digest: Digest, reach: Reach) -> Result<Arc<Module>, ModuleError> {
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
        let kept = self.kept.as_ref().and_then(|kept| kept.read(&self.sandbox.engine, digest));
        kept.map_or_else(|| self.compile(content, digest), Ok)
    }

    fn live(&self, digest: Digest, reach: Reach) -> Option<Arc<Module>> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.get(&(digest, reach)).and_then(Weak::upgrade)
    }

    fn compile(&self, content: &[u8], digest: Digest) -> Result<Compiled, ModuleError> {
        let started = std::time::Instant::now();
        let compiled = self.compiler.compile(content, digest)?;
        tracing::debug!(%digest, bytes = content.len(), ms = started.elapsed().as_millis(), "compiled");
        if let Some(Err(error)) = self.kept.as_ref().map(|kept| kept.write(digest, &compiled)) {
            tracing::warn!(%digest, %error, "the compiled module could not be kept");
        }
        Ok(compiled)
    }

    /// Removes compiled code, the longest unused first, until no more than that many bytes are left. That of these modules, by
    /// digest, goes last. What is removed is made again when it is needed.
    pub fn collect(&self, bytes: u64, wanted: &BTreeSet<String>) {
        if let Some(kept) = &self.kept {
            kept.collect(bytes, wanted);
        }
    }
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
