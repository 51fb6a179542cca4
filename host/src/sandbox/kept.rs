//! Compiled code on disk, across restarts: a file for each content, the code and behind it a checksum.
//!
//! What is read is copied into memory that has no name and is sealed, and what is run is mapped from there. So the code that runs is the
//! code whose checksum was found right, whatever becomes of the file; and parts that are never run cost no time.

use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use wasmtime::Engine;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::content::Digest;
use super::module::Compiled;

/// Counts the ways in which modules have been changed before they are compiled (`core/state.rs`), and in which these files were written.
const FORMAT: u32 = 2;

/// The bytes of a checksum.
const SUM: usize = 16;

/// How much is read at once.
const PIECE: usize = 256 << 10;

/// A folder of compiled code.
pub(super) struct KeptCode {
    dir: PathBuf,
    /// Tells compilers apart, so that another release or CPU never reads it.
    compiler: u64,
}

impl KeptCode {
    /// In a folder that only this user may write to, which is made if need be.
    pub(super) fn open(dir: &Path, engine: &Engine) -> io::Result<Self> {
        prepare(dir)?;
        let mut compiler = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut compiler);
        FORMAT.hash(&mut compiler);
        Ok(Self { dir: dir.to_owned(), compiler: compiler.finish() })
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("{digest}-{:016x}.cwasm", self.compiler))
    }

    /// The code of that content, if it is here and whole.
    pub(super) fn read(&self, engine: &Engine, digest: Digest) -> Option<Compiled> {
        let path = self.path(digest);
        let file = File::open(&path).ok()?;
        // By its age is told whether it is still wanted.
        let _ = file.set_modified(SystemTime::now());
        let compiled = verified(&file).map_err(wasmtime::Error::from).and_then(|memory| {
            let memory_path = format!("/proc/self/fd/{}", memory.as_raw_fd());
            // SAFETY: wasmtime runs this code as it is. It was written by `write` below a folder that only this user can
            // write to, its checksum is that of the code written, its name that of this very engine configuration, and nobody can
            // write to the memory any more.
            #[allow(unsafe_code, reason = "the only way to load compiled code")]
            unsafe {
                Compiled::deserialize(engine, Path::new(&memory_path))
            }
        });
        let is_damaged = |error: &wasmtime::Error| {
            tracing::warn!(file = %path.display(), error = format!("{error:#}"), "a kept compiled module cannot be used and is compiled again");
        };
        compiled.inspect_err(is_damaged).ok()
    }

    /// Written beside and renamed, so that no reader sees half a file.
    pub(super) fn write(&self, digest: Digest, compiled: &Compiled) -> io::Result<()> {
        let path = self.path(digest);
        let code = compiled.serialize().map_err(io::Error::other)?;
        let temporary = path.with_extension(format!("{}.new", std::process::id()));
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(&code)?;
        file.write_all(&xxh3_128(&code).to_le_bytes())?;
        file.sync_all()?;
        std::fs::rename(temporary, &path)?;
        File::open(&self.dir)?.sync_all()
    }

    /// Removes code, the longest unused first, until no more than that many bytes are left. That of these modules, by digest, goes last.
    pub(super) fn collect(&self, bytes: u64, wanted: &BTreeSet<String>) {
        let mut found: Vec<_> = std::fs::read_dir(&self.dir).into_iter().flatten().flatten().filter_map(kept).collect();
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
}

/// The code in a file, in sealed memory, if its checksum is right.
fn verified(mut file: &File) -> io::Result<File> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it is damaged");
    let length = file.metadata()?.len().checked_sub(SUM as u64).ok_or_else(damaged)?;
    let mut memory = File::from(memfd_create("tollgate-code", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    memory.set_len(length)?;
    let (mut sum, mut piece) = (Xxh3::new(), vec![0; PIECE]);
    let mut code = file.take(length);
    loop {
        let read = code.read(&mut piece)?;
        if read == 0 {
            break;
        }
        sum.update(&piece[..read]);
        memory.write_all(&piece[..read])?;
    }
    let mut expected = [0; SUM];
    file.read_exact(&mut expected)?;
    if sum.digest128() != u128::from_le_bytes(expected) {
        return Err(damaged());
    }
    fcntl_add_seals(&memory, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL)?;
    Ok(memory)
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
    use super::super::engine::Sandbox;
    use super::*;

    /// A module with a function, and no filter.
    const MODULE: &str = "(module (func (export \"f\") (result i32) i32.const 7))";

    fn with_code(test: impl FnOnce(&KeptCode, &Engine, Digest, &Path)) {
        let scratch = std::env::temp_dir().join(format!(
            "tollgate-kept-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let engine = Sandbox::new().unwrap().engine;
        let kept = KeptCode::open(&scratch.join("modules"), &engine).unwrap();
        let content = wat::parse_str(MODULE).unwrap();
        let digest = Digest::of(&content);
        let compiled = Compiled::Core(wasmtime::Module::new(&engine, &content).unwrap());
        kept.write(digest, &compiled).unwrap();
        test(&kept, &engine, digest, &kept.path(digest));
        std::fs::remove_dir_all(&scratch).unwrap();
    }

    #[test]
    fn what_was_written_is_read_and_outlives_its_file() {
        with_code(|kept, engine, digest, path| {
            let Some(Compiled::Core(module)) = kept.read(engine, digest) else { panic!("it is not kept") };
            // As when somebody copies another file over it.
            std::fs::write(path, b"").unwrap();
            let mut store = wasmtime::Store::new(engine, ());
            store.set_epoch_deadline(u64::MAX / 2);
            let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
            let seven = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
            assert_eq!(seven.call(&mut store, ()).unwrap(), 7);
            assert!(kept.read(engine, digest).is_none(), "an empty file is no code");
        });
    }

    #[test]
    fn code_that_was_cut_or_altered_is_not_run() {
        with_code(|kept, engine, digest, path| {
            let whole = std::fs::read(path).unwrap();
            for at in [0, whole.len() / 2, whole.len() - SUM - 1, whole.len() - 1] {
                let mut altered = whole.clone();
                altered[at] ^= 1;
                std::fs::write(path, altered).unwrap();
                assert!(kept.read(engine, digest).is_none(), "a byte at {at} was altered");
            }
            for length in [SUM - 1, whole.len() / 2, whole.len() - 1] {
                std::fs::write(path, &whole[..length]).unwrap();
                assert!(kept.read(engine, digest).is_none(), "only {length} bytes were left");
            }
            std::fs::write(path, whole).unwrap();
            assert!(kept.read(engine, digest).is_some());
        });
    }
}
