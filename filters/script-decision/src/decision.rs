//! What becomes of what a script decides.

use serde_json::{Map, Value};
use tollgate_filter::{Next, Reply, Request, Response};

/// The fields that a response is to have. What is remembered of an exchange.
pub type OfResponse = Vec<(String, String)>;

/// Whoever writes this has something to say about responses.
pub(crate) const TO_RESPONSE: &str = "response_headers_to_add";
const KEYS: [&str; 8] = [
    "allowed",
    "http_status",
    "status",
    "headers",
    "body",
    "request_headers_to_remove",
    TO_RESPONSE,
    "dynamic_metadata",
];

/// What becomes of a request, as a document says: `true`, `false`, a reason why not, or an object with `allowed`.
///
/// # Errors
/// If that means nothing.
pub fn apply(decision: &Value, request: &mut Request<'_, OfResponse>) -> Result<Next, String> {
    match decision {
        Value::Bool(true) => Ok(Next::Forward),
        Value::Bool(false) | Value::Null => Ok(refusal().into()),
        Value::String(reason) if reason.is_empty() => Ok(Next::Forward),
        Value::String(reason) => Ok(refusal().detail(reason).into()),
        Value::Object(object) => apply_object(object, request),
        Value::Number(_) | Value::Array(_) => {
            Err("decides neither true nor false, nor gives a reason or an object with `allowed`".into())
        }
    }
}

/// What was said of the request, put on its response.
pub fn apply_to_response(response: &mut Response<'_, OfResponse>) {
    for (name, value) in std::mem::take(response.state()) {
        response.set(&name, value);
    }
}

fn refusal() -> Reply {
    Reply::problem(403, "Forbidden")
}

fn apply_object(object: &Map<String, Value>, request: &mut Request<'_, OfResponse>) -> Result<Next, String> {
    if let Some(key) = object.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("decides about {key:?}, which is not known; known are {}", KEYS.join(", ")));
    }
    let headers = fields(object, "headers")?;
    match object.get("allowed") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => return denied(object, &headers).map(Next::Reply),
        _ => return Err("decides without `allowed`, which is true or false".to_owned()),
    }
    headers.iter().for_each(|(name, value)| request.set(name, value));
    if let Some(names) = object.get("request_headers_to_remove") {
        let names = names.as_array().ok_or("request_headers_to_remove is no list")?;
        names.iter().filter_map(Value::as_str).for_each(|name| request.remove(name));
    }
    let of_response = fields(object, TO_RESPONSE)?;
    if !of_response.is_empty() {
        *request.state() = of_response;
    }
    Ok(Next::Forward)
}

fn denied(object: &Map<String, Value>, headers: &[(String, String)]) -> Result<Reply, String> {
    let status = object.get("http_status").or_else(|| object.get("status"));
    let status = status.map_or(Some(403), |status| status.as_f64().map(|status| status as u16));
    let status = status.filter(|status| (200..=599).contains(status)).ok_or("http_status is no final status")?;
    let reply = match object.get("body") {
        None | Some(Value::Null) if status == 403 => refusal(),
        None | Some(Value::Null) => Reply::new(status),
        Some(Value::String(body)) => Reply::new(status).body(body.as_str()),
        Some(body) => Reply::new(status).field("content-type", "application/json").body(body.to_string()),
    };
    Ok(headers.iter().fold(reply, |reply, (name, value)| reply.field(name, value)))
}

/// Fields as an object, or as a list of such.
fn fields(object: &Map<String, Value>, key: &str) -> Result<OfResponse, String> {
    let mut found = Vec::new();
    let objects: Vec<&Value> = match object.get(key) {
        None | Some(Value::Null) => return Ok(found),
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
    };
    for fields in objects {
        let fields = fields.as_object().ok_or_else(|| format!("{key} is no object of fields"))?;
        for (name, value) in fields {
            let values: Vec<&Value> = value.as_array().map_or_else(|| vec![value], |list| list.iter().collect());
            for value in values {
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Number(_) | Value::Bool(_) => value.to_string(),
                    _ => return Err(format!("{key}: the value of {name:?} is no text")),
                };
                found.push((name.clone(), text));
            }
        }
    }
    Ok(found)
}
