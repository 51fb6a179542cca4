//! Uses the parts of a standard library that need WASI, as filters in other languages cannot help to do.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what is printed must reach the gateway's log")]

use std::collections::HashMap;
use std::time::{Instant, SystemTime};

use tollgate_filter::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InertWasi {
    /// A file to read, which there is not.
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    sleep: bool,
    #[serde(default)]
    exit: bool,
    #[serde(skip)]
    started: Option<Instant>,
}

#[filter]
impl Filter for InertWasi {
    fn check(&mut self) -> Result<(), String> {
        self.started = Some(Instant::now());
        println!("printed while configured");
        Ok(())
    }

    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        if let Some(file) = &self.file {
            std::fs::read(file)?;
        }
        if self.sleep {
            std::thread::sleep(std::time::Duration::from_secs(3_600));
        }
        if self.exit {
            std::process::exit(0);
        }
        let numbers: HashMap<u32, u32> = (0..100).map(|number| (number, number)).collect();
        let is_later = self.started.is_some_and(|started| Instant::now() >= started);
        let is_now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs() > 1_600_000_000;
        println!("printed to standard output");
        eprintln!("printed to standard error");
        let (variables, arguments) = (std::env::vars().count(), std::env::args().count());
        let seen = format!("env={variables} args={arguments} map={} later={is_later} now={is_now}", numbers.len());
        request.set("x-wasi", seen);
        Ok(Next::Forward)
    }
}
