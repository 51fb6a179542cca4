//! The cases that a module carries and those that lie beside it, run before a version of a policy goes live.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bench::Bench;
use super::judge;
use super::render::failure_line;
use super::report::CaseReport;
use crate::bundled;
use crate::config::cases::CaseFile;
use crate::config::{FilterSource, Policy, PolicyLimits, Problem};
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

    fn run_files(&self, files: &[CaseFile], module: &Path, digest: Digest) -> Result<usize, Vec<Problem>> {
        let mut bench = Bench::on(Arc::clone(&self.cache)).map_err(|error| vec![whole(module, error)])?;
        let until = Instant::now() + TIME;
        bench.until = Some(until);
        let mut problems = Vec::new();
        for (file, case) in files.iter().flat_map(|file| file.cases.iter().map(|case| (&file.file, case))) {
            if Instant::now() > until {
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
        if problems.is_empty() { Ok(files.iter().map(|file| file.cases.len()).sum()) } else { Err(problems) }
    }
}

impl SelfTest for SelfTests {
    fn run(&self, policy: &Policy, digest: Digest, carried: Option<&str>) -> Result<Option<usize>, Vec<Problem>> {
        let FilterSource::Module { path, .. } = &policy.filter else { return Ok(None) };
        let carried = carried.map(|text| CaseFile::carried(path, text, None)).transpose()?;
        let mut files: Vec<_> = carried.map(|file| bounded(file, &policy.limits)).into_iter().collect();
        let beside = cases_of(path);
        if beside.is_file() {
            files.push(CaseFile::load(&beside, &bundled::names(), Some(path))?);
        }
        if files.is_empty() {
            return Ok(None);
        }
        // On a thread of its own: whoever starts a gateway may be in a runtime already, and a case needs one.
        let ran = std::thread::scope(|scope| scope.spawn(|| self.run_files(&files, path, digest)).join());
        ran.unwrap_or_else(|_| Err(vec![whole(path, "its cases cannot be run".to_owned())])).map(Some)
    }
}

/// Cases of the module's author, who may not give the module more than whoever runs it does, or than there is by default.
fn bounded(mut file: CaseFile, own: &PolicyLimits) -> CaseFile {
    let usual = PolicyLimits::default();
    for limits in file.cases.iter_mut().flat_map(|case| &mut case.policies).map(|policy| &mut policy.limits) {
        limits.cpu = limits.cpu.min(own.cpu.max(usual.cpu));
        limits.configure = limits.configure.min(own.configure.max(usual.configure));
        limits.memory = limits.memory.min(own.memory.max(usual.memory));
        limits.body = limits.body.min(own.body.max(usual.body));
        limits.instances = limits.instances.min(own.instances.max(usual.instances));
    }
    file
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
