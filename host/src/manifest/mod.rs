//! What a module says about itself, in custom sections: a manifest with its name, its version, what it needs and the schema
//! of its configuration, and cases that show what it does. It comes from whoever wrote the module, so nothing is taken on
//! trust: sizes are bounded, and all that people get to see is plain text.

mod form;
mod keys;
mod needs;
mod schema;
mod sections;
mod violation;

use serde::Deserialize;
use serde_json::Value;

pub use self::{
    keys::Key,
    needs::{GrantKind, NeededGrant},
    schema::Schema,
    violation::Violation,
};

/// The custom section of the manifest.
pub const MANIFEST: &str = "tollgate:manifest";
/// The custom section of the cases.
pub const CASES: &str = "tollgate:cases";
/// The largest of these sections that is read, in bytes.
pub const MAX_SECTION: usize = 256 << 10;

/// The form of manifests that this release reads.
const FORMAT: u32 = 1;
/// The longest name or version, in bytes.
const MAX_NAME: usize = 128;
/// The longest description or reason, in bytes.
const MAX_LINE: usize = 1024;

/// What a module carries besides its code.
#[derive(Debug, Default)]
pub struct Carried {
    /// What it says about itself, if it does.
    pub manifest: Option<Manifest>,
    /// Its cases, as in a file of cases.
    pub cases: Option<String>,
}

/// What a module says about itself.
#[derive(Debug)]
pub struct Manifest {
    /// What it is called.
    pub name: String,
    /// Which version it is, as its author counts.
    pub version: String,
    /// What it does, in a line.
    pub description: Option<String>,
    /// The hooks that it has, as methods of the SDK are named.
    pub hooks: Vec<String>,
    /// Whether what its head hooks answer depends on its configuration and the facts alone.
    pub pure: bool,
    /// What it needs to be granted.
    pub needs: Vec<NeededGrant>,
    /// What its configuration looks like.
    pub schema: Option<Schema>,
    /// What operators should know, in Markdown.
    pub documentation: Option<String>,
}

/// Why what a module says about itself cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A section is above the bound.
    #[error("its section {0} has {1} bytes, more than the {MAX_SECTION} that are read; shorten what it carries")]
    TooLarge(&'static str, usize),
    /// There are several that differ.
    #[error("it has more than one section {0}; make it of one filter")]
    Several(&'static str),
    /// A section is not what it should be.
    #[error("its section {0} {1}; build it with the SDK of this release")]
    Unreadable(&'static str, String),
    /// The schema is not one.
    #[error("the schema of its configuration {0}; tell its author")]
    Schema(String),
    /// It needs what this release does not know.
    #[error("it needs {0:?}, which cannot be granted; it may be made for a later release")]
    UnknownNeed(String),
}

impl Carried {
    /// Reads it from a valid module or component, of which it may be in a part.
    ///
    /// # Errors
    /// If something is there that cannot be read.
    pub fn read(module: &[u8]) -> Result<Self, ManifestError> {
        let manifest = sections::find(module, MANIFEST)?.map(Manifest::parse).transpose()?;
        let cases = sections::find(module, CASES)?.map(text).transpose()?;
        Ok(Self { manifest, cases })
    }
}

/// As it is written. What a later release adds is passed over.
#[derive(Deserialize)]
struct Written {
    format: u32,
    name: String,
    version: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    hooks: Vec<String>,
    #[serde(default)]
    pure: bool,
    #[serde(default)]
    needs: Vec<needs::Written>,
    #[serde(default)]
    schema: Option<Value>,
    #[serde(default)]
    documentation: Option<String>,
}

impl Manifest {
    fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let unreadable = |reason: String| ManifestError::Unreadable(MANIFEST, reason);
        let written: Written =
            serde_json::from_slice(bytes).map_err(|error| unreadable(format!("is no manifest: {error}")))?;
        if written.format != FORMAT {
            return Err(unreadable(format!("has the format {}, and not {FORMAT}", written.format)));
        }
        let lines = [("name", &written.name, MAX_NAME), ("version", &written.version, MAX_NAME)];
        for (key, text, most) in lines {
            line(text, most).map_err(|reason| unreadable(format!("is no manifest: its {key} {reason}")))?;
        }
        let others =
            written.description.iter().chain(&written.hooks).chain(written.needs.iter().flat_map(|need| need.texts()));
        for text in others {
            let reason = if text.is_empty() { Ok(()) } else { line(text, MAX_LINE) };
            reason.map_err(|reason| unreadable(format!("is no manifest: one of its texts {reason}")))?;
        }
        Ok(Self {
            name: written.name,
            version: written.version,
            description: written.description.filter(|text| !text.is_empty()),
            hooks: written.hooks,
            pure: written.pure,
            needs: needs::read(written.needs)?,
            schema: written.schema.map(Schema::new).transpose().map_err(ManifestError::Schema)?,
            documentation: written.documentation,
        })
    }
}

/// Whether a text can be shown in a line of a terminal or a log.
fn line(text: &str, most: usize) -> Result<(), String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.len() > most {
        return Err(format!("has more than {most} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err("has control characters".to_owned());
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Result<String, ManifestError> {
    let unreadable = |_| ManifestError::Unreadable(CASES, "is not UTF-8".to_owned());
    String::from_utf8(bytes.to_vec()).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(manifest: &str) -> String {
        Manifest::parse(manifest.as_bytes()).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn a_manifest_is_read() {
        let text = r#"{"format":1,"name":"a","version":"1.2.3","later":{},"description":"",
            "needs":[{"grant":"clock","why":"w"},{"grant":"secrets","name":"k","why":"w","optional":true}]}"#;
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        assert_eq!((manifest.name.as_str(), manifest.version.as_str(), manifest.description), ("a", "1.2.3", None));
        assert_eq!(manifest.needs[1].kind, GrantKind::Secrets);
        assert!(manifest.needs[1].optional && !manifest.needs[0].optional);
    }

    #[test]
    fn what_cannot_be_shown_or_granted_is_refused() {
        let with = |more: &str| error(&format!(r#"{{"format":1,"name":"a","version":"1"{more}}}"#));
        assert_eq!(with(""), "");
        assert!(error("{").contains("is no manifest: EOF"));
        assert!(error(r#"{"format":2,"name":"a","version":"1"}"#).contains("has the format 2, and not 1"));
        assert!(error(r#"{"format":1,"name":"a\u001b[2J","version":"1"}"#).contains("its name has control characters"));
        assert!(error(r#"{"format":1,"name":"","version":"1"}"#).contains("its name is empty"));
        assert!(with(&format!(r#","description":"{}""#, "x".repeat(1025))).contains("more than 1024 bytes"));
        assert!(with(r#","needs":[{"grant":"sockets","why":"w"}]"#).contains("needs \"sockets\", which cannot be"));
        assert_eq!(with(r#","needs":[{"grant":"sockets","why":"w","optional":true}]"#), "");
        assert!(with(r#","needs":[{"grant":"read","name":"a b","why":"w"}]"#).contains("needs \"read a b\""));
        assert!(with(&format!(r#","schema":{}1{}"#, "[".repeat(200), "]".repeat(200))).contains("recursion limit"));
    }
}
