//! Runs a case and holds what came of it to what was expected.

use std::path::Path;
use std::time::Duration;

use super::bench::{Bench, Happened, Ready};
use super::body::Cutting;
use super::compare::{describe, matches, of_identity, of_message, shortfall};
use super::exchange::{Seen, SeenMessage};
use super::recorder::{Hook, shown};
use super::report::{CaseReport, Failure};
use crate::config::Problem;
use crate::config::cases::{Case, Expectation, Step, Subject};
use crate::sandbox::Fault;

/// How often a case is run that was only too slow: other programs may have had the processor's caches meanwhile.
const ATTEMPTS: usize = 3;

/// Runs a case with each of its cuttings.
pub(super) fn run(file: &Path, case: &Case, bench: &mut Bench) -> CaseReport {
    let mut report = CaseReport::new(file, case);
    let mut first: Option<Vec<Seen>> = None;
    for cuttings in Cuttings::all(case) {
        let attempt = attempts(case, &cuttings, bench, &mut report);
        let failures = match (&first, attempt) {
            (_, Err(failures)) => failures,
            (None, Ok((seen, failures))) => {
                first = Some(seen);
                failures
            }
            (Some(first), Ok((seen, failures))) if failures.is_empty() => differences(case, first, &seen),
            (Some(_), Ok((_, failures))) => failures,
        };
        if !failures.is_empty() {
            let note = cuttings.note();
            report.failures.extend(failures.into_iter().map(|failure| Failure { note: note.clone(), ..failure }));
            // Other cuttings would mostly say the same.
            break;
        }
    }
    report
}

type Attempt = Result<(Vec<Seen>, Vec<Failure>), Vec<Failure>>;

fn attempts(case: &Case, cuttings: &Cuttings, bench: &mut Bench, report: &mut CaseReport) -> Attempt {
    let mut last = attempt(case, cuttings, bench, report);
    for _ in 1..ATTEMPTS {
        let is_slow = |failures: &Vec<Failure>| !failures.is_empty() && failures.iter().all(|failure| failure.is_slow);
        if !matches!(&last, Ok((_, failures)) if is_slow(failures)) {
            break;
        }
        last = attempt(case, cuttings, bench, report);
    }
    last
}

fn attempt(case: &Case, cuttings: &Cuttings, bench: &mut Bench, report: &mut CaseReport) -> Attempt {
    let mut ready = match bench.prepare(case) {
        Ok(ready) => ready,
        Err(problems) => return refused(case, &problems),
    };
    let (mut all, mut failures) = (Vec::new(), Vec::new());
    for (step, cuts) in case.steps.iter().zip(&cuttings.0) {
        if bench.is_late() {
            return Err(vec![Failure::new("", case.line, "all cases in time", "there is none left")]);
        }
        let happened = ready.pass(step, [&cuts[0], &cuts[1]], bench);
        report.note(&happened.hooks);
        failures.extend(judge(step, &happened, &ready));
        all.push(happened.seen);
    }
    Ok((all, failures))
}

/// What is wrong, with the key within the configuration if it is about one: what the schema says has it apart.
fn refusal(problem: &Problem) -> String {
    let inside = problem.key.as_deref().and_then(|key| key.rsplit_once("config.")).map(|(_, inside)| inside);
    inside.map_or_else(|| problem.message.clone(), |inside| format!("{inside}: {}", problem.message))
}

/// The filter has refused its configuration, or is none.
fn refused(case: &Case, problems: &[Problem]) -> Attempt {
    let expected = case.steps.iter().flat_map(|step| &step.expect.expectations);
    let mut expected = expected.filter(|expectation| expectation.subject == Subject::Refused).peekable();
    if expected.peek().is_none() {
        let failure = |problem: &Problem| {
            let (line, key) = (problem.line.unwrap_or(case.line), problem.key.clone().unwrap_or_default());
            let got = format!("{} {}", problem.message, problem.remedy);
            Failure::new(&key, line, "a policy that is ready", got.trim())
        };
        return Err(problems.iter().map(failure).collect());
    }
    let messages: Vec<_> = problems.iter().map(refusal).collect();
    let got = Some(vec![messages.join("; ").into_bytes()]);
    let failures: Vec<_> = expected.filter_map(|expectation| shortfall(expectation, got.clone())).collect();
    if failures.is_empty() { Ok((Vec::new(), failures)) } else { Err(failures) }
}

fn judge(step: &Step, happened: &Happened, ready: &Ready) -> Vec<Failure> {
    let expect = &step.expect;
    let mut failures = happened.failures.clone();
    failures.extend(expect.expectations.iter().filter_map(|each| one(each, step, happened, ready)));
    let hooks = &happened.hooks;
    let faults: Vec<_> = hooks.iter().filter_map(|hook| Some((hook, hook.fault.as_ref()?))).collect();
    if !faults.iter().map(|(_, fault)| fault.class.label()).eq(expect.faults.iter().map(String::as_str)) {
        let fault = |(hook, fault): &(&Hook, &Fault)| {
            format!("{} in {}: {}", fault.class.label(), ready.name_of(hook), fault.told())
        };
        let got: Vec<_> = faults.iter().map(fault).collect();
        let expected = if expect.faults.is_empty() { "no fault".to_owned() } else { expect.faults.join(", ") };
        let got = if got.is_empty() { "no fault".to_owned() } else { got.join("; ") };
        failures.push(Failure::new(&expect.faults_at.0, expect.faults_at.1, &expected, &got));
    }
    failures.extend(over_budget(step, hooks, ready));
    failures
}

fn over_budget(step: &Step, hooks: &[Hook], ready: &Ready) -> Vec<Failure> {
    let budget = &step.expect.budget;
    let slowest = hooks.iter().max_by_key(|hook| hook.cpu);
    let mut failures = Vec::new();
    if let (Some((limit, (key, line))), Some(hook)) = (&budget.cpu, slowest)
        && hook.cpu > *limit
    {
        let got = format!("{} in {}", micros(hook.cpu), ready.name_of(hook));
        let failure = Failure::new(key, *line, &format!("at most {} of CPU time", micros(*limit)), &got);
        failures.push(Failure { is_slow: true, ..failure });
    }
    if let (Some((limit, (key, line))), Some(hook)) = (&budget.host_calls, hooks.iter().max_by_key(|hook| hook.calls))
        && hook.calls > *limit
    {
        let got = format!("{} in {}", hook.calls, ready.name_of(hook));
        failures.push(Failure::new(key, *line, &format!("at most {limit} calls of the gateway"), &got));
    }
    let memory = ready.memory();
    if let Some((limit, (key, line))) = &budget.memory
        && memory > *limit
    {
        failures.push(Failure::new(
            key,
            *line,
            &format!("at most {limit} bytes of memory"),
            &format!("{memory} bytes"),
        ));
    }
    failures
}

pub(super) fn micros(cpu: Duration) -> String {
    format!("{} us", cpu.as_micros())
}

fn one(expectation: &Expectation, step: &Step, happened: &Happened, ready: &Ready) -> Option<Failure> {
    let Happened { seen, lines, .. } = happened;
    let got = match &expectation.subject {
        Subject::Outcome => Some(vec![seen.outcome.label().into()]),
        Subject::Upstream(part) => {
            let Some(upstream) = &seen.upstream else {
                let got = format!("nothing: the request was {}", seen.outcome.label());
                let Expectation { key, line, matcher, .. } = expectation;
                return Some(Failure::new(key, *line, &describe(matcher), &got));
            };
            let request = &step.request;
            let sent = [request.method.as_str(), request.path.as_str()];
            of_message(part, upstream, &sent, &request.fields, &request.content.bytes)
        }
        Subject::Client(part) => {
            let response = &step.response;
            let sent = [response.status.as_str()];
            of_message(part, &seen.client, &sent, &response.fields, &response.content.bytes)
        }
        Subject::Consumer => seen.consumer.clone().map(|value| vec![value]),
        Subject::Attribute(name) => {
            let found = seen.attributes.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| vec![value.clone()])
        }
        Subject::Class => seen.class.clone().map(|class| vec![class.into_bytes()]),
        Subject::Identity(part) => of_identity(part, seen.principal.as_ref()),
        Subject::Stored(space, key) => ready.stored(space, key).map(|value| vec![value]),
        Subject::Log => {
            let found = lines.iter().find(|line| matches(&expectation.matcher, Some(&[line.as_bytes().to_vec()])));
            found.or(lines.last()).map(|line| vec![line.as_bytes().to_vec()])
        }
        Subject::Refused => {
            let Expectation { key, line, matcher, .. } = expectation;
            return Some(Failure::new(key, *line, &describe(matcher), "the configuration was accepted"));
        }
    };
    shortfall(expectation, got)
}

/// How the bodies of each exchange are cut: the request's and the response's.
struct Cuttings(Vec<[Cutting; 2]>);

impl Cuttings {
    /// As many as the body that is cut in most ways has; those that are cut in fewer begin again.
    fn all(case: &Case) -> Vec<Self> {
        let contents = |step: &Step| [Cutting::all(&step.request.content), Cutting::all(&step.response.content)];
        let steps: Vec<_> = case.steps.iter().map(contents).collect();
        let most = steps.iter().flatten().map(Vec::len).max().unwrap_or(1);
        let pick = |index: usize| {
            let of = |ways: &Vec<Cutting>| ways[index % ways.len()].clone();
            Self(steps.iter().map(|[request, response]| [of(request), of(response)]).collect())
        };
        (0..most).map(pick).collect()
    }

    /// What to say of them, if they are worth a word.
    fn note(&self) -> Option<String> {
        let [request, response] = self.0.iter().find(|cuts| cuts.iter().any(|cut| *cut != Cutting::Whole))?;
        Some(match (request, response) {
            (request, Cutting::Whole) => format!("with the request's body {request}"),
            (Cutting::Whole, response) => format!("with the response's body {response}"),
            (request, response) => format!("with the request's body {request} and the response's {response}"),
        })
    }
}

/// What came out differently although only the bodies were cut in another way.
fn differences(case: &Case, first: &[Seen], other: &[Seen]) -> Vec<Failure> {
    let mut failures = Vec::new();
    for (index, (first, other)) in first.iter().zip(other).enumerate() {
        if first != other {
            let at = if index == 0 { String::new() } else { format!("then[{}]", index - 1) };
            let (expected, got) = contrast(first, other);
            failures.push(Failure::new(&at, case.line, &format!("the same for every cutting: {expected}"), &got));
        }
    }
    failures
}

fn contrast(first: &Seen, other: &Seen) -> (String, String) {
    let body =
        |message: &SeenMessage| format!("{} and the body {}", message.first.join(" "), shown(&message.body.bytes));
    match (&first.upstream, &other.upstream) {
        (Some(first), Some(other)) if first != other => (body(first), body(other)),
        _ if first.client != other.client => (body(&first.client), body(&other.client)),
        _ => (first.outcome.label().to_owned(), other.outcome.label().to_owned()),
    }
}
