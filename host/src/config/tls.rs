//! How a listener speaks TLS: which files, which versions, which clients. Read as written, then checked; what is in the files
//! is found out when a snapshot is built.

use std::path::{Path, PathBuf};

use super::{
    report::{At, Report, Wrong},
    section::{Item, Section},
};

/// How a listener speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `cert` and `key`, or `certificates`: at least one; the first also serves clients that ask for no name or another.
    pub certificates: Vec<CertificateFiles>,
    /// `profile`: which versions.
    pub profile: TlsProfile,
    /// `client-auth`: whether clients show certificates of their own.
    pub client_auth: Option<ClientAuth>,
}

impl Tls {
    /// Every file that it names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let certificates = self.certificates.iter().flat_map(|files| [&files.cert, &files.key]);
        certificates.chain(self.client_auth.as_ref().map(|auth| &auth.ca)).map(PathBuf::as_path)
    }
}

/// A certificate with its chain, and its key. Both are PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, then those that lead to its authority.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Which versions of TLS are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsProfile {
    /// `"modern"`: 1.3 only.
    Modern,
    /// `"intermediate"`: 1.2 and 1.3.
    #[default]
    Intermediate,
}

/// Which certificates clients show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuth {
    /// `ca`: the authorities that are trusted, as a PEM file.
    pub ca: PathBuf,
    /// `mode`: `"required"`, or `"optional"` for clients that may have none.
    pub required: bool,
}

/// The table as written.
#[derive(Debug)]
pub(super) struct TlsTable {
    pair: PairTable,
    certificates: Option<Vec<PairTable>>,
    profile: Option<At<String>>,
    client_auth: Option<ClientAuthTable>,
}

#[derive(Debug)]
struct PairTable {
    cert: Option<At<String>>,
    key: Option<At<String>>,
}

#[derive(Debug)]
struct ClientAuthTable {
    ca: Option<At<String>>,
    mode: Option<At<String>>,
}

impl TlsTable {
    pub(super) fn read(item: Item<'_>) -> Option<(At<()>, Self)> {
        let place = item.place();
        if item.is_array() {
            let remedy = "write tls = { certificates = [ { cert = \"…\", key = \"…\" }, … ] }";
            item.report().at(&place, "is an array, not a table", remedy);
            return None;
        }
        let mut section = item.section()?;
        let certificates = section.take("certificates").map(read_certificates);
        let pair = match certificates {
            // Asked for all the same, so that they are not unknown; `check` refuses them.
            Some(_) => PairTable {
                cert: section.take("cert").and_then(Item::string),
                key: section.take("key").and_then(Item::string),
            },
            None => PairTable::take(&mut section),
        };
        let table = Self {
            pair,
            certificates,
            profile: section.take("profile").and_then(Item::string),
            client_auth: section.take("client-auth").and_then(Item::section).map(ClientAuthTable::read),
        };
        section.finish();
        Some((place, table))
    }

    /// Paths are relative to the folder.
    pub(super) fn check(self, place: &At<()>, folder: &Path, report: &Report) -> Option<Tls> {
        let certificates = match self.certificates {
            Some(_) if self.pair.cert.is_some() || self.pair.key.is_some() => {
                report.at(place, "has certificates and cert or key beside them", "move the pair into certificates");
                Vec::new()
            }
            Some(pairs) => pairs.into_iter().filter_map(|pair| pair.files(folder)).collect(),
            None => self.pair.files(folder).into_iter().collect(),
        };
        let profile = self.profile.and_then(|at| report.good(&at, profile(&at.value))).unwrap_or_default();
        let client_auth = self.client_auth.and_then(|table| table.check(folder, report));
        (!certificates.is_empty()).then_some(Tls { certificates, profile, client_auth })
    }
}

fn read_certificates(item: Item<'_>) -> Vec<PairTable> {
    if item.is_empty_array() {
        item.report().at(&item.place(), "is empty", "add { cert = \"…\", key = \"…\" }");
    }
    let pair = |mut section: Section<'_>| {
        let pair = PairTable::take(&mut section);
        section.finish();
        pair
    };
    item.array().unwrap_or_default().into_iter().filter_map(Item::section).map(pair).collect()
}

impl PairTable {
    fn take(section: &mut Section<'_>) -> Self {
        Self { cert: need_file(section, "cert"), key: need_file(section, "key") }
    }

    fn files(self, folder: &Path) -> Option<CertificateFiles> {
        Some(CertificateFiles { cert: folder.join(self.cert?.value), key: folder.join(self.key?.value) })
    }
}

impl ClientAuthTable {
    fn read(mut section: Section<'_>) -> Self {
        let ca = need_file(&mut section, "ca");
        let mode = section.need("mode", "add mode = \"required\", or \"optional\"").and_then(Item::string);
        section.finish();
        Self { ca, mode }
    }

    fn check(self, folder: &Path, report: &Report) -> Option<ClientAuth> {
        let required = self.mode.and_then(|at| report.good(&at, is_required(&at.value)))?;
        Some(ClientAuth { ca: folder.join(self.ca?.value), required })
    }
}

fn need_file(section: &mut Section<'_>, key: &'static str) -> Option<At<String>> {
    section.need(key, &format!("add {key} = \"FILE.pem\"")).and_then(Item::string)
}

fn profile(name: &str) -> Result<TlsProfile, Wrong> {
    match name {
        "modern" => Ok(TlsProfile::Modern),
        "intermediate" => Ok(TlsProfile::Intermediate),
        _ => {
            Err((format!("{name:?} is no profile"), "write \"modern\" (TLS 1.3) or \"intermediate\" (1.2 too)".into()))
        }
    }
}

fn is_required(mode: &str) -> Result<bool, Wrong> {
    match mode {
        "required" => Ok(true),
        "optional" => Ok(false),
        _ => Err((format!("{mode:?} is no mode"), "write \"required\" or \"optional\"".into())),
    }
}
