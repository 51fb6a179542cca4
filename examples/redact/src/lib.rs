//! Masks words and card numbers in bodies, wherever they are cut into pieces: an example of bodies that are seen as they come.

mod rules;
mod stream;

use tollgate_filter::prelude::*;

use crate::rules::{Rules, Written};
use crate::stream::Stream;

/// What says something about the very bytes of a message.
const OF_THE_BYTES: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

#[derive(Deserialize, Schema)]
#[serde(try_from = "Written")]
struct Redact {
    rules: Rules,
    request: bool,
    response: bool,
}

impl TryFrom<Written> for Redact {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let (request, response) = written.bodies.directions();
        Ok(Self { rules: Rules::of(written)?, request, response })
    }
}

/// The bodies of one exchange.
#[derive(Default)]
struct Bodies {
    request: Stream,
    response: Stream,
}

#[filter(documentation = "README.md", cases = "cases.toml", needs(body("masks what it finds there")))]
impl Filter for Redact {
    type State = Bodies;

    fn interest(&self) -> Interest {
        let mut interest = Interest::new().request(["content-encoding"]).response(["content-encoding"]);
        if !self.request {
            interest = interest.without(Hook::RequestBody);
        }
        if !self.response {
            interest = interest.without(Hook::Response).without(Hook::ResponseBody);
        }
        interest
    }

    fn on_request(&self, request: &mut Request<'_, Bodies>) -> Outcome {
        if self.request {
            if is_encoded(request) {
                let reply = Reply::problem(415, "Unsupported Media Type").field("accept-encoding", "identity");
                return Ok(reply.detail("Send the content without a content-encoding.").into());
            }
            OF_THE_BYTES.into_iter().for_each(|name| request.remove(name));
        }
        if self.response {
            // In what is compressed nothing is found, and in a part of a content not what begins before it.
            ["accept-encoding", "range", "if-range"].into_iter().for_each(|name| request.remove(name));
        }
        Ok(Next::Forward)
    }

    fn on_request_body(&self, request: &mut Request<'_, Bodies>, piece: Piece) -> BodyOutcome {
        Ok(self.mask(&mut request.state().request, &piece))
    }

    fn on_response(&self, response: &mut Response<'_, Bodies>) -> Outcome {
        if is_encoded(response) {
            return Err(Fault::new("the response is compressed although nobody asked for that"));
        }
        OF_THE_BYTES.into_iter().for_each(|name| response.remove(name));
        Ok(Next::Forward)
    }

    fn on_response_body(&self, response: &mut Response<'_, Bodies>, piece: Piece) -> BodyOutcome {
        Ok(self.mask(&mut response.state().response, &piece))
    }
}

impl Redact {
    fn mask(&self, stream: &mut Stream, piece: &Piece) -> Body {
        stream.next(&self.rules, piece.bytes(), piece.is_last()).map_or(Body::Pass, Body::Replace)
    }
}

fn is_encoded(head: &tollgate_filter::Head<'_, Bodies>) -> bool {
    head.field("content-encoding").is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
mod tests {
    use tollgate_filter::testing::{Request, Response, TestGateway};

    use super::*;

    fn gateway(bodies: &str) -> TestGateway<Redact> {
        TestGateway::new(&format!(r#"{{ "words": ["tulip"], "cards": true, "bodies": "{bodies}" }}"#)).unwrap()
    }

    #[test]
    fn what_lies_in_two_pieces_is_masked() {
        let gateway = gateway("both");
        let mut exchange = gateway.request(Request::post("/").piece("a tu").piece("lip 4111 1111 ").piece("1111 1111"));
        assert_eq!(exchange.forwarded().text(), "a ***** **** **** **** 1111");
        let response = exchange.respond_with(Response::new(200).piece("tuli").piece("p"));
        assert_eq!(response.text(), "*****");
    }

    #[test]
    fn only_the_bodies_that_are_asked_for_are_seen() {
        let hooks = [Hook::Request, Hook::RequestBody, Hook::Response, Hook::ResponseBody];
        for (bodies, seen) in [("request", [true, true, false, false]), ("response", [true, false, true, true])] {
            assert_eq!(hooks.map(|hook| gateway(bodies).subscribed(hook)), seen, "{bodies}");
        }
    }

    #[test]
    fn what_is_compressed_does_not_pass() {
        let gateway = gateway("both");
        let compressed = Request::post("/").field("content-encoding", "br").piece("x");
        assert_eq!(gateway.request(compressed).reply().status(), 415);
        let mut exchange = gateway.request(Request::get("/").field("accept-encoding", "br"));
        assert_eq!(exchange.forwarded().value("accept-encoding"), None);
        assert!(exchange.try_respond(Response::new(200).field("content-encoding", "br")).is_err());
    }

    #[test]
    fn the_configuration_is_checked() {
        let error = |text: &str| TestGateway::<Redact>::new(text).err().unwrap();
        assert!(error("{}").contains("nothing to look for"));
        assert!(error(r#"{ "words": [""] }"#).contains("words[0]"));
        assert!(error(r#"{ "cards": true, "mask": "é" }"#).contains("mask"));
        assert!(error(&format!(r#"{{ "words": ["{}"] }}"#, "x".repeat(257))).contains("words[0]"));
    }
}
