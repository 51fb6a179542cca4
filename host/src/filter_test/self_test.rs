//! The cases that lie beside a module, run before a version of a policy goes live.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bench::Bench;
use super::judge;
use super::render::failure_line;
use super::report::CaseReport;
use crate::bundled;
use crate::config::cases::CaseFile;
use crate::config::{FilterSource, Policy, Problem};
use crate::sandbox::{Digest, ModuleCache};
use crate::snapshot::SelfTest;

/// How long all cases of a module may take.
const TIME: Duration = Duration::from_secs(10);

/// Runs cases on the engine of a gateway that serves.
pub struct SelfTests {
    cache: Arc<ModuleCache>,
}

impl SelfTests {
    /// On the engine that this cache compiles for.
    #[must_use]
    pub fn new(cache: Arc<ModuleCache>) -> Self {
        Self { cache }
    }

    fn run_file(&self, file: &Path, module: &Path, digest: Digest) -> Result<usize, Vec<Problem>> {
        let cases = CaseFile::load(file, &bundled::names(), Some(module))?.cases;
        let mut bench = Bench::on(Arc::clone(&self.cache)).map_err(|error| vec![whole(file, error)])?;
        let begun = Instant::now();
        let mut problems = Vec::new();
        for case in &cases {
            if begun.elapsed() > TIME {
                let message = format!("the cases take longer than {} s together", TIME.as_secs());
                problems.push(Problem { remedy: "keep those that matter".to_owned(), ..whole(file, message) });
                break;
            }
            problems.extend(failures(&judge::run(file, case, &mut bench)));
            // A chain has others besides.
            let mut tested = bench.digests().peekable();
            if tested.peek().is_some() && tested.all(|tested| tested != digest) {
                return Err(vec![whole(module, "changed while it was tested".to_owned())]);
            }
        }
        if problems.is_empty() { Ok(cases.len()) } else { Err(problems) }
    }
}

impl SelfTest for SelfTests {
    fn run(&self, policy: &Policy, digest: Digest) -> Result<Option<usize>, Vec<Problem>> {
        let FilterSource::Module { path, .. } = &policy.filter else { return Ok(None) };
        let file = cases_of(path);
        if !file.is_file() {
            return Ok(None);
        }
        // On a thread of its own: whoever starts a gateway may be in a runtime already, and a case needs one.
        let ran = std::thread::scope(|scope| scope.spawn(|| self.run_file(&file, path, digest)).join());
        ran.unwrap_or_else(|_| Err(vec![whole(&file, "the cases cannot be run".to_owned())])).map(Some)
    }
}

/// `NAME.cases.toml` beside `NAME.wasm`.
fn cases_of(module: &Path) -> PathBuf {
    module.with_extension("cases.toml")
}

/// What was not as expected. How long hooks take is left out: the machine is busy with other things.
fn failures(case: &CaseReport) -> Vec<Problem> {
    let counted = case.failures.iter().filter(|failure| !failure.is_slow);
    let problem = |failure| Problem {
        file: case.file.clone(),
        line: Some(case.line),
        key: None,
        message: format!("the case {:?} fails: {}", case.name, failure_line(case, failure)),
        remedy: "run it with `tollgate filter test`".to_owned(),
    };
    counted.map(problem).collect()
}

fn whole(file: &Path, message: String) -> Problem {
    Problem { file: file.to_owned(), line: None, key: None, message, remedy: String::new() }
}
