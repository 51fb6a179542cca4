//! TLS, the same for all: a certificate (ECDSA on P-256), and clients that speak TLS 1.3 with one cipher and one curve.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::http::Response;
use super::scenarios::Downstream;
use super::{place, service};

/// What clients offer, and thus what every peer takes.
pub(super) const CIPHER: &str = "TLS_AES_128_GCM_SHA256";
pub(super) const CURVE: &str = "P-256";

const LIMIT: Duration = Duration::from_secs(10);

/// Files below `target/bench/tls`.
pub(super) struct Certificate {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
    /// Both in one file, as HAProxy wants them.
    pub(super) both: PathBuf,
    /// For clients that leave cipher and curve to OpenSSL (wrk does).
    pub(super) openssl_conf: PathBuf,
}

impl Certificate {
    /// Makes one for 127.0.0.1, signed by itself.
    pub(super) fn make() -> anyhow::Result<Self> {
        let openssl = place::program("openssl").context("openssl is missing; install the Debian package openssl")?;
        let folder = place::fresh_folder("tls")?;
        let file = |name: &str| folder.join(name);
        let made = Self {
            cert: file("cert.pem"),
            key: file("key.pem"),
            both: file("both.pem"),
            openssl_conf: file("openssl.cnf"),
        };
        let (cert, key) = (made.cert.to_string_lossy(), made.key.to_string_lossy());
        let words = "req -x509 -nodes -days 30 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=localhost \
                     -addext subjectAltName=DNS:localhost,IP:127.0.0.1";
        let mut args: Vec<&str> = words.split_whitespace().collect();
        args.extend(["-out", &*cert, "-keyout", &*key]);
        let (status, text) = service::output(&openssl, &args, LIMIT)?;
        ensure!(status.success(), "openssl made no certificate ({status}):\n{text}");
        let read = |path: &PathBuf| std::fs::read(path).with_context(|| format!("no {}", path.display()));
        place::write(&made.both, [read(&made.cert)?, read(&made.key)?].concat())?;
        place::write(&made.openssl_conf, openssl_conf())?;
        Ok(made)
    }
}

fn openssl_conf() -> String {
    format!(
        "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = clients\n[clients]\n\
         MinProtocol = TLSv1.3\nCiphersuites = {CIPHER}\nGroups = {CURVE}\n"
    )
}

/// A request by curl, which fails unless the peer takes the protocol, the cipher and the curve.
pub(super) fn get(
    address: SocketAddr,
    downstream: Downstream,
    path: &str,
    headers: &[(&str, &str)],
) -> anyhow::Result<Response> {
    let curl = place::program("curl").context("curl is missing; install the Debian package curl")?;
    let (flag, version) = match downstream {
        Downstream::H2 => ("--http2", "HTTP/2 "),
        Downstream::Tls | Downstream::Clear => ("--http1.1", "HTTP/1.1 "),
    };
    let fields: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let url = format!("{}://{address}{path}", downstream.scheme());
    let mut args = vec!["--silent", "--show-error", "--insecure", "--include", "--max-time", "5", "--tlsv1.3"];
    args.extend(["--tls13-ciphers", CIPHER, "--curves", CURVE, flag]);
    args.extend(fields.iter().flat_map(|field| ["--header", field]));
    args.push(&url);
    let (status, text) = service::output(&curl, &args, LIMIT)?;
    ensure!(status.success(), "curl failed ({status}): {text}");
    ensure!(text.starts_with(version), "not the protocol that was asked for: {text}");
    Response::parse(&text).with_context(|| format!("curl printed no response: {text}"))
}
