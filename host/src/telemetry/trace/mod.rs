//! Traces: each exchange a span, with a span for each hook and for the call of the upstream. What is not recorded only gets its
//! ids.

mod context;
mod export;
mod otlp;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

pub use self::context::TraceContext;
pub use self::export::Collector;
use self::export::Exporter;
use super::counters::Tally;

/// How many spans of an exchange are recorded; a body may pass a hook in thousands of pieces.
const SPANS: usize = 128;

/// How exchanges are traced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceSettings {
    /// Where spans are sent, if anywhere.
    pub collector: Option<Collector>,
    /// What the gateway is called there.
    pub service: String,
    /// How many exchanges of a million are recorded.
    pub per_million: u32,
    /// Whether what a client says about recording counts.
    pub follow_parent: bool,
}

/// Traces exchanges as the settings say.
#[derive(Debug)]
pub struct Tracing {
    /// The settings.
    pub settings: TraceSettings,
    exporter: Option<Exporter>,
}

/// What was sent to the collector, and what was not.
#[derive(Debug, Default)]
pub struct TraceMetrics {
    pub(super) sent: Tally,
    pub(super) dropped: Tally,
}

/// An exchange that is traced.
#[derive(Debug)]
pub struct Trace {
    /// Its own span.
    pub context: TraceContext,
    parent: Option<u64>,
    begun: (SystemTime, Instant),
    /// The spans within it, if they are recorded.
    spans: Option<RefCell<Vec<Span>>>,
}

/// A part of an exchange's time.
#[derive(Debug)]
struct Span {
    id: u64,
    parent: Option<u64>,
    name: String,
    kind: SpanKind,
    /// Since the exchange began.
    from: Duration,
    to: Duration,
    failed: bool,
    attributes: Vec<(&'static str, Attribute)>,
}

/// Whose part it is, by the numbers of OTLP.
#[derive(Clone, Copy, Debug)]
pub enum SpanKind {
    /// The gateway's own.
    Internal = 1,
    /// The exchange as a whole.
    Server = 2,
    /// A call of an upstream.
    Client = 3,
}

/// What is known about a span.
#[derive(Clone, Debug)]
pub enum Attribute {
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
}

/// A span that has not ended. Dropped, it is recorded as one that failed.
#[must_use]
#[derive(Debug)]
pub struct OpenSpan {
    trace: Rc<Trace>,
    /// Boxed, as few exchanges are recorded, and all hold this while they wait.
    span: Option<Box<Span>>,
}

/// The spans of an exchange that has ended.
#[derive(Debug)]
struct Finished {
    trace: u128,
    begun: SystemTime,
    spans: Vec<Span>,
}

impl Tracing {
    /// Starts what it takes. Without a collector nothing is recorded.
    ///
    /// # Errors
    /// If the thread that sends spans cannot be started.
    pub fn start(settings: TraceSettings, metrics: Arc<TraceMetrics>) -> std::io::Result<Self> {
        let exporter = settings.collector.clone();
        let exporter = exporter.map(|to| Exporter::start(to, settings.service.clone(), metrics)).transpose()?;
        Ok(Self { settings, exporter })
    }

    /// An exchange begins that its client gave this `traceparent`, if any.
    #[must_use]
    pub fn begin(&self, traceparent: Option<&[u8]>) -> Rc<Trace> {
        let parent = traceparent.and_then(TraceContext::parse);
        let sampled = match parent {
            Some(parent) if self.settings.follow_parent => parent.sampled,
            // Not by the trace's number, which the client may have chosen.
            _ => context::random() % 1_000_000 < u64::from(self.settings.per_million),
        };
        let context = parent.map_or_else(|| TraceContext::fresh(sampled), |parent| parent.child(sampled));
        let spans = (sampled && self.exporter.is_some()).then(RefCell::default);
        let begun = (SystemTime::now(), Instant::now());
        Rc::new(Trace { context, parent: parent.map(|parent| parent.span), begun, spans })
    }

    /// It has ended.
    pub fn end(&self, trace: &Trace, name: String, failed: bool, attributes: Vec<(&'static str, Attribute)>) {
        let (Some(exporter), Some(spans)) = (&self.exporter, &trace.spans) else { return };
        let mut spans = std::mem::take(&mut *spans.borrow_mut());
        let (from, to) = (Duration::ZERO, trace.begun.1.elapsed());
        let (id, parent) = (trace.context.span, trace.parent);
        spans.push(Span { id, parent, name, kind: SpanKind::Server, from, to, failed, attributes });
        exporter.send(Finished { trace: trace.context.trace, begun: trace.begun.0, spans });
    }

    /// Waits until what was recorded so far has been sent, but not for long.
    pub fn flush(&self) {
        self.exporter.iter().for_each(Exporter::flush);
    }
}

impl Trace {
    /// Whether it is of no other trace.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.parent.is_none()
    }

    /// Whether its spans are recorded.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.spans.is_some()
    }

    /// A span within the exchange begins.
    pub fn span(self: &Rc<Self>, kind: SpanKind, name: impl FnOnce() -> String) -> OpenSpan {
        let span = self.is_recorded().then(|| {
            let (from, parent) = (self.begun.1.elapsed(), Some(self.context.span));
            let (to, attributes) = (from, Vec::new());
            Box::new(Span { id: context::random(), parent, name: name(), kind, from, to, failed: true, attributes })
        });
        OpenSpan { trace: Rc::clone(self), span }
    }
}

impl OpenSpan {
    /// What whoever is called gets as `traceparent`: this span, or the exchange's where it is not recorded.
    #[must_use]
    pub fn context(&self) -> TraceContext {
        let context = self.trace.context;
        self.span.as_ref().map_or(context, |span| TraceContext { span: span.id, ..context })
    }

    /// Something is known about it.
    pub fn say(&mut self, name: &'static str, value: impl FnOnce() -> Attribute) {
        if let Some(span) = &mut self.span {
            span.attributes.push((name, value()));
        }
    }

    /// It has ended well or not.
    pub fn end(mut self, failed: bool) {
        if let Some(span) = &mut self.span {
            span.failed = failed;
        }
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        if let (Some(mut span), Some(spans)) = (self.span.take(), &self.trace.spans) {
            span.to = self.trace.begun.1.elapsed();
            let mut spans = spans.borrow_mut();
            if spans.len() < SPANS {
                spans.push(*span);
            }
        }
    }
}
