//! Asks upstreams, as configured: `{ "in": "request-head", "calls": [{ "upstream": "auth", "path": "/check" }] }`. What it is
//! told goes on in `x-told`, a body piece as the answer to one, and trailers with `x-told` too.

use std::hint::black_box;
use std::time::Duration;

use tollgate_filter::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    #[serde(default, rename = "in")]
    place: Place,
    calls: Vec<Call>,
    /// One after another instead of all at once.
    #[serde(default)]
    in_turn: bool,
    /// Keeps state for each exchange.
    #[serde(default)]
    state: bool,
    /// How much work to do around each call, in millions of steps.
    #[serde(default)]
    work: u64,
    /// Only for requests whose path begins like this.
    #[serde(default)]
    when: String,
    /// Holds the head of a request until it has seen the body.
    #[serde(default)]
    hold: bool,
}

#[derive(Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Place {
    #[default]
    RequestHead,
    RequestBody,
    RequestTrailers,
    ResponseHead,
    ResponseBody,
    ResponseTrailers,
    Configure,
    ExchangeEnd,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    upstream: String,
    #[serde(default = "root")]
    path: String,
    #[serde(default = "get")]
    method: String,
    #[serde(default)]
    authority: Option<String>,
    #[serde(default)]
    field: Option<(String, String)>,
    #[serde(default)]
    body: usize,
    #[serde(default)]
    timeout: Option<u64>,
    #[serde(default)]
    limit: Option<u32>,
    /// How often.
    #[serde(default = "one")]
    times: usize,
}

fn root() -> String {
    "/".into()
}

fn get() -> String {
    "GET".into()
}

fn one() -> usize {
    1
}

#[derive(Default)]
struct Seen {
    hooks: u32,
    due: bool,
}

type Message<'a> = tollgate_filter::Head<'a, Seen>;

#[filter]
impl Filter for Ask {
    type State = Seen;

    fn check(&mut self) -> Result<(), String> {
        if self.place == Place::Configure {
            self.ask();
        }
        Ok(())
    }

    fn interest(&self) -> Interest {
        let optional = [
            (Place::RequestBody, Hook::RequestBody),
            (Place::RequestTrailers, Hook::RequestTrailers),
            (Place::ResponseBody, Hook::ResponseBody),
            (Place::ResponseTrailers, Hook::ResponseTrailers),
            (Place::ResponseHead, Hook::Response),
        ];
        let unused = optional.into_iter().filter(|(place, _)| *place != self.place).map(|(_, hook)| hook);
        let end = (!self.state && self.place != Place::ExchangeEnd).then_some(Hook::End);
        unused.chain(end).fold(Interest::new().request([":path"]), Interest::without)
    }

    fn on_request(&self, request: &mut Request<'_, Seen>) -> Outcome {
        request.state().hooks += 1;
        let due = request.path().starts_with(self.when.as_bytes());
        request.state().due = due;
        if due {
            self.tell(Place::RequestHead, request);
        }
        Ok(if self.hold { Next::Hold } else { Next::Forward })
    }

    fn on_request_body(&self, request: &mut Request<'_, Seen>, piece: Piece) -> BodyOutcome {
        request.state().hooks += 1;
        if piece.is_last() && self.hold {
            let hooks = request.state().hooks;
            request.set("x-hooks", hooks.to_string());
        }
        self.translate(piece)
    }

    fn on_request_trailers(&self, _: &mut Request<'_, Seen>, trailers: &mut Trailers<'_>) -> TrailersOutcome {
        trailers.set("x-told", self.ask());
        Ok(Tail::Pass)
    }

    fn on_response(&self, response: &mut Response<'_, Seen>) -> Outcome {
        response.state().hooks += 1;
        let hooks = response.state().hooks;
        response.set("x-hooks", hooks.to_string());
        self.tell(Place::ResponseHead, response);
        Ok(Next::Forward)
    }

    fn on_response_body(&self, _: &mut Response<'_, Seen>, piece: Piece) -> BodyOutcome {
        self.translate(piece)
    }

    fn on_response_trailers(&self, _: &mut Response<'_, Seen>, trailers: &mut Trailers<'_>) -> TrailersOutcome {
        trailers.set("x-told", self.ask());
        Ok(Tail::Pass)
    }

    fn on_end(&self, _: Seen) {
        if self.place == Place::ExchangeEnd {
            self.ask();
        }
    }
}

impl Ask {
    fn tell(&self, place: Place, message: &mut Message<'_>) {
        if self.place == place {
            let told = self.ask();
            message.set("x-told", told);
        }
    }

    /// What the first upstream answers to the piece.
    fn translate(&self, piece: Piece) -> BodyOutcome {
        let Some(call) = self.calls.first().filter(|_| !piece.bytes().is_empty()) else { return Ok(Body::Pass) };
        let answer = callout::Request::post(&call.upstream, &call.path, piece.into_bytes()).send()?;
        Ok(Body::Replace(answer.into_body()))
    }

    /// What all upstreams answer.
    fn ask(&self) -> String {
        let requests = self.calls.iter().flat_map(|call| (0..call.times).map(|_| call.request()));
        work(self.work);
        let answers = match self.in_turn {
            true => requests
                .map(|request| {
                    work(self.work);
                    request.send()
                })
                .collect(),
            false => callout::all(requests),
        };
        work(self.work);
        let told: Vec<_> = answers
            .into_iter()
            .map(|answer| match answer {
                Ok(answer) => format!("{} {}", answer.status(), String::from_utf8_lossy(answer.body())),
                Err(error) => format!("{error:?}"),
            })
            .collect();
        told.join("; ").replace(|c: char| c.is_control(), " ")
    }
}

impl Call {
    fn request(&self) -> callout::Request {
        let mut request = callout::Request::new(&self.method, &self.upstream, &self.path).body(vec![b'x'; self.body]);
        if let Some(authority) = &self.authority {
            request = request.authority(authority);
        }
        if let Some((name, value)) = &self.field {
            request = request.field(name, value);
        }
        if let Some(timeout) = self.timeout {
            request = request.timeout(Duration::from_millis(timeout));
        }
        match self.limit {
            Some(limit) => request.body_limit(limit),
            None => request,
        }
    }
}

fn work(millions: u64) {
    for step in 0..millions * 1_000_000 {
        black_box(step);
    }
}
