//! Finds the code that a policy's `filter` stands for: a module of the policies directory or of the catalogue, or a bundled filter.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    FilterSource,
    names::{self, Meaning},
    report::Wrong,
    script,
};
use crate::oci::Reference;

/// What a `filter` may stand for.
#[derive(Debug, Clone)]
pub(super) struct Filters<'a> {
    modules: BTreeMap<String, FilterSource>,
    bundled: &'a [&'a str],
}

impl<'a> Filters<'a> {
    /// The modules of a directory by stem, and the bundled filters.
    pub(super) fn new(modules: BTreeMap<String, PathBuf>, bundled: &'a [&'a str]) -> Self {
        let module = |(name, path): (String, PathBuf)| (name.clone(), FilterSource::Module { name, path });
        Self { modules: modules.into_iter().map(module).collect(), bundled }
    }

    /// With these that have names besides; those that are there win.
    pub(super) fn with(mut self, shared: &BTreeMap<String, FilterSource>) -> Self {
        for (name, source) in shared {
            self.modules.entry(name.clone()).or_insert_with(|| source.clone());
        }
        self
    }

    /// The code of a name that is written: a module wins over a bundled filter.
    pub(super) fn named(&self, name: &str) -> Result<FilterSource, Wrong> {
        let stem = script::without_ending(name);
        match names::find(stem, self.modules.keys().map(String::as_str)) {
            Meaning::One(module) => self.module(module).ok_or_else(|| self.unknown(name)),
            Meaning::Several(modules) => Err((
                format!("{name:?} may be any of {}", names::list(modules.into_iter())),
                "write the file name with its order number".to_owned(),
            )),
            Meaning::Nothing => self.bundled(name).ok_or_else(|| self.unknown(name)),
        }
    }

    /// The code of a policy that names none: the module of its name, with or without order number, else the bundled.
    pub(super) fn default_of(&self, policy: &str) -> Result<FilterSource, Wrong> {
        let short = names::without_order_number(policy).unwrap_or(policy);
        self.module(policy)
            .or_else(|| self.module(short))
            .or_else(|| self.bundled(policy))
            .or_else(|| self.bundled(short))
            .ok_or_else(|| {
                let known = self.known();
                let modules = match policy == short {
                    true => format!("{policy}.wasm"),
                    false => format!("{policy}.wasm or {short}.wasm"),
                };
                let message = format!("there is no {modules} and no bundled filter {short:?}");
                (message, format!("add filter = \"NAME\"; {}", names::suggest(short, "filters", known.into_iter())))
            })
    }

    fn module(&self, name: &str) -> Option<FilterSource> {
        self.modules.get(name).cloned()
    }

    fn bundled(&self, name: &str) -> Option<FilterSource> {
        self.bundled.contains(&name).then(|| FilterSource::Bundled { name: name.to_owned() })
    }

    fn unknown(&self, name: &str) -> Wrong {
        let message = format!("there is no module and no bundled filter {name:?}");
        (message, names::suggest(name, "filters", self.known().into_iter()))
    }

    fn known(&self) -> Vec<&str> {
        self.modules.keys().map(String::as_str).chain(self.bundled.iter().copied()).collect()
    }
}

/// The code of a `filter` that is a reference; the path of a bundle is relative to the folder of the file that names it.
pub(super) fn pulled(written: &str, folder: &Path) -> Result<FilterSource, Wrong> {
    let remedy = || {
        "write it like \"oci://ghcr.io/acme/jwt:1.2\", \"oci://ghcr.io/acme/jwt@sha256:…\" or \"oci:bundle:1.2\""
            .to_owned()
    };
    let reference = Reference::parse(written).map_err(|problem| (problem, remedy()))?;
    if reference.tag.is_none() && reference.digest.is_none() {
        return Err(("names no version".to_owned(), remedy()));
    }
    let name = reference.short_name().to_owned();
    Ok(FilterSource::Pulled { name, reference: reference.below(folder) })
}

/// The code of a `filter` that is a path with the ending of code, relative to the folder of the config file.
pub(super) fn at_path(files: &super::Files, written: &str, folder: &Path) -> Result<FilterSource, Wrong> {
    let path = folder.join(written);
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or(written).to_owned();
    match files.has_module(&path) {
        true => Ok(FilterSource::Module { name: stem, path }),
        false => Err((
            format!("there is no module {:?}", path.display().to_string()),
            "write a path relative to the config file, or the name of a filter without its ending".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUNDLED: &[&str] = &["api-key", "headers"];

    fn filters(modules: &[&str]) -> Filters<'static> {
        let path = |name: &&str| (name.to_string(), PathBuf::from(format!("{name}.wasm")));
        Filters::new(modules.iter().map(path).collect(), BUNDLED)
    }

    fn module(name: &str) -> Result<FilterSource, Wrong> {
        Ok(FilterSource::Module { name: name.into(), path: format!("{name}.wasm").into() })
    }

    fn bundled(name: &str) -> Result<FilterSource, Wrong> {
        Ok(FilterSource::Bundled { name: name.into() })
    }

    #[test]
    fn a_module_wins_over_a_bundled_filter() {
        assert_eq!(filters(&[]).named("api-key"), bundled("api-key"));
        assert_eq!(filters(&["api-key"]).named("api-key"), module("api-key"));
        assert_eq!(filters(&["10-api-key"]).named("api-key"), module("10-api-key"));
        assert_eq!(filters(&["10-api-key"]).named("10-api-key.wasm"), module("10-api-key"));
    }

    #[test]
    fn a_short_name_of_several_modules_is_a_problem() {
        let (message, _) = filters(&["10-x", "20-x"]).named("x").unwrap_err();
        assert_eq!(message, "\"x\" may be any of 10-x, 20-x");
    }

    #[test]
    fn the_default_goes_from_the_file_name_to_the_bundled_filter() {
        assert_eq!(filters(&["10-api-key", "api-key"]).default_of("10-api-key"), module("10-api-key"));
        assert_eq!(filters(&["api-key"]).default_of("10-api-key"), module("api-key"));
        assert_eq!(filters(&["20-api-key"]).default_of("10-api-key"), bundled("api-key"));
        assert_eq!(filters(&[]).default_of("headers"), bundled("headers"));
        let (message, remedy) = filters(&[]).default_of("10-header").unwrap_err();
        assert_eq!(message, "there is no 10-header.wasm or header.wasm and no bundled filter \"header\"");
        assert_eq!(remedy, "add filter = \"NAME\"; did you mean \"headers\"?");
    }

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        let (message, remedy) = filters(&["mine"]).named("cors").unwrap_err();
        assert_eq!(message, "there is no module and no bundled filter \"cors\"");
        assert_eq!(remedy, "known filters: api-key, headers, mine");
    }
}
