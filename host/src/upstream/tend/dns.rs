//! Names of endpoints, and what DNS says about them: again and again, as often as the answers' lifetimes ask for. What was
//! found last stays in use while nothing can be found.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType, rdata::SRV};
use hickory_resolver::{Resolver, TokioResolver};

use super::check::describe;
use crate::config::EndpointSource;
use crate::upstream::Upstream;
use crate::upstream::endpoint::Candidate;

/// Answers are believed for as long as they say, but not for less and not for more than this.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// Until the next question after a failure; doubled with each, up to `SLOWEST_RETRY`.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const SLOWEST_RETRY: Duration = Duration::from_secs(30);

/// How long a question may take, at each server and each time that it is asked.
const QUESTION: Duration = Duration::from_secs(2);

/// What a source stands for, and for how long.
type Found = Result<(Vec<Candidate>, Duration), String>;

/// The sources that are names.
pub(super) fn names(upstream: &Upstream) -> Vec<usize> {
    let is_name = |source: &EndpointSource| match source {
        EndpointSource::Host { endpoint, .. } => endpoint.host.parse::<IpAddr>().is_err(),
        EndpointSource::Service { .. } => true,
    };
    let sources = upstream.settings.sources.iter().enumerate();
    sources.filter(|(_, source)| is_name(source)).map(|(index, _)| index).collect()
}

/// Finds all names once.
pub(super) async fn find_once(upstream: Arc<Upstream>) {
    let Ok(resolver) = resolver(&upstream) else { return };
    for source in names(&upstream) {
        if !upstream.endpoints.is_found(source) {
            let found = find(&resolver, &upstream.settings.sources[source]).await;
            let _ = take_in(&upstream, source, found);
        }
    }
}

/// Finds a name again whenever what is known about it is out of date.
pub(super) async fn keep_finding(upstream: Arc<Upstream>, source: usize) {
    let mut pause = FIRST_RETRY;
    loop {
        let found = match resolver(&upstream) {
            Ok(resolver) => find(&resolver, &upstream.settings.sources[source]).await,
            Err(error) => Err(error),
        };
        let next = take_in(&upstream, source, found);
        let wait = next.unwrap_or(pause);
        pause = if next.is_some() { FIRST_RETRY } else { (pause * 2).min(SLOWEST_RETRY) };
        tokio::time::sleep(wait).await;
    }
}

/// Takes in what was found; says how long it is good for. Without, what is known stays.
fn take_in(upstream: &Upstream, source: usize, found: Found) -> Option<Duration> {
    match found {
        Ok((candidates, lifetime)) => {
            upstream.change(|publisher, known, now| {
                known.set_found(source, candidates);
                publisher.join(known, now);
            });
            Some(lifetime.clamp(SHORTEST, LONGEST))
        }
        Err(error) => {
            if let Some(held_back) = upstream.metrics.not_found() {
                let (upstream, source) = (upstream.name(), name_of(&upstream.settings.sources[source]));
                tracing::warn!(upstream, name = source, error, held_back, "a name could not be found");
            }
            None
        }
    }
}

fn name_of(source: &EndpointSource) -> &str {
    match source {
        EndpointSource::Host { endpoint, .. } => &endpoint.host,
        EndpointSource::Service { name } => name,
    }
}

/// The configured name server, or those of the system. Made anew for each question, so that a change of the system's
/// configuration is noticed; nothing is cached, as the lifetimes are kept here.
fn resolver(upstream: &Upstream) -> Result<TokioResolver, String> {
    let provider = TokioRuntimeProvider::default();
    let mut builder = match upstream.settings.options.resolver {
        // Without a configuration the system asks a server on this machine (resolv.conf(5)).
        None => Resolver::builder(provider.clone()).unwrap_or_else(|_| {
            let server = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
            Resolver::builder_with_config(ResolverConfig::from_name_servers(vec![server]), provider)
        }),
        Some(server) => {
            let at = |mut connection: ConnectionConfig| {
                connection.port = server.port();
                connection
            };
            let connections = vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())];
            let server = NameServerConfig::new(server.ip(), true, connections);
            Resolver::builder_with_config(ResolverConfig::from_name_servers(vec![server]), provider)
        }
    };
    let options = builder.options_mut();
    options.cache_size = 0;
    options.timeout = QUESTION;
    // A host with addresses of both families would count twice, and be half dead where only one of them is routed.
    options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
    if upstream.settings.options.resolver.is_some() {
        options.use_hosts_file = ResolveHosts::Never;
    }
    builder.build().map_err(|error| describe(&error))
}

async fn find(resolver: &TokioResolver, source: &EndpointSource) -> Found {
    match source {
        EndpointSource::Host { endpoint, weight } => {
            let (addresses, lifetime) = addresses(resolver, &endpoint.host).await?;
            let candidate = |ip| Candidate {
                host: endpoint.host.clone(),
                address: SocketAddr::new(ip, endpoint.port),
                weight: *weight,
            };
            Ok((addresses.into_iter().map(candidate).collect(), lifetime))
        }
        EndpointSource::Service { name } => service(resolver, name).await,
    }
}

/// At least one address.
async fn addresses(resolver: &TokioResolver, host: &str) -> Result<(Vec<IpAddr>, Duration), String> {
    let found = resolver.lookup_ip(host).await.map_err(|error| describe(&error))?;
    let mut addresses: Vec<IpAddr> = found.iter().collect();
    // Answers are shuffled; the order of endpoints should not be.
    addresses.sort_unstable();
    addresses.dedup();
    match addresses.is_empty() {
        true => Err("there are no addresses".to_owned()),
        false => Ok((addresses, lifetime(found.as_lookup().answers().iter().map(|record| record.ttl)))),
    }
}

/// The servers of the best priority that have addresses (RFC 2782).
async fn service(resolver: &TokioResolver, name: &str) -> Found {
    let found = resolver.lookup(name, RecordType::SRV).await.map_err(|error| describe(&error))?;
    let mut servers: Vec<(&SRV, u32)> = Vec::new();
    for record in found.answers() {
        if let RData::SRV(server) = &record.data {
            servers.push((server, record.ttl));
        }
    }
    servers.sort_by_key(|(server, _)| (server.priority, server.target.clone(), server.port));
    let mut complaint = "there are no servers".to_owned();
    for group in servers.chunk_by(|(one, _), (other, _)| one.priority == other.priority) {
        let (mut candidates, mut shortest) = (Vec::new(), LONGEST);
        for (server, ttl) in group.iter().filter(|(server, _)| !server.target.is_root()) {
            let host = server.target.to_ascii();
            match addresses(resolver, &host).await {
                Ok((addresses, lifetime)) => {
                    shortest = shortest.min(lifetime).min(Duration::from_secs(u64::from(*ttl)));
                    let host = host.trim_end_matches('.').to_owned();
                    candidates.extend(addresses.into_iter().map(|ip| Candidate {
                        host: host.clone(),
                        address: SocketAddr::new(ip, server.port),
                        // 0 is for those that are to be chosen hardly ever.
                        weight: u32::from(server.weight.max(1)),
                    }));
                }
                Err(error) => complaint = format!("{host}: {error}"),
            }
        }
        if !candidates.is_empty() {
            return Ok((candidates, shortest));
        }
    }
    Err(complaint)
}

fn lifetime(ttls: impl Iterator<Item = u32>) -> Duration {
    ttls.min().map_or(SHORTEST, |seconds| Duration::from_secs(u64::from(seconds)))
}
