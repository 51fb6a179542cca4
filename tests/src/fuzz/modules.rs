//! Modules: whatever a file holds, looking at it says what is wrong or that it is a filter.

use std::sync::LazyLock;

use tollgate::sandbox::{Module, ModuleError, Sandbox};

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
    vec![crate::RawFilter::new(1).build(), b"\0asm\x01\0\0\0".to_vec(), b"\0asm\x0d\0\x01\0".to_vec()]
}
