//! Spans as OTLP wants them over HTTP: `ExportTraceServiceRequest` in JSON.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{Attribute, Finished, Span};

pub(super) fn request(service: &str, exchanges: &[Finished]) -> Vec<u8> {
    let spans: Vec<Value> =
        exchanges.iter().flat_map(|exchange| exchange.spans.iter().map(|of| span(exchange, of))).collect();
    let service = json!({ "attributes": [
        { "key": "service.name", "value": { "stringValue": service } },
        { "key": "service.version", "value": { "stringValue": env!("CARGO_PKG_VERSION") } },
    ]});
    let scope = json!({ "name": "tollgate", "version": env!("CARGO_PKG_VERSION") });
    let request =
        json!({ "resourceSpans": [{ "resource": service, "scopeSpans": [{ "scope": scope, "spans": spans }] }] });
    request.to_string().into_bytes()
}

fn span(exchange: &Finished, span: &Span) -> Value {
    let attributes: Vec<Value> = span.attributes.iter().map(|(key, value)| attribute(key, value)).collect();
    let mut shown = json!({
        "traceId": format!("{:032x}", exchange.trace),
        "spanId": format!("{:016x}", span.id),
        "name": span.name,
        "kind": span.kind as u8,
        // 64-bit numbers are strings in the JSON of protocol buffers.
        "startTimeUnixNano": nanos(exchange.begun, span.from),
        "endTimeUnixNano": nanos(exchange.begun, span.to),
        "attributes": attributes,
    });
    if let Some(parent) = span.parent {
        shown["parentSpanId"] = format!("{parent:016x}").into();
    }
    if span.failed {
        shown["status"] = json!({ "code": 2 });
    }
    shown
}

fn attribute(key: &str, value: &Attribute) -> Value {
    match value {
        Attribute::Text(text) => json!({ "key": key, "value": { "stringValue": text } }),
        Attribute::Number(number) => json!({ "key": key, "value": { "intValue": number.to_string() } }),
    }
}

fn nanos(begun: SystemTime, since: Duration) -> String {
    let begun = begun.duration_since(UNIX_EPOCH).unwrap_or_default();
    (begun + since).as_nanos().to_string()
}
