//! Connections that come and go for a long time: does the gateway hold more and more?

mod visitors;

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::holdings::Holdings;
use super::options::Options;
use super::peers::{self, Gateway, Upstream};
use super::{place, report};
use visitors::{Tally, Visitors};

/// Looks at the gateway, spread over the whole time.
const SAMPLES: usize = 100;

/// Runs `cargo xtask bench soak`.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let program = peers::build_gateway(options.gateway.as_deref())?;
    let folder = place::fresh_folder("soak")?;
    let policies = folder.join("policies");
    peers::standard_policies(&policies)?;
    let upstream = Upstream::start()?;
    let gateway = Gateway::start(&program, &folder, &policies, upstream.address)?;

    let visitors = Visitors::start(gateway.address);
    let samples = watch(&gateway, Duration::from_secs(options.seconds().into()));
    let tally = visitors.stop();
    report::text(&describe(options.seconds(), &samples, &tally))?;
    ensure!(tally.failed == 0, "{} requests failed; the gateway's last words:\n{}", tally.failed, {
        gateway.service.last_words()
    });
    Ok(())
}

fn watch(gateway: &Gateway, whole: Duration) -> Vec<Holdings> {
    let start = Instant::now();
    let mut samples = Vec::with_capacity(SAMPLES);
    for number in 1..=SAMPLES {
        sleep((whole * number as u32 / SAMPLES as u32).saturating_sub(start.elapsed()));
        report::progress(&format!("{number} % of {} s", whole.as_secs()));
        samples.push(Holdings::of(gateway.service.pid()));
    }
    report::progress("");
    samples
}

/// The start is what comes right after the first tenth: until then caches and pools fill.
fn describe(seconds: u32, samples: &[Holdings], tally: &Tally) -> String {
    let tenth = |from: usize| samples.get(from * samples.len() / 100..(from + 10) * samples.len() / 100);
    let at = |from| tenth(from).and_then(Holdings::median);
    let (Some(start), Some(middle), Some(end)) = (at(10), at(45), at(90)) else {
        return "too few figures\n".to_owned();
    };
    let verdict = if start.is_kept_by(&end) && middle.is_kept_by(&end) { "flat" } else { "not flat" };
    let mut text = format!(
        "{seconds} s, three standard policies, 2 workers: {} requests on {} connections, {} of them left within a \
         response, {} failed\n\
         \x20 start   {}\n\x20 middle  {}\n\x20 end     {}: {verdict}\n",
        tally.requests,
        tally.connections,
        tally.left,
        tally.failed,
        start.describe(),
        middle.describe(),
        end.describe()
    );
    if let Some(failure) = &tally.first_failure {
        text.push_str(&format!("  first failure: {failure}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(kib: impl Fn(u64) -> u64) -> Vec<Holdings> {
        (0..100).map(|number| Holdings { resident_kib: kib(number), anonymous_kib: 0, descriptors: 30 }).collect()
    }

    #[test]
    fn what_fills_at_the_start_is_flat() {
        let samples = samples(|number| if number < 10 { 10_000 } else { 60_000 });
        assert!(describe(60, &samples, &Tally::default()).ends_with(": flat\n"));
    }

    #[test]
    fn what_grows_slowly_is_not() {
        let samples = samples(|number| 60_000 + 100 * number);
        assert!(describe(60, &samples, &Tally::default()).ends_with(": not flat\n"));
    }

    #[test]
    fn failures_are_told() {
        let tally = Tally { failed: 1, first_failure: Some("status 503".to_owned()), ..Tally::default() };
        assert!(describe(60, &samples(|_| 1), &tally).contains("first failure: status 503"));
    }
}
