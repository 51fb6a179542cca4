//! A filter with every hook, driven through the stand-in of the gateway.

use tollgate_filter::prelude::*;
use tollgate_filter::testing::{Request as Sent, Response as Answered, TestGateway};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Every {
    #[serde(default)]
    mode: String,
}

#[derive(Default)]
struct Seen {
    bytes: usize,
}

#[filter]
impl Filter for Every {
    type State = Seen;

    fn check(&mut self) -> Result<(), String> {
        if self.mode == "wrong" { Err("mode: is wrong".into()) } else { Ok(()) }
    }

    fn interest(&self) -> Interest {
        Interest::new().request([":method"]).response([":status", "@request:x-in"])
    }

    fn on_request(&self, request: &mut Request<'_, Seen>) -> Outcome {
        match &*self.mode {
            "hold" => return Ok(Next::Hold),
            "break" => request.set("content-length", "5"),
            "break-value" => request.set("x-a", "a\r\nb"),
            "break-reply" => return Ok(Reply::new(199).into()),
            "fault" => return Err("no luck".into()),
            "apply" => {
                request.set("x-applied", "yes");
                request.set("host", "other");
                if let Err(fault) = request.apply() {
                    log::warn(fault.message());
                }
            }
            _ => {}
        }
        // The method was declared, the others are asked for.
        let (method, path, many) = (request.method(), request.path(), request.values("x-many").len());
        request.set("X-Seen", format!("{method} {path} {many} {}", request.fields().len()));
        request.set_attribute("Plan", "gold");
        Ok(Next::Forward)
    }

    fn on_request_body(&self, request: &mut Request<'_, Seen>, piece: Piece) -> BodyOutcome {
        request.state().bytes += piece.bytes().len();
        if self.mode == "late" || self.mode == "hold" && piece.is_last() {
            let bytes = request.state().bytes;
            request.set("x-bytes", bytes.to_string());
        }
        if piece.bytes() == b"drop" {
            return Ok(Body::Replace(Vec::new()));
        }
        Ok(Body::Replace(piece.into_bytes().to_ascii_uppercase()))
    }

    fn on_request_trailers(&self, request: &mut Request<'_, Seen>, trailers: &mut Trailers<'_>) -> TrailersOutcome {
        let sum = trailers.field("X-Sum").unwrap_or_default();
        trailers.set("x-sum", format!("{sum}/{}", request.state().bytes));
        Ok(Tail::Pass)
    }

    fn on_response(&self, response: &mut Response<'_, Seen>) -> Outcome {
        let told = format!(
            "{} {} {} {}",
            response.status(),
            response.request_field("x-in").unwrap_or_default(),
            response.attribute("Plan").unwrap_or_default(),
            response.state().bytes
        );
        response.set("x-told", told);
        response.set_status(203);
        Ok(Next::Forward)
    }

    fn on_response_body(&self, _: &mut Response<'_, Seen>, piece: Piece) -> BodyOutcome {
        if self.mode == "late-reply" {
            Ok(Reply::new(502).into())
        } else {
            Ok(Body::Replace(piece.into_bytes().repeat(2)))
        }
    }

    fn on_response_trailers(&self, _: &mut Response<'_, Seen>, trailers: &mut Trailers<'_>) -> TrailersOutcome {
        trailers.remove("x-secret");
        Ok(Tail::Pass)
    }

    fn on_end(&self, state: Seen) {
        log::info(format!("{} bytes", state.bytes));
    }
}

fn gateway(mode: &str) -> TestGateway<Every> {
    TestGateway::new(&format!(r#"{{ "mode": "{mode}" }}"#)).expect("only `wrong` is")
}

fn messages(gateway: &TestGateway<Every>) -> Vec<String> {
    gateway.logs().into_iter().map(|(_, message)| message).collect()
}

#[test]
fn an_exchange_passes_every_hook() {
    let gateway = gateway("");
    let sent = Sent::post("/p").field("X-In", "in").field("x-many", "1").field("x-many", "2");
    let mut exchange = gateway.request(sent.piece("ab").piece("drop").piece("c").trailer("x-sum", "s"));
    let request = exchange.forwarded();
    assert_eq!(request.value("x-seen").as_deref(), Some("POST /p 2 3"));
    assert_eq!((request.text(), request.trailer_value("x-sum")), ("ABC".into(), Some("s/7".into())));
    assert_eq!(request.attribute("Plan").as_deref(), Some("gold"));

    let answered = Answered::new(200).body("xy").trailer("x-secret", "s").trailer("x-open", "o");
    let response = exchange.respond_with(answered);
    assert_eq!((response.status(), response.value("x-told").as_deref()), (203, Some("200 in gold 7")));
    assert_eq!((response.text(), response.trailer_value("x-secret")), ("xyxy".into(), None));
    drop(exchange);
    assert_eq!(messages(&gateway), ["7 bytes"]);
}

#[test]
fn exchanges_side_by_side_have_their_own_state() {
    let gateway = gateway("");
    let mut long = gateway.request(Sent::post("/").body("12345"));
    let mut short = gateway.request(Sent::post("/").body("1"));
    assert!(long.respond(200, []).value("x-told").is_some_and(|told| told.ends_with(" 5")));
    assert!(short.respond(200, []).value("x-told").is_some_and(|told| told.ends_with(" 1")));
    drop(long);
    let mut next = gateway.request(Sent::get("/"));
    assert!(next.respond(200, []).value("x-told").is_some_and(|told| told.ends_with(" 0")));
}

#[test]
fn a_held_head_can_be_edited_until_the_last_piece() {
    let held = gateway("hold").request(Sent::post("/").piece("ab").piece("c"));
    assert_eq!(held.forwarded().value("x-bytes").as_deref(), Some("3"));
    let without_body = gateway("hold").request(Sent::get("/"));
    assert_eq!(without_body.forwarded().value("x-bytes").as_deref(), Some("0"));
    assert!(gateway("late").request(Sent::post("/").body("a")).fault().contains("a head that has gone"));
}

#[test]
fn what_the_gateway_refuses_is_a_fault() {
    let fault = |mode: &str| gateway(mode).request(Sent::get("/")).fault().to_owned();
    assert_eq!(fault("break"), "`content-length` belongs to the connection and is not for filters");
    assert!(fault("break-value").starts_with("the value of `x-a` has a line break"));
    assert_eq!(fault("break-reply"), "a reply cannot have status 199");
    assert_eq!(fault("fault"), "no luck");
    let late = gateway("late-reply").request(Sent::get("/")).try_respond(Answered::new(200).body("x"));
    assert!(late.is_err_and(|fault| fault.contains("has gone")));
}

#[test]
fn edits_can_be_tried_at_once() {
    let gateway = gateway("apply");
    let exchange = gateway.request(Sent::get("/"));
    assert_eq!(exchange.forwarded().value("x-applied").as_deref(), Some("yes"));
    assert!(messages(&gateway)[0].starts_with("`host` belongs"));
}

#[test]
fn a_configuration_is_checked() {
    assert_eq!(TestGateway::<Every>::new(r#"{ "mode": "wrong" }"#).err().as_deref(), Some("mode: is wrong"));
    assert!(TestGateway::<Every>::new(r#"{ "mood": "" }"#).err().is_some_and(|error| error.contains("`mood`")));
}
