//! Counts and logs: `GET /count?LABEL`, `/level?NUMBER`, `/size?NUMBER`, `/log?NUMBER`, `/busy?THOUSANDS`, for each piece of its body
//! too; and defines what it is configured with.

use std::hint::black_box;

use tollgate_filter::log::Level;
use tollgate_filter::metrics::{By, Counter, Gauge, Histogram};
use tollgate_filter::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Observe {
    /// A gauge to define, besides.
    #[serde(default)]
    gauge: String,
    #[serde(skip)]
    counted: By<Counter>,
    #[serde(skip)]
    level: Gauge,
    #[serde(skip)]
    sizes: Histogram,
}

#[filter]
impl Filter for Observe {
    fn check(&mut self) -> Result<(), String> {
        self.counted = metrics::counter_by("counted_total", "what was counted", ["what", "length"])?;
        self.level = metrics::gauge("level", "what was set last")?;
        self.sizes = metrics::histogram("sizes", "what was observed", &[1.0, 10.0])?;
        if !self.gauge.is_empty() {
            metrics::gauge(&self.gauge, "another").map_err(|error| format!("gauge: {error}"))?;
        }
        Ok(())
    }

    fn interest(&self) -> Interest {
        Interest::new().request([":path"]).without(Hook::Response)
    }

    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        let path = String::from_utf8_lossy(&request.path()).into_owned();
        let (place, what) = path.split_once('?').unwrap_or((&path, ""));
        let number = what.parse::<f64>().unwrap_or_default();
        match place {
            "/count" => self.counted.of([what.to_owned(), what.len().to_string()]).add(2),
            "/level" => {
                self.level.set(100.0);
                self.level.adjust(number);
            }
            "/size" => self.sizes.observe(number),
            "/log" => (0..number as u32).for_each(|line| {
                log::write(Level::Info, &format!("line {line}"), &[("kind", "test \"1\""), ("path", place)]);
            }),
            "/busy" => {
                spin(number);
            }
            "/trap" => self.counted.of(["too few"]).add(1),
            _ => {}
        }
        Ok(Next::Forward)
    }

    fn on_request_body(&self, request: &mut Request<'_>, _: Piece) -> BodyOutcome {
        let path = String::from_utf8_lossy(&request.path()).into_owned();
        if let Some(number) = path.strip_prefix("/busy?") {
            spin(number.parse().unwrap_or_default());
        }
        Ok(Body::Pass)
    }
}

/// So many thousand rounds.
fn spin(thousands: f64) {
    for round in 0..(thousands * 1e3) as u64 {
        black_box(round);
    }
}
