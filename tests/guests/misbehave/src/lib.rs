//! Does whatever a filter must not do, as configured: `{ "in": "request-head", "do": "trap" }`. Otherwise it counts.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use tollgate_filter::limiter::Limit;
use tollgate_filter::prelude::*;

/// What must never reach a client.
const SECRET: &str = "the inside of the filter";

/// Exchanges that this instance has seen begin, and end.
static BEGUN: AtomicU32 = AtomicU32::new(0);
static ENDED: AtomicU32 = AtomicU32::new(0);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Misbehave {
    /// Where.
    #[serde(default, rename = "in")]
    place: Place,
    /// What.
    #[serde(default, rename = "do")]
    deed: Deed,
    /// Only for requests whose path begins like this.
    #[serde(default)]
    when: String,
    /// How much memory to eat, in MiB; by default, all.
    #[serde(default)]
    amount: Option<usize>,
    /// Whether it keeps state for exchanges.
    #[serde(default)]
    state: bool,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Place {
    #[default]
    Nowhere,
    Configure,
    RequestHead,
    RequestBody,
    RequestTrailers,
    ResponseHead,
    ResponseBody,
    ResponseTrailers,
    ExchangeEnd,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Deed {
    #[default]
    Nothing,
    // What ends the hook.
    Trap,
    Panic,
    Loop,
    EatMemory,
    Recurse,
    Fault,
    ForeignExchange,
    ZeroRequests,
    ZeroPeriod,
    ZeroBurst,
    ZeroCost,
    // What it can go on after.
    HugeLimit,
    FloodLog,
    LongLog,
    /// As `EatMemory`, and never gives it back.
    KeepMemory,
    // Answers of head hooks.
    BadName,
    LineBreak,
    ContentLength,
    RequestStatus,
    InformationalStatus,
    RelativePath,
    UnknownFact,
    FloodFields,
    Hold,
    ReplyFloodFields,
    ReplyInformational,
    ReplyStatusTooLarge,
    ReplyContentLength,
    ReplyHuge,
    EditTrailersBadly,
}

#[derive(Default)]
struct Seen {
    hooks: u32,
    /// Whether this exchange is one to misbehave in.
    due: bool,
}

/// More fields than any message can have.
const MANY: u32 = 40_000;

type Message<'a> = tollgate_filter::Head<'a, Seen>;

#[filter]
impl Filter for Misbehave {
    type State = Seen;

    fn check(&mut self) -> Result<(), String> {
        if self.place == Place::Configure {
            self.crash().map_err(|fault| fault.message().to_owned())?;
        }
        Ok(())
    }

    fn interest(&self) -> Interest {
        let optional = [
            (Place::RequestBody, Hook::RequestBody),
            (Place::RequestTrailers, Hook::RequestTrailers),
            (Place::ResponseBody, Hook::ResponseBody),
            (Place::ResponseTrailers, Hook::ResponseTrailers),
        ];
        let unused = optional.into_iter().filter(|(place, _)| *place != self.place).map(|(_, hook)| hook);
        let end = (!self.state && self.place != Place::ExchangeEnd).then_some(Hook::End);
        let interest = Interest::new().request([":path"]).response(["@request::path"]);
        unused.chain(end).fold(interest, Interest::without)
    }

    fn on_request(&self, request: &mut Request<'_, Seen>) -> Outcome {
        let begun = BEGUN.fetch_add(1, Ordering::Relaxed) + 1;
        request.state().hooks += 1;
        request.set("x-begun", begun.to_string());
        let due = request.path().starts_with(self.when.as_bytes());
        request.state().due = due;
        self.head(Place::RequestHead, due, request)
    }

    fn on_request_body(&self, request: &mut Request<'_, Seen>, _: Piece) -> BodyOutcome {
        self.body(request.state().due)
    }

    fn on_request_trailers(&self, request: &mut Request<'_, Seen>, trailers: &mut Trailers<'_>) -> TrailersOutcome {
        self.trailers(request.state().due, trailers)
    }

    fn on_response(&self, response: &mut Response<'_, Seen>) -> Outcome {
        response.state().hooks += 1;
        let hooks = response.state().hooks;
        response.set("x-hooks", hooks.to_string());
        response.set("x-begun", BEGUN.load(Ordering::Relaxed).to_string());
        response.set("x-ended", ENDED.load(Ordering::Relaxed).to_string());
        let path = response.request_field(":path").unwrap_or_default();
        self.head(Place::ResponseHead, path.starts_with(self.when.as_bytes()), response)
    }

    fn on_response_body(&self, response: &mut Response<'_, Seen>, _: Piece) -> BodyOutcome {
        self.body(response.state().due)
    }

    fn on_response_trailers(&self, response: &mut Response<'_, Seen>, trailers: &mut Trailers<'_>) -> TrailersOutcome {
        self.trailers(response.state().due, trailers)
    }

    fn on_end(&self, seen: Seen) {
        ENDED.fetch_add(1, Ordering::Relaxed);
        if self.place == Place::ExchangeEnd && seen.due {
            // There is nobody to tell of a fault here.
            let _ = self.crash();
        }
    }
}

impl Misbehave {
    fn head(&self, place: Place, due: bool, message: &mut Message<'_>) -> Outcome {
        if self.place != place || !due {
            return Ok(Next::Forward);
        }
        match self.deed {
            Deed::BadName => message.set("not a name", "x"),
            Deed::LineBreak => message.set("x-split", "a\r\nx-injected: b"),
            Deed::ContentLength => message.set("content-length", "5"),
            Deed::RequestStatus => message.set(":status", "200"),
            Deed::InformationalStatus => message.set(":status", "101"),
            Deed::RelativePath => message.set(":path", "elsewhere"),
            Deed::UnknownFact => message.set("@client-address", "203.0.113.9"),
            Deed::FloodFields => (0..MANY).for_each(|number| message.add(&number.to_string(), "")),
            Deed::Hold => return Ok(Next::Hold),
            Deed::ReplyFloodFields => {
                let add = |reply: Reply, number: u32| reply.field(&number.to_string(), "");
                return Ok((0..MANY).fold(Reply::new(200), add).into());
            }
            Deed::ReplyInformational => return Ok(Reply::new(103).into()),
            Deed::ReplyStatusTooLarge => return Ok(Reply::new(1000).into()),
            Deed::ReplyContentLength => return Ok(Reply::new(200).field("content-length", "1").into()),
            Deed::ReplyHuge => return Ok(Reply::new(200).body(vec![b'x'; 4 << 20]).into()),
            _ => self.crash()?,
        }
        Ok(Next::Forward)
    }

    fn body(&self, due: bool) -> BodyOutcome {
        if due {
            self.crash()?;
        }
        Ok(Body::Pass)
    }

    fn trailers(&self, due: bool, trailers: &mut Trailers<'_>) -> TrailersOutcome {
        match self.deed {
            _ if !due => {}
            Deed::EditTrailersBadly => trailers.set("transfer-encoding", "chunked"),
            _ => self.crash()?,
        }
        Ok(Tail::Pass)
    }

    fn crash(&self) -> Result<(), Fault> {
        match self.deed {
            Deed::Trap => trap(),
            Deed::Panic => panic!("{SECRET}"),
            Deed::Loop => loop {
                black_box(());
            },
            Deed::EatMemory => drop(eat(self.amount)),
            Deed::KeepMemory => std::mem::forget(eat(self.amount)),
            Deed::Recurse => drop(black_box(recurse(black_box(u64::MAX)))),
            Deed::Fault => return Err(Fault::new(SECRET)),
            Deed::ForeignExchange => look_at_foreign_exchange(),
            Deed::ZeroRequests => take(0, 1, 1, 1),
            Deed::ZeroPeriod => take(1, 0, 1, 1),
            Deed::ZeroBurst => take(1, 1, 0, 1),
            Deed::ZeroCost => take(1, 1, 1, 0),
            Deed::HugeLimit => {
                take(u32::MAX, 1, u32::MAX, 1);
                take(1, u64::MAX, u32::MAX, u32::MAX);
                take(u32::MAX, u64::MAX, 1, u32::MAX);
            }
            Deed::FloodLog => (0..10_000).for_each(|line| log::info(format!("flood {line}"))),
            Deed::LongLog => log::info("long ".repeat(200_000)),
            _ => {}
        }
        Ok(())
    }
}

fn trap() -> ! {
    #[cfg(target_arch = "wasm32")]
    std::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort()
}

/// Takes memory without touching it: this is about how much there is, not about how long writing takes.
fn eat(amount: Option<usize>) -> Vec<Vec<u8>> {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    while amount.is_none_or(|amount| eaten.len() < amount) {
        eaten.push(black_box(Vec::with_capacity(1 << 20)));
    }
    eaten
}

/// Too deep for any stack, and with nothing on the one in linear memory.
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    if depth == 0 { 0 } else { recurse(depth - 1).rotate_left(7) ^ depth }
}

fn take(requests: u32, period_ms: u64, burst: u32, cost: u32) {
    black_box(limiter::take("key", Limit { requests, period_ms, burst }, cost));
}

/// The SDK has no way to name another exchange than the hook's own.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "an import called by hand")]
fn look_at_foreign_exchange() {
    #[link(wasm_import_module = "tollgate:filter/exchange@0.1.0")]
    unsafe extern "C" {
        #[link_name = "fields"]
        fn fields(exchange: u32, message: u32, into: *mut [u32; 2]);
    }
    let mut found = [0; 2];
    // SAFETY: the types are those of the canonical ABI, and `found` has room for a list.
    unsafe { fields(4_242, 0, &raw mut found) };
    black_box(found);
}

#[cfg(not(target_arch = "wasm32"))]
fn look_at_foreign_exchange() {}
