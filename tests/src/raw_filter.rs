//! Filters written in WebAssembly's text, down to the canonical ABI: what no compiler would make of any source.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const HOOKS: &str = "tollgate:filter/hooks@0.1.0";

/// What a filter exports by default: it subscribes to hooks and lets everything pass. An answer that is all zeros is a good
/// one: no error, forward or pass, no edits.
const EXPORTS: [(&str, &str, &str); 10] = [
    ("configure", "(param $text i32) (param $length i32) (result i32)", "(i32.const 1024)"),
    (
        "on-request-head",
        "(param $id i32) (param $data i32) (param $length i32) (param $ends i32) (param $count i32) (result i32)",
        "(i32.const 2048)",
    ),
    (
        "on-request-body",
        "(param $id i32) (param $piece i32) (param $length i32) (param $last i32) (result i32)",
        "(i32.const 2048)",
    ),
    ("on-request-trailers", "(param $id i32) (param $fields i32) (param $count i32) (result i32)", "(i32.const 2048)"),
    (
        "on-response-head",
        "(param $id i32) (param $data i32) (param $length i32) (param $ends i32) (param $count i32) (result i32)",
        "(i32.const 2048)",
    ),
    (
        "on-response-body",
        "(param $id i32) (param $piece i32) (param $length i32) (param $last i32) (result i32)",
        "(i32.const 2048)",
    ),
    ("on-response-trailers", "(param $id i32) (param $fields i32) (param $count i32) (result i32)", "(i32.const 2048)"),
    ("on-exchange-end", "(param $id i32)", ""),
    ("on-tick", "(result i32)", "(i32.const 2048)"),
    // Room for a piece of a body, above everything that is written down here; it is used again and again.
    (
        "cabi_realloc",
        "(param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32) (local $at i32)",
        "(local.set $at (i32.add (i32.const 65536) (i32.and (global.get $next) (i32.const 0xfff8))))
         (global.set $next (i32.add (global.get $next) (i32.add (local.get $size) (i32.const 8))))
         (local.get $at)",
    ),
];

/// A core module with the metadata of a filter. Its memory has four pages; 1024 is where `configure` answers and 2048 where
/// hooks do, and an author's own things lie between 4096 and 65536.
#[derive(Clone, Default)]
pub struct RawFilter {
    subscription: u32,
    tick_ms: u32,
    bodies: BTreeMap<String, String>,
    more: String,
    sections: Vec<(String, Vec<u8>)>,
}

impl RawFilter {
    /// A filter that subscribes to these hooks: bits of the flags `hooks`, from `request-head`.
    #[must_use]
    pub fn new(subscription: u32) -> Self {
        Self { subscription, ..Self::default() }
    }

    /// Asks for ticks, so many milliseconds apart.
    #[must_use]
    pub fn every(mut self, tick_ms: u32) -> Self {
        self.tick_ms = tick_ms;
        self
    }

    /// Gives an export another body. Its parameters are `$id`, `$data` …; those of `cabi_realloc` are `$old`, `$had`,
    /// `$align` and `$size`.
    #[must_use]
    pub fn export(mut self, name: &str, body: &str) -> Self {
        self.bodies.insert(name.to_owned(), body.to_owned());
        self
    }

    /// Adds fields of the module: globals, functions, data, a start function. Imports have to come by `import`.
    #[must_use]
    pub fn fields(mut self, text: &str) -> Self {
        self.more.push_str(text);
        self
    }

    /// Adds a custom section behind everything else.
    #[must_use]
    pub fn section(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.sections.push((name.to_owned(), content.as_ref().to_vec()));
        self
    }

    /// The text, without metadata.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "(module {} (memory (export \"memory\") 4) (global $next (mut i32) (i32.const 0))
            (data (i32.const 1028) \"\\{:02x}\") (data (i32.const 1052) \"{}\")",
            self.more,
            self.subscription,
            self.tick_ms.to_le_bytes().map(|byte| format!("\\{byte:02x}")).concat()
        );
        for (name, signature, body) in EXPORTS {
            let body = self.bodies.get(name).map_or(body, String::as_str);
            let export = if name.contains('_') { name.to_owned() } else { format!("{HOOKS}#{name}") };
            // Writing to memory does not fail.
            let _ = write!(text, "(func (export \"{export}\") {signature} {body})");
        }
        text + ")"
    }

    /// The module.
    #[must_use]
    #[track_caller]
    pub fn build(&self) -> Vec<u8> {
        let mut module = Self::of_text(&self.text());
        for (name, content) in &self.sections {
            append_section(&mut module, name, content);
        }
        module
    }

    /// A module of any text, with the metadata.
    #[must_use]
    #[track_caller]
    pub fn of_text(text: &str) -> Vec<u8> {
        let mut module = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let mut resolve = Resolve::default();
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        let (package, _) = resolve.push_dir(&wit).expect("the interface is valid");
        let world = resolve.select_world(&[package], None).expect("there is one world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("it is a module");
        module
    }
}

/// Appends a custom section to a module or a component.
pub fn append_section(module: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut section = leb128(name.len());
    section.extend_from_slice(name.as_bytes());
    section.extend_from_slice(content);
    module.push(0);
    module.extend(leb128(section.len()));
    module.extend(section);
}

/// A number as WebAssembly writes it.
#[must_use]
pub fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
