//! What the commands that speak to registries share: their flags, references, keys.

use std::future::Future;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config;
use crate::oci::{Access, Error, PrivateKey, Reference, Repository};

/// The largest file of a key that is read.
const MAX_KEY: u64 = 64 << 10;

#[derive(Args)]
pub(super) struct RegistryArgs {
    /// A configuration file, whose [registries] say how registries are reached.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Speak to the registry in clear; this machine itself is spoken to so anyway.
    #[arg(long)]
    plain_http: bool,
}

impl RegistryArgs {
    pub(super) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// How registries are reached.
    pub(super) fn access(&self, to: &Reference) -> Result<Access, String> {
        let mut access = match &self.config {
            Some(file) => config::registries_of(file).map_err(lines)?,
            None => Access::default(),
        };
        if self.plain_http
            && let crate::oci::Place::Registry { host, .. } = &to.place
        {
            access.servers.entry(host.clone()).or_default().plain = Some(true);
        }
        Ok(access)
    }
}

/// The repository of a reference, which is there.
pub(super) fn open(access: &Access, reference: &Reference) -> Result<Repository, String> {
    Repository::open(access, &reference.place).map_err(told)
}

/// A reference as somebody wrote it.
pub(super) fn reference(text: &str) -> Result<Reference, String> {
    Reference::parse(text).map_err(|problem| match problem.starts_with('"') {
        true => problem,
        false => format!("{text:?} {problem}"),
    })
}

/// What an error of a registry means, with what to do about it.
pub(super) fn told(error: Error) -> String {
    match &error {
        Error::Denied { .. } => {
            format!("{error}; see ~/.docker/config.json, or name a file: [registries.\"HOST\"] credentials")
        }
        _ => error.to_string(),
    }
}

/// A private key from a file, or from a variable of the environment: `env://NAME`.
pub(super) fn private_key(written: &str) -> Result<PrivateKey, String> {
    let pem = match written.strip_prefix("env://") {
        Some(name) => {
            std::env::var(name).map_err(|_| format!("there is no variable {name} in the environment"))?.into_bytes()
        }
        None => small(Path::new(written))?,
    };
    PrivateKey::from_pem(&pem).map_err(|problem| format!("{written}: {problem}"))
}

/// The content of a file that is small.
pub(super) fn small(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("{}: cannot be read: {error}", path.display());
    match std::fs::metadata(path).map_err(unreadable)?.len() > MAX_KEY {
        true => Err(format!("{}: is larger than {MAX_KEY} bytes", path.display())),
        false => std::fs::read(path).map_err(unreadable),
    }
}

/// The moment that an artifact was made at: that of `SOURCE_DATE_EPOCH`, so that the same is the same, else none.
pub(super) fn created() -> String {
    let seconds = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    config::show_moment(std::time::Duration::from_secs(seconds))
}

/// Waits for something that has to do with the network.
pub(super) fn wait<T>(what: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(what)
}

pub(super) fn lines(problems: Vec<config::Problem>) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
