//! How large the functions of a module are. The compiler takes one after another, and the memory that it needs for a function grows with
//! it by a few hundred bytes for each: so the largest function bounds what compiling takes beyond the code that comes out of it.

use wasmparser::{Parser, Payload};

use super::module::ModuleError;

/// The largest function that is compiled, in bytes. The largest one of CPython has 427 KB, of SpiderMonkey 172 KB.
pub(super) const MAX_FUNCTION: usize = 1 << 20;

/// Whether a module, or all modules in a component, have no larger functions than are compiled.
pub(super) fn check(bytes: &[u8]) -> Result<(), ModuleError> {
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| ModuleError::Malformed(error.to_string()))?;
        let Payload::CodeSectionEntry(body) = payload else { continue };
        if body.range().len() > MAX_FUNCTION {
            return Err(ModuleError::FunctionTooLarge(body.range().len()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(bytes: usize) -> String {
        format!("(module (func {}))", "nop ".repeat(bytes))
    }

    #[test]
    fn large_functions_are_refused_wherever_they_are() {
        let check = |text: &str| check(&wat::parse_str(text).unwrap());
        // A body has a byte for its locals, and one for its end.
        assert!(check(&module(MAX_FUNCTION - 2)).is_ok());
        for text in [module(MAX_FUNCTION - 1), format!("(component (component (core {}))", &module(MAX_FUNCTION)[1..])]
        {
            let told = check(&text).unwrap_err().to_string();
            assert!(told.starts_with("has a function of 104857") && told.ends_with("with less inlining"), "{told}");
        }
    }
}
