//! From samples to figures: medians over rounds and ratios within a round.

use super::compare::{Outcome, Sample, Series};
use super::peers::Peer;

/// A column of the table.
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) key: &'static str,
    pub(super) decimals: usize,
    pub(super) value: fn(&Sample) -> f64,
}

/// What is told of each peer.
pub(super) const COLUMNS: [Column; 5] = [
    Column { title: "req/s", key: "requests_per_second", decimals: 0, value: |sample| sample.requests_per_second },
    Column { title: "CPU µs/req", key: "cpu_us_per_request", decimals: 1, value: |sample| sample.cpu_us },
    Column { title: "p50 µs", key: "p50_us", decimals: 0, value: |sample| sample.p50_us },
    Column { title: "p99 µs", key: "p99_us", decimals: 0, value: |sample| sample.p99_us },
    Column { title: "RSS MiB", key: "rss_mib", decimals: 1, value: |sample| sample.resident_mib },
];
/// What the goals are about.
pub(super) const CPU: &Column = &COLUMNS[1];
/// What the goal for latencies is about.
pub(super) const P99: &Column = &COLUMNS[3];

/// The series that all ratios are to.
pub(super) fn nginx(outcome: &Outcome) -> Option<&Series> {
    series_of(outcome, Peer::Nginx)
}

/// What a peer gave, if it took part.
pub(super) fn series_of(outcome: &Outcome, peer: Peer) -> Option<&Series> {
    outcome.series.iter().find(|series| series.peer == peer)
}

/// The median over the rounds that count.
pub(super) fn figure(series: &Series, column: &Column) -> Option<f64> {
    median(series.samples.iter().filter(|sample| sample.fault.is_none()).map(column.value).collect())
}

/// The median of the ratios within each round that counts for both.
pub(super) fn ratio(series: &Series, nginx: &Series, column: &Column) -> Option<f64> {
    let rounds = series.samples.iter().zip(&nginx.samples);
    let valid = rounds.filter(|(sample, nginx)| sample.fault.is_none() && nginx.fault.is_none());
    median(valid.map(|(sample, nginx)| (column.value)(sample) / (column.value)(nginx)).collect())
}

/// The middle value, or the mean of the two in the middle; nothing of nothing.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        1 => Some(values[middle]),
        _ => Some((*values.get(middle.checked_sub(1)?)? + values[middle]) / 2.0),
    }
}

/// The value that so many per cent of the values do not exceed (nearest rank).
pub(super) fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::bench) fn series(peer: Peer, cpu: &[f64]) -> Series {
        let sample = |cpu: &f64| Sample {
            requests_per_second: 1000.0,
            cpu_us: *cpu,
            p50_us: 1.0,
            p99_us: 2.0,
            resident_mib: 3.0,
            other_cores: 0.0,
            fault: None,
        };
        Series { peer, samples: cpu.iter().map(sample).collect() }
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(vec![4.0, f64::NAN]), Some(4.0));
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&values, 50.0), Some(50.0));
        assert_eq!(percentile(&values, 99.0), Some(99.0));
        assert_eq!(percentile(&[7.0], 99.0), Some(7.0));
        assert_eq!(percentile(&[], 50.0), None);
    }

    #[test]
    fn a_ratio_is_taken_within_its_round() {
        let (nginx, other) = (series(Peer::Nginx, &[10.0, 20.0, 40.0]), series(Peer::HaProxy, &[11.0, 24.0, 44.0]));
        let ratio = ratio(&other, &nginx, CPU).unwrap();
        assert!((ratio - 1.1).abs() < 1e-9);
    }

    #[test]
    fn a_round_with_errors_counts_for_no_one() {
        let (nginx, mut other) = (series(Peer::Nginx, &[10.0, 10.0]), series(Peer::HaProxy, &[99.0, 12.0]));
        other.samples[0].fault = Some("1 time-out".to_owned());
        assert_eq!(figure(&other, CPU), Some(12.0));
        assert_eq!(ratio(&other, &nginx, CPU), Some(1.2));
    }
}
