//! C: zig or clang compiles the project's `src/*.c` together with the SDK, for no operating system.

use std::path::{Path, PathBuf};

use super::manifest::Manifest;
use super::tool::{self, Tool};
use super::{Built, Purpose, Scratch, sdk, sections};
use crate::cli::language::Language;

/// Names a compiler instead of the usual ones.
const VARIABLE: &str = "TOLLGATE_CC";

const INSTALL: &str = "install zig by `pip install ziglang` (in a virtual environment, if your Python wants one), or clang by \
                       `apt install clang lld`; or name another in TOLLGATE_CC, such as TOLLGATE_CC=\"python3 -m ziglang cc\"";

/// What every one is told. Names of functions are wanted for faults; what else comes with
/// them is taken out afterwards, unless somebody wants to look into faults.
const FLAGS: [&str; 13] = [
    "-std=c11",
    "-Os",
    "-g",
    "-mbulk-memory",
    "-ffreestanding",
    "-nostdlib",
    "-Wall",
    "-Wextra",
    "-Wl,--no-entry",
    // The default of some would be most of the memory of an instance.
    "-Wl,-z,stack-size=65536",
    "-Wl,--export=tollgate:inbox",
    "-fno-sanitize=all",
    "-fvisibility=hidden",
];

pub(super) fn build(project: &Path, purpose: Purpose) -> Result<Built, String> {
    let manifest = Manifest::read(project)?;
    let sdk = sdk::find(project, Language::C)?;
    let Compiler { tool, own } = Compiler::find()?;
    let scratch = Scratch::new(project, "wasm")?;
    let mut command = tool.command();
    command.args(own).args(FLAGS).arg("-I").arg(&sdk).arg("-o").arg(&scratch.0);
    command.args(sources(&project.join("src"))?).args(sources(&sdk)?);
    tool::run(&mut command, INSTALL)?;
    let made = scratch.read()?;
    let module = if purpose == Purpose::Debug { made } else { sections::without_debugging(&made)? };
    Ok(Built { name: manifest.name, module: sections::add(&module, &manifest.sections) })
}

/// A compiler that knows WebAssembly, and how it is told so.
struct Compiler {
    tool: Tool,
    own: &'static [&'static str],
}

impl Compiler {
    fn find() -> Result<Self, String> {
        if let Some(tool) = std::env::var(VARIABLE).ok().as_deref().and_then(Tool::of) {
            return Ok(Self::of(tool));
        }
        let known = [("zig", "version"), ("python3 -m ziglang", "version"), ("clang", "--version")];
        let found = known.iter().filter_map(|(line, ask)| Some((Tool::of(line)?, *ask, *line)));
        // Without its linker clang is none.
        let linker = Tool::of("wasm-ld").into_iter();
        for (tool, ask, line) in found {
            let is_whole = line != "clang" || linker.clone().any(|linker| linker.answers("--version"));
            if is_whole && tool.answers(ask) {
                return Ok(Self::of(if line == "clang" { tool } else { tool.and("cc") }));
            }
        }
        Err(format!("there is no compiler of C for WebAssembly; {INSTALL}"))
    }

    /// Zig names targets in a way of its own, and puts the stack where what is beyond it traps, rather than overwrite something.
    fn of(tool: Tool) -> Self {
        let own: &[&str] = match tool.shown().contains("zig") {
            true => &["--target=wasm32-freestanding"],
            false => &["--target=wasm32-unknown-unknown", "-Wl,--stack-first"],
        };
        Self { tool, own }
    }
}

/// The files of C in a folder, in the order of their names.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let files = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "c")).collect();
    files.sort();
    Ok(files)
}
