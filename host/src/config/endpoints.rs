//! Where an upstream's endpoints come from: `endpoints`, `endpoints-file` or `dns`, exactly one of them.

use std::path::{Path, PathBuf};

use super::{
    Endpoint, EndpointSource, Files,
    document::Document,
    report::{At, Report, Wrong},
    section::{Item, Section},
    upstream::{is_host_name, parse_endpoint},
};

/// More would make every worker slow to take in a change.
const MAX_ENDPOINTS: usize = 1_024;
const MAX_WEIGHT: usize = 1_000;
const REMEDY: &str = "add endpoints = [\"127.0.0.1:9000\"]";

/// What the config file says about the endpoints of an upstream.
#[derive(Debug)]
pub(super) enum EndpointsTable {
    /// They are listed here.
    List(Vec<ListedEndpoint>),
    /// They are listed in a file of their own.
    File(At<String>),
    /// They are asked for.
    Dns(At<()>, DnsTable),
    /// Nothing that could be used; it has been reported.
    Nothing,
}

/// `"host:port"` or `{ address = "host:port", weight = 3 }`.
#[derive(Debug)]
pub(super) struct ListedEndpoint {
    address: At<String>,
    weight: u32,
}

/// `dns = { name = "…", port = … }` or `dns = { srv = "…" }`.
#[derive(Debug)]
pub(super) struct DnsTable {
    name: Option<At<String>>,
    port: Option<usize>,
    srv: Option<At<String>>,
}

impl EndpointsTable {
    /// Reads the keys and reports what is wrong with them.
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let (list, file, dns) = (section.take("endpoints"), section.take("endpoints-file"), section.take("dns"));
        match (list, file, dns) {
            (Some(list), None, None) => Self::List(read_list(list)),
            (None, Some(file), None) => file.string().map_or(Self::Nothing, Self::File),
            (None, None, Some(dns)) => {
                let place = dns.place();
                dns.section().map_or(Self::Nothing, |section| Self::Dns(place, DnsTable::read(section)))
            }
            (None, None, None) => {
                let _ = section.need("endpoints", REMEDY);
                Self::Nothing
            }
            _ => {
                let message = "has more than one of endpoints, endpoints-file and dns";
                section.report().at(&section.place(), message, "keep one of them");
                Self::Nothing
            }
        }
    }

    /// The sources as far as they are good, and the file that they were read from, if it is not the config file.
    pub(super) fn check(self, files: &Files, folder: &Path, report: &Report) -> (Vec<EndpointSource>, Option<PathBuf>) {
        match self {
            Self::List(listed) => (check_list(listed, report), None),
            Self::File(at) => read_file(files, &at, folder, report),
            Self::Dns(place, table) => (table.check(&place, report).into_iter().collect(), None),
            Self::Nothing => (Vec::new(), None),
        }
    }
}

impl ListedEndpoint {
    fn read(item: Item<'_>) -> Option<Self> {
        if !item.is_table() {
            return item.string().map(|address| Self { address, weight: 1 });
        }
        let mut section = item.section()?;
        let address = section.need("address", "add address = \"127.0.0.1:9000\"").and_then(Item::string);
        let weight = section.take("weight").and_then(|item| item.count(1, MAX_WEIGHT)).unwrap_or(1);
        section.finish();
        address.map(|address| Self { address, weight: u32::try_from(weight).unwrap_or(1) })
    }
}

impl DnsTable {
    fn read(mut section: Section<'_>) -> Self {
        let table = Self {
            name: section.take("name").and_then(Item::string),
            port: section.take("port").and_then(|item| item.count(1, usize::from(u16::MAX))),
            srv: section.take("srv").and_then(Item::string),
        };
        section.finish();
        table
    }

    fn check(self, place: &At<()>, report: &Report) -> Option<EndpointSource> {
        match (self.name, self.port.and_then(|port| u16::try_from(port).ok()), self.srv) {
            (Some(at), Some(port), None) => {
                let host = report.good(&at, dns_name(&at.value))?;
                Some(EndpointSource::Host { endpoint: Endpoint { host, port }, weight: 1 })
            }
            (None, None, Some(at)) => {
                report.good(&at, dns_name(&at.value)).map(|name| EndpointSource::Service { name })
            }
            _ if report.concerns(&place.key) => None,
            _ => {
                report.at(
                    place,
                    "needs name and port, or srv",
                    "write { name = \"…\", port = 9000 } or { srv = \"…\" }",
                );
                None
            }
        }
    }
}

fn dns_name(text: &str) -> Result<String, Wrong> {
    let name = text.strip_suffix('.').unwrap_or(text);
    match is_host_name(name) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err((format!("{text:?} is not a domain name"), "write it like \"orders.internal\"".to_owned())),
    }
}

fn read_list(item: Item<'_>) -> Vec<ListedEndpoint> {
    if item.is_empty_array() {
        item.report().at(&item.place(), "is empty", REMEDY);
    }
    let place = item.place();
    let report = item.report();
    let listed: Vec<_> = item.array().unwrap_or_default().into_iter().filter_map(ListedEndpoint::read).collect();
    if listed.len() > MAX_ENDPOINTS {
        report.at(&place, format!("has {} endpoints", listed.len()), format!("name at most {MAX_ENDPOINTS}"));
    }
    listed
}

fn check_list(listed: Vec<ListedEndpoint>, report: &Report) -> Vec<EndpointSource> {
    let mut sources: Vec<EndpointSource> = Vec::new();
    for ListedEndpoint { address, weight } in listed {
        let Some(endpoint) = report.good(&address, parse_endpoint(&address.value)) else { continue };
        let same = |source: &EndpointSource| matches!(source, EndpointSource::Host { endpoint: other, .. } if *other == endpoint);
        if sources.iter().any(same) {
            report.at(&address, format!("{:?} is named twice", address.value), "name it once, with a weight");
        }
        sources.push(EndpointSource::Host { endpoint, weight });
    }
    sources
}

/// The file is TOML with the one key `endpoints`, written as in the config file.
fn read_file(files: &Files, at: &At<String>, folder: &Path, report: &Report) -> (Vec<EndpointSource>, Option<PathBuf>) {
    let path = folder.join(&at.value);
    if path.extension().is_none_or(|ending| ending != "toml") {
        report.at(at, format!("{:?} does not end in .toml", at.value), "give it the ending, for it is TOML");
        return (Vec::new(), None);
    }
    let document = Document::read(files, &path, &format!("write it, or change {}", at.key));
    let sources = document.parse().map(|mut section| {
        let remedy = REMEDY;
        let listed = section.need("endpoints", remedy).map(read_list).unwrap_or_default();
        section.finish();
        check_list(listed, &document.report)
    });
    report.absorb(document.report);
    (sources.unwrap_or_default(), Some(path))
}
