//! `tollgate history`

use clap::Args;
use time::at;

use super::say;
use super::which::Which;
use crate::deploy::{Journal, Record, Verdict};

// No doc comment: clap would take it for the command's description.
#[derive(Args)]
pub(super) struct History {
    /// Only what concerns this policy.
    policy: Option<String>,
    /// At most so many of the newest stages.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    lines: usize,
    /// As JSON, one stage a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: Which,
}

impl History {
    pub(super) fn run(self) -> Result<(), String> {
        let home = self.which.home()?;
        let mut records = Journal::read(home.path());
        records.retain(|record| self.policy.is_none() || record.policy == self.policy);
        for record in &records[records.len().saturating_sub(self.lines)..] {
            say(&if self.json { serde_json::to_string(record).unwrap_or_default() } else { line(record) });
        }
        Ok(())
    }
}

/// `2026-11-25T05:00:00Z #12 10-key 8f3a… configure failed 3 ms by file: reason`
fn line(record: &Record) -> String {
    let what = record.policy.as_deref().unwrap_or("(configuration)");
    let version = record.version.map(|version| format!(" {version}")).unwrap_or_default();
    let outcome = if record.outcome == Verdict::Failed { " failed" } else { "" };
    let took = if record.ms > 0.0 { format!(" {:.1} ms", record.ms) } else { String::new() };
    let from = record.from.as_deref().map(|from| format!(", {from}")).unwrap_or_default();
    let who = if record.by == Record::FILE { String::new() } else { format!(" by {}{from}", record.by) };
    let reason =
        record.reason.as_deref().map(|reason| format!(": {}", reason.replace('\n', " | "))).unwrap_or_default();
    let (at, change, stage) = (at(record.at), record.change, record.stage.label());
    format!("{at} #{change} {what}{version} {stage}{outcome}{took}{who}{reason}")
}

mod time {
    //! Moments as people write them.

    use std::time::{Duration, UNIX_EPOCH};

    /// Milliseconds since 1970 in the form of RFC 3339, to the second.
    pub(super) fn at(ms: u64) -> String {
        let moment = httpdate::HttpDate::from(UNIX_EPOCH + Duration::from_millis(ms)).to_string();
        // "Sun, 06 Nov 1994 08:49:37 GMT"
        let parts: Vec<&str> = moment.split([' ', ',']).filter(|part| !part.is_empty()).collect();
        let [_, day, month, year, time, _] = parts[..] else { return moment };
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let month = 1 + months.iter().position(|known| *known == month).unwrap_or(0);
        format!("{year}-{month:02}-{day}T{time}Z")
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn a_moment_is_readable() {
            assert_eq!(super::at(784_111_777_000), "1994-11-06T08:49:37Z");
        }
    }
}
