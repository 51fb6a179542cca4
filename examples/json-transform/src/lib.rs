//! Changes members of JSON bodies and leaves the rest as it is, byte by byte: an example of bodies that are seen as a whole.

mod changes;
mod pointer;

use tollgate_filter::prelude::*;

use crate::changes::{Changes, Node};

/// What says something about the very bytes of a response.
const OF_THE_BYTES: [&str; 5] = ["etag", "content-digest", "repr-digest", "digest", "content-md5"];

#[derive(Deserialize, Schema)]
#[serde(try_from = "Written")]
struct JsonTransform {
    request: Node,
    response: Node,
}

#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct Written {
    /// What becomes of requests.
    #[serde(default)]
    request: Changes,
    /// What becomes of responses.
    #[serde(default)]
    response: Changes,
}

impl TryFrom<Written> for JsonTransform {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let of = |key: &str, changes: Changes| Node::of(changes).map_err(|error| [key, ".", &*error].concat());
        Ok(Self { request: of("request", written.request)?, response: of("response", written.response)? })
    }
}

#[filter(documentation = "README.md", cases = "cases.toml", needs(body("changes JSON")))]
impl Filter for JsonTransform {
    fn interest(&self) -> Interest {
        let mut interest = Interest::new().whole(Hook::RequestBody).whole(Hook::ResponseBody);
        if self.request.is_empty() {
            interest = interest.without(Hook::RequestBody);
        }
        if self.response.is_empty() {
            interest = interest.without(Hook::Request).without(Hook::ResponseBody);
        }
        interest
    }

    /// What the upstream compresses, or sends a part of, could not be changed.
    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        ["accept-encoding", "range", "if-range"].into_iter().for_each(|name| request.remove(name));
        Ok(Next::Forward)
    }

    fn on_request_body(&self, request: &mut Request<'_>, body: Piece) -> BodyOutcome {
        if !is_json(request) {
            return Ok(Body::Pass);
        }
        if is_encoded(request) {
            let reply = Reply::problem(415, "Unsupported Media Type");
            return Ok(reply
                .detail("Send JSON without a content-encoding.")
                .field("accept-encoding", "identity")
                .into());
        }
        match self.request.apply(body.bytes()) {
            Ok(None) => Ok(Body::Pass),
            Ok(Some(changed)) => Ok(Body::Replace(changed)),
            Err(_) => Ok(Reply::problem(400, "Bad Request").detail("The content is not JSON.").into()),
        }
    }

    fn on_response_body(&self, response: &mut Response<'_>, body: Piece) -> BodyOutcome {
        if !is_json(response) {
            return Ok(Body::Pass);
        }
        if is_encoded(response) {
            return Err(Fault::new("the response is compressed although nobody asked for that"));
        }
        let Some(changed) = self.response.apply(body.bytes())? else { return Ok(Body::Pass) };
        OF_THE_BYTES.into_iter().for_each(|name| response.remove(name));
        Ok(Body::Replace(changed))
    }
}

/// `application/json` and whatever ends in `+json` (RFC 6839).
fn is_json(head: &tollgate_filter::Head<'_>) -> bool {
    let content_type = head.field("content-type").unwrap_or_default();
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    let media_type = media_type.trim_ascii().to_ascii_lowercase();
    media_type == b"application/json" || media_type.ends_with(b"+json")
}

fn is_encoded(head: &tollgate_filter::Head<'_>) -> bool {
    head.field("content-encoding").is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
mod tests {
    use tollgate_filter::testing::{Request, Response, TestGateway};

    use super::*;

    const CONFIGURATION: &str = r#"{
        "request": { "set": { "/source": "gateway" }, "remove": ["/debug"] },
        "response": { "remove": ["/items/*/cost"], "rename": { "/total": "sum" } }
    }"#;

    fn gateway() -> TestGateway<JsonTransform> {
        TestGateway::new(CONFIGURATION).unwrap()
    }

    fn post(content_type: &str, body: &str) -> Request {
        Request::post("/").field("content-type", content_type).body(body)
    }

    fn json(body: &str) -> Response {
        Response::new(200).field("content-type", "application/json").body(body)
    }

    #[test]
    fn requests_are_changed_where_they_are_json() {
        let gateway = gateway();
        for (content_type, expected) in [
            ("application/json", r#"{ "a": 1.10,"source":"gateway"}"#),
            ("Application/Problem+JSON; charset=utf-8", r#"{ "a": 1.10,"source":"gateway"}"#),
            ("text/plain", r#"{ "a": 1.10, "debug": true }"#),
        ] {
            let exchange = gateway.request(post(content_type, r#"{ "a": 1.10, "debug": true }"#));
            let (json, plain) = (exchange.forwarded().text(), expected.replace(' ', ""));
            assert_eq!(json.replace(' ', ""), plain, "{content_type}");
        }
    }

    #[test]
    fn what_could_not_be_changed_is_refused() {
        let gateway = gateway();
        assert_eq!(gateway.request(post("application/json", "{")).reply().status(), 400);
        let compressed = post("application/json", "\x1f").field("content-encoding", "gzip");
        assert_eq!(gateway.request(compressed).reply().status(), 415);
        let mut exchange = gateway.request(Request::get("/"));
        assert!(exchange.try_respond(json("{")).is_err());
        let compressed = json("\x1f").field("content-encoding", "gzip");
        assert!(gateway.request(Request::get("/")).try_respond(compressed).unwrap_err().contains("compressed"));
    }

    #[test]
    fn responses_are_changed_and_what_is_said_of_their_bytes_goes() {
        let gateway = gateway();
        let asked = Request::get("/").field("accept-encoding", "gzip").field("range", "bytes=0-1");
        let mut exchange = gateway.request(asked);
        assert_eq!((exchange.forwarded().value("accept-encoding"), exchange.forwarded().value("range")), (None, None));
        let before = json(r#"{"items":[{"id":1,"cost":5},{"id":2}],"total":2}"#).field("etag", "\"a\"");
        let after = exchange.respond_with(before);
        assert_eq!(after.text(), r#"{"items":[{"id":1},{"id":2}],"sum":2}"#);
        assert_eq!(after.value("etag"), None);
        let same = gateway.request(Request::get("/")).respond_with(json(r#"{"x": 1 }"#).field("etag", "\"a\""));
        assert_eq!((same.text().as_str(), same.value("etag").as_deref()), (r#"{"x": 1 }"#, Some("\"a\"")));
    }

    #[test]
    fn what_is_not_configured_is_not_looked_at() {
        let gateway = TestGateway::<JsonTransform>::new(r#"{ "request": { "remove": ["/a"] } }"#).unwrap();
        let looked = [Hook::Request, Hook::RequestBody, Hook::ResponseBody].map(|hook| gateway.subscribed(hook));
        assert_eq!(looked, [false, true, false]);
    }

    #[test]
    fn the_configuration_is_checked() {
        let error = |text: &str| TestGateway::<JsonTransform>::new(text).err().unwrap();
        let message = error(r#"{ "request": { "remove": ["a"] } }"#);
        assert!(message.contains("begins with `/`"), "{message}");
        let message = error(r#"{ "response": { "remove": ["/a"], "set": { "/a": 1 } } }"#);
        assert!(message.contains("response.set: `/a` is changed twice"), "{message}");
    }
}
