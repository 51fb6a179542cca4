//! From the config file as written to the configuration as run on: all problems at once, or none.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Catalogue, Config, Files, Listener, Problem, SecretEntry, Store, Upstream,
    catalogue::{self, Around, TeamRoutes},
    document::Document,
    file::{ConfigFile, ListenerTable, UpstreamTable},
    grants,
    policies::Policies,
    registries,
    report::{At, Report},
    route::{self, Known},
};

/// The configuration that a file stands for.
pub(super) fn load(files: &Files, path: &Path, bundled: &[&str]) -> Result<Config, Vec<Problem>> {
    let document = Document::read(files, path, "check the path given to --config");
    let config = document.parse().map(ConfigFile::read).map(|file| check(files, file, bundled, &document.report));
    let problems = document.report.into_problems();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

/// The configuration as far as it is good: it counts only if nothing was reported.
fn check(files: &Files, file: ConfigFile, bundled: &[&str], report: &Report) -> Config {
    let path = report.file();
    let folder = path.parent().unwrap_or(Path::new(""));
    let policies_dir = file.policies_dir.map(|at| at.map(|dir| folder.join(dir)));
    let around = Around { files, policies_dir: policies_dir.as_ref().map(|at| at.value.as_path()), bundled };
    let catalogue = file.catalogue.map(|at| Catalogue::read(folder.join(at.value), &around, report));
    let catalogue = catalogue.as_ref();
    let policies = Policies::gather(files, policies_dir.as_ref(), file.policies, bundled, catalogue, report);
    let listeners = listeners(file.listeners, folder, report);
    let (upstreams, endpoint_files): (Vec<Upstream>, Vec<_>) =
        file.upstreams.into_iter().map(|table| upstream(files, table, folder, report)).unzip();
    let watched = policies.files();
    let secrets: Vec<_> = file.secrets.into_iter().filter_map(|table| table.check(folder, report)).collect();
    let known = Known { listeners: &listeners, upstreams: &upstreams, policies: &policies, catalogue, team: None };
    let mut routes = route::check_all(file.routes, &known, report);
    let TeamRoutes { routes: of_teams, kept } = catalogue::team_routes(files, &known, &routes, report);
    routes.extend(of_teams);
    let mut policies = policies.into_entries(path);
    let stores: Vec<Store> = file.stores.into_iter().map(|table| table.check(folder, report)).collect();
    grants::check(&mut policies, &upstreams, &stores, report);
    catalogue.iter().for_each(|catalogue| catalogue.check(&mut policies, report));
    let trust = file.trust.into_iter().filter_map(|table| table.check(folder, report));
    let (trust, key_files): (Vec<_>, Vec<_>) = trust.unzip();
    let (registries, registry_files) = registries::check_all(file.registries, folder, report);
    Config {
        admin: file.admin.and_then(|at| admin(&at, &listeners, report)),
        workers: file.workers.and_then(NonZeroUsize::new),
        access_log: file.access_log.is_some(),
        access_filters: file.access_log == Some(true),
        tracing: file.tracing,
        state_dir: file.state_dir.map(|at| folder.join(at.value)),
        state_size: file.state_size,
        policies_dir: policies_dir.map(|at| at.value),
        limits: file.limits,
        paths: file.paths,
        routes,
        from_file: true,
        catalogue: catalogue.cloned().map(Arc::new),
        kept,
        files: [path.to_owned()]
            .into_iter()
            .chain(watched)
            .chain(catalogue.into_iter().flat_map(Catalogue::files))
            .chain(endpoint_files.into_iter().flatten())
            .chain(tls_files(&listeners))
            .chain(upstream_files(&upstreams))
            .chain(stores.iter().filter_map(|store| store.redis.as_ref()).flat_map(|redis| redis.files.clone()))
            .chain(secrets.iter().filter_map(SecretEntry::file).map(Path::to_owned))
            .chain(registry_files)
            .chain(key_files.into_iter().flatten())
            .collect(),
        policies,
        stores,
        listeners,
        upstreams,
        secrets,
        registries,
        trust,
    }
}

fn listeners(tables: Vec<ListenerTable>, folder: &Path, report: &Report) -> Vec<Listener> {
    let names = unique_names(tables.iter().map(|table| (&table.place, &table.name)), "listener", report);
    let mut listeners: Vec<Listener> = Vec::new();
    for (table, name) in tables.into_iter().zip(names) {
        let address = table.address.as_ref().and_then(|at| address(at, "127.0.0.1:8080", report));
        // Unspecified stands in for an address with a problem, so that the indices stay true.
        let address = address.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
        if let Some(other) = listeners.iter().find(|other| other.address == address && address.port() != 0) {
            let message = format!("{address} is the address of listener {:?} already", other.name);
            table.address.iter().for_each(|at| report.at(at, message.clone(), "give each listener its own address"));
        }
        listeners.push(Listener { name, address, options: table.options.check(folder, report) });
    }
    listeners
}

fn tls_files(listeners: &[Listener]) -> Vec<PathBuf> {
    let tls = listeners.iter().filter_map(|listener| listener.options.tls.as_ref());
    let mut files: Vec<PathBuf> = tls.flat_map(|tls| tls.files().map(Path::to_owned)).collect();
    files.sort();
    files.dedup();
    files
}

fn admin(at: &At<String>, listeners: &[Listener], report: &Report) -> Option<SocketAddr> {
    let address = address(at, "127.0.0.1:9901", report)?;
    if let Some(listener) = listeners.iter().find(|listener| listener.address == address && address.port() != 0) {
        let message = format!("{address} is the address of listener {:?} already", listener.name);
        report.at(at, message, "give the admin listener its own address");
    }
    Some(address)
}

fn address(at: &At<String>, example: &str, report: &Report) -> Option<SocketAddr> {
    let parsed = at.value.parse().ok();
    if parsed.is_none() {
        let message = format!("{:?} is not an IP address with a port", at.value);
        report.at(at, message, format!("write it like {example:?}"));
    }
    parsed
}

/// The upstream, and the file of its endpoints if it has one.
fn upstream(files: &Files, table: UpstreamTable, folder: &Path, report: &Report) -> (Upstream, Option<PathBuf>) {
    if table.name.value.is_empty() {
        report.at(&table.name, "has an empty name", "write [upstreams.NAME]");
    }
    let (endpoints, file) = table.endpoints.check(files, folder, report);
    let transport = table.transport.check(&endpoints, folder, report);
    let (name, timeouts, options) = (table.name.value, table.timeouts, table.options);
    (Upstream { name, endpoints, timeouts, transport, options }, file)
}

/// The files that upstreams are secured with.
fn upstream_files(upstreams: &[Upstream]) -> Vec<PathBuf> {
    let tls = upstreams.iter().filter_map(|upstream| upstream.transport.tls.as_ref());
    tls.flat_map(|tls| tls.files.iter().cloned()).collect()
}

/// The names of listeners or routes: as written, else by position. No two are the same.
pub(super) fn unique_names<'a>(
    tables: impl Iterator<Item = (&'a At<()>, &'a Option<At<String>>)>,
    kind: &str,
    report: &Report,
) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut names = Vec::new();
    for (index, (place, written)) in tables.enumerate() {
        let name = written.as_ref().map_or_else(|| format!("{kind}-{}", index + 1), |at| at.value.clone());
        let (key, line) = written.as_ref().map_or((&place.key, place.line), |at| (&at.key, at.line));
        if name.is_empty() {
            report.key(key, line, "is empty", "write a name, or leave it out");
        } else if let Some(first) = seen.insert(name.clone(), line) {
            let message = format!("{name:?} is the name of the {kind} on line {first} already");
            report.key(key, line, message, format!("give each {kind} its own name"));
        }
        names.push(name);
    }
    names
}
