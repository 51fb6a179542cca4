//! What there is to know about a module before it is run: what it says about itself, what it imports, and what a policy would
//! have to grant. Its code is compiled, so that what is told is true of it, and none of it is run.

mod facts;
mod search;
mod show;

pub use self::search::search;
pub use crate::snapshot::{FilterRow, Listing};

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bundled;
use crate::config::cases::CaseFile;
use crate::config::{self, Config, FilterSource, Overrides, Place, Policy, Source, WrittenPolicy};
use crate::oci::Facts;
use crate::sandbox::{Module, ModuleCache, Need, Sandbox};
use crate::snapshot::{Fit, Lack, default_state_dir};

/// A module that could be a filter, looked at.
pub struct Inspection {
    bytes: usize,
    is_component: bool,
    module: Arc<Module>,
    /// The names of the cases that it carries.
    cases: Vec<String>,
    /// What is wrong with these.
    problems: Vec<String>,
    /// The policy that was named, or none.
    policy: Option<String>,
    fit: Fit,
}

/// Something that a module asks for.
struct Asked {
    key: &'static str,
    name: Option<String>,
    why: String,
    is_optional: bool,
}

impl Inspection {
    /// Looks at the module in a file, or at a bundled one of that name. With the policy of a configuration file it is held to
    /// that one, otherwise to one that says nothing.
    ///
    /// # Errors
    /// If it cannot be read or cannot be a filter, or if there is no such policy.
    pub fn of(path: &Path, entry: Option<(&Path, &str)>) -> Result<Self, String> {
        let (content, source) = read(path)?;
        Self::of_content(path, &content, source, entry, None)
    }

    /// As `of`, of a module that was built just now. Its compiled code is kept for whoever runs it next, where gateways keep theirs.
    ///
    /// # Errors
    /// As `of`.
    pub fn of_built(path: &Path) -> Result<Self, String> {
        let (content, source) = read(path)?;
        let folder = default_state_dir().map(|folder| folder.join("modules"));
        Self::of_content(path, &content, source, None, folder)
    }

    /// As `of`, of a module that was fetched from there.
    ///
    /// # Errors
    /// As `of`.
    pub fn of_fetched(from: &Path, content: &[u8], entry: Option<(&Path, &str)>) -> Result<Self, String> {
        let name = from.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self::of_content(from, content, FilterSource::Module { name, path: from.to_owned() }, entry, None)
    }

    fn of_content(
        path: &Path,
        content: &[u8],
        source: FilterSource,
        entry: Option<(&Path, &str)>,
        kept: Option<PathBuf>,
    ) -> Result<Self, String> {
        let shown = path.display();
        if source.language().is_some() {
            return Err(format!(
                "{shown}: a script says nothing about itself; `tollgate check` runs it, `tollgate filter test` its cases"
            ));
        }
        let sandbox = Sandbox::new().map_err(|error| format!("the sandbox cannot be made: {error:#}"))?;
        let module = ModuleCache::new(sandbox, kept).load(content).map_err(|error| format!("{shown}: {error}"))?;
        let carried = module.cases().map(|text| CaseFile::carried(path, text, None)).transpose();
        let problems = carried.as_ref().err().into_iter().flatten().map(ToString::to_string).collect();
        let cases = carried.ok().flatten().into_iter().flat_map(|file| file.cases).map(|case| case.name).collect();
        let fit = match entry {
            Some((file, name)) => fit_of(file, name, &module)?,
            None => Fit::of(&silent(source)?, &[], &module),
        };
        let policy = entry.map(|(_, name)| name.to_owned());
        let is_component = Module::is_component(content);
        Ok(Self { bytes: content.len(), is_component, module, cases, problems, policy, fit })
    }

    /// What registries show of it. `content` is the module.
    #[must_use]
    pub fn facts(&self, content: &[u8]) -> Facts {
        let manifest = self.module.manifest();
        Facts {
            title: manifest.map(|manifest| manifest.name.clone()),
            version: manifest.map(|manifest| manifest.version.clone()),
            description: manifest.and_then(|manifest| manifest.description.clone()),
            ..facts::of(content)
        }
    }

    /// Whether the policy would be ready, as far as can be said without running the module.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.fit.lacks.is_empty() && self.fit.problems.is_empty()
    }

    fn kind(&self) -> &'static str {
        if self.is_component { "component" } else { "core module" }
    }

    /// What it says that it needs or can use, and what its imports say besides.
    fn asks(&self) -> Vec<Asked> {
        let said = self.module.manifest().into_iter().flat_map(|manifest| &manifest.needs);
        let said = said.map(|need| {
            let (name, why) = (need.name.clone(), need.why.clone());
            Asked { key: need.kind.key(), name, why, is_optional: need.optional }
        });
        let mut asks: Vec<_> = said.collect();
        for lack in self.module.needs().iter().map(|need: &Need| Lack::from(need)) {
            if !asks.iter().any(|asked| asked.key == lack.kind.key() && !asked.is_optional) {
                let why = "it imports what gives that".to_owned();
                asks.push(Asked { key: lack.kind.key(), name: lack.name, why, is_optional: false });
            }
        }
        asks
    }
}

/// The content, and what a policy would name.
fn read(path: &Path) -> Result<(Vec<u8>, FilterSource), String> {
    let shown = path.display();
    let known = path.to_str().and_then(|name| Some((name, bundled::module(name)?)));
    if let Some((name, content)) = known.filter(|_| !path.exists()) {
        return Ok((content.to_vec(), FilterSource::Bundled { name: name.to_owned() }));
    }
    let unreadable = |error| {
        let bundled = bundled::names().join(", ");
        format!(
            "{shown}: cannot be read: {error}; write the path of a module, or the name of a bundled filter ({bundled})"
        )
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    Module::check_size(size).map_err(|error| format!("{shown}: {error}"))?;
    let content = std::fs::read(path).map_err(unreadable)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok((content, FilterSource::Module { name, path: path.to_owned() }))
}

/// A policy that says nothing but its filter.
fn silent(source: FilterSource) -> Result<Policy, String> {
    let path = source.path().map(ToOwned::to_owned);
    let place = Place { file: path.clone().unwrap_or_default(), line: None, key: None };
    let (name, filter) = (source.name().to_owned(), source.name().to_owned());
    WrittenPolicy { name, written: serde_json::json!({}), filter, path, reference: None, place }
        .restore()
        .map_err(lines)
}

fn fit_of(file: &Path, name: &str, module: &Module) -> Result<Fit, String> {
    let source = Source::File(file.to_owned());
    let config = config::load(&source, &Overrides::default(), &bundled::names()).map_err(lines)?;
    let policy = policy_of(&config, name)?;
    Ok(Fit::of(policy, &config.secrets, module))
}

fn policy_of<'a>(config: &'a Config, name: &str) -> Result<&'a Policy, String> {
    let entry = config.policies.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let known = config.policies.iter().map(|entry| entry.name.as_str());
        format!("there is no policy {name:?}; {}", config::suggest(name, "policies", known))
    })?;
    entry.policy.as_ref().map_err(|problems| lines(problems.clone()))
}

fn lines(problems: Vec<config::Problem>) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
