//! The guest toolchain: a standard library for WebAssembly that the compiler at hand accepts.
//!
//! The ways to one, in order: the compiler has it already; an earlier run made it; `rustup target add`; Debian's source
//! packages, from which it is built once below `target/guest-toolchain`. `TOLLGATE_GUEST_TOOLCHAIN` narrows the choice.

mod compiler;
mod debian;
mod rustup;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Error, Result, bail};

use self::compiler::Compiler;
use crate::workspace::Workspace;

/// Modules that import nothing but the filter interface: what filters are built for.
pub(crate) const CORE: &str = "wasm32-unknown-unknown";
/// Components with the parts of WASI that a standard library may ask for.
pub(crate) const WASI: &str = "wasm32-wasip2";
/// What `cargo xtask setup` prepares; the other commands prepare what they build for.
pub(crate) const TARGETS: [&str; 2] = [CORE, WASI];

/// Where the standard libraries of the prepared targets lie.
pub(crate) struct Toolchain {
    sysroots: Vec<(String, Sysroot)>,
}

#[derive(Clone, PartialEq)]
enum Sysroot {
    OfCompiler,
    Made(PathBuf),
}

impl Toolchain {
    /// Finds or makes the standard library of each target.
    pub(crate) fn prepare(workspace: &Workspace, targets: &[&str]) -> Result<Self> {
        if targets.is_empty() {
            return Ok(Self { sysroots: Vec::new() });
        }
        let shop = Shop { choice: Choice::of_environment()?, compiler: Compiler::ask()?, workspace };
        shop.acquire(&shop.missing(targets))?;
        let found = targets.iter().filter_map(|target| Some((target.to_string(), shop.find(target)?))).collect();
        Ok(Self { sysroots: found })
    }

    /// Makes `cargo` use what was prepared. The flag goes by `--config`, which adds to the flags of configuration files
    /// (an environment variable would split paths at spaces).
    pub(crate) fn apply<'a>(&self, cargo: &'a mut Command, target: &str) -> &'a mut Command {
        if let Some(Sysroot::Made(path)) = self.sysroot(target) {
            let flag = format!("--sysroot={}", path.display());
            cargo.arg("--config").arg(format!("target.{target}.rustflags=[{flag:?}]"));
        }
        cargo
    }

    /// How a person would use the prepared target without xtask.
    pub(crate) fn describe(&self, target: &str) -> String {
        match self.sysroot(target) {
            Some(Sysroot::Made(path)) => {
                let name = target.to_uppercase().replace('-', "_");
                format!("use it with CARGO_TARGET_{name}_RUSTFLAGS=--sysroot={}", path.display())
            }
            Some(Sysroot::OfCompiler) => "ready, the compiler has it".to_owned(),
            None => "not prepared".to_owned(),
        }
    }

    fn sysroot(&self, target: &str) -> Option<&Sysroot> {
        self.sysroots.iter().find(|(name, _)| name == target).map(|(_, sysroot)| sysroot)
    }
}

/// Which ways may be taken.
#[derive(Clone, Copy, PartialEq)]
enum Choice {
    Auto,
    Rustup,
    Debian,
}

impl Choice {
    fn of_environment() -> Result<Self> {
        match std::env::var("TOLLGATE_GUEST_TOOLCHAIN").as_deref() {
            Err(_) | Ok("" | "auto") => Ok(Self::Auto),
            Ok("rustup") => Ok(Self::Rustup),
            Ok("debian") => Ok(Self::Debian),
            Ok(other) => bail!("TOLLGATE_GUEST_TOOLCHAIN is auto, rustup or debian, not `{other}`"),
        }
    }
}

/// Where standard libraries come from.
struct Shop<'a> {
    choice: Choice,
    compiler: Compiler,
    workspace: &'a Workspace,
}

impl Shop<'_> {
    fn find(&self, target: &str) -> Option<Sysroot> {
        if self.choice != Choice::Debian && self.compiler.has(target) {
            return Some(Sysroot::OfCompiler);
        }
        let made = debian::Workshop::new(self.workspace, &self.compiler);
        (self.choice != Choice::Rustup && made.has(target)).then(|| Sysroot::Made(made.sysroot()))
    }

    fn missing<'t>(&self, targets: &[&'t str]) -> Vec<&'t str> {
        targets.iter().copied().filter(|target| self.find(target).is_none()).collect()
    }

    fn acquire(&self, targets: &[&str]) -> Result<()> {
        if targets.is_empty() {
            return Ok(());
        }
        let mut failures = Vec::new();
        if self.choice != Choice::Debian {
            match rustup::add(targets).and_then(|()| self.expect_all(targets)) {
                Ok(()) => return Ok(()),
                Err(error) => failures.push(("rustup", error)),
            }
        }
        if self.choice != Choice::Rustup {
            match debian::Workshop::new(self.workspace, &self.compiler).make(targets) {
                Ok(()) => return Ok(()),
                Err(error) => failures.push(("Debian's packages", error)),
            }
        }
        Err(self.no_way(targets, &failures))
    }

    /// rustup may have served another compiler than the one in use.
    fn expect_all(&self, targets: &[&str]) -> Result<()> {
        let missing = self.missing(targets);
        if !missing.is_empty() {
            bail!("rustc, which is not rustup's, still has no {}", missing.join(", "));
        }
        Ok(())
    }

    fn no_way(&self, targets: &[&str], failures: &[(&str, Error)]) -> Error {
        let mut text = format!("rustc {} has no standard library for {}", self.compiler.release, targets.join(", "));
        for (way, error) in failures {
            text.push_str(&format!("\n  by {way}: {error:#}"));
        }
        text.push_str(&format!(
            "\nEither run `rustup target add {}` where rustup's server can be reached,",
            targets.join(" ")
        ));
        text.push_str(&format!("\nor {}.", debian::remedy(self.workspace)));
        Error::msg(text)
    }
}
