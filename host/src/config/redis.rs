//! `redis` of a store: a Redis or Valkey server that keeps state for several gateways.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{
    UpstreamTls,
    report::{At, Report, Wrong},
    section::{Item, Section},
    transport::TlsTable,
};

/// The largest password that is read, in bytes.
const MAX_PASSWORD: u64 = 4096;

/// How a server is reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Redis {
    /// `address`: host and port.
    pub address: String,
    /// The host alone, whose name its certificate has unless `tls` says another.
    pub host: String,
    /// `tls`: how connections are secured.
    pub tls: Option<UpstreamTls>,
    /// `username`.
    pub username: Option<String>,
    /// What is in `password-file`.
    pub password: Option<Secret>,
    /// `prefix`: what all keys begin with.
    pub prefix: String,
    /// `timeout`: how long an answer may take.
    pub timeout: Duration,
    /// The files that this was read from.
    pub files: Vec<PathBuf>,
}

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// As written.
#[derive(Debug)]
pub(super) struct RedisTable {
    address: Option<At<String>>,
    tls: Option<TlsTable>,
    username: Option<String>,
    password_file: Option<At<String>>,
    prefix: Option<String>,
    timeout: Option<Duration>,
}

impl RedisTable {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let (least, most) = (Duration::from_millis(1), Duration::from_secs(10));
        let table = Self {
            address: section.need("address", "add address = \"127.0.0.1:6379\"").and_then(Item::string),
            tls: section.take("tls").and_then(TlsTable::read),
            username: section.take("username").and_then(Item::string).map(|at| at.value),
            password_file: section.take("password-file").and_then(Item::string),
            prefix: section.take("prefix").and_then(Item::string).map(|at| at.value),
            timeout: section.take("timeout").and_then(|item| item.duration(least, most)),
        };
        section.finish();
        table
    }

    /// The server, as far as it is good; paths are relative to the folder.
    pub(super) fn check(self, folder: &Path, report: &Report) -> Option<Redis> {
        let address = self.address?;
        let host = report.good(&address, host(&address.value));
        if let (Some(table), Some(host)) = (&self.tls, &host) {
            table.check_host(host, report);
        }
        let tls = self.tls.map(|table| table.check(folder, report));
        let mut files: Vec<_> = tls.iter().flatten().flat_map(|tls| tls.files.clone()).collect();
        let password = self.password_file.and_then(|at| {
            files.push(folder.join(&at.value));
            report.good(&at, read_password(&at.value, folder))
        });
        Some(Redis {
            address: address.value,
            host: host?,
            tls: tls.flatten(),
            username: self.username,
            password,
            prefix: self.prefix.unwrap_or_else(|| "tollgate:".to_owned()),
            timeout: self.timeout.unwrap_or(Duration::from_millis(50)),
            files,
        })
    }
}

fn host(address: &str) -> Result<String, Wrong> {
    let split = address.rsplit_once(':').filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    match split {
        Some((host, _)) => Ok(host.trim_matches(['[', ']']).to_owned()),
        None => Err((format!("{address:?} is not a host with a port"), "write it like \"127.0.0.1:6379\"".to_owned())),
    }
}

/// The file's content without the line break at its end.
fn read_password(path: &str, folder: &Path) -> Result<Secret, Wrong> {
    let file = folder.join(path);
    let unreadable = |error: std::io::Error| {
        (format!("{path:?} cannot be read: {error}"), "check that the file is there and can be read".to_owned())
    };
    if std::fs::metadata(&file).map_err(unreadable)?.len() > MAX_PASSWORD {
        return Err((format!("{path:?} is larger than 4KiB"), "write nothing but the password".to_owned()));
    }
    let content = std::fs::read_to_string(&file).map_err(unreadable)?;
    match content.trim_end_matches(['\r', '\n']) {
        "" => Err((format!("{path:?} is empty"), "write the password".to_owned())),
        password => Ok(Secret(password.to_owned())),
    }
}
