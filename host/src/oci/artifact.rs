//! A module as an artifact, in the CNCF layout for WebAssembly, so that `wkg`, `oras` and registries' own pages understand it.

use std::collections::BTreeMap;

use serde_json::json;

use super::manifest::{WASM, WASM_CONFIG};
use super::{Descriptor, Digest, Error, Manifest};

/// What registries show of a filter. It comes from the module itself.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Its name.
    pub title: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// What it does, in a line.
    pub description: Option<String>,
    /// Where its source is.
    pub source: Option<String>,
    /// What it may be used under (SPDX).
    pub licenses: Option<String>,
    /// The interfaces that it exports and imports, if it is a component.
    pub interfaces: Option<(Vec<String>, Vec<String>)>,
}

/// All that has to be in a repository for a module.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// The configuration.
    pub config: Vec<u8>,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// Its digest, by which it is known.
    pub digest: Digest,
}

impl Artifact {
    /// Of a module, made at that moment (RFC 3339). The same of all is the same artifact.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn of(module: &[u8], facts: &Facts, created: &str) -> Result<Self, Error> {
        // Tools that put layers into files, as `oras pull` does, leave out those without a name.
        let named = BTreeMap::from([("org.opencontainers.image.title".to_owned(), file_name(facts))]);
        let layer = Descriptor { annotations: named, ..Descriptor::of(WASM, module) };
        let config = config(&layer, facts, created).to_string().into_bytes();
        let manifest = Manifest::new(Descriptor::of(WASM_CONFIG, &config), vec![layer], annotations(facts)).write()?;
        let digest = Digest::of(&manifest);
        Ok(Self { config, manifest, digest })
    }
}

fn config(layer: &Descriptor, facts: &Facts, created: &str) -> serde_json::Value {
    let os = if facts.interfaces.is_some() { "wasip2" } else { "wasip1" };
    let mut config = json!({
        "created": created,
        "architecture": "wasm",
        "os": os,
        "layerDigests": [layer.digest],
    });
    if let Some((exports, imports)) = &facts.interfaces {
        config["component"] = json!({ "exports": exports, "imports": imports, "target": null });
    }
    config
}

/// The name of a file for the module. A name that could be a path is none.
fn file_name(facts: &Facts) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let title = facts.title.as_deref().filter(|title| !title.is_empty() && title.chars().all(is_plain));
    format!("{}.wasm", title.unwrap_or("module"))
}

fn annotations(facts: &Facts) -> BTreeMap<String, String> {
    let all = [
        ("title", &facts.title),
        ("version", &facts.version),
        ("description", &facts.description),
        ("source", &facts.source),
        ("licenses", &facts.licenses),
    ];
    let key = |name: &str| format!("org.opencontainers.image.{name}");
    all.into_iter().filter_map(|(name, value)| Some((key(name), value.clone()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_is_laid_out_as_others_expect_it() {
        let facts = Facts { title: Some("a".into()), version: Some("1.2".into()), ..Facts::default() };
        let artifact = Artifact::of(b"\0asm", &facts, "1970-01-01T00:00:00Z").unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&artifact.manifest).unwrap();
        assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
        assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
        assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
        assert_eq!(manifest["annotations"]["org.opencontainers.image.version"], "1.2");
        assert_eq!(manifest["layers"][0]["annotations"]["org.opencontainers.image.title"], "a.wasm");
        for path in ["../a", "", "a/b", "."] {
            assert_eq!(file_name(&Facts { title: Some(path.into()), ..Facts::default() }), "module.wasm", "{path}");
        }
        let config: serde_json::Value = serde_json::from_slice(&artifact.config).unwrap();
        assert_eq!((&config["os"], &config["architecture"]), (&"wasip1".into(), &"wasm".into()));
        assert_eq!(config["layerDigests"][0], manifest["layers"][0]["digest"]);
        assert_eq!(Manifest::read(&artifact.manifest).unwrap().module().unwrap().size, 4);
        assert_eq!(Artifact::of(b"\0asm", &facts, "1970-01-01T00:00:00Z").unwrap().digest, artifact.digest);
    }

    #[test]
    fn what_is_no_filter_is_told() {
        let index = br#"{"schemaVersion":2,"manifests":[]}"#;
        assert!(Manifest::read(index).unwrap_err().to_string().contains("index of several"));
        assert!(Manifest::read(b"{}").is_err() && Manifest::read(b"").is_err());
        let digest = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        let image = format!(r#"{{"schemaVersion":2,"config":{{"digest":"{digest}","size":1}},"layers":[]}}"#);
        assert!(Manifest::read(image.as_bytes()).unwrap().module().unwrap_err().to_string().contains("no filter"));
    }
}
