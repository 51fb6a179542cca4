//! Treats bodies in every way that a filter can: `{ "request": "upper", "response": "append", "tag": "a" }`.

use tollgate_filter::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Treat {
    #[serde(default)]
    request: Option<Treatment>,
    #[serde(default)]
    response: Option<Treatment>,
    /// What tells this filter from another one of the same chain.
    #[serde(default)]
    tag: String,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Treatment {
    /// Piece by piece, of the same length.
    Upper,
    /// Each piece between angle brackets.
    Wrap,
    /// Of each piece only the first byte.
    Shorten,
    /// Nothing goes on.
    Drop,
    /// The tag behind the last piece.
    Append,
    /// Holds the head to the end and says how long the body was.
    Measure,
    /// Holds the head; all content goes on with the last piece.
    Collect,
    /// Holds the head; the first piece becomes a long one, and nothing else passes.
    KeepFirst,
    /// Holds the head for the first piece only.
    ReleaseFirst,
    /// Holds the head and answers with a reply at the end.
    ReplyAtEnd,
    /// Holds the head and answers with a reply on the first piece.
    ReplyAtOnce,
    /// Does not hold the head, and replies on the first piece.
    ReplyUnheld,
    /// Does not hold the head, and edits it.
    EditUnheld,
    /// Edits the trailers.
    Trailers,
    /// Edits the head from the trailers hook.
    TrailersEditHead,
    /// Replies from the trailers hook.
    ReplyInTrailers,
    /// Replies from the trailers hook, and has held the head up to then.
    ReplyInTrailersHeld,
    /// Cuts the exchange in the trailers hook.
    AbortInTrailers,
    /// Sees the whole at once, says how long it was and puts it between angle brackets.
    Whole,
    /// As `whole`, for messages without a body too.
    WholeHeld,
    /// The body ends with the first piece, in angle brackets, and with trailers of its own.
    EndFirst,
    /// The exchange is cut on the first piece.
    AbortFirst,
    /// The head is held, and the exchange is cut on the first piece.
    AbortHeld,
    /// In the place of the first piece come more bytes than may be.
    Flood,
    /// Holds the head; a message without a body gets one.
    Give,
    /// Tells behind the last piece what the hook can see of the head.
    Describe,
    /// Counts the pieces of each size and tells at the end.
    Pieces,
}

#[derive(Default)]
struct Seen {
    content: Vec<u8>,
    sizes: Vec<usize>,
}

#[filter]
impl Filter for Treat {
    type State = Seen;

    fn interest(&self) -> Interest {
        let hooks = [
            (self.request, Hook::Request, Hook::RequestBody, Hook::RequestTrailers),
            (self.response, Hook::Response, Hook::ResponseBody, Hook::ResponseTrailers),
        ];
        hooks.into_iter().fold(Interest::new(), |interest, (treatment, head, body, trailers)| match treatment {
            None => interest.without(head).without(body).without(trailers),
            Some(
                Treatment::Trailers
                | Treatment::TrailersEditHead
                | Treatment::ReplyInTrailers
                | Treatment::AbortInTrailers,
            ) => interest.without(body),
            Some(Treatment::EndFirst | Treatment::ReplyInTrailersHeld) => interest,
            Some(Treatment::Whole) => interest.without(head).without(trailers).whole(body),
            Some(Treatment::WholeHeld) => interest.without(trailers).whole(body),
            Some(_) => interest.without(trailers),
        })
    }

    fn on_request(&self, _: &mut Request<'_, Seen>) -> Outcome {
        Ok(hold(self.request))
    }

    fn on_request_body(&self, request: &mut Request<'_, Seen>, piece: Piece) -> BodyOutcome {
        let probe = request.field("x-probe").map(|value| value.to_text().into_owned());
        let seen = format!("{} {}", request.path(), probe.unwrap_or_else(|| "absent".to_owned()));
        self.treat(self.request, &seen, request, piece)
    }

    fn on_request_trailers(&self, request: &mut Request<'_, Seen>, trailers: &mut Trailers<'_>) -> TrailersOutcome {
        if self.request == Some(Treatment::TrailersEditHead) {
            request.set("x-late", "1");
        }
        edit(self.request, trailers)
    }

    fn on_response(&self, _: &mut Response<'_, Seen>) -> Outcome {
        Ok(hold(self.response))
    }

    fn on_response_body(&self, response: &mut Response<'_, Seen>, piece: Piece) -> BodyOutcome {
        let probe = response.field("x-probe").map(|value| value.to_text().into_owned());
        let seen = format!("{} {}", response.status(), probe.unwrap_or_else(|| "absent".to_owned()));
        self.treat(self.response, &seen, response, piece)
    }

    fn on_response_trailers(&self, response: &mut Response<'_, Seen>, trailers: &mut Trailers<'_>) -> TrailersOutcome {
        if self.response == Some(Treatment::TrailersEditHead) {
            response.set("x-late", "1");
        }
        edit(self.response, trailers)
    }
}

fn hold(treatment: Option<Treatment>) -> Next {
    use Treatment::{AbortHeld, Collect, Give, KeepFirst, Measure, ReleaseFirst, ReplyAtEnd, ReplyAtOnce};
    match treatment {
        Some(Measure | Collect | KeepFirst | ReleaseFirst | ReplyAtEnd | ReplyAtOnce) => Next::Hold,
        Some(AbortHeld | Give | Treatment::WholeHeld | Treatment::ReplyInTrailersHeld) => Next::Hold,
        _ => Next::Forward,
    }
}

fn edit(treatment: Option<Treatment>, trailers: &mut Trailers<'_>) -> TrailersOutcome {
    match treatment {
        Some(Treatment::ReplyInTrailers | Treatment::ReplyInTrailersHeld) => {
            return Ok(Reply::new(422).body("in trailers").into());
        }
        Some(Treatment::AbortInTrailers) => return Ok(Tail::Abort),
        _ => {}
    }
    let names: Vec<&str> = trailers.iter().map(|(name, _)| name).collect();
    trailers.set("x-names", names.join(","));
    trailers.remove("x-drop");
    trailers.add("x-keep", "again");
    Ok(Tail::Pass)
}

impl Treat {
    fn treat(
        &self,
        treatment: Option<Treatment>,
        visible: &str,
        message: &mut tollgate_filter::Head<'_, Seen>,
        piece: Piece,
    ) -> BodyOutcome {
        let last = piece.is_last();
        let is_first = message.state().sizes.is_empty();
        message.state().sizes.push(piece.bytes().len());
        let Some(treatment) = treatment else { return Ok(Body::Pass) };
        Ok(match treatment {
            Treatment::Upper => Body::Replace(piece.bytes().to_ascii_uppercase()),
            Treatment::Wrap if piece.bytes().is_empty() => Body::Pass,
            Treatment::Wrap => Body::Replace([b"<", piece.bytes(), b">"].concat()),
            Treatment::Shorten => Body::Replace(piece.bytes().iter().take(1).copied().collect()),
            Treatment::Drop => Body::Replace(Vec::new()),
            Treatment::Append if last => Body::Replace([piece.bytes(), self.tag.as_bytes()].concat()),
            Treatment::Measure => {
                if last {
                    let length: usize = message.state().sizes.iter().sum();
                    message.set("x-length", length.to_string());
                }
                Body::Pass
            }
            Treatment::Collect => {
                message.state().content.extend_from_slice(piece.bytes());
                let content = if last { std::mem::take(&mut message.state().content) } else { Vec::new() };
                Body::Replace(if last { [b"whole:", &*content].concat() } else { content })
            }
            Treatment::KeepFirst => Body::Replace(vec![b'x'; if is_first { 64 << 10 } else { 0 }]),
            Treatment::ReleaseFirst if is_first => {
                message.set("x-first", piece.bytes());
                message.release();
                Body::Pass
            }
            Treatment::ReplyAtEnd if last => {
                let length: usize = message.state().sizes.iter().sum();
                Reply::new(422).body(format!("{length} bytes")).into()
            }
            Treatment::ReplyAtOnce | Treatment::ReplyUnheld if is_first => Reply::new(422).body("at once").into(),
            Treatment::Whole | Treatment::WholeHeld => {
                message.set("x-length", piece.bytes().len().to_string());
                Body::Replace([b"<", piece.bytes(), b">"].concat())
            }
            Treatment::EndFirst if is_first => Body::End([b"<", piece.bytes(), b">"].concat()),
            Treatment::AbortFirst | Treatment::AbortHeld if is_first => Body::Abort,
            Treatment::Flood if is_first => Body::Replace(vec![b'x'; (1 << 20) + 1]),
            Treatment::Give if last && piece.bytes().is_empty() => Body::Replace(b"given".to_vec()),
            Treatment::EditUnheld => {
                message.set("x-late", "1");
                Body::Pass
            }
            Treatment::Describe if last => Body::Replace([piece.bytes(), b" | ", visible.as_bytes()].concat()),
            Treatment::Pieces if last => {
                let sizes: Vec<String> = message.state().sizes.iter().map(ToString::to_string).collect();
                Body::Replace(sizes.join("+").into_bytes())
            }
            Treatment::Pieces => Body::Replace(Vec::new()),
            _ => Body::Pass,
        })
    }
}
