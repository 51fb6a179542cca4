//! The policies that a file of cases is about: one, as in a policy file, or several as a chain.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::config::{
    FilterSource, Lines, Place, Policy, filters,
    filters::Filters,
    is_code,
    policy_file::PolicyTable,
    report::{At, Report},
    section::{Item, Section},
};

/// What the name of a file of cases ends in, if it lies beside the module that it is about.
const SUFFIX: &str = ".cases";

/// Reads them from the table of the file. `module` takes the place of the filter that they name. What cannot be found has a
/// problem, and something else stands for it, so that the rest is looked at too.
pub(super) fn read(section: &mut Section<'_>, bundled: &[&str], module: Option<&Path>) -> Chain {
    let report = section.report();
    match section.take("chain") {
        Some(chain) => read_chain(chain, bundled, module),
        None => {
            let table = PolicyTable::take(section);
            let source = match module {
                Some(module) => Some(named_module(module)),
                None => source(&table, bundled, report),
            };
            let place = Place { file: report.file().to_owned(), line: Some(1), key: None };
            let policy = table.build(stem(report.file()), source.unwrap_or_else(unknown), place);
            Chain { policies: vec![policy], is_one: true }
        }
    }
}

/// The policies in the order of the request.
pub(super) struct Chain {
    pub(super) policies: Vec<Policy>,
    /// Whether the file is about one policy, as in a policy file.
    is_one: bool,
}

impl Chain {
    /// The policies with another configuration: `config` of a case.
    pub(super) fn configured(&self, config: Option<Item<'_>>) -> Vec<Policy> {
        let mut policies = self.policies.clone();
        let Some(item) = config else { return policies };
        if self.is_one {
            if let (Some(config), Some(policy)) = (item.json(), policies.first_mut()) {
                configure(policy, config);
            }
            return policies;
        }
        for (name, item) in item.section().map(Section::entries).unwrap_or_default() {
            let (report, place) = (item.report(), item.place());
            match policies.iter_mut().find(|policy| policy.name == name) {
                Some(policy) => item.json().into_iter().for_each(|config| configure(policy, config)),
                None => report.at(&place, format!("there is no policy {name:?} in the chain"), self.names()),
            }
        }
        policies
    }

    /// The space that is a policy's own, by how expectations and contents name it.
    pub(super) fn own_space(&self) -> Option<usize> {
        self.is_one.then_some(0)
    }

    /// Which policy knows a space of that name, and by which name.
    pub(super) fn space(&self, name: &str) -> Option<(usize, String)> {
        let own = name.strip_prefix("policy/").filter(|_| !self.is_one);
        let is_own = |policy: &Policy| own == Some(policy.name.as_str());
        if let Some(index) = self.policies.iter().position(is_own) {
            return Some((index, String::new()));
        }
        let shares = |policy: &Policy| policy.grants.stores.iter().any(|grant| grant.store.name == name);
        self.policies.iter().position(shares).map(|index| (index, name.to_owned()))
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.policies.iter().map(|policy| policy.name.as_str()).collect();
        format!("write config.NAME = {{ … }} for one of {}", names.join(", "))
    }
}

fn configure(policy: &mut Policy, (config, lines): (At<Value>, Lines)) {
    policy.place = Place { file: policy.place.file.clone(), line: Some(config.line), key: Some(config.key) };
    (policy.config, policy.lines) = (config.value, lines);
}

fn read_chain(item: Item<'_>, bundled: &[&str], module: Option<&Path>) -> Chain {
    let (report, place) = (item.report(), item.place());
    let mut policies: Vec<Policy> = Vec::new();
    if report.is_carried() {
        let remedy = "write them into a file beside the module";
        report.at(&place, "has other filters, and a module carries cases of itself alone", remedy);
        return Chain { policies, is_one: false };
    }
    let mut replaced = module.is_none();
    for mut section in item.array().into_iter().flatten().filter_map(Item::section) {
        let at = section.place();
        let name = section.take("name").and_then(Item::string);
        let table = PolicyTable::take(&mut section);
        let source = match &table.filter {
            Some(_) => source(&table, bundled, report),
            None if report.has(&format!("{}.filter", at.key)) => None,
            None => {
                report.at(&at, "has no filter", "write filter = \"NAME\" in each table of the chain");
                None
            }
        };
        section.finish();
        let mut source = source.unwrap_or_else(unknown);
        if let Some(module) = module.filter(|module| stem(module) == source.name()) {
            (source, replaced) = (named_module(module), true);
        }
        let name = name.map_or_else(|| source.name().to_owned(), |at| at.value);
        if policies.iter().any(|policy| policy.name == name) {
            report.at(&at, format!("there is another policy {name:?}"), "give each its own name = \"…\"");
        }
        let place = Place { file: report.file().to_owned(), line: Some(at.line), key: Some(at.key) };
        policies.push(table.build(name, source, place));
    }
    if policies.is_empty() && !report.concerns(&place.key) {
        report.at(&place, "has no policy", "write [[chain]] with a filter for each");
    }
    if !replaced {
        report.at(&place, "has no filter of the module's name", "name a module that is called as one of the filters");
    }
    Chain { policies, is_one: false }
}

/// The code: as named, else the module beside the file, else the bundled filter of its name.
fn source(table: &PolicyTable, bundled: &[&str], report: &Report) -> Option<FilterSource> {
    let folder = report.file().parent().unwrap_or(Path::new(""));
    let filters = Filters::new(modules(folder), bundled);
    match &table.filter {
        Some(written) if is_code(Path::new(&written.value)) => {
            report.good(written, filters::at_path(&super::Files::on_disk(), &written.value, folder))
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
    let modules = paths.filter(|path| is_code(path));
    modules.filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path))).collect()
}

fn named_module(path: &Path) -> FilterSource {
    FilterSource::Module { name: stem(path), path: path.to_owned() }
}

/// In the place of one that there is none of.
fn unknown() -> FilterSource {
    FilterSource::Bundled { name: String::new() }
}

/// The name of the file without what its kind adds to it.
fn stem(file: &Path) -> String {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("filter");
    stem.strip_suffix(SUFFIX).unwrap_or(stem).to_owned()
}
