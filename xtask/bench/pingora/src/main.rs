//! Pingora as a peer of the bench: `bench-pingora LISTEN UPSTREAM THREADS [KEY]`.
//!
//! A plain reverse proxy. With a key it does the work of the scenario `chain`: key to consumer, a limit for each
//! consumer, a header each way, no `server` in responses.

mod limit;

use std::env;
use std::process::ExitCode;

use async_trait::async_trait;
use http::header::{HeaderName, SERVER};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::prelude::{HttpPeer, ProxyHttp, Result, Server, Session, http_proxy_service};
use pingora::server::configuration::ServerConf;

use limit::Limit;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let [listen, upstream, threads, key @ ..] = args.as_slice() else {
        eprintln!("usage: bench-pingora LISTEN UPSTREAM THREADS [KEY]");
        return ExitCode::FAILURE;
    };
    let Ok(threads) = threads.parse() else {
        eprintln!("not a number of threads: {threads}");
        return ExitCode::FAILURE;
    };
    // Without stealing of work it takes less CPU for each request.
    let conf = ServerConf { threads, work_stealing: false, upstream_keepalive_pool_size: 256, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let chain = key.first().map(|key| Chain { key: key.clone(), limit: Limit::default() });
    let proxy = Proxy { upstream: upstream.clone(), chain };
    let mut service = http_proxy_service(&server.configuration, proxy);
    service.add_tcp(listen);
    server.add_service(service);
    server.run_forever()
}

struct Proxy {
    upstream: String,
    chain: Option<Chain>,
}

struct Chain {
    key: String,
    limit: Limit,
}

impl Chain {
    /// The status of a refusal, if the request is refused.
    fn refusal(&self, request: &RequestHeader) -> Option<u16> {
        let key = request.headers.get("x-api-key");
        if key.is_none_or(|key| key.as_bytes() != self.key.as_bytes()) {
            return Some(401);
        }
        (!self.limit.allows()).then_some(429)
    }
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream.as_str(), false, String::new())))
    }

    async fn request_filter(&self, session: &mut Session, (): &mut ()) -> Result<bool> {
        let Some(status) = self.chain.as_ref().and_then(|chain| chain.refusal(session.req_header())) else {
            return Ok(false);
        };
        session.respond_error(status).await?;
        Ok(true)
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        (): &mut (),
    ) -> Result<()> {
        let client = session.client_addr().and_then(|address| address.as_inet()).map(|address| address.ip());
        if let Some(client) = client {
            request.insert_header("x-forwarded-for", client.to_string())?;
        }
        request.insert_header("x-forwarded-proto", "http")?;
        if self.chain.is_some() {
            request.insert_header("x-consumer", "alice")?;
        }
        Ok(())
    }

    async fn response_filter(&self, _: &mut Session, response: &mut ResponseHeader, (): &mut ()) -> Result<()> {
        if self.chain.is_some() {
            response.remove_header(&SERVER);
            response.insert_header(HeaderName::from_static("x-gateway"), "pingora")?;
        }
        Ok(())
    }
}
