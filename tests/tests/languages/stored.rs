//! Modules that were built for version 0.1 of the interface, as they were built then: they load, and do what they did.

use std::path::Path;

use super::{done, repository};

/// A core module by the SDK for Rust, a component of one that waits, and a core module in C.
#[test]
fn modules_of_0_1_keep_working() {
    for name in ["api-key", "callout-auth", "counter"] {
        let module = repository("tests/stored").join(name).with_extension("wasm").display().to_string();
        let told = done(Path::new("."), &["conformance", &module]);
        assert!(told.ends_with(" passed, 0 failed\n"), "{told}");
    }
}
