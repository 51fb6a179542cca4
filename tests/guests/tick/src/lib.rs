//! Has ticks: `{ "every-ms": 100, "fetch": "/keys" }`. What they found is in `x-fetched` of each request, and `x-ticks` is how
//! many there have been in the policy's space.

use std::hint::black_box;
use std::time::Duration;

use tollgate_filter::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Ticking {
    /// 0 for none.
    #[serde(default = "often")]
    every_ms: u64,
    /// Fetched from the upstream `keys` and kept.
    #[serde(default)]
    fetch: Option<String>,
    /// How often in one tick.
    #[serde(default = "once")]
    times: usize,
    /// How it fails.
    #[serde(default)]
    fault: Option<Failure>,
    /// Only the first ticks fail, so many.
    #[serde(default = "ever")]
    faults: i64,
    #[serde(skip)]
    ticked: metrics::Counter,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Failure {
    Trap,
    Error,
    Loop,
    Memory,
}

fn often() -> u64 {
    100
}

fn once() -> usize {
    1
}

fn ever() -> i64 {
    i64::MAX
}

#[filter]
impl Filter for Ticking {
    fn check(&mut self) -> Result<(), String> {
        self.ticked = metrics::counter("ticked_total", "ticks of the guest")?;
        Ok(())
    }

    fn interest(&self) -> Interest {
        match self.every_ms {
            0 => Interest::new().without(Hook::Tick),
            ms => Interest::new().every(Duration::from_millis(ms)),
        }
    }

    fn on_tick(&self) -> Result<(), Fault> {
        let count = store::own().increment("ticks", 1, Duration::ZERO)?;
        if count <= self.faults {
            self.fault.map_or(Ok(()), Failure::happen)?;
        }
        self.ticked.add(1);
        log::info(format!("tick {count}"));
        if let Some(path) = &self.fetch {
            let requests = (0..self.times).map(|_| callout::Request::get("keys", path));
            let answers: Result<Vec<_>, _> = callout::all(requests).into_iter().collect();
            let bodies: Vec<_> = answers?.into_iter().map(callout::Response::into_body).collect();
            store::own().set("fetched", bodies.join(&b' '), Duration::ZERO)?;
        }
        Ok(())
    }

    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        request.set("x-fetched", store::own().text("fetched")?.unwrap_or_default());
        request.set("x-ticks", store::own().count("ticks")?.to_string());
        Ok(Next::Forward)
    }
}

impl Failure {
    fn happen(self) -> Result<(), Fault> {
        match self {
            Self::Trap => panic!("as configured"),
            Self::Error => return Err(Fault::new("nothing to be had")),
            Self::Loop => loop {
                black_box(0);
            },
            Self::Memory => drop(black_box(vec![1_u8; 1 << 30])),
        }
        Ok(())
    }
}
