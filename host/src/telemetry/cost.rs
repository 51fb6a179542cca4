//! What filters cost, by policy and route.

use std::sync::Arc;
use std::time::Duration;

use super::counters::Counters;
use super::fault::FaultClass;
use super::metrics::{Page, seconds};
use super::names;

const EXCHANGES: usize = 0;
const CPU: usize = 1;
const HOST: usize = 2;
const BYTES: [(usize, &str); 2] = [(3, "request"), (4, "response")];
const REPLIES: usize = 5;
const FIRST_FAULT: usize = 6;

/// What one policy's filter costs on one route.
#[derive(Debug, Default)]
pub struct CostMetrics(Counters<{ FIRST_FAULT + FaultClass::ALL.len() }>);

impl CostMetrics {
    /// An exchange has come to the filter.
    pub fn exchange(&self) {
        self.0.add(EXCHANGES, 1);
    }

    /// Hooks took so much time, the calls into the gateway so much of it.
    pub fn spent(&self, cpu: Duration, host: Duration) {
        self.0.add(CPU, nanos(cpu));
        self.0.add(HOST, nanos(host));
    }

    /// The filter was shown a piece of a body, the request's or the response's.
    pub fn bytes(&self, of_response: bool, bytes: usize) {
        self.0.add(BYTES[usize::from(of_response)].0, bytes as u64);
    }

    /// It answered the client itself.
    pub fn replied(&self) {
        self.0.add(REPLIES, 1);
    }

    /// It faulted.
    pub fn faulted(&self, class: FaultClass) {
        self.0.add(FIRST_FAULT + class as usize, 1);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Shows what one pair has of a family.
type Sample<'a> = dyn Fn(&mut Page, [(&str, &str); 2], &CostMetrics) + 'a;

/// All families, of the pairs of policy and route that exchanges have come to.
pub(super) fn render(page: &mut Page, costs: &[((String, String), Arc<CostMetrics>)]) {
    let costs: Vec<_> = costs.iter().filter(|(_, costs)| costs.0.sum(EXCHANGES) > 0).collect();
    let all = |page: &mut Page, name: &str, help: &str, sample: &Sample<'_>| {
        page.family(name, "counter", help);
        for ((policy, route), costs) in &costs {
            sample(page, [("policy", policy), ("route", route)], costs);
        }
    };
    for (counter, name, help) in [
        (EXCHANGES, names::FILTER_EXCHANGES, "exchanges that came to a filter, by policy and route"),
        (REPLIES, names::FILTER_ROUTE_REPLIES, "replies made by filters, by policy and route"),
    ] {
        all(page, name, help, &|page, labels, costs| page.sample(name, &labels, costs.0.sum(counter)));
    }
    for (counter, name, help) in [
        (CPU, names::FILTER_CPU, "CPU time of hooks, by policy and route; of short ones an estimate"),
        (HOST, names::FILTER_HOST, "time of calls from hooks into the gateway, as part of that; an estimate"),
    ] {
        all(page, name, help, &|page, labels, costs| page.sample(name, &labels, seconds(costs.0.sum(counter) / 1_000)));
    }
    let name = names::FILTER_BYTES;
    all(page, name, "bytes of bodies that filters were shown, by policy and route", &|page, labels, costs| {
        for (counter, of) in BYTES {
            page.sample(name, &[labels[0], labels[1], ("of", of)], costs.0.sum(counter));
        }
    });
    let name = names::FILTER_ROUTE_FAULTS;
    all(page, name, "faults of filters, by policy, route and class", &|page, labels, costs| {
        for class in FaultClass::ALL {
            let count = costs.0.sum(FIRST_FAULT + class as usize);
            if count > 0 {
                page.sample(name, &[labels[0], labels[1], ("class", class.label())], count);
            }
        }
    });
}
