//! Does one thing and nothing else, for benches: `{ "body": "change" }` to the pieces of responses, or
//! `{ "head": "store-get", "times": 100 }` for each request.

use tollgate_filter::limiter::Limit;
use tollgate_filter::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Work {
    #[serde(default)]
    body: Option<Treatment>,
    #[serde(default)]
    head: Option<Deed>,
    #[serde(default = "once")]
    times: u32,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Treatment {
    /// Goes on as it is.
    Pass,
    /// Is given back as it came.
    Replace,
    /// Is given back with another first byte.
    Change,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Deed {
    /// Reads the value `value`.
    StoreGet,
    /// Looks for what is not there.
    StoreMiss,
    /// Adds 1 to the counter `counter`.
    StoreIncrement,
    /// Counts against a limit that nobody reaches.
    Limiter,
}

fn once() -> u32 {
    1
}

#[filter]
impl Filter for Work {
    fn interest(&self) -> Interest {
        let mut interest = Interest::new();
        if self.head.is_none() {
            interest = interest.without(Hook::Request);
        }
        if self.body.is_none() {
            interest = interest.without(Hook::Response).without(Hook::ResponseBody);
        }
        interest
    }

    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        let Some(deed) = self.head else { return Ok(Next::Forward) };
        let mut latest = 0;
        for _ in 0..self.times {
            latest = deed.perform()?;
        }
        request.set("x-work", latest.to_string());
        Ok(Next::Forward)
    }

    fn on_response(&self, response: &mut Response<'_>) -> Outcome {
        response.set("x-work", "body");
        Ok(Next::Forward)
    }

    fn on_response_body(&self, _: &mut Response<'_>, piece: Piece) -> BodyOutcome {
        Ok(match self.body {
            None | Some(Treatment::Pass) => Body::Pass,
            Some(Treatment::Replace) => Body::Replace(piece.into_bytes()),
            Some(Treatment::Change) => {
                let mut bytes = piece.into_bytes();
                bytes.iter_mut().take(1).for_each(|byte| *byte = b'!');
                Body::Replace(bytes)
            }
        })
    }
}

impl Deed {
    /// What came of it, as a number.
    fn perform(self) -> Result<i64, Fault> {
        let size = |value: Option<Vec<u8>>| value.map_or(-1, |value| value.len() as i64);
        Ok(match self {
            Self::StoreGet => size(store::own().get("value")?),
            Self::StoreMiss => size(store::own().get("none")?),
            Self::StoreIncrement => store::own().increment("counter", 1, std::time::Duration::ZERO)?,
            Self::Limiter => {
                let limit = Limit { requests: u32::MAX, period_ms: 1000, burst: 1_000_000_000 };
                limiter::take("key", limit, 1).allowed.into()
            }
        })
    }
}
