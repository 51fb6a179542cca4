//! What a listener may say besides its address: TLS, the PROXY protocol, the way to https. Read as written, then checked.

use std::{fmt::Write, path::Path, time::Duration};

use http::StatusCode;

use super::{
    network::Network,
    report::{At, Report},
    section::{Item, Section},
    tls::{Tls, TlsTable},
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
