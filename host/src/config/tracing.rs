//! `[tracing]`: whether exchanges belong to traces, and who is told.

use super::{
    Share,
    report::At,
    section::{Item, Section},
};

/// How exchanges are traced.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracing {
    /// `endpoint`: where spans are sent, if anywhere.
    pub collector: Option<Collector>,
    /// `service-name`: what the gateway is called there.
    pub service: String,
    /// `sample`: which part of the exchanges is recorded.
    pub sample: Share,
    /// `follow-parent`: whether a client's word counts for it.
    pub follow_parent: bool,
}

/// A collector of spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    /// The host as written, in brackets if it is an IPv6 address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path.
    pub path: String,
}

pub(super) fn read(mut section: Section<'_>) -> Tracing {
    let endpoint = section.take("endpoint").and_then(read_endpoint);
    let service = section.take("service-name").and_then(Item::string);
    let sample = section.take("sample").and_then(Item::share);
    let follow_parent = section.take("follow-parent").and_then(Item::boolean);
    section.finish();
    Tracing {
        collector: endpoint,
        service: service.map_or_else(|| "tollgate".to_owned(), |at| at.value),
        sample: sample.unwrap_or(Share::per_mille(10)),
        follow_parent: follow_parent.is_some_and(|at| at.value),
    }
}

fn read_endpoint(item: Item<'_>) -> Option<Collector> {
    let report = item.report();
    let at: At<String> = item.string()?;
    let collector = parse(&at.value);
    if collector.is_none() {
        let message = format!("{:?} is not an http URL with a path", at.value);
        report.at(
            &at,
            message,
            "write it like \"http://127.0.0.1:4318/v1/traces\"; for https, send to a collector nearby",
        );
    }
    collector
}

fn parse(url: &str) -> Option<Collector> {
    let url: http::Uri = url.parse().ok()?;
    let (authority, path) = (url.authority()?, url.path());
    let is_plain = url.scheme_str() == Some("http") && !authority.as_str().contains('@') && path.starts_with('/');
    let (host, port) = (authority.host().to_owned(), authority.port_u16().unwrap_or(4318));
    is_plain.then(|| Collector { host, port, path: url.path_and_query().map_or(path, |path| path.as_str()).to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_an_http_url() {
        let collector = parse("http://[::1]:4000/v1/traces?x=y").unwrap();
        assert_eq!(
            (collector.host.as_str(), collector.port, collector.path.as_str()),
            ("[::1]", 4000, "/v1/traces?x=y")
        );
        assert_eq!(parse("http://otel/v1/traces").unwrap().port, 4318);
        for wrong in ["", "otel:4318", "https://otel/v1/traces", "http://user@otel/", "/v1/traces"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
