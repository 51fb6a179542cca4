//! One exchange of a case, from what the client sends to what it gets.

use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, Request, Response};

use super::body::{Cutting, Read, read};
use crate::chain::{Chain, LocalChain, Run, Step as ChainStep, Verdict};
use crate::config::cases::{IdentityCase, Outcome, RequestCase, ResponseCase, Step};
use crate::message::{Body, ClientInfo, Context, Exchange, Identity, Principal, Reply, TlsInfo};
use crate::sandbox::Carrier;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) outcome: Outcome,
    /// The request as the upstream got it, if it got one.
    pub(super) upstream: Option<SeenMessage>,
    /// The response as the client got it.
    pub(super) client: SeenMessage,
    pub(super) consumer: Option<Vec<u8>>,
    pub(super) principal: Option<Principal>,
    pub(super) class: Option<String>,
    pub(super) attributes: Vec<(String, Vec<u8>)>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenMessage {
    /// Method and path of a request; the status of a response.
    pub(super) first: Vec<String>,
    pub(super) fields: HeaderMap,
    pub(super) body: Read,
}

/// Takes an exchange through the chain as the path does (`exchange/run.rs`), with an upstream that answers as the case says,
/// and callouts that are taken out by `carrier`.
pub(super) async fn run(filters: LocalChain, step: &Step, cuts: [&Cutting; 2], carrier: Rc<dyn Carrier>) -> Seen {
    let run = Run::reaching(filters, exchange(&step.request), Some(carrier));
    let body = cuts[0].body(&step.request.content.bytes, &step.request.trailers);
    let (outcome, upstream, response) = request_side(&run, body, &step.response, cuts[1]).await;
    let response = match outcome {
        Outcome::Cut => None,
        _ => run.on_response(response).await.ok(),
    };
    let (outcome, client) = match response {
        Some(response) => {
            let (head, body) = response.into_parts();
            let first = vec![head.status.as_str().to_owned()];
            (outcome, SeenMessage { first, fields: head.headers.clone(), body: read(body).await })
        }
        None => (Outcome::Cut, nothing().await),
    };
    run.with(|exchange| {
        let context = &exchange.context;
        let bytes = |value: &http::HeaderValue| value.as_bytes().to_vec();
        Seen {
            outcome,
            upstream,
            client,
            consumer: context.consumer().map(bytes),
            principal: context.principal.as_deref().cloned(),
            class: context.class.as_deref().map(ToOwned::to_owned),
            attributes: context.attributes.iter().map(|(name, value)| (name.to_string(), bytes(value))).collect(),
        }
    })
}

/// What a client gets that is cut off before any head.
async fn nothing() -> SeenMessage {
    SeenMessage { first: Vec::new(), fields: HeaderMap::new(), body: read(Body::Empty).await }
}

async fn request_side(
    run: &Run,
    body: Body,
    response: &ResponseCase,
    cut: &Cutting,
) -> (Outcome, Option<SeenMessage>, Response<Body>) {
    let body = match run.on_request(body).await {
        Ok(ChainStep::Forward(body)) => body,
        Ok(ChainStep::Reply(reply)) => return (Outcome::Replied, None, respond(reply)),
        Ok(ChainStep::Abort) => return (Outcome::Cut, None, Response::default()),
        Err(denied) => return (Outcome::Denied, None, respond(denied.reply())),
    };
    let head = run.with(|exchange| exchange.request.clone());
    let body = read(body).await;
    match run.verdict() {
        Some(Verdict::Reply(reply)) => return (Outcome::Replied, None, respond(reply)),
        Some(Verdict::Denied(denied)) => return (Outcome::Denied, None, respond(denied.reply())),
        Some(Verdict::Abort) => return (Outcome::Cut, None, Response::default()),
        None => {}
    }
    let path = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let first = vec![head.method.to_string(), path.to_owned()];
    let upstream = SeenMessage { first, fields: head.headers.clone(), body };
    (Outcome::Forwarded, Some(upstream), answer(response, cut))
}

fn answer(response: &ResponseCase, cut: &Cutting) -> Response<Body> {
    let mut answer = Response::new(cut.body(&response.content.bytes, &response.trailers));
    *answer.status_mut() = response.status;
    answer.headers_mut().extend(response.fields.clone());
    answer
}

fn respond(reply: Reply) -> Response<Body> {
    let (head, body) = reply.into_parts();
    Response::from_parts(head, body)
}

fn exchange(case: &RequestCase) -> Box<Exchange> {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = case.method.clone();
    head.uri = case.path.clone().into();
    head.headers = case.fields.clone();
    let attributes = case.attributes.iter().map(|(name, value)| (name.as_str().into(), value.clone()));
    Box::new(Exchange {
        client: Arc::new(client(case)),
        route: case.route.as_str().into(),
        trace: case.trace,
        request: head.into(),
        response: None,
        context: Context {
            consumer: case.consumer.clone(),
            principal: case.identity.as_ref().map(|identity| Box::new(principal(identity))),
            class: case.class.as_deref().map(Into::into),
            attributes: attributes.collect(),
        },
    })
}

fn principal(case: &IdentityCase) -> Principal {
    Principal {
        subject: case.subject.clone(),
        issuer: case.issuer.clone(),
        scopes: case.scopes.clone(),
        groups: case.groups.clone(),
        claims: case.claims.iter().map(|(name, value)| (name.as_str().into(), value.clone())).collect(),
    }
}

fn client(case: &RequestCase) -> ClientInfo {
    let Some(tls) = &case.tls else { return ClientInfo::new(case.client, case.listener.as_str().into(), "http") };
    let identity = tls.subject.as_ref().map(|subject| Identity {
        subject: subject.as_str().into(),
        alternative_names: tls.san.as_deref().map(Into::into),
        spiffe_id: tls.spiffe_id.as_deref().map(Into::into),
    });
    let version = if tls.is_1_2 { "TLSv1.2" } else { "TLSv1.3" };
    let tls = TlsInfo { version, sni: tls.sni.as_deref().map(Into::into), identity };
    ClientInfo::over_tls(case.client, case.listener.as_str().into(), tls)
}

/// The filters of a chain as a worker has them.
pub(super) fn local(chain: &Chain) -> LocalChain {
    let links = chain.policies().iter().zip(chain.costs());
    let link = |(policy, cost): (&Arc<crate::chain::Policy>, &Arc<crate::telemetry::CostMetrics>)| crate::chain::Link {
        filter: Rc::new(crate::chain::LocalFilter::new(Arc::clone(policy))),
        cost: Arc::clone(cost),
        figures: None,
        shadow: None,
    };
    links.map(link).collect()
}
