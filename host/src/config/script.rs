//! Policies that are scripts: which files they are, and what runs them.

use std::path::Path;

/// What a script is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `NAME.cel`: an expression in CEL.
    Cel,
    /// `NAME.rego`: a module in Rego.
    Rego,
    /// `NAME.js`: a module in JavaScript.
    JavaScript,
}

/// Each with the ending of its files, and the bundled module that runs them.
const LANGUAGES: [(Language, &str, &str); 3] = [
    (Language::Cel, "cel", "script-cel"),
    (Language::Rego, "rego", "script-rego"),
    (Language::JavaScript, "js", "script-js"),
];

impl Language {
    /// Of a file, if it is a script.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?;
        LANGUAGES.iter().find(|(_, known, _)| ending == *known).map(|(language, ..)| *language)
    }

    /// The bundled module that runs it.
    #[must_use]
    pub fn engine(self) -> &'static str {
        LANGUAGES.iter().find(|(language, ..)| *language == self).map_or("", |(.., engine)| engine)
    }
}

/// Whether a file is the code of a policy: a module or a script.
#[must_use]
pub fn is_code(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "wasm") || Language::of(path).is_some()
}

/// A name without the ending that code has.
pub(super) fn without_ending(name: &str) -> &str {
    let path = Path::new(name);
    match (is_code(path), name.rsplit_once('.')) {
        (true, Some((stem, _))) => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_known_by_its_ending() {
        let language = |name: &str| Language::of(Path::new(name));
        assert_eq!(language("policies/10-guard.cel").map(Language::engine), Some("script-cel"));
        assert_eq!(language("policies/20-orders.rego").map(Language::engine), Some("script-rego"));
        assert_eq!(language("guard.js").map(Language::engine), Some("script-js"));
        assert_eq!((language("a.wasm"), language("cel"), language("a.cel.bak")), (None, None, None));
        assert!(is_code(Path::new("a.wasm")) && is_code(Path::new("a.cel")) && !is_code(Path::new("a.toml")));
        assert_eq!(["a.b.cel", "a.wasm", "a.b", "cel"].map(without_ending), ["a.b", "a", "a.b", "cel"]);
    }
}
