//! A captured exchange as the text of a file of cases (`docs/testing-filters.md`).

use std::fmt::Write;
use std::time::UNIX_EPOCH;

use http::{HeaderMap, HeaderValue};

use super::outside;
use super::redact::{HIDDEN, Redact};
use super::tape::{Captured, Taken, TakenMessage};
use crate::config::{Isolation, Policy, quote, show_moment, toml_text};
use crate::message::Principal;

/// How long the message of a fault may be, in bytes.
const MESSAGE: usize = 1_024;

/// All of the file.
pub(super) fn of(captured: &Captured) -> String {
    let Captured { shared, taken, module, hook, fault, at } = captured;
    let (policy, redact) = (&shared.policy, Redact(&shared.settings));
    let class = fault.class.label();
    let told = fault.told();
    let message = &told[..told.floor_char_boundary(MESSAGE)];
    let moment = show_moment(at.duration_since(UNIX_EPOCH).unwrap_or_default());
    let filter = policy.filter.path().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    let filter = filter.map_or_else(|| policy.filter.name().to_owned(), |path| path.display().to_string());
    let mut text = String::from("# A fault, captured by tollgate: `tollgate filter replay` shows it hook by hook.\n");
    line(&mut text, "filter", &quote(&filter));
    line(&mut text, "config", &toml_text(&redact.configuration(&policy.config)));
    if policy.isolation == Isolation::Exchange {
        line(&mut text, "isolation", "\"exchange\"");
    }
    if policy.written_grants.is_object() {
        line(&mut text, "grants", &toml_text(&policy.written_grants));
    }
    line(&mut text, "limits", &limits(policy));
    text.push_str("\n[captured]\n");
    line(&mut text, "module", &quote(&module.to_string()));
    line(&mut text, "hook", &quote(hook));
    line(&mut text, "fault", &quote(&format!("{class}: {message}")));
    text.push_str("\n[[cases]]\n");
    line(&mut text, "name", &quote(&format!("{} faults in {hook} ({class}), at {moment}", policy.name)));
    line(&mut text, "now", &quote(&moment));
    let secrets = policy.grants.secrets.iter().map(|granted| format!("{} = {}", quote(&granted.name), quote(HIDDEN)));
    let secrets: Vec<_> = secrets.collect();
    if !secrets.is_empty() {
        line(&mut text, "secrets", &format!("{{ {} }}", secrets.join(", ")));
    }
    outside::stores(&mut text, taken, &redact);
    request(&mut text, taken, &redact);
    if let Some((status, response)) = &taken.response {
        text.push_str("[cases.response]\n");
        line(&mut text, "status", status.as_str());
        message_of(&mut text, response, &redact);
    }
    outside::callouts(&mut text, taken, &redact);
    text.push_str("[cases.expect]\n");
    line(&mut text, "faults", &format!("[{}]", quote(class)));
    text
}

fn limits(policy: &Policy) -> String {
    let limits = &policy.limits;
    format!(
        "{{ cpu = \"{}ms\", memory = {}, callouts = {}, callout-timeout = \"{}ms\", callout-body = {} }}",
        limits.cpu.as_millis().max(1),
        limits.memory,
        limits.callouts,
        limits.callout_timeout.as_millis().max(1),
        limits.callout_body
    )
}

fn request(text: &mut String, taken: &Taken, redact: &Redact<'_>) {
    text.push_str("[cases.request]\n");
    line(text, "method", &quote(taken.method.as_str()));
    let path = taken.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    line(text, "path", &quote(&redact.address(path)));
    line(text, "client", &quote(&taken.client.address.to_string()));
    line(text, "listener", &quote(&taken.client.listener));
    line(text, "route", &quote(&taken.route));
    if let Some(tls) = &taken.client.tls {
        let identity = tls.identity.as_ref();
        let parts = [
            ("version", Some(tls.version)),
            ("sni", tls.sni.as_deref()),
            ("subject", identity.map(|identity| &*identity.subject)),
            ("san", identity.and_then(|identity| identity.alternative_names.as_deref())),
            ("spiffe-id", identity.and_then(|identity| identity.spiffe_id.as_deref())),
        ];
        let parts = parts.into_iter().filter_map(|(key, value)| Some(format!("{key} = {}", quote(value?))));
        line(text, "tls", &format!("{{ {} }}", parts.collect::<Vec<_>>().join(", ")));
    }
    if let Some(consumer) = &taken.consumer {
        line(text, "consumer", &bytes(consumer.as_bytes()));
    }
    let attribute = |(name, value): &(Box<str>, HeaderValue)| {
        format!("{} = {}", quote(name), bytes(&redact.field(name, value.as_bytes())))
    };
    let attributes: Vec<_> = taken.attributes.iter().map(attribute).collect();
    if !attributes.is_empty() {
        line(text, "attributes", &format!("{{ {} }}", attributes.join(", ")));
    }
    if let Some(principal) = &taken.principal {
        line(text, "identity", &identity(principal, redact));
    }
    if let Some(class) = &taken.class {
        line(text, "class", &quote(class));
    }
    message_of(text, &taken.request, redact);
}

fn identity(principal: &Principal, redact: &Redact<'_>) -> String {
    let list = |values: &[HeaderValue]| {
        let values: Vec<_> = values.iter().map(|value| bytes(value.as_bytes())).collect();
        format!("[{}]", values.join(", "))
    };
    let mut parts = vec![format!("subject = {}", bytes(principal.subject.as_bytes()))];
    parts.extend(principal.issuer.as_ref().map(|issuer| format!("issuer = {}", bytes(issuer.as_bytes()))));
    parts.push(format!("scopes = {}, groups = {}", list(&principal.scopes), list(&principal.groups)));
    let claims = principal.claims.iter();
    let claims =
        claims.map(|(name, value)| format!("{} = {}", quote(name), bytes(&redact.field(name, value.as_bytes()))));
    parts.push(format!("claims = {{ {} }}", claims.collect::<Vec<_>>().join(", ")));
    format!("{{ {} }}", parts.join(", "))
}

fn message_of(text: &mut String, message: &TakenMessage, redact: &Redact<'_>) {
    let mut all = fields(&message.fields, redact);
    // The reader would put one there.
    if !message.fields.contains_key(http::header::HOST) {
        all.push("host = false".to_owned());
    }
    line(text, "fields", &format!("{{ {} }}", all.join(", ")));
    let trailers = fields(&message.trailers, redact);
    if !trailers.is_empty() {
        line(text, "trailers", &format!("{{ {} }}", trailers.join(", ")));
    }
    if message.pieces.iter().any(|length| *length > 0) {
        line(text, "body", &format!("[{}]", pieces(message).join(", ")));
    }
}

pub(super) fn fields(fields: &HeaderMap, redact: &Redact<'_>) -> Vec<String> {
    let field = |name: &http::HeaderName| {
        let values = fields.get_all(name).iter();
        let values: Vec<_> = values.map(|value| bytes(&redact.field(name.as_str(), value.as_bytes()))).collect();
        match &values[..] {
            [value] => format!("{} = {value}", quote(name.as_str())),
            values => format!("{} = [{}]", quote(name.as_str()), values.join(", ")),
        }
    };
    fields.keys().map(field).collect()
}

/// Each piece: what was kept of it, and as many `x` as there were bytes besides.
fn pieces(message: &TakenMessage) -> Vec<String> {
    let mut kept = &message.kept[..];
    let mut pieces = Vec::new();
    for length in &message.pieces {
        let (own, rest) = kept.split_at(kept.len().min(*length));
        kept = rest;
        match (own.len(), length - own.len()) {
            (_, 0) => pieces.push(bytes(own)),
            (0, hidden) => pieces.push(format!("{{ repeat = \"x\", times = {hidden} }}")),
            (_, hidden) => pieces.extend([bytes(own), format!("{{ repeat = \"x\", times = {hidden} }}")]),
        }
    }
    pieces
}

pub(super) fn line(text: &mut String, key: &str, value: &str) {
    // A string takes what is written to it.
    let _ = writeln!(text, "{key} = {value}");
}

/// As text where it is text.
pub(super) fn bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => quote(text),
        Err(_) => {
            let digits = bytes.iter().fold(String::new(), |mut digits, byte| {
                let _ = write!(digits, "{byte:02x}");
                digits
            });
            format!("{{ hex = \"{digits}\" }}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_keeps_its_shape() {
        let message = TakenMessage { kept: b"abc".to_vec(), pieces: vec![2, 0, 4, 3], ..Default::default() };
        let hidden = |times| format!("{{ repeat = \"x\", times = {times} }}");
        assert_eq!(pieces(&message), ["\"ab\"", "\"\"", "\"c\"", &hidden(3), &hidden(3)]);
    }
}
