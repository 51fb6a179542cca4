//! The demo's policy directory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::workspace::Workspace;

/// The key that the demo's api-key policy knows.
pub(super) const KEY: &str = "demo-key";
pub(super) const CONSUMER: &str = "alice";
pub(super) const BURST: u32 = 5;

/// A directory with the three standard policies in it.
pub(super) struct Policies {
    pub(super) dir: PathBuf,
}

impl Policies {
    /// The directory for people: the three files anew, whatever else was dropped there stays.
    pub(super) fn beside_yours(workspace: &Workspace) -> Result<Self> {
        Self::write(workspace.target_dir.join("demo/policies"))
    }

    /// A directory for a check: the three files and nothing else.
    pub(super) fn fresh(workspace: &Workspace) -> Result<Self> {
        let dir = workspace.target_dir.join("demo/check");
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("could not remove {}", dir.display()))?;
        }
        Self::write(dir)
    }

    fn write(dir: PathBuf) -> Result<Self> {
        fs::create_dir_all(&dir).with_context(|| format!("could not create {}", dir.display()))?;
        put(&dir, "10-api-key.toml", &api_key())?;
        put(&dir, "20-rate-limit.toml", &rate_limit(BURST))?;
        put(&dir, "30-headers.toml", HEADERS)?;
        Ok(Self { dir })
    }

    /// Changes the limit, as an editor would: a file beside it that is then renamed over it.
    pub(super) fn allow_bursts_of(&self, burst: u32) -> Result<()> {
        let name = "20-rate-limit.toml";
        put(&self.dir, ".edited", &rate_limit(burst))?;
        fs::rename(self.dir.join(".edited"), self.dir.join(name)).with_context(|| format!("could not write {name}"))
    }
}

fn put(dir: &Path, name: &str, text: &str) -> Result<()> {
    let path = dir.join(name);
    fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))
}

fn api_key() -> String {
    let digest: String = Sha256::digest(KEY).iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        r#"# Who may come in: requests with a known key. Only the keys' SHA-256 digests are kept.
filter = "api-key"

[config]
header = "x-api-key"
keys = [
    {{ consumer = "{CONSUMER}", sha256 = "{digest}" }},  # of "{KEY}"
]
"#
    )
}

fn rate_limit(burst: u32) -> String {
    format!(
        r#"# How often: {burst} at once, then 5 in 10 seconds for each consumer.
filter = "rate-limit"

[config]
requests = 5
per = "10s"
burst = {burst}
key = "consumer"
"#
    )
}

const HEADERS: &str = r#"# What both sides see of each other.
filter = "headers"

[config]
request = { set = { x-consumer = "{consumer}" } }
response = { set = { x-gateway = "tollgate" }, remove = ["server"] }
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_written_as_its_digest() {
        let digest = "c48a01f49fd0f2cc404bc3cbbc80e91457a3d41bb429a695243de4c61794155c";
        assert!(api_key().contains("sha256 = \""), "{}", api_key());
        assert_eq!(api_key().matches(digest).count(), 1, "{}", api_key());
    }
}
