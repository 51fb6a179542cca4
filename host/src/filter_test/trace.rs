//! Shows what a filter does with a case, hook by hook.

use std::fmt::Write;
use std::path::Path;

use super::bench::{Bench, Happened, Ready};
use super::body::Cutting;
use super::judge::micros;
use super::recorder::Hook;
use crate::bundled;
use crate::config::Problem;
use crate::config::cases::{Case, CaseFile};

/// Runs each case of a file and tells what the hooks were given, what they answered, and what that cost. `module` takes the place
/// of the filter that the file names.
///
/// # Errors
/// All that is wrong with the file, a problem a line.
pub fn replay(file: &Path, module: Option<&Path>, state_dir: Option<&Path>) -> Result<String, String> {
    let read = CaseFile::load(file, &bundled::names(), module)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let mut bench = Bench::new(state_dir)?;
    let mut told = String::new();
    for case in &read.cases {
        told += &show(case, &mut bench, read.captured.as_ref().map(|captured| captured.module.as_str()))?;
    }
    if let Some(captured) = &read.captured {
        told += &format!("captured: {} in {}\n", captured.fault, captured.hook);
    }
    Ok(told.trim_end().to_owned())
}

fn told(problems: Vec<Problem>) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn show(case: &Case, bench: &mut Bench, captured: Option<&str>) -> Result<String, String> {
    let mut ready = bench.prepare(case).map_err(told)?;
    let mut text = format!("{}\n", case.name);
    for policy in &ready.policies {
        let digest = policy.filter.module.digest.to_string();
        let same = match captured {
            Some(captured) if captured == digest => " (the captured one)",
            Some(_) => " (not the captured one)",
            None => "",
        };
        add(&mut text, &format!("module {digest}{same}"));
    }
    for step in &case.steps {
        let cut = |content| Cutting::all(content).swap_remove(0);
        let cuts = [cut(&step.request.content), cut(&step.response.content)];
        let Happened { seen, hooks, failures, .. } = ready.pass(step, [&cuts[0], &cuts[1]], bench);
        hooks.iter().for_each(|hook| tell(&mut text, hook, &ready));
        for failure in &failures {
            add(&mut text, &format!("{}: expected {}, got {}", failure.key, failure.expected, failure.got));
        }
        add(&mut text, &format!("{}, the client gets {}", seen.outcome.label(), seen.client.first.join(" ")));
    }
    Ok(text)
}

fn tell(text: &mut String, hook: &Hook, ready: &Ready) {
    let name = ready.name_of(hook);
    add(text, &format!("{name}  {}, {} host calls, {} KiB", micros(hook.cpu), hook.calls, hook.memory >> 10));
    hook.given.iter().for_each(|line| add(text, &format!("  in     {line}")));
    hook.does.iter().for_each(|line| add(text, &format!("  {line}")));
    match &hook.fault {
        Some(fault) => {
            add(text, &format!("  fault  {}: {}", fault.class.label(), fault.message));
            fault.backtrace.iter().for_each(|frame| add(text, &format!("    in   {frame}")));
        }
        None => add(text, &format!("  out    {}", hook.answer)),
    }
    hook.changes.iter().for_each(|line| add(text, &format!("  edit   {line}")));
}

fn add(text: &mut String, line: &str) {
    // A string takes what is written to it.
    let _ = writeln!(text, "{line}");
}
