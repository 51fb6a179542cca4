//! Where in the sources a module's code comes from, if the module has kept that (DWARF). All of it is read when the module is loaded,
//! off the path and within bounds, into a table: what a fault costs afterwards is a search in it.

use std::borrow::Cow;
use std::collections::HashMap;

use addr2line::Context;
use gimli::{Dwarf, EndianSlice, LittleEndian, SectionId};
use wasmparser::{Parser, Payload, TypeRef};

use super::fault::{Frame, plain};

type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// How much of it is read, in bytes, and how many places may come of it; there are no lines where there is more.
const MAX_BYTES: usize = 16 << 20;
const MAX_PLACES: usize = 1 << 20;
/// How many functions that were folded into one another are told of one place.
const INLINED: usize = 8;
/// The longest path that is told.
const PATH: usize = 200;

/// The places of a module's code.
#[derive(Debug)]
pub(super) struct Lines {
    /// Where each function begins, counted from the code's beginning.
    functions: Vec<u32>,
    /// How many functions are imported, as these are counted first.
    imported: u32,
    /// From which byte of the code on it is which of `stacks`; in order.
    places: Vec<(u32, u32)>,
    /// The innermost function first, then those that it was folded into.
    stacks: Vec<Box<[Frame]>>,
}

impl Lines {
    /// Those of a core module, or of the module with lines in a component; none if there are none.
    pub(super) fn of(content: &[u8]) -> Option<Self> {
        let mut open = vec![Sections::default()];
        for payload in Parser::new(0).parse_all(content) {
            match payload.ok()? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => open.push(Sections::default()),
                Payload::End(_) => {
                    if let Some(lines) = open.pop().and_then(|sections| sections.lines()) {
                        return Some(lines);
                    }
                }
                other => open.last_mut()?.add(other),
            }
        }
        None
    }

    /// Whether a module has as many functions as this one.
    pub(super) fn are_of(&self, module: &wasmtime::Module) -> bool {
        module.functions().len() == self.functions.len()
    }

    /// What is there: so many bytes into the function of that index.
    pub(super) fn at(&self, function: u32, offset: usize) -> &[Frame] {
        let found = || {
            let begin = self.functions.get(function.checked_sub(self.imported)? as usize)?;
            let place = begin.checked_add(u32::try_from(offset).ok()?)?;
            let after = self.places.partition_point(|(from, _)| *from <= place);
            let (_, stack) = self.places.get(after.checked_sub(1)?)?;
            self.stacks.get(*stack as usize)
        };
        found().map(AsRef::as_ref).unwrap_or_default()
    }
}

/// What of a module is of interest.
#[derive(Default)]
struct Sections<'a> {
    code: usize,
    functions: Vec<u32>,
    imported: u32,
    debugging: HashMap<&'a str, &'a [u8]>,
}

impl<'a> Sections<'a> {
    fn add(&mut self, payload: Payload<'a>) {
        match payload {
            Payload::ImportSection(imports) => {
                let is_function =
                    |import: &wasmparser::Import<'_>| matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_));
                let count = imports.into_imports().flatten().filter(is_function).count();
                self.imported = u32::try_from(count).unwrap_or(u32::MAX);
            }
            Payload::CodeSectionStart { range, .. } => self.code = range.start,
            Payload::CodeSectionEntry(body) => {
                self.functions.push(u32::try_from(body.range().start - self.code).unwrap_or(u32::MAX));
            }
            Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
                self.debugging.insert(section.name(), section.data());
            }
            _ => {}
        }
    }

    fn lines(self) -> Option<Lines> {
        let bytes: usize = self.debugging.values().map(|section| section.len()).sum();
        if !self.debugging.contains_key(".debug_line") || bytes > MAX_BYTES {
            return None;
        }
        let section = |id: SectionId| -> Result<_, gimli::Error> {
            Ok(EndianSlice::new(self.debugging.get(id.name()).copied().unwrap_or_default(), LittleEndian))
        };
        let context = Context::from_dwarf(Dwarf::load(section).ok()?).ok()?;
        let Table { places, stacks, .. } = Table::of(&context)?;
        Some(Lines { functions: self.functions, imported: self.imported, places, stacks })
    }
}

/// Places, as they are found.
#[derive(Default)]
struct Table {
    places: Vec<(u32, u32)>,
    stacks: Vec<Box<[Frame]>>,
    known: HashMap<Box<[Frame]>, u32>,
}

impl Table {
    fn of(context: &Context<Bytes<'_>>) -> Option<Self> {
        let mut table = Self::default();
        let mut starts: Vec<u64> = Vec::new();
        for (start, length, _) in context.find_location_range(0, u64::from(u32::MAX)).ok()? {
            starts.extend([start, start.saturating_add(length)]);
            if starts.len() > 2 * MAX_PLACES {
                return None;
            }
        }
        starts.sort_unstable();
        starts.dedup();
        for start in starts {
            let stack = table.stack(frames(context, start));
            if table.places.last().is_none_or(|(_, last)| *last != stack) {
                table.places.push((u32::try_from(start).ok()?, stack));
            }
        }
        Some(table)
    }

    /// The number of a stack, which many places share.
    fn stack(&mut self, frames: Vec<Frame>) -> u32 {
        let frames = frames.into_boxed_slice();
        if let Some(known) = self.known.get(&frames) {
            return *known;
        }
        let number = u32::try_from(self.stacks.len()).unwrap_or(u32::MAX);
        self.stacks.push(frames.clone());
        self.known.insert(frames, number);
        number
    }
}

fn frames(context: &Context<Bytes<'_>>, at: u64) -> Vec<Frame> {
    let folder = context.find_dwarf_and_unit(at).skip_all_loads();
    let folder = folder.and_then(|unit| unit.comp_dir).map(|folder| folder.to_string_lossy()).unwrap_or_default();
    let Ok(mut found) = context.find_frames(at).skip_all_loads() else { return Vec::new() };
    let mut frames = Vec::new();
    while let (Ok(Some(frame)), true) = (found.next(), frames.len() < INLINED) {
        let function = frame.function.as_ref().and_then(|name| name.raw_name().ok()).unwrap_or(Cow::Borrowed("?"));
        let place = frame.location.and_then(|place| Some(format!("{}:{}", short(place.file?, &folder), place.line?)));
        frames.push(Frame { function: plain(&function), place });
    }
    frames
}

/// A file as its author knows it: below the folder that it was compiled in, or in a package of somebody else.
fn short(file: &str, folder: &str) -> String {
    let inside = file.strip_prefix(folder).filter(|_| !folder.is_empty()).map(|rest| rest.trim_start_matches('/'));
    let file = inside.unwrap_or(file);
    let of_others = file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/'));
    let of_rust =
        file.split_once("/library/").filter(|(before, _)| before.contains("/rustc/") || before.contains("/rustlib/"));
    let file = of_others.or(of_rust).map_or(file, |(_, rest)| rest);
    file.trim_start_matches("./").chars().filter(|c| !c.is_control()).take(PATH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_their_author_knows_them() {
        assert_eq!(short("/home/a/mine/src/lib.rs", "/home/a/mine"), "src/lib.rs");
        assert_eq!(
            short("/home/a/.cargo/registry/src/index-1/serde-1.0.2/src/de.rs", "/home/a/mine"),
            "serde-1.0.2/src/de.rs"
        );
        assert_eq!(short("/rustc/abc/library/core/src/option.rs", "/rustc/abc"), "library/core/src/option.rs");
        assert_eq!(short("/rustc/abc/library/core/src/option.rs", "/home"), "core/src/option.rs");
        assert_eq!(short("./src/filter.c", ""), "src/filter.c");
    }

    #[test]
    fn what_has_no_lines_or_is_no_module_has_none() {
        let module = wat::parse_str("(module (func) (@custom \".debug_line\" \"nonsense\"))").unwrap();
        assert!(Lines::of(&module).is_none_or(|lines| lines.at(0, 0).is_empty()));
        for content in [&b"\0asm\x01\0\0\0"[..], b"none", b"\0asm\x0d\0\x01\0"] {
            assert!(Lines::of(content).is_none());
        }
    }
}
