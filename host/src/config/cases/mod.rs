//! Cases of a filter: a policy as in a policy file, and exchanges with what is expected of them.
//!
//! `policies` says what is tested, `exchange` reads requests and responses, `content` their bodies, `setting` what surrounds an
//! exchange, with the answers of upstreams (`callout`) and what is stored (`state`), and `expect` what is expected; each takes
//! what was said further out as its default: `[defaults]`, then the case, then the exchange before it.

mod callout;
mod content;
mod exchange;
mod expect;
mod matcher;
mod policies;
mod setting;
mod state;

use std::path::{Path, PathBuf};

use self::policies::Chain;
pub use self::{
    callout::{AnswerCase, CalloutCase},
    content::{Content, Cut},
    exchange::{IdentityCase, RequestCase, ResponseCase, TlsCase},
    expect::{Budget, Expect, Expectation, KeyLine, Outcome, Part, Subject},
    matcher::Matcher,
    setting::{LimiterCase, Now, RandomCase, Setting},
    state::{Entry, Seed, SpaceOf},
};
use super::{
    Files, Policy, Problem,
    document::Document,
    report::Report,
    section::{Item, Section},
};

/// What an exchange of a case takes up at least, in bytes, as it has what was said before it.
const EXCHANGE: usize = 8 << 10;

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

/// Policies and what they are to do with one exchange or several.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name, unique in the file.
    pub name: String,
    /// The line that it begins in.
    pub line: usize,
    /// The policies in the order of the request, with the configuration of this case.
    pub policies: Vec<Policy>,
    /// What passes them, one after another.
    pub steps: Vec<Step>,
}

/// One exchange.
#[derive(Debug, Clone)]
pub struct Step {
    /// What the client sends.
    pub request: RequestCase,
    /// What the upstream answers.
    pub response: ResponseCase,
    /// What there is around it.
    pub setting: Setting,
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
        let document = Document::read(&Files::on_disk(), file, "check the path of the cases");
        Self::of(document, bundled, module)
    }

    /// Reads what a module carries, which is about the module itself, names no files and does not take up much.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn carried(carrier: &Path, text: &str, module: Option<&Path>) -> Result<Self, Vec<Problem>> {
        Self::of(Document::carried(carrier, text.to_owned()), &[], Some(module.unwrap_or(carrier)))
    }

    fn of(document: Document, bundled: &[&str], module: Option<&Path>) -> Result<Self, Vec<Problem>> {
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
    let chain = policies::read(&mut section, bundled, module);
    let captured = section.take("captured").and_then(Item::section).and_then(read_captured);
    let base = match section.take("defaults").and_then(Item::section) {
        Some(defaults) => Draft::read_defaults(defaults, &chain),
        None => Draft::first(),
    };
    let items = section.need("cases", "add [[cases]] with a name, a request and what to expect").and_then(Item::array);
    section.finish();
    let items = items?.into_iter().take_while(|_| report.has_room(EXCHANGE));
    let drafts = items.filter_map(Item::section).filter_map(|table| read_case(table, &base, &chain));
    let cases: Vec<Case> = drafts.collect();
    check_names(&cases, report);
    if cases.is_empty() && !report.any() {
        report.absent("cases", "there is no case", "add [[cases]] with a name, a request and what to expect");
    }
    Some(CaseFile { file: report.file().to_owned(), cases, captured })
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
#[derive(Debug, Clone)]
struct Draft {
    request: RequestCase,
    response: ResponseCase,
    setting: Setting,
    budget: Budget,
}

impl Draft {
    fn first() -> Self {
        let (request, response) = (RequestCase::default(), ResponseCase::default());
        Self { request, response, setting: Setting::first(), budget: Budget::default() }
    }

    fn read_defaults(mut section: Section<'_>, chain: &Chain) -> Self {
        let mut draft = Self::first().with(&mut section, chain);
        if let Some(budget) = section.take("cost").and_then(Item::section) {
            draft.budget = Budget::read(budget, &draft.budget);
        }
        section.finish();
        draft
    }

    fn with(self, section: &mut Section<'_>, chain: &Chain) -> Self {
        let request = section.take("request").and_then(Item::section);
        let response = section.take("response").and_then(Item::section);
        Self {
            request: request.map_or_else(|| self.request.clone(), |request| self.request.clone().with(request)),
            response: response.map_or_else(|| self.response.clone(), |response| self.response.clone().with(response)),
            setting: self.setting.with(section, chain),
            budget: self.budget,
        }
    }

    fn going_on(self) -> Self {
        Self { setting: self.setting.going_on(), ..self }
    }
}

fn read_case(mut section: Section<'_>, base: &Draft, chain: &Chain) -> Option<Case> {
    let (report, place) = (section.report(), section.place());
    let name = section.need("name", "say what the case shows, as in name = \"a request without a key\"");
    let name = name.and_then(Item::string).map(|at| at.value);
    let policies = chain.configured(section.take("config"));
    let mut draft = base.clone().with(&mut section, chain);
    draft.setting.check(chain, &place, report);
    let mut steps = vec![read_step(&mut section, &draft, chain)];
    for then in section.take("then").and_then(Item::array).into_iter().flatten() {
        if !report.has_room(EXCHANGE) {
            break;
        }
        let Some(mut section) = then.section() else { continue };
        draft = draft.going_on().with(&mut section, chain);
        steps.push(read_step(&mut section, &draft, chain));
        section.finish();
    }
    section.finish();
    Some(Case { name: name?, line: place.line, policies, steps: steps.into_iter().collect::<Option<_>>()? })
}

fn read_step(section: &mut Section<'_>, draft: &Draft, chain: &Chain) -> Option<Step> {
    let expect = section.need("expect", "say what is expected, as in expect = { client = { status = 200 } }");
    let expect = Expect::read(expect.and_then(Item::section)?, &draft.budget, chain);
    let Draft { request, response, setting, .. } = draft.clone();
    Some(Step { request, response, setting, expect })
}

fn check_names(cases: &[Case], report: &Report) {
    for (index, case) in cases.iter().enumerate() {
        if cases[..index].iter().any(|other| other.name == case.name) {
            let message = format!("there is another case {:?}", case.name);
            report.key(&format!("cases[{index}].name"), case.line, message, "give each case its own name");
        }
    }
}
