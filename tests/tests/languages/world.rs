//! The interface as it is written down in SDKs for those who have no generator of bindings.

use std::fmt::Write;
use std::fs;

use wit_component::{StringEncoding, metadata};
use wit_parser::Resolve;

use super::repository;

const HEAD: &str = "\
/* The interface in the form that the gateway looks for in a module: a section that describes imports and exports. Written by a
 * test (tests/tests/languages/world.rs) and not by hand. */
__asm__(\".section \\\".custom_section.component-type:tollgate-filter\\\",\\\"\\\",@\\n\"
";

/// The section as a file of C.
fn as_c() -> String {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(repository("wit")).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let section = metadata::encode(&resolve, world, StringEncoding::UTF8, None).unwrap();
    let mut text = HEAD.to_owned();
    for line in section.chunks(24) {
        let bytes: Vec<_> = line.iter().map(u8::to_string).collect();
        writeln!(text, "        \".byte {}\\n\"", bytes.join(",")).unwrap();
    }
    text.truncate(text.trim_end().len());
    text + ");\n"
}

#[test]
fn the_section_for_c_is_that_of_the_interface() {
    let file = repository("guest-sdk/c/world.c");
    if std::env::var_os("TOLLGATE_UPDATE").is_some() {
        fs::write(&file, as_c()).unwrap();
    }
    let is_current = fs::read_to_string(&file).is_ok_and(|written| written == as_c());
    assert!(
        is_current,
        "wit/ has changed: TOLLGATE_UPDATE=1 cargo test -p tollgate-tests --test languages writes {file:?} anew"
    );
}
