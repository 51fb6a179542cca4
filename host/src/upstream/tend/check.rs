//! Asking endpoints how they are.

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, StatusCode, header, request};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};

use super::grpc;
use crate::config::{HealthCheck, Probe};
use crate::message::Body;
use crate::upstream::client::{self, Opener, dial};
use crate::upstream::pick::Dice;
use crate::upstream::{Endpoint, Upstream};

/// The checks of one upstream's endpoints, a task each.
pub(super) struct Checks {
    upstream: Arc<Upstream>,
    tasks: JoinSet<()>,
    running: HashMap<SocketAddr, (Arc<Endpoint>, AbortHandle)>,
}

impl Checks {
    pub(super) fn new(upstream: Arc<Upstream>) -> Self {
        Self { upstream, tasks: JoinSet::new(), running: HashMap::new() }
    }

    /// Checks these and no others.
    pub(super) fn follow(&mut self, endpoints: &[Arc<Endpoint>]) {
        self.running.retain(|_, (known, task)| {
            let stays = endpoints.iter().any(|endpoint| Arc::ptr_eq(endpoint, known));
            if !stays {
                task.abort();
            }
            stays
        });
        for endpoint in endpoints {
            let (upstream, tasks) = (&self.upstream, &mut self.tasks);
            self.running.entry(endpoint.address).or_insert_with(|| {
                let task = tasks.spawn_local(keep_checking(Arc::clone(upstream), Arc::clone(endpoint)));
                (Arc::clone(endpoint), task)
            });
        }
        while self.tasks.try_join_next().is_some() {}
    }
}

async fn keep_checking(upstream: Arc<Upstream>, endpoint: Arc<Endpoint>) {
    let Some(rules) = &upstream.settings.options.health else { return };
    let dice = Dice::default();
    loop {
        let answer = match tokio::time::timeout(rules.timeout, check(&upstream, &endpoint, rules)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer for {:?}", rules.timeout)),
        };
        super::checked(&upstream, endpoint.address, answer);
        tokio::time::sleep(jittered(rules.interval, &dice)).await;
    }
}

/// Give or take a tenth, so that many gateways do not ask at the same moment.
fn jittered(interval: Duration, dice: &Dice) -> Duration {
    let tenth = u32::try_from(dice.below(201)).unwrap_or(100);
    interval * (900 + tenth) / 1_000
}

async fn check(upstream: &Upstream, endpoint: &Endpoint, rules: &HealthCheck) -> Result<(), String> {
    match &rules.probe {
        Probe::Tcp => TcpStream::connect(endpoint.address).await.map(drop).map_err(|error| error.to_string()),
        Probe::Grpc { service } => grpc::check(upstream, endpoint, service).await,
        Probe::Http { path, host, expect } => {
            let mut request = Request::new(());
            *request.method_mut() = Method::GET;
            *request.uri_mut() = path.clone().into();
            let host = host.clone().unwrap_or_else(|| endpoint.authority());
            let host = HeaderValue::from_str(&host).map_err(|error| error.to_string())?;
            request.headers_mut().insert(header::HOST, host);
            request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static("tollgate-health"));
            request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            let status = ask(upstream, endpoint, request.into_parts().0, rules.timeout).await;
            let status = status.map_err(|error| describe(&*error))?;
            match expect.contains(status) {
                true => Ok(()),
                false => Err(format!("status {}", status.as_u16())),
            }
        }
    }
}

/// What a request without content is answered, in the version that the upstream speaks.
async fn ask(
    upstream: &Upstream,
    endpoint: &Endpoint,
    head: request::Parts,
    within: Duration,
) -> Result<StatusCode, Box<dyn Error>> {
    if upstream.settings.http2.is_some() {
        return Ok(client::ask(upstream, endpoint, &head, within).await?);
    }
    let opener = Opener::new(&upstream.settings);
    let mut connection = dial(upstream, &opener, endpoint, None, within).await?;
    Ok(connection.wire.call(&head, Body::Empty).await?.status)
}

/// An error with its causes.
pub(super) fn describe(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", describe(source)),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_a_tenth() {
        let dice = Dice::default();
        let around = |_| jittered(Duration::from_secs(10), &dice);
        assert!((0..1_000).map(around).all(|time| (9_000..=11_000).contains(&time.as_millis())));
    }
}
