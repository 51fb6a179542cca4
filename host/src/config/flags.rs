//! The form without a config file: one upstream, and all policies of the directory for all traffic.

use std::{net::SocketAddr, path::Path};

use super::{
    CallOptions, Config, EndpointSource, Files, Flags, Limits, Listener, ListenerOptions, ListenerSet, PathMatch,
    Paths, Problem, Route, Transport, Upstream, UpstreamOptions, UpstreamTimeouts,
    filters::Filters,
    grants,
    policy_dir::{Found, PolicyDir},
    report::Report,
    transport, upstream,
};
use crate::oci::Access;
use crate::route::{Action, Destination, Forward};

/// The configuration that flags stand for.
pub(super) fn load(files: &Files, flags: &Flags, bundled: &[&str]) -> Result<Config, Vec<Problem>> {
    let (listen, to, dir) = (Report::new("--listen"), Report::new("--upstream"), Report::new("--policies"));
    let listeners = listeners(&flags.listen, &listen);
    let upstream = upstream(&flags.upstream, &to);
    let mut policies = flags.policies.as_deref().map(|path| policies(files, path, bundled, &dir)).unwrap_or_default();
    grants::check(&mut policies.entries, upstream.as_slice(), &[], &dir);
    let problems: Vec<Problem> = [listen, to, dir].into_iter().flat_map(Report::into_problems).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Config {
        listeners,
        admin: None,
        workers: None,
        access_log: false,
        access_filters: false,
        tracing: None,
        state_dir: None,
        state_size: None,
        policies_dir: flags.policies.clone(),
        limits: Limits::default(),
        paths: Paths::default(),
        upstreams: upstream.into_iter().collect(),
        stores: Vec::new(),
        secrets: Vec::new(),
        registries: Access::default(),
        trust: Vec::new(),
        routes: vec![route_for_all(&policies)],
        policies: policies.entries,
        from_file: false,
        catalogue: None,
        kept: Vec::new(),
        files: policies.files,
    })
}

fn listeners(addresses: &[SocketAddr], report: &Report) -> Vec<Listener> {
    if addresses.is_empty() {
        report.whole("there is no address to listen on", "add --listen 127.0.0.1:8080");
    }
    for (index, address) in addresses.iter().enumerate() {
        if address.port() != 0 && addresses[..index].contains(address) {
            report.whole(format!("{address} is given twice"), "remove one of the two");
        }
    }
    let listener = |(index, address): (usize, &SocketAddr)| Listener {
        name: format!("listener-{}", index + 1),
        address: *address,
        options: ListenerOptions::default(),
    };
    addresses.iter().enumerate().map(listener).collect()
}

fn upstream(url: &str, report: &Report) -> Option<Upstream> {
    let wrong = |(message, remedy)| report.whole(message, remedy);
    let (endpoint, is_https) = upstream::parse_url(url).map_err(wrong).ok()?;
    let tls = is_https.then(|| transport::system(&endpoint.host)).transpose().map_err(wrong).ok()?;
    let timeouts = UpstreamTimeouts::default();
    let transport = Transport { tls, http2: None };
    let (endpoints, options) = (vec![EndpointSource::host(endpoint)], UpstreamOptions::default());
    Some(Upstream { name: "upstream".to_owned(), endpoints, timeouts, transport, options })
}

fn policies(files: &Files, path: &Path, bundled: &[&str], report: &Report) -> Found {
    match PolicyDir::list(files, path) {
        Ok(dir) => dir.read(files, &Filters::new(dir.modules(), bundled), &[]),
        Err((message, remedy)) => {
            report.whole(message, remedy);
            Found::default()
        }
    }
}

/// Also names the policies that have a problem: whoever runs this may have an older version of them.
fn route_for_all(policies: &Found) -> Route {
    Route {
        name: "route-1".to_owned(),
        listeners: ListenerSet::All,
        hosts: Vec::new(),
        methods: Vec::new(),
        headers: Vec::new(),
        query: Vec::new(),
        path: PathMatch::Any,
        policies: policies.entries.iter().map(|entry| entry.name.clone()).collect(),
        upgrades: true,
        call: CallOptions::default(),
        forward_identity: None,
        action: Action::Forward(Forward { to: Destination::One(0), rewrite: None, mirror: None }),
        body_limit: None,
        team: None,
    }
}
