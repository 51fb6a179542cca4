//! A report in each of its formats.

use std::fmt::Write;

use serde_json::{Value, json};

use super::judge::micros;
use super::report::{CaseReport, Failure, Format, Report};

impl Report {
    /// The report as text, without a line break at its end.
    #[must_use]
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Text => self.text(),
            Format::Json => self.json().to_string(),
            Format::Junit => self.junit(),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for problem in &self.problems {
            line(&mut text, problem);
        }
        for case in &self.cases {
            let word = if case.failures.is_empty() { "ok    " } else { "FAILED" };
            let hooks = if case.hooks == 1 { "hook" } else { "hooks" };
            let cost = format!("{} {hooks}, {}, {} KiB", case.hooks, micros(case.cpu), case.memory >> 10);
            line(&mut text, &format!("{word} {}:{}: {} ({cost})", case.file.display(), case.line, case.name));
            for failure in &case.failures {
                line(&mut text, &format!("       {}", failure_line(case, failure)));
            }
        }
        let failed = self.failed();
        let summary = format!("{} passed, {failed} failed", self.cases.len() - failed);
        text + &match self.problems.len() {
            0 if self.cases.is_empty() => "no case was run".to_owned(),
            0 => summary,
            problems => format!("{summary}, {problems} problems"),
        }
    }

    fn json(&self) -> Value {
        let failure = |failure: &Failure| {
            let Failure { key, line, expected, got, note, .. } = failure;
            json!({ "line": line, "key": key, "expected": expected, "got": got, "note": note })
        };
        let case = |case: &CaseReport| {
            json!({
                "file": case.file.display().to_string(), "line": case.line, "name": case.name,
                "passed": case.failures.is_empty(), "hooks": case.hooks,
                "cpu_us": u64::try_from(case.cpu.as_micros()).unwrap_or(u64::MAX), "memory": case.memory,
                "failures": case.failures.iter().map(failure).collect::<Vec<_>>(),
            })
        };
        let failed = self.failed();
        json!({
            "passed": self.cases.len() - failed, "failed": failed, "problems": self.problems,
            "cases": self.cases.iter().map(case).collect::<Vec<_>>(),
        })
    }

    fn junit(&self) -> String {
        let (cases, failed) = (self.cases.len(), self.failed());
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let errors = self.problems.len();
        line(
            &mut text,
            &format!(
                "<testsuite name=\"tollgate filter test\" tests=\"{cases}\" failures=\"{failed}\" errors=\"{errors}\">"
            ),
        );
        for case in &self.cases {
            let (class, name) = (xml(&case.file.display().to_string()), xml(&case.name));
            let time = format!("{:.6}", case.cpu.as_secs_f64());
            line(&mut text, &format!("  <testcase classname=\"{class}\" name=\"{name}\" time=\"{time}\">"));
            for failure in &case.failures {
                line(&mut text, &format!("    <failure message=\"{}\"/>", xml(&failure_line(case, failure))));
            }
            line(&mut text, "  </testcase>");
        }
        for problem in &self.problems {
            line(&mut text, &format!("  <testcase name=\"files\"><error message=\"{}\"/></testcase>", xml(problem)));
        }
        text + "</testsuite>"
    }
}

/// File, line, key, expected and got.
pub(super) fn failure_line(case: &CaseReport, failure: &Failure) -> String {
    let Failure { key, line, expected, got, note, .. } = failure;
    let key = if key.is_empty() { String::new() } else { format!(" {key}:") };
    let note = note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
    format!("{}:{line}:{key} expected {expected}, got {got}{note}", case.file.display())
}

fn line(text: &mut String, line: &str) {
    // A string takes what is written to it.
    let _ = writeln!(text, "{line}");
}

/// Text for an attribute; control characters have no place in XML 1.0.
fn xml(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
