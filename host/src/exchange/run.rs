//! The way of a request, from its head to the head of its response.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Method, Response, Uri, Version, header, request};

use super::deadline::Deadline;
use super::end::{ExchangeBody, ExchangeEnd};
use super::error::ExchangeError;
use super::mirror::copy_to;
use super::tunnel::Handover;
use super::upgrade::{self, Upgrade, conclude};
use super::{grpc, identity, proxy_headers, redirect, trace};
use crate::callout::Outlet;
use crate::chain::{Aborted, Run, Step, Verdict};
use crate::framing::{self, Violation};
use crate::message::{Activity, Body, ClientInfo, Exchange, Reply, RequestHead, blank_request};
use crate::route::{self, Action, Forward, Lookup, PathError, PathRules};
use crate::snapshot::{Compared, ListenerSettings, Target, View};
use crate::telemetry::Trace;
use crate::upstream::{Caller, Pool};

/// Serves one request on the snapshot that is current now, to its end.
pub async fn serve(
    view: Rc<View>,
    client: &Arc<ClientInfo>,
    settings: &ListenerSettings,
    activity: Rc<Activity>,
    handover: &Handover,
    head: &mut RequestHead,
    body: Body,
) -> Response<ExchangeBody> {
    let upgrade = Upgrade::of(head, &body);
    let is_grpc = grpc::is_call(head);
    let answer = |response| if is_grpc { grpc::translate(response) } else { response };
    let mut end = ExchangeEnd::new(Rc::clone(&view), client, activity, head);
    let trace = view.snapshot.tracing.as_ref().map(|tracing| trace::begin(tracing, head));
    end.set_trace(trace.clone(), head);

    if let Err(refusal) = view.admit() {
        return end.respond(answer(refuse(&view, &ExchangeError::Overloaded(refusal))));
    }
    if let Err(error) = check_head(head, &view) {
        return end.respond(respond(error.reply()));
    }
    if let Some(redirect) = settings.options.redirect_https {
        let reply = host(head).and_then(|host| redirect::to_https(redirect.status, redirect.port, host, &head.uri));
        return end.respond(respond(reply.unwrap_or_else(|error| error.reply())));
    }
    let route = match find_route(&view, client, head) {
        Ok(route) => route,
        Err(error) => return end.respond(answer(refuse(&view, &error))),
    };
    let target = &view.snapshot.targets[route];
    end.set_route(route);
    if upgrade.as_ref().is_some_and(|upgrade| !upgrade.is_served(target.upgrades)) {
        return end.respond(answer(respond(ExchangeError::Method.reply())));
    }
    let upgrade = upgrade.filter(|_| target.upgrades);
    proxy_headers::to_upstream(head, client);
    if let Some(forwarded) = &target.forward_identity {
        identity::remove(&mut head.headers, forwarded);
    }
    let idle = target.call.idle.unwrap_or(view.snapshot.limits.body_idle);
    let body = bounded(target, body.watched(idle));
    let deadline = target.call.total.map(|total| Deadline::new(total, end.started()));
    let way = Way { view: &view, client, route, upgrade: upgrade.as_ref(), trace: trace.as_ref() };

    if target.chain.policies().is_empty() {
        let Ok(body) = body else { return end.respond(answer(respond(ExchangeError::TooLarge.reply()))) };
        let response = match deadline {
            None => way.act(head, body, None).await,
            Some(deadline) => deadline.bound(Box::pin(way.act(head, body, None))).await,
        };
        let response = response.unwrap_or_else(|error| refuse(&view, &error));
        return conclude(end, answer(response), upgrade, handover);
    }
    let links = view.chain(route, &head.headers, client);
    let exchange = Box::new(Exchange {
        client: Arc::clone(client),
        route: Arc::clone(view.route_name(route)),
        trace: trace.as_ref().map(|trace| trace.context),
        request: std::mem::take(head),
        response: None,
        context: Default::default(),
    });
    let run = match target.chain.waits() {
        false => Run::new(links, exchange),
        true => Run::reaching(links, exchange, Some(outlet(&view, client))),
    };
    if let Some(trace) = trace.as_ref().filter(|trace| trace.is_recorded()) {
        run.record(trace);
    }
    end.set_run(&run);
    if view.snapshot.access_filters || target.trial == Some(Compared::Yes) {
        run.measure();
    }
    let response = match deadline {
        None => way.request_side(&run, body).await,
        Some(deadline) => deadline.bound(Box::pin(way.request_side(&run, body))).await,
    };
    let response = match response {
        Ok(response) => response,
        Err(ExchangeError::Aborted(_)) => return end.cut(),
        Err(error) => refuse(&view, &error),
    };
    match run.on_response(response).await {
        Ok(response) => conclude(end, answer(response), upgrade, handover),
        Err(Aborted) => end.cut(),
    }
}

/// Takes callouts of the exchange's filters out, on this worker's connections.
fn outlet(view: &Rc<View>, client: &Arc<ClientInfo>) -> Rc<Outlet<impl Fn(&str) -> Option<Rc<Pool>> + use<>>> {
    let view = Rc::clone(view);
    Rc::new(Outlet::new(Arc::clone(client), move |name: &str| view.pool_named(name).cloned()))
}

/// Answers something that is not passed on, because it could be read in more than one way.
pub fn decline(
    view: Rc<View>,
    client: &Arc<ClientInfo>,
    activity: Rc<Activity>,
    violation: Violation,
) -> Response<ExchangeBody> {
    let mut head = blank_request();
    // A token that is no method's name.
    head.method = Method::from_bytes(b"-").unwrap_or_default();
    let end = ExchangeEnd::new(view, client, activity, &head);
    end.respond(respond(ExchangeError::Invalid(violation).reply()))
}

/// The body; if it is known to be longer than the route allows, one that cannot be read.
fn bounded(target: &Target, body: Body) -> Result<Body, Body> {
    match target.body_limit {
        Some(limit) => body.limited(limit),
        None => Ok(body),
    }
}

/// What there is to know on the way of a request behind its route.
struct Way<'a> {
    view: &'a View,
    client: &'a Arc<ClientInfo>,
    route: usize,
    upgrade: Option<&'a Upgrade>,
    trace: Option<&'a Rc<Trace>>,
}

impl Way<'_> {
    fn target(&self) -> &Target {
        &self.view.snapshot.targets[self.route]
    }

    /// Request hooks, then what the route does, unless a filter replies. A body that is too long is refused behind the hooks of
    /// heads, whether it has said so or not: who may not ask at all is told that, and response hooks see the refusal.
    async fn request_side(&self, run: &Run, body: Result<Body, Body>) -> Result<Response<Body>, ExchangeError> {
        let (body, is_refused) = body.map_or_else(|refused| (refused, true), |body| (body, false));
        let body = match run.on_request(body).await? {
            Step::Forward(_) if is_refused => return Err(ExchangeError::TooLarge),
            Step::Forward(body) => body,
            Step::Reply(reply) => return Ok(respond(reply)),
            Step::Abort => return Err(Aborted.into()),
        };
        let copy = self.target().chain.lends_request() || self.changes_head();
        let mut head = run.lend_request(copy);
        if let Some(forwarded) = &self.target().forward_identity {
            run.with(|exchange| identity::write(&mut head.headers, forwarded, &exchange.context));
        }
        let class = run.with(|exchange| exchange.context.class.clone());
        let response = self.act(&mut head, body, class.as_deref()).await;
        drop(head);
        // A body hook may have decided while the request was on its way; then the call failed for its sake.
        match (response, run.verdict()) {
            (Err(_), Some(Verdict::Reply(reply))) => Ok(respond(reply)),
            (Err(_), Some(Verdict::Denied(denied))) => Err(denied.into()),
            (Err(_), Some(Verdict::Abort)) => Err(Aborted.into()),
            (response, _) => response,
        }
    }

    /// Whether the upstream gets another head than the request hooks have left, which is the one that response hooks see.
    fn changes_head(&self) -> bool {
        let rewrites = matches!(&self.target().action, Action::Forward(forward) if forward.rewrite.is_some());
        rewrites || self.upgrade.is_some() || self.target().forward_identity.is_some()
    }

    /// What the route does with a request that has passed its filters.
    async fn act(
        &self,
        head: &mut RequestHead,
        body: Body,
        class: Option<&str>,
    ) -> Result<Response<Body>, ExchangeError> {
        match &self.target().action {
            Action::Forward(forward) => self.forward(forward, head, body, class).await,
            Action::Redirect(redirect) => {
                let reply = redirect.reply(head, self.client.scheme);
                reply.map(respond).ok_or(ExchangeError::BadRequest("a request for this path has a Host field"))
            }
            Action::Respond(answer) => Ok(respond(answer.reply())),
        }
    }

    async fn forward(
        &self,
        forward: &Forward,
        head: &mut RequestHead,
        mut body: Body,
        class: Option<&str>,
    ) -> Result<Response<Body>, ExchangeError> {
        let Self { view, client, route, .. } = *self;
        let upstream = view.pool(forward.to.pick(&head.headers, client, view.turns(route), class));
        let upgrade = self.ask_for_upgrade(head, upstream.upstream.settings.http2.is_some());
        if let Some(rewrite) = &forward.rewrite {
            rewrite.apply(head)?;
        }
        if let Some(mirror) = &forward.mirror {
            body = copy_to(mirror, view, client, route, head, body);
        }
        let span = self.trace.map(|trace| trace::call(trace, upstream.upstream.name(), head));
        let caller = Caller { options: &self.target().call, client };
        let called = upstream.call(head, body, caller).await;
        if let Some(span) = span {
            trace::called(span, called.as_ref().ok());
        }
        let mut response = called?;
        let protocol = upgrade::switched(upgrade, &response).map_err(|_| ExchangeError::Unasked)?;
        proxy_headers::to_client(response.headers_mut());
        if let Some(protocol) = protocol {
            upgrade::restore(response.headers_mut(), protocol);
        }
        *response.version_mut() = Version::HTTP_11;
        Ok(response)
    }

    /// Puts in the request what the client wants to switch to.
    fn ask_for_upgrade(&self, head: &mut request::Parts, http2: bool) -> Option<&Upgrade> {
        let upgrade = self.upgrade.filter(|upgrade| !http2 || upgrade.fits_a_stream())?;
        upgrade.ask(&mut head.headers);
        Some(upgrade)
    }
}

/// The response to an error of ours.
fn refuse(view: &View, error: &ExchangeError) -> Response<Body> {
    if let Some(refusal) = error.refusal()
        && let Some(held_back) = view.snapshot.metrics.gateway.refused(refusal)
    {
        tracing::warn!(reason = refusal.label(), held_back, "requests are refused");
    }
    respond(error.reply())
}

fn respond(reply: Reply) -> Response<Body> {
    let (head, body) = reply.into_parts();
    Response::from_parts(head, body)
}

/// What can be said of a head before anything is done for it; its path gets its normal form.
fn check_head(head: &mut request::Parts, view: &View) -> Result<(), ExchangeError> {
    if head.headers.len() > view.snapshot.limits.header_fields {
        return Err(ExchangeError::HeadTooLarge);
    }
    if head.method == Method::CONNECT {
        return Err(ExchangeError::Method);
    }
    normalize(head, view.snapshot.paths)
}

fn find_route(view: &View, client: &ClientInfo, head: &request::Parts) -> Result<usize, ExchangeError> {
    let host = host(head)?;
    let found = view.snapshot.routes.find(&Lookup {
        listener: &client.listener,
        host,
        method: &head.method,
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        fields: &head.headers,
    });
    found.copied().ok_or(ExchangeError::NoRoute)
}

/// Gives the target its normal form: routes and filters match what the upstream gets.
fn normalize(head: &mut request::Parts, rules: PathRules) -> Result<(), ExchangeError> {
    let target = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
    if let Some(normal) = route::normalize(target, rules)? {
        let mut parts = std::mem::take(&mut head.uri).into_parts();
        let normal = PathAndQuery::from_maybe_shared(Bytes::from(normal));
        parts.path_and_query = Some(normal.map_err(|_| PathError::Character)?);
        head.uri = Uri::from_parts(parts).map_err(|_| PathError::Character)?;
    }
    Ok(())
}

/// The host that the request is for. HTTP/1 (RFC 9112, section 3.2): exactly one `Host`, and an absolute URI says the same.
/// HTTP/2 (RFC 9113, section 8.3.1): `:authority`, and `Host` says the same if it is there.
fn host(head: &request::Parts) -> Result<&str, ExchangeError> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    let is_http2 = head.version == Version::HTTP_2;
    let is_valid = |host: &&str| framing::is_host(host.as_bytes());
    let host = match (hosts.next(), hosts.next()) {
        (None, None) if is_http2 => authority.filter(is_valid),
        (Some(host), None) => host.to_str().ok().filter(is_valid),
        (None, None) if head.version < Version::HTTP_11 => Some(""),
        _ => None,
    };
    let host = host.ok_or(ExchangeError::BadRequest("a request has exactly one valid Host field"))?;
    let Some(authority) = authority else { return Ok(host) };
    if is_http2 && !authority.eq_ignore_ascii_case(host) {
        return Err(ExchangeError::BadRequest("the Host field and :authority differ"));
    }
    Some(authority).filter(is_valid).ok_or(ExchangeError::BadRequest("the authority is not a host with a port"))
}
