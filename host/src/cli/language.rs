//! The languages that filters are written in, as far as the command line knows its way about them.

use std::path::Path;

use clap::ValueEnum;

/// One of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// Rust, by cargo.
    #[default]
    Rust,
    /// C, by zig or clang.
    C,
    /// Python, by componentize-py.
    Python,
    /// JavaScript, by componentize-js.
    Js,
    /// TypeScript, by componentize-js.
    Ts,
    /// Go, by its own compiler.
    Go,
    /// AssemblyScript, by its own compiler.
    #[value(name = "assemblyscript")]
    AssemblyScript,
}

impl Language {
    /// Where its SDK lies, in the repository and in a project.
    pub(super) fn sdk(self) -> &'static str {
        match self {
            Self::Rust => "guest-sdk/rust/",
            Self::C => "guest-sdk/c/",
            Self::Python => "guest-sdk/python/",
            Self::Js | Self::Ts => "guest-sdk/js/",
            Self::Go => "guest-sdk/go/",
            Self::AssemblyScript => "guest-sdk/assemblyscript/",
        }
    }

    /// What the SDK's folder of templates has for it; the SDK for two languages has one for each.
    pub(super) fn template(self) -> &'static str {
        match self {
            Self::Ts => "template-ts/",
            _ => "template/",
        }
    }

    /// The language of the project in a folder, by what a project of it cannot do without.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn of(folder: &Path) -> Result<Self, String> {
        let source = folder.join("src");
        let is_there = |language: &Self| match language {
            Self::Rust => folder.join("Cargo.toml").is_file(),
            Self::C => has(&source, "c"),
            Self::Python => source.join("app.py").is_file(),
            Self::Js => source.join("filter.js").is_file(),
            Self::Ts => source.join("filter.ts").is_file(),
            Self::Go => has(folder, "go"),
            Self::AssemblyScript => folder.join("assembly/index.ts").is_file(),
        };
        Self::value_variants().iter().copied().find(is_there).ok_or_else(|| {
            format!(
                "{}: there is no filter project: no Cargo.toml (Rust), src/*.c (C), src/app.py (Python), src/filter.js, \
                 src/filter.ts, *.go, assembly/index.ts; begin one with `tollgate filter new NAME --lang LANGUAGE`",
                folder.display()
            )
        })
    }
}

fn has(folder: &Path, extension: &str) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.map(|file| file.path()).any(|path| path.extension().is_some_and(|found| found == extension))
}
