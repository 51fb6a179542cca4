//! What a manifest says that its filter needs.

use http::HeaderName;
use serde::Deserialize;

use super::ManifestError;

/// Something that a filter has to be granted, or that it can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededGrant {
    /// What kind of thing.
    pub kind: GrantKind,
    /// Which one; none if the configuration says it.
    pub name: Option<String>,
    /// What for.
    pub why: String,
    /// Whether the filter can do without.
    pub optional: bool,
}

/// The keys of `grants`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// Bodies and trailers.
    Body,
    /// Requests of its own to an upstream.
    Callouts,
    /// What time it is.
    Clock,
    /// Random numbers.
    Random,
    /// To see a header field.
    Read,
    /// A secret.
    Secrets,
    /// A shared space.
    Store,
    /// To change a header field.
    Write,
}

const KINDS: [GrantKind; 8] = [
    GrantKind::Body,
    GrantKind::Callouts,
    GrantKind::Clock,
    GrantKind::Random,
    GrantKind::Read,
    GrantKind::Secrets,
    GrantKind::Store,
    GrantKind::Write,
];

impl GrantKind {
    /// The key.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Callouts => "callouts",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Read => "read",
            Self::Secrets => "secrets",
            Self::Store => "store",
            Self::Write => "write",
        }
    }

    /// Whether its value is a list of names.
    #[must_use]
    pub fn has_names(self) -> bool {
        !matches!(self, Self::Body | Self::Clock | Self::Random)
    }
}

#[derive(Deserialize)]
pub(super) struct Written {
    grant: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    why: String,
    #[serde(default)]
    optional: bool,
}

impl Written {
    pub(super) fn texts(&self) -> impl Iterator<Item = &String> {
        [&self.grant, &self.why].into_iter().chain(&self.name)
    }
}

/// What is known of them. What is not, and cannot be done without, keeps the filter from being loaded.
pub(super) fn read(written: Vec<Written>) -> Result<Vec<NeededGrant>, ManifestError> {
    let mut needs = Vec::new();
    for Written { grant, name, why, optional } in written {
        let kind = KINDS.into_iter().find(|kind| kind.key() == grant);
        let is_field = matches!(kind, Some(GrantKind::Read | GrantKind::Write));
        let is_good = kind.is_some_and(|kind| match &name {
            Some(name) if is_field => HeaderName::from_bytes(name.as_bytes()).is_ok(),
            Some(name) => kind.has_names() && !name.is_empty(),
            None => true,
        });
        match kind.filter(|_| is_good) {
            Some(kind) => {
                let name = name.map(|name| if is_field { name.to_ascii_lowercase() } else { name });
                needs.push(NeededGrant { kind, name, why, optional });
            }
            None if optional => {}
            None => {
                return Err(ManifestError::UnknownNeed(name.map_or(grant.clone(), |name| format!("{grant} {name}"))));
            }
        }
    }
    Ok(needs)
}
