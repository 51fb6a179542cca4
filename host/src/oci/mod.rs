//! Filters in OCI registries and in bundles (image layouts): where they are, how they are laid out, how they are fetched and
//! pushed, and how they are signed.
//!
//! A filter is an artifact in the CNCF layout for WebAssembly: a manifest with a configuration of the type
//! `application/vnd.wasm.config.v0+json` and the module as its one layer. What a registry or a bundle says is somebody else's
//! word: everything is bounded, whatever has a digest is held to it, and no name of theirs becomes a path.

mod access;
mod artifact;
mod auth;
mod credentials;
mod digest;
mod http;
mod key;
mod layout;
mod manifest;
mod proxy;
mod reference;
mod registry;
mod repository;
mod signature;

pub use self::access::{Access, Server};
pub use self::artifact::{Artifact, Facts};
pub use self::auth::Challenge;
pub use self::digest::Digest;
pub use self::key::{PrivateKey, PublicKey};
pub use self::manifest::{Descriptor, Manifest};
pub use self::reference::{Place, Reference, plain_path};
pub use self::repository::{Fetched, Repository, Selector};
pub use self::signature::{Refusal, Signature, Signed, sign, sign_file, verify, verify_file};

/// The largest module that is fetched, in bytes.
pub const MAX_MODULE: u64 = 64 << 20;
/// The largest manifest, index, list of tags or configuration.
const MAX_DOCUMENT: u64 = 1 << 20;
/// The most layers of a manifest that are looked at.
const MAX_LAYERS: usize = 64;

/// Why something cannot be had, or cannot be put there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody answers, or not in time, or not in a way that can be understood.
    #[error("{server} {problem}")]
    Server {
        /// Who.
        server: String,
        /// What is wrong.
        problem: String,
    },
    /// There is no such thing.
    #[error("there is no {what} at {server}")]
    NotFound {
        /// Where.
        server: String,
        /// What.
        what: String,
    },
    /// Credentials are missing or wrong.
    #[error("{server} refuses access: {problem}")]
    Denied {
        /// Who.
        server: String,
        /// What was tried.
        problem: String,
    },
    /// What was given is not what it should be.
    #[error("{what} {problem}")]
    Wrong {
        /// What.
        what: String,
        /// Why.
        problem: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {problem}")]
    File {
        /// Which.
        path: String,
        /// Why.
        problem: String,
    },
    /// All places where it could be, each with its problem.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Several(Vec<Self>),
}

impl Error {
    fn server(server: &str, problem: impl Into<String>) -> Self {
        Self::Server { server: server.to_owned(), problem: shown(&problem.into()) }
    }

    fn wrong(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Wrong { what: what.into(), problem: shown(&problem.into()) }
    }

    fn file(path: &std::path::Path, problem: impl ToString) -> Self {
        Self::File { path: path.display().to_string(), problem: problem.to_string() }
    }

    /// Whether it is only that there is no such thing.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        match self {
            Self::NotFound { .. } => true,
            Self::Several(several) => several.iter().all(Self::is_absence),
            _ => false,
        }
    }
}

/// As much of a text of somebody else as can be shown in a line.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
