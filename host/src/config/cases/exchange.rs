//! The messages of a case.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, uri::PathAndQuery};

use super::content::{Content, bytes};
use crate::config::{
    report::{At, Report},
    section::{Item, Section},
};
use crate::telemetry::TraceContext;

/// What a client sends.
#[derive(Debug, Clone)]
pub struct RequestCase {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: PathAndQuery,
    /// The fields, `host` among them.
    pub fields: HeaderMap,
    /// The body.
    pub content: Content,
    /// The trailers.
    pub trailers: HeaderMap,
    /// The client's address.
    pub client: SocketAddr,
    /// What the handshake has told, if the connection is TLS.
    pub tls: Option<TlsCase>,
    /// The name of the listener.
    pub listener: String,
    /// The name of the route.
    pub route: String,
    /// Who the request is made for, as an earlier filter has found out.
    pub consumer: Option<HeaderValue>,
    /// What else earlier filters have found out.
    pub attributes: Vec<(String, HeaderValue)>,
    /// The identity that an earlier filter has found out.
    pub identity: Option<IdentityCase>,
    /// The kind of request that an earlier filter has found it to be.
    pub class: Option<String>,
    /// Where the exchange belongs, if exchanges are traced.
    pub trace: Option<TraceContext>,
}

/// Who a request is made for.
#[derive(Debug, Clone)]
pub struct IdentityCase {
    /// Who it is.
    pub subject: HeaderValue,
    /// Who says so.
    pub issuer: Option<HeaderValue>,
    /// What it may do.
    pub scopes: Vec<HeaderValue>,
    /// What it belongs to.
    pub groups: Vec<HeaderValue>,
    /// What else is said of it.
    pub claims: Vec<(String, HeaderValue)>,
}

/// What a TLS handshake has told.
#[derive(Debug, Clone, Default)]
pub struct TlsCase {
    /// Whether it is TLS 1.2 rather than 1.3.
    pub is_1_2: bool,
    /// The name that the client asked for.
    pub sni: Option<String>,
    /// The subject of its certificate, if it has shown one.
    pub subject: Option<String>,
    /// The certificate's alternative names.
    pub san: Option<String>,
    /// The SPIFFE ID in it.
    pub spiffe_id: Option<String>,
}

/// What an upstream answers.
#[derive(Debug, Clone, Default)]
pub struct ResponseCase {
    /// The status.
    pub status: StatusCode,
    /// The fields.
    pub fields: HeaderMap,
    /// The body.
    pub content: Content,
    /// The trailers.
    pub trailers: HeaderMap,
}

impl Default for RequestCase {
    fn default() -> Self {
        Self {
            method: Method::GET,
            path: PathAndQuery::from_static("/"),
            fields: HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_static("example.test"))]),
            content: Content::default(),
            trailers: HeaderMap::new(),
            client: SocketAddr::from(([192, 0, 2, 1], 40_000)),
            tls: None,
            listener: "test".to_owned(),
            route: "test".to_owned(),
            consumer: None,
            attributes: Vec::new(),
            identity: None,
            class: None,
            trace: None,
        }
    }
}

impl RequestCase {
    /// The request with what is said in a table.
    pub(super) fn with(mut self, mut section: Section<'_>) -> Self {
        replace(&mut self.method, parsed(&mut section, "method", "a method", "write it like \"GET\""));
        replace(&mut self.path, parsed(&mut section, "path", "a path", "write it like \"/orders?page=2\""));
        replace(&mut self.client, parsed(&mut section, "client", "an address", "write it like \"192.0.2.1:40000\""));
        replace(&mut self.listener, section.take("listener").and_then(Item::string).map(|at| at.value));
        replace(&mut self.route, section.take("route").and_then(Item::string).map(|at| at.value));
        fields(&mut self.fields, section.take("fields"));
        fields(&mut self.trailers, section.take("trailers"));
        self.content.read(&mut section);
        if let Some(tls) = section.take("tls").and_then(Item::section) {
            self.tls = Some(read_tls(tls));
        }
        if let Some(item) = section.take("consumer") {
            self.consumer = value(item);
        }
        for (name, item) in section.take("attributes").and_then(Item::section).map(Section::entries).unwrap_or_default()
        {
            self.attributes.retain(|(known, _)| *known != name);
            self.attributes.extend(value(item).map(|value| (name, value)));
        }
        if let Some(item) = section.take("identity") {
            self.identity = item.section().and_then(read_identity);
        }
        if let Some(item) = section.take("class") {
            self.class = item.string().map(|at| at.value);
        }
        if let Some(item) = section.take("trace") {
            self.trace = read_trace(item);
        }
        section.finish();
        self
    }
}

impl ResponseCase {
    /// The response with what is said in a table.
    pub(super) fn with(mut self, mut section: Section<'_>) -> Self {
        let status = section.take("status").and_then(|item| item.count(200, 599));
        replace(&mut self.status, status.and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok()));
        fields(&mut self.fields, section.take("fields"));
        fields(&mut self.trailers, section.take("trailers"));
        self.content.read(&mut section);
        section.finish();
        self
    }
}

fn replace<T>(old: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *old = new;
    }
}

fn parsed<T: std::str::FromStr>(section: &mut Section<'_>, key: &'static str, what: &str, remedy: &str) -> Option<T> {
    let report = section.report();
    let at = section.take(key).and_then(Item::string)?;
    let wrong = |_| (format!("{:?} is not {what}", at.value), remedy.to_owned());
    report.good(&at, at.value.parse().map_err(wrong))
}

fn read_tls(mut section: Section<'_>) -> TlsCase {
    let report = section.report();
    let mut text = |key| section.take(key).and_then(Item::string);
    let version = text("version");
    let mut value = |key| text(key).map(|at: At<String>| at.value);
    let tls = TlsCase {
        is_1_2: version.as_ref().is_some_and(|at| at.value == "TLSv1.2"),
        sni: value("sni"),
        subject: value("subject"),
        san: value("san"),
        spiffe_id: value("spiffe-id"),
    };
    if let Some(at) = version.filter(|at| at.value != "TLSv1.3" && !tls.is_1_2) {
        report.at(&at, format!("{:?} is not known", at.value), "write \"TLSv1.3\" or \"TLSv1.2\"");
    }
    section.finish();
    tls
}

fn read_identity(mut section: Section<'_>) -> Option<IdentityCase> {
    let subject = section.need("subject", "say who it is, as in subject = \"alice\"").and_then(value);
    let issuer = section.take("issuer").and_then(value);
    let mut list = |key| section.take(key).and_then(Item::array).unwrap_or_default().into_iter().filter_map(value);
    let (scopes, groups) = (list("scopes").collect(), list("groups").collect());
    let claims = section.take("claims").and_then(Item::section).map(Section::entries).unwrap_or_default();
    let claims = claims.into_iter().filter_map(|(name, item)| Some((name, value(item)?))).collect();
    section.finish();
    Some(IdentityCase { subject: subject?, issuer, scopes, groups, claims })
}

/// As `traceparent`.
fn read_trace(item: Item<'_>) -> Option<TraceContext> {
    const REMEDY: &str = "write it like \"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"";
    let report = item.report();
    let text = item.string()?;
    let wrong = || (format!("{:?} is no traceparent", text.value), REMEDY.to_owned());
    report.good(&text, TraceContext::parse(text.value.as_bytes()).ok_or_else(wrong))
}

/// Puts fields in the place of those of the same name; `false` takes one away.
pub(super) fn fields(fields: &mut HeaderMap, item: Option<Item<'_>>) {
    for (name, item) in item.and_then(Item::section).map(Section::entries).unwrap_or_default() {
        let Some(name) = field_name(&name, &item.place(), item.report()) else { continue };
        fields.remove(&name);
        if item.is_boolean() {
            refuse_true(item);
        } else if item.is_array() {
            let values = item.array().into_iter().flatten().filter_map(value);
            fields.extend(values.map(|value| (name.clone(), value)));
        } else if let Some(value) = value(item) {
            fields.insert(name, value);
        }
    }
}

fn refuse_true(item: Item<'_>) {
    let (report, place) = (item.report(), item.place());
    if item.boolean().is_some_and(|at| at.value) {
        report.at(&place, "is true, which is no value", "write text, an array of texts, or false for no such field");
    }
}

/// The name of a field, in lower case.
pub(super) fn field_name(name: &str, place: &At<()>, report: &Report) -> Option<HeaderName> {
    let wrong = |_| (format!("{name:?} is not the name of a field"), "write it in lower case".to_owned());
    report.good(place, HeaderName::from_lowercase(name.as_bytes()).map_err(wrong))
}

fn value(item: Item<'_>) -> Option<HeaderValue> {
    let (report, place) = (item.report(), item.place());
    let wrong = |_| ("is not the value of a field".to_owned(), "leave out control characters".to_owned());
    report.good(&place, HeaderValue::from_bytes(&bytes(item)?).map_err(wrong))
}
