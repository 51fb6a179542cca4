//! Does to the store what a request asks for, and answers with what came of it: `x-do: increment - visits 1 0`. A space `-`
//! is the policy's own, a value `-` is none. Times are in milliseconds. With `x-note: yes` it logs before and after.

use std::cell::RefCell;
use std::time::Duration;

use tollgate_filter::limiter::Limit;
use tollgate_filter::log;
use tollgate_filter::prelude::*;
use tollgate_filter::store::{self, Lease, Space};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// Where to do something that is not possible.
    #[serde(default)]
    misplaced: Option<Misplaced>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Misplaced {
    Configure,
    End,
}

#[derive(Default)]
struct Seen(#[expect(dead_code, reason = "it only says that there is a state")] bool);

thread_local! {
    /// The lease that this instance has.
    static LEASE: RefCell<Option<Lease>> = const { RefCell::new(None) };
}

#[filter]
impl Filter for State {
    type State = Seen;

    fn check(&mut self) -> Result<(), String> {
        if self.misplaced == Some(Misplaced::Configure) {
            store::own().get("a").map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn interest(&self) -> Interest {
        let interest = Interest::new().request(["x-do", "x-note"]);
        if self.misplaced == Some(Misplaced::End) { interest } else { interest.without(Hook::End) }
    }

    fn on_request(&self, request: &mut Request<'_, Seen>) -> Outcome {
        let Some(deed) = request.field("x-do") else { return Ok(Next::Forward) };
        let deed = String::from_utf8(deed.to_vec())?;
        let words: Vec<_> = deed.split(' ').collect();
        let (word, number) = (
            |at: usize| words.get(at).copied().unwrap_or_default(),
            |at: usize| words.get(at).and_then(|word| word.parse::<i64>().ok()).unwrap_or_default(),
        );
        let space = if word(1) == "-" { store::own() } else { store::shared(word(1)) };
        let is_noted = request.field("x-note").is_some();
        if is_noted {
            log::info("before");
        }
        let answer = match word(0) {
            "lease" | "renew" | "release" => lease(word(0), space, word(2), time(number(3))),
            "take" => Ok(take(word(1), number(2))),
            _ => plain(&words, space, word(2), number),
        };
        if is_noted {
            log::info("after");
        }
        // The error as a case, which is easy to compare.
        Ok(Reply::new(200).body(answer.unwrap_or_else(|error| format!("{error:?}"))).into())
    }

    fn on_end(&self, _: Seen) {
        let _ = store::own().get("a");
    }
}

fn plain(words: &[&str], space: Space<'_>, key: &str, number: impl Fn(usize) -> i64) -> Result<String, store::Error> {
    // `*N` is so many bytes.
    let bytes = |at: usize| match words.get(at).and_then(|word| word.strip_prefix('*')) {
        Some(count) => vec![b'x'; count.parse().unwrap_or_default()],
        None => words.get(at).copied().unwrap_or_default().as_bytes().to_vec(),
    };
    let key = key.strip_prefix('*').map_or_else(|| key.as_bytes().to_vec(), |_| bytes(2));
    Ok(match words[0] {
        "get" => space.get(key)?.map_or_else(|| "none".to_owned(), |value| format!("{}", value.escape_ascii())),
        "set" => space.set(key, bytes(3), time(number(4))).map(|()| "done".to_owned())?,
        "delete" => space.delete(key)?.to_string(),
        "swap" => {
            let expected = Some(bytes(3)).filter(|expected| expected != b"-");
            space.compare_and_swap(key, expected.as_deref(), bytes(4), time(number(5)))?.to_string()
        }
        "increment" => space.increment(key, number(3), time(number(4)))?.to_string(),
        "append" => {
            let appended = space.update(key, Duration::ZERO, |old| [old.unwrap_or_default(), &bytes(3)].concat())?;
            format!("{}", appended.escape_ascii())
        }
        other => format!("there is no {other}"),
    })
}

/// Takes a lease for this instance, or does something with the one that it has.
fn lease(deed: &str, space: Space<'_>, key: &str, ttl: Duration) -> Result<String, store::Error> {
    Ok(match deed {
        "lease" => match space.lease(key, ttl)? {
            Some(lease) => LEASE.replace(Some(lease)).map_or("taken", |_| "taken anew").to_owned(),
            None => "busy".to_owned(),
        },
        "renew" => LEASE.with_borrow(|lease| lease.as_ref().map_or(Ok(false), |lease| lease.renew(ttl)))?.to_string(),
        _ => LEASE.take().map_or(Ok(false), Lease::release)?.to_string(),
    })
}

/// One of so many an hour.
fn take(key: &str, burst: i64) -> String {
    let limit = Limit { requests: 1, period_ms: 3_600_000, burst: u32::try_from(burst).unwrap_or(1) };
    let decision = limiter::take(key, limit, 1);
    format!("{} {}", if decision.allowed { "allowed" } else { "refused" }, decision.remaining)
}

fn time(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default())
}
