//! Cases of a filter: a policy as in a policy file, and exchanges with what is expected of them.
//!
//! `exchange` reads requests and responses, `content` their bodies, `expect` what is expected; each takes what was said further
//! out as its default: `[defaults]`, then the case, then the exchange before it.

mod content;
mod exchange;
mod expect;
mod matcher;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::Value;

pub use self::{
    content::{Content, Cut},
    exchange::{RequestCase, ResponseCase, TlsCase},
    expect::{Budget, Expect, Expectation, KeyLine, Outcome, Part, Subject},
    matcher::Matcher,
};
use super::{
    FilterSource, Place, Policy, Problem,
    document::Document,
    filters::{self, Filters},
    policy_file::PolicyTable,
    report::{At, Report},
    section::{Item, Section},
};

/// What the name of a file of cases ends in, if it lies beside the module that it is about.
const SUFFIX: &str = ".cases";

/// A file of cases.
#[derive(Debug, Clone)]
pub struct CaseFile {
    /// The file.
    pub file: PathBuf,
    /// The cases in the order as written: at least one.
    pub cases: Vec<Case>,
    /// Where the gateway has captured this, if it has.
    pub captured: Option<Captured>,
}

/// A policy and what it is to do with one exchange or several.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name, unique in the file.
    pub name: String,
    /// The line that it begins in.
    pub line: usize,
    /// The policy, with the configuration of this case.
    pub policy: Policy,
    /// What passes the policy, one after another.
    pub steps: Vec<Step>,
}

/// One exchange.
#[derive(Debug, Clone)]
pub struct Step {
    /// What the client sends.
    pub request: RequestCase,
    /// What the upstream answers.
    pub response: ResponseCase,
    /// What is expected.
    pub expect: Expect,
}

/// Where a captured exchange comes from.
#[derive(Debug, Clone)]
pub struct Captured {
    /// The digest of the module that faulted.
    pub module: String,
    /// The hook that faulted.
    pub hook: String,
    /// The class of the fault, and what was said about it.
    pub fault: String,
}

impl CaseFile {
    /// Reads a file. `module` takes the place of the filter that it names.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(file: &Path, bundled: &[&str], module: Option<&Path>) -> Result<Self, Vec<Problem>> {
        let document = Document::read(file, "check the path of the cases");
        let read = document.parse().map(|section| read(section, bundled, module));
        let problems = document.report.into_problems();
        match read.flatten() {
            Some(read) if problems.is_empty() => Ok(read),
            _ => Err(problems),
        }
    }
}

fn read(mut section: Section<'_>, bundled: &[&str], module: Option<&Path>) -> Option<CaseFile> {
    let report = section.report();
    let table = PolicyTable::take(&mut section);
    let source = match module {
        Some(module) => Some(named_module(module)),
        None => source(&table, bundled, report),
    };
    let captured = section.take("captured").and_then(Item::section).and_then(read_captured);
    let base = section.take("defaults").and_then(Item::section).map(Draft::read_defaults).unwrap_or_default();
    let place = Place { file: report.file().to_owned(), line: Some(1), key: None };
    let items = section.need("cases", "add [[cases]] with a name, a request and what to expect").and_then(Item::array);
    section.finish();
    let policy = table.build(stem(report.file()), source?, place);
    let drafts = items?.into_iter().filter_map(Item::section).filter_map(|table| read_case(table, &base, &policy));
    let cases: Vec<Case> = drafts.collect();
    check_names(&cases, report);
    if cases.is_empty() && !report.any() {
        report.absent("cases", "there is no case", "add [[cases]] with a name, a request and what to expect");
    }
    Some(CaseFile { file: report.file().to_owned(), cases, captured })
}

/// The code: as named, else the module beside the file, else the bundled filter of its name.
fn source(table: &PolicyTable, bundled: &[&str], report: &Report) -> Option<FilterSource> {
    let folder = report.file().parent().unwrap_or(Path::new(""));
    let filters = Filters::new(modules(folder), bundled);
    match &table.filter {
        Some(written) if written.value.ends_with(".wasm") => {
            report.good(written, filters::at_path(&written.value, folder))
        }
        Some(written) => report.good(written, filters.named(&written.value)),
        None if report.has("filter") => None,
        None => {
            let place = At { value: (), key: "filter".to_owned(), line: 1 };
            report.good(&place, filters.default_of(&stem(report.file())))
        }
    }
}

fn modules(folder: &Path) -> BTreeMap<String, PathBuf> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let modules = paths.filter(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    modules.filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path))).collect()
}

fn named_module(path: &Path) -> FilterSource {
    FilterSource::Module { name: stem(path), path: path.to_owned() }
}

/// The name of the file without what its kind adds to it.
fn stem(file: &Path) -> String {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("filter");
    stem.strip_suffix(SUFFIX).unwrap_or(stem).to_owned()
}

fn read_captured(mut section: Section<'_>) -> Option<Captured> {
    let mut text = |key: &'static str| {
        let item = section.need(key, "the gateway writes it; leave the file as it was");
        item.and_then(Item::string).map(|at| at.value)
    };
    let (module, hook, fault) = (text("module"), text("hook"), text("fault"));
    section.finish();
    Some(Captured { module: module?, hook: hook?, fault: fault? })
}

/// What a case says of its exchanges, with what it has from further out.
#[derive(Debug, Clone, Default)]
struct Draft {
    request: RequestCase,
    response: ResponseCase,
    budget: Budget,
}

impl Draft {
    fn read_defaults(mut section: Section<'_>) -> Self {
        let mut draft = Self::default().with(&mut section);
        if let Some(budget) = section.take("cost").and_then(Item::section) {
            draft.budget = Budget::read(budget, &draft.budget);
        }
        section.finish();
        draft
    }

    fn with(self, section: &mut Section<'_>) -> Self {
        let request = section.take("request").and_then(Item::section);
        let response = section.take("response").and_then(Item::section);
        Self {
            request: request.map_or_else(|| self.request.clone(), |request| self.request.clone().with(request)),
            response: response.map_or_else(|| self.response.clone(), |response| self.response.clone().with(response)),
            budget: self.budget,
        }
    }
}

fn read_case(mut section: Section<'_>, base: &Draft, policy: &Policy) -> Option<Case> {
    let line = section.place().line;
    let name = section.need("name", "say what the case shows, as in name = \"a request without a key\"");
    let name = name.and_then(Item::string).map(|at| at.value);
    let config = section.take("config").and_then(Item::json);
    let mut draft = base.clone().with(&mut section);
    let mut steps = vec![read_step(&mut section, &draft)];
    for then in section.take("then").and_then(Item::array).into_iter().flatten() {
        let Some(mut section) = then.section() else { continue };
        draft = draft.with(&mut section);
        steps.push(read_step(&mut section, &draft));
        section.finish();
    }
    section.finish();
    let policy = config.map_or_else(|| policy.clone(), |config| configured(policy, config));
    Some(Case { name: name?, line, policy, steps: steps.into_iter().collect::<Option<_>>()? })
}

fn read_step(section: &mut Section<'_>, draft: &Draft) -> Option<Step> {
    let expect = section.need("expect", "say what is expected, as in expect = { client = { status = 200 } }");
    let expect = Expect::read(expect.and_then(Item::section)?, &draft.budget);
    Some(Step { request: draft.request.clone(), response: draft.response.clone(), expect })
}

fn configured(policy: &Policy, config: At<Value>) -> Policy {
    let place = Place { file: policy.place.file.clone(), line: Some(config.line), key: Some(config.key) };
    Policy { config: config.value, place, ..policy.clone() }
}

fn check_names(cases: &[Case], report: &Report) {
    for (index, case) in cases.iter().enumerate() {
        if cases[..index].iter().any(|other| other.name == case.name) {
            let message = format!("there is another case {:?}", case.name);
            report.key(&format!("cases[{index}].name"), case.line, message, "give each case its own name");
        }
    }
}
