//! What is counted and logged when an exchange ends, however it does.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, Uri, Version, header, request, response};
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::chain::Run;
use crate::message::{Activity, Body, BodyError, ClientInfo};
use crate::snapshot::{Target, View};
use crate::telemetry::{Attribute, Trace};

/// Held from an exchange's first step to the end of its response.
pub(super) struct ExchangeEnd {
    /// Keeps the version that the exchange began with.
    view: Rc<View>,
    activity: Rc<Activity>,
    /// Which of the view's targets. The target itself is shared by all workers: to count holders of it would keep them busy.
    route: Option<usize>,
    started: Instant,
    status: Option<StatusCode>,
    /// After what time the response began, if the exchange goes on as a tunnel: that may take hours, and says nothing about
    /// how fast anybody is.
    answered: Option<Duration>,
    run: Option<Run>,
    trace: Option<Box<Traced>>,
    access: Option<Box<Access>>,
}

/// An exchange that belongs to a trace.
struct Traced {
    trace: Rc<Trace>,
    /// Method and path, if it is recorded.
    request: Option<(Method, String)>,
}

/// What the access line says that is not known at the end any more.
struct Access {
    client: Arc<ClientInfo>,
    method: Method,
    uri: Uri,
    host: Option<HeaderValue>,
    /// In a tunnel, which has no request body to speak of.
    received: Option<u64>,
    version: Version,
    sent: u64,
}

impl ExchangeEnd {
    pub(super) fn new(view: Rc<View>, client: &Arc<ClientInfo>, activity: Rc<Activity>, head: &request::Parts) -> Self {
        activity.exchange_begins(view.snapshot.generation);
        view.exchange_begins();
        let access = view.snapshot.access_log.then(|| {
            // HTTP/2 has it in `:authority`.
            let of_uri = || HeaderValue::from_str(head.uri.authority()?.as_str()).ok();
            let host = head.headers.get(header::HOST).cloned().or_else(of_uri);
            Box::new(Access {
                client: Arc::clone(client),
                method: head.method.clone(),
                uri: head.uri.clone(),
                host,
                received: None,
                version: head.version,
                sent: 0,
            })
        });
        Self {
            view,
            activity,
            route: None,
            started: Instant::now(),
            status: None,
            answered: None,
            run: None,
            trace: None,
            access,
        }
    }

    pub(super) fn set_route(&mut self, route: usize) {
        self.route = Some(route);
    }

    fn target(&self) -> Option<&Target> {
        self.route.map(|route| &self.view.snapshot.targets[route])
    }

    pub(super) fn set_trace(&mut self, trace: Option<Rc<Trace>>, head: &request::Parts) {
        // Without the query, which may hold credentials.
        let of = |trace: Rc<Trace>| {
            let request = trace.is_recorded().then(|| (head.method.clone(), head.uri.path().to_owned()));
            Box::new(Traced { trace, request })
        };
        self.trace = trace.map(of);
    }

    /// Since when it runs.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    pub(super) fn set_run(&mut self, run: &Run) {
        self.run = Some(run.clone());
    }

    pub(super) fn view(&self) -> Rc<View> {
        Rc::clone(&self.view)
    }

    /// The response as it goes to the client; the exchange ends with its body.
    pub(super) fn respond(mut self, response: Response<Body>) -> Response<ExchangeBody> {
        self.status = Some(response.status());
        response.map(|inner| ExchangeBody { inner, failure: None, cut: false, end: Some(self) })
    }

    /// No response: the client is to see that the exchange has broken off.
    pub(super) fn cut(self) -> Response<ExchangeBody> {
        Response::new(ExchangeBody { inner: Body::Empty, failure: None, cut: true, end: Some(self) })
    }

    /// The response after which bytes go both ways; the exchange ends with the tunnel.
    pub(super) fn tunnel(mut self, head: response::Parts, dig: impl FnOnce(Self)) -> Response<ExchangeBody> {
        self.status = Some(head.status);
        self.answered = Some(self.started.elapsed());
        dig(self);
        Response::from_parts(head, ExchangeBody { inner: Body::Empty, failure: None, cut: false, end: None })
    }

    /// A tunnel has ended that took so many bytes each way.
    pub(super) fn tunnel_ended(mut self, received: u64, sent: u64) {
        if let Some(access) = &mut self.access {
            (access.received, access.sent) = (Some(received), sent);
        }
    }

    fn end_trace(&mut self, traced: Traced) {
        let Some((method, path)) = traced.request else { return };
        let Some(tracing) = &self.view.snapshot.tracing else { return };
        let route = self.target().map(|target| target.name.to_string());
        let name = route.as_ref().map_or_else(|| method.to_string(), |route| format!("{method} {route}"));
        let mut attributes =
            vec![("http.request.method", Attribute::Text(method.to_string())), ("url.path", Attribute::Text(path))];
        attributes.extend(route.map(|route| ("http.route", Attribute::Text(route))));
        let status = self.status.map(|status| Attribute::Number(status.as_u16().into()));
        attributes.extend(status.map(|status| ("http.response.status_code", status)));
        let failed = self.status.is_none_or(|status| status.is_server_error());
        tracing.end(&traced.trace, name, failed, attributes);
    }

    fn write_access_line(&self, access: &Access) {
        let consumer = self.run.as_ref().and_then(|run| run.with(|exchange| exchange.context.consumer().cloned()));
        let identity = self.run.as_ref().and_then(|run| run.with(|exchange| exchange.context.principal.clone()));
        let filters = self.run.as_ref().filter(|_| self.view.snapshot.access_filters).map(filter_times);
        tracing::info!(
            client = %access.client.address,
            listener = &*access.client.listener,
            method = access.method.as_str(),
            host = access.host.as_ref().and_then(|host| host.to_str().ok()),
            // Without the query, which may hold credentials.
            path = access.uri.path(),
            route = self.target().map(|target| &*target.name),
            trace_id = self.trace.as_ref().map(|traced| format!("{:032x}", traced.trace.context.trace)),
            identity = identity.as_ref().and_then(|principal| principal.subject.to_str().ok()),
            issuer = identity.as_ref().and_then(|principal| principal.issuer.as_ref()?.to_str().ok()),
            consumer = consumer.as_ref().and_then(|name| name.to_str().ok()),
            filters,
            status = self.status.map(|status| status.as_u16()),
            bytes = access.sent,
            received = access.received,
            version = ?access.version,
            tls = access.client.tls.as_ref().map(|tls| tls.version),
            sni = access.client.tls.as_ref().and_then(|tls| tls.sni.as_deref()),
            subject = access.client.identity().map(|identity| &*identity.subject),
            spiffe_id = access.client.identity().and_then(|identity| identity.spiffe_id.as_deref()),
            ms = self.started.elapsed().as_secs_f64() * 1e3,
            "access"
        );
    }
}

/// What each filter took, as `NAME=MICROSECONDS` in the order of the request.
fn filter_times(run: &Run) -> String {
    let times = run.measured().into_iter().map(|(name, time)| format!("{name}={:.1}", time.as_secs_f64() * 1e6));
    times.collect::<Vec<_>>().join(" ")
}

impl Drop for ExchangeEnd {
    fn drop(&mut self) {
        self.activity.exchange_ends(self.view.snapshot.generation);
        self.view.exchange_ends();
        match self.target() {
            Some(target) => {
                target.metrics.ended(self.status, self.answered.unwrap_or_else(|| self.started.elapsed()));
                if let (Some(_), Some(run)) = (target.trial, &self.run) {
                    run.ended(self.status);
                }
            }
            None => self.view.snapshot.metrics.gateway.unrouted(),
        }
        if let Some(access) = &self.access {
            self.write_access_line(access);
        }
        if let Some(traced) = self.trace.take() {
            self.end_trace(*traced);
        }
    }
}

/// A response's body on its way to the client.
pub struct ExchangeBody {
    inner: Body,
    /// Why it has ended early, until what came before has been sent.
    failure: Option<BodyError>,
    cut: bool,
    end: Option<ExchangeEnd>,
}

impl ExchangeBody {
    /// Whether there is no response, and the client is cut off instead.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut
    }
}

impl HttpBody for ExchangeBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(error) = this.failure.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let frame = Pin::new(&mut this.inner).poll_frame(cx);
        if let Poll::Ready(Some(Err(error))) = frame {
            // The server drops what it has not sent when it hears of an error, and sends it when it has to wait.
            this.failure = Some(error);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(ExchangeEnd { access: Some(access), .. }) = &mut this.end
            && let Poll::Ready(Some(Ok(frame))) = &frame
        {
            access.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
