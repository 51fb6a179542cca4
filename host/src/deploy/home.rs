//! Where a gateway keeps what is its own: a folder below the state directory, one for each configuration file.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::config::Source;

/// The folder of all gateways below a state directory.
const GATEWAYS: &str = "gateways";

/// In the folder of each: what it serves, for people.
const ABOUT: &str = "gateway.json";

/// The folder of one gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf);

/// What is written down about a gateway so that its folder can be told from others.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    serves: String,
}

impl Home {
    /// That of the gateway that serves from there.
    #[must_use]
    pub fn of(state_dir: &Path, source: &Source) -> Self {
        let described = describe(source);
        let sum = Sha256::digest(described.as_bytes());
        let short: String = sum[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        let name = match source {
            Source::File(path) => path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("config"),
            Source::Flags(_) => "flags",
        };
        let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
        Self(state_dir.join(GATEWAYS).join(format!("{plain}-{short}")))
    }

    /// All that there are below a state directory, each with what it serves.
    #[must_use]
    pub fn all(state_dir: &Path) -> Vec<(Self, String)> {
        let found = std::fs::read_dir(state_dir.join(GATEWAYS)).into_iter().flatten().flatten();
        let known = found.filter_map(|entry| {
            let about = std::fs::read(entry.path().join(ABOUT)).ok()?;
            let about: About = serde_json::from_slice(&about).ok()?;
            Some((Self(entry.path()), about.serves))
        });
        known.collect()
    }

    /// Makes it, for this user alone.
    ///
    /// # Errors
    /// If it cannot be made, or if others may write to it.
    pub(super) fn make(&self, source: &Source) -> io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        for folder in self.0.ancestors().take(3) {
            let metadata = std::fs::metadata(folder)?;
            let is_trusted = metadata.uid() == 0 || metadata.uid() == rustix::process::geteuid().as_raw();
            if !is_trusted || metadata.mode() & 0o022 != 0 {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others may write to the folder"));
            }
        }
        let about = About { serves: describe(source) };
        std::fs::write(self.0.join(ABOUT), serde_json::to_vec(&about).map_err(io::Error::other)?)
    }

    /// The name of the folder.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

fn describe(source: &Source) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    match source {
        Source::File(path) => absolute(path),
        Source::Flags(flags) => {
            let listen: Vec<_> = flags.listen.iter().map(ToString::to_string).collect();
            let policies = flags.policies.as_deref().map(absolute).unwrap_or_default();
            format!("--listen {} --upstream {} --policies {policies}", listen.join(" --listen "), flags.upstream)
        }
    }
}
