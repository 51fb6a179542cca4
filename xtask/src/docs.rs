//! `cargo xtask docs`: the page of the book that is written from the interface, `docs/interface.md` from `wit/`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::process::say;
use crate::workspace::Workspace;

const PAGE: &str = "docs/interface.md";

/// What comes first; the others follow in the order of their names.
const FIRST: [&str; 3] = ["world", "hooks", "types"];

const HEAD: &str = "\
<!-- Written by `cargo xtask docs` from wit/; a test holds it to that. -->

# The interface

Everything that a filter and the gateway say to each other, from the files in [`wit/`](../wit/world.wit). An SDK says the same in the
words of its language; who writes one, or uses a generator of bindings, needs this page. A declaration is in
[WIT](https://component-model.bytecodealliance.org/design/wit.html).
";

pub(crate) fn run(args: &[String]) -> Result<()> {
    let root = Workspace::own()?.root;
    let (path, text) = (root.join(PAGE), page(&root)?);
    match args {
        [] => {
            fs::write(&path, text).with_context(|| format!("could not write {PAGE}"))?;
            say(&format!("{PAGE} is written"));
            Ok(())
        }
        [check] if check == "--check" => {
            let written = fs::read_to_string(&path).with_context(|| format!("could not read {PAGE}"))?;
            ensure!(written == text, "{PAGE} is not what wit/ says: run `cargo xtask docs`");
            Ok(())
        }
        _ => bail!("`docs` knows --check, and nothing else"),
    }
}

fn page(root: &Path) -> Result<String> {
    let mut page = HEAD.to_owned();
    for file in files(&root.join("wit"))? {
        let text = fs::read_to_string(&file).with_context(|| format!("could not read {}", file.display()))?;
        add(&mut page, &text).with_context(|| file.display().to_string())?;
    }
    Ok(page)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|ending| ending == "wit")).collect();
    let rank = |path: &PathBuf| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        (FIRST.iter().position(|first| *first == stem).unwrap_or(FIRST.len()), stem)
    };
    paths.sort_by_key(rank);
    Ok(paths)
}

/// A section for each interface or world of a file, and one below it for each item.
fn add(page: &mut String, text: &str) -> Result<()> {
    let mut lines = text.lines().peekable();
    let mut documentation: Vec<&str> = Vec::new();
    while let Some(line) = lines.next() {
        let bare = line.trim();
        if let Some(said) = bare.strip_prefix("///") {
            documentation.push(said.strip_prefix(' ').unwrap_or(said));
            continue;
        }
        if let Some((kind, name)) = opening(line) {
            let is_world = kind == "world";
            let title = if is_world { format!("The world `{name}`") } else { format!("`{name}`") };
            section(page, "##", &title, &documentation);
            if is_world {
                fence(page, &body(line, &mut lines)?);
            }
        } else if let Some(package) = bare.strip_prefix("package ") {
            let _ = writeln!(page, "\nThe package is `{}`.", package.trim_end_matches(';'));
            paragraphs(page, &documentation);
        } else if line.starts_with("    ") && !bare.starts_with("use ") && !bare.is_empty() {
            let item = if bare.ends_with('{') { body(line, &mut lines)? } else { vec![line.to_owned()] };
            section(page, "###", &format!("`{}`", name(bare)), &documentation);
            fence(page, &item);
        }
        documentation.clear();
    }
    Ok(())
}

fn opening(line: &str) -> Option<(&str, &str)> {
    let (kind, rest) = line.split_once(' ')?;
    let name = rest.strip_suffix(" {")?;
    ["interface", "world"].contains(&kind).then_some((kind, name))
}

/// From a line that opens a block to the one that closes it.
fn body<'a>(first: &str, lines: &mut impl Iterator<Item = &'a str>) -> Result<Vec<String>> {
    let indent = first.len() - first.trim_start().len();
    let mut item = vec![first.to_owned()];
    for line in lines {
        item.push(line.to_owned());
        if line.len() - line.trim_start().len() == indent && line.trim() == "}" {
            return Ok(item);
        }
    }
    bail!("{first:?} is not closed")
}

/// Of an item by its first line: `get: func(…)`, `record field {`, `type metric = u32;`.
fn name(line: &str) -> &str {
    let after_kind = ["record ", "variant ", "enum ", "flags ", "type ", "resource "];
    let line = after_kind.iter().find_map(|kind| line.strip_prefix(kind)).unwrap_or(line);
    line.split([':', ' ', '=']).next().unwrap_or(line)
}

fn section(page: &mut String, level: &str, title: &str, documentation: &[&str]) {
    let _ = writeln!(page, "\n{level} {title}");
    paragraphs(page, documentation);
}

fn paragraphs(page: &mut String, documentation: &[&str]) {
    if !documentation.is_empty() {
        let _ = writeln!(page, "\n{}", documentation.join("\n"));
    }
}

fn fence(page: &mut String, lines: &[String]) {
    let indent = lines.first().map_or(0, |line| line.len() - line.trim_start().len());
    let lines: Vec<_> = lines.iter().map(|line| line.get(indent..).unwrap_or_default()).collect();
    let _ = writeln!(page, "\n```wit\n{}\n```", lines.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_the_interface_says() {
        run(&["--check".to_owned()]).unwrap();
    }

    #[test]
    fn each_item_has_its_section() {
        let text = "/// All.\ninterface a {\n    use b.{c};\n\n    /// One.\n    record r {\n        /// Two.\n        f: u8,\n    }\n\n\
                    \x20   /// Three.\n    g: func() -> r;\n}\n";
        let mut page = String::new();
        add(&mut page, text).unwrap();
        let expected = "\n## `a`\n\nAll.\n\n### `r`\n\nOne.\n\n```wit\nrecord r {\n    /// Two.\n    f: u8,\n}\n```\n\n\
                        ### `g`\n\nThree.\n\n```wit\ng: func() -> r;\n```\n";
        assert_eq!(page, expected);
        assert!(add(&mut page, "interface a {\n    record r {\n").is_err());
    }
}
