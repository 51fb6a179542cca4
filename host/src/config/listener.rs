//! What a listener may say besides its address: TLS, the PROXY protocol, the way to https. Read as written, then checked.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use http::StatusCode;

use super::{
    network::Network,
    report::{At, Report},
    section::{Item, Section},
};

/// What a listener does besides accepting connections. Nothing of it by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListenerOptions {
    /// `tls`: connections are TLS.
    pub tls: Option<Tls>,
    /// `proxy-protocol`: connections begin with a header that names the client.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// `redirect-https`: requests are answered with the same address under https.
    pub redirect_https: Option<RedirectHttps>,
    /// `hsts`: the value of `Strict-Transport-Security` (RFC 6797); only with `tls`.
    pub hsts: Option<String>,
}

/// How a listener speaks TLS. What is in the files is found out when a snapshot is built.
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

/// Connections begin with a PROXY protocol header, version 1 or 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyProtocol {
    /// Who is believed; empty for everybody who can connect.
    pub trusted: Vec<Network>,
}

/// Requests are sent to https.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedirectHttps {
    /// The status, a redirection.
    pub status: StatusCode,
    /// The port of https.
    pub port: u16,
}

/// The options as written.
#[derive(Debug)]
pub(super) struct OptionsTable {
    tls: Option<(At<()>, TlsTable)>,
    proxy_protocol: Option<Vec<At<String>>>,
    redirect_https: Option<At<RedirectHttps>>,
    hsts: Option<At<String>>,
}

#[derive(Debug)]
struct TlsTable {
    pair: (Option<At<String>>, Option<At<String>>),
    certificates: Option<At<Vec<(Option<At<String>>, Option<At<String>>)>>>,
    profile: Option<At<String>>,
    client_auth: Option<(Option<At<String>>, Option<At<String>>)>,
}

impl OptionsTable {
    /// Takes the keys of the options.
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            tls: section.take("tls").and_then(TlsTable::read),
            proxy_protocol: section.take("proxy-protocol").and_then(read_proxy_protocol),
            redirect_https: section.take("redirect-https").and_then(read_redirect),
            hsts: section.take("hsts").and_then(read_hsts),
        }
    }

    /// Finds out what they mean. Paths are relative to the folder.
    pub(super) fn check(self, folder: &Path, report: &Report) -> ListenerOptions {
        let is_tls = self.tls.is_some();
        if let Some(redirect) = self.redirect_https.as_ref().filter(|_| is_tls) {
            report.at(redirect, "this listener is https itself", "put it on the listener without tls");
        }
        if let Some(hsts) = self.hsts.as_ref().filter(|_| !is_tls) {
            let message = "is for listeners with tls only (RFC 6797, section 7.2)";
            report.at(hsts, message, "move it to the listener with tls");
        }
        ListenerOptions {
            tls: self.tls.and_then(|(place, tls)| tls.check(&place, folder, report)),
            proxy_protocol: self.proxy_protocol.map(|trusted| proxy_protocol(&trusted, report)),
            redirect_https: self.redirect_https.map(|at| at.value),
            hsts: self.hsts.map(|at| at.value),
        }
    }
}

impl TlsTable {
    fn read(item: Item<'_>) -> Option<(At<()>, Self)> {
        let place = item.place();
        if item.is_array() {
            let remedy = "write tls = { certificates = [ { cert = \"…\", key = \"…\" }, … ] }";
            item.report().at(&place, "is an array, not a table", remedy);
            return None;
        }
        let mut section = item.section()?;
        let mut certificates = None;
        if let Some(item) = section.take("certificates") {
            let place = item.place();
            if item.is_empty_array() {
                item.report().at(&place, "is empty", "add { cert = \"…\", key = \"…\" }");
            }
            let pairs = item.array().unwrap_or_default().into_iter().filter_map(Item::section).map(|mut section| {
                let pair = (need_file(&mut section, "cert"), need_file(&mut section, "key"));
                section.finish();
                pair
            });
            certificates = Some(place.map(|()| pairs.collect()));
        }
        let pair = match certificates {
            // Asked for all the same, so that they are not unknown; `check` refuses them.
            Some(_) => (section.take("cert").and_then(Item::string), section.take("key").and_then(Item::string)),
            None => (need_file(&mut section, "cert"), need_file(&mut section, "key")),
        };
        let table = Self {
            pair,
            certificates,
            profile: section.take("profile").and_then(Item::string),
            client_auth: section.take("client-auth").and_then(Item::section).map(|mut section| {
                let ca = need_file(&mut section, "ca");
                let mode = section.need("mode", "add mode = \"required\", or \"optional\"").and_then(Item::string);
                section.finish();
                (ca, mode)
            }),
        };
        section.finish();
        Some((place, table))
    }

    fn check(self, place: &At<()>, folder: &Path, report: &Report) -> Option<Tls> {
        let pair = |(cert, key): (Option<At<String>>, Option<At<String>>)| {
            Some(CertificateFiles { cert: folder.join(cert?.value), key: folder.join(key?.value) })
        };
        let certificates = match self.certificates {
            Some(_) if self.pair.0.is_some() || self.pair.1.is_some() => {
                report.at(place, "has certificates and cert or key beside them", "move the pair into certificates");
                Vec::new()
            }
            Some(pairs) => pairs.value.into_iter().filter_map(pair).collect(),
            None => pair(self.pair).into_iter().collect(),
        };
        let profile = self.profile.and_then(|at| report.good(&at, profile(&at.value))).unwrap_or_default();
        let client_auth = self.client_auth.and_then(|(ca, mode)| {
            let required = mode.and_then(|at| report.good(&at, client_auth_mode(&at.value)))?;
            Some(ClientAuth { ca: folder.join(ca?.value), required })
        });
        (!certificates.is_empty()).then_some(Tls { certificates, profile, client_auth })
    }
}

fn need_file(section: &mut Section<'_>, key: &'static str) -> Option<At<String>> {
    section.need(key, &format!("add {key} = \"FILE.pem\"")).and_then(Item::string)
}

fn profile(name: &str) -> Result<TlsProfile, (String, String)> {
    match name {
        "modern" => Ok(TlsProfile::Modern),
        "intermediate" => Ok(TlsProfile::Intermediate),
        _ => {
            Err((format!("{name:?} is no profile"), "write \"modern\" (TLS 1.3) or \"intermediate\" (1.2 too)".into()))
        }
    }
}

/// Whether a certificate is required.
fn client_auth_mode(name: &str) -> Result<bool, (String, String)> {
    match name {
        "required" => Ok(true),
        "optional" => Ok(false),
        _ => Err((format!("{name:?} is no mode"), "write \"required\" or \"optional\"".into())),
    }
}

/// Nothing for `false`.
fn read_proxy_protocol(item: Item<'_>) -> Option<Vec<At<String>>> {
    if item.is_boolean() {
        return item.boolean().filter(|at| at.value).map(|_| Vec::new());
    }
    let mut section = item.section()?;
    let remedy = "write proxy-protocol = true to believe everybody who can connect";
    let trusted = section.need("trusted", remedy).and_then(|item| item.strings(remedy));
    section.finish();
    trusted
}

fn proxy_protocol(trusted: &[At<String>], report: &Report) -> ProxyProtocol {
    let network = |at: &At<String>| {
        let network = Network::parse(&at.value);
        let wrong = || (format!("{:?} is no network", at.value), "write it like \"10.0.0.0/8\"".to_owned());
        report.good(at, network.ok_or_else(wrong))
    };
    ProxyProtocol { trusted: trusted.iter().filter_map(network).collect() }
}

/// `true`, a status, or a table of status and port.
fn read_redirect(item: Item<'_>) -> Option<At<RedirectHttps>> {
    let place = item.place();
    let mut redirect = RedirectHttps { status: StatusCode::PERMANENT_REDIRECT, port: 443 };
    if item.is_boolean() {
        return item.boolean().filter(|at| at.value).map(|at| at.map(|_| redirect));
    }
    if item.is_number() {
        redirect.status = read_redirection(item)?;
        return Some(place.map(|()| redirect));
    }
    let mut section = item.section()?;
    if let Some(item) = section.take("status") {
        redirect.status = read_redirection(item)?;
    }
    if let Some(port) = section.take("port").and_then(|item| item.count(1, usize::from(u16::MAX))) {
        redirect.port = u16::try_from(port).unwrap_or(redirect.port);
    }
    section.finish();
    Some(place.map(|()| redirect))
}

fn read_redirection(item: Item<'_>) -> Option<StatusCode> {
    let (place, report) = (item.place(), item.report());
    let status = item.count(0, usize::MAX)?;
    if !matches!(status, 301 | 302 | 307 | 308) {
        report.at(&place, format!("{status} is no status that redirects"), "write 308, 307, 302 or 301");
        return None;
    }
    StatusCode::from_u16(u16::try_from(status).ok()?).ok()
}

/// A duration, or a table of the directives.
fn read_hsts(item: Item<'_>) -> Option<At<String>> {
    let place = item.place();
    let max_age = |item: Item<'_>| item.duration(Duration::ZERO, Duration::from_secs(10 * 365 * 24 * 3600));
    let mut value = String::new();
    if item.is_string() {
        let _ = write!(value, "max-age={}", max_age(item)?.as_secs());
        return Some(place.map(|()| value));
    }
    let mut section = item.section()?;
    let age = section.need("max-age", "add max-age = \"8760h\"").and_then(max_age);
    let mut flag = |key| section.take(key).and_then(Item::boolean).is_some_and(|at| at.value);
    let (subdomains, preload) = (flag("include-subdomains"), flag("preload"));
    section.finish();
    let _ = write!(value, "max-age={}", age?.as_secs());
    value.push_str(if subdomains { "; includeSubDomains" } else { "" });
    value.push_str(if preload { "; preload" } else { "" });
    Some(place.map(|()| value))
}
