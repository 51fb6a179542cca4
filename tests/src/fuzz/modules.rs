//! Modules: whatever a file holds, looking at it says what is wrong or that it is a filter.

use std::sync::LazyLock;

use tollgate::sandbox::{Module, ModuleError, Sandbox};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

#[allow(clippy::expect_used, reason = "nothing can be said of modules without it")]
static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| Sandbox::new().expect("the sandbox can be set up"));

/// A module.
pub fn run(data: &[u8]) {
    match Module::examine(&SANDBOX, data) {
        Ok(()) => assert!(data.starts_with(b"\0asm"), "this is no module"),
        Err(ModuleError::TooLarge(_)) => panic!("{} bytes are too many", data.len()),
        Err(error) => assert!(!error.to_string().is_empty(), "refused without a reason"),
    }
}

/// A filter, and what is none.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![crate::RawFilter::new(1).build(), in_a_circle(), nested(10), nested(5_000)];
    seeds.extend(super::texts(["\0asm\x01\0\0\0", "\0asm\x0d\0\x01\0"]));
    seeds
}

/// The package `x:a` needs `x:b`, and that needs `x:a`, which no text could say: there, the last one is called `x:c`.
fn in_a_circle() -> Vec<u8> {
    let packages = [
        "package x:a; interface i { type t = u32; }",
        "package x:b; interface i { use x:a/i.{t}; }",
        "package x:c; interface j { use x:b/i.{t}; } world w { import j; }",
    ];
    let mut resolve = Resolve::default();
    let ids = packages.map(|text| resolve.push_str("x.wit", text).unwrap_or_else(|error| panic!("{error}")));
    let world = resolve.select_world(&ids[2..], None).unwrap_or_else(|error| panic!("{error}"));
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<_> = (2..module.len()).filter(|at| &module[at - 2..=*at] == b"x:c").collect();
    names.into_iter().for_each(|at| module[at] = b'a');
    module
}

/// An instance type in an instance type, and so on.
fn nested(levels: usize) -> Vec<u8> {
    let mut types = [b"\x01", &*b"\x42\x01\x01".repeat(levels), b"\x73"].concat();
    let mut metadata = b"\0asm\x0d\0\x01\0\x07".to_vec();
    metadata.append(&mut crate::leb128(types.len()));
    metadata.append(&mut types);
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    crate::append_section(&mut module, "component-type:nested", &metadata);
    module
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_read_without_end_is_refused() {
        let of_others = || Module::examine(&SANDBOX, &in_a_circle()).unwrap_err().to_string();
        assert!(of_others().contains("does not export"), "{}", of_others());
        for levels in [10, 5_000, 1_000_000] {
            assert!(Module::examine(&SANDBOX, &nested(levels)).is_err(), "{levels}");
        }
    }
}
