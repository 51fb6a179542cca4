//! An inspection as text and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Asked, Inspection};
use crate::manifest::{Key, Manifest};

impl Inspection {
    /// For people, without a line break at its end.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        match self.module.manifest() {
            Some(Manifest { name, version, description, .. }) => {
                let description = description.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
                line(&mut text, &format!("{name} {version}{description}"));
            }
            None => line(&mut text, "a module that does not say what it is"),
        }
        row(&mut text, "digest", &format!("sha256:{}", self.module.digest));
        row(&mut text, "size", &format!("{} bytes, a {}", self.bytes, self.kind()));
        row(&mut text, "hooks", &self.hooks().map_or_else(|| "known once it is configured".to_owned(), or_none));
        if self.module.manifest().is_some_and(|manifest| manifest.pure) {
            row(&mut text, "", "of heads, they are pure: answers to the same facts are remembered");
        }
        row(&mut text, "imports", &or_none(self.module.imported().map(ToOwned::to_owned).collect()));
        for (index, asked) in self.asks().iter().enumerate() {
            row(&mut text, if index == 0 { "needs" } else { "" }, &asked.shown());
        }
        row(&mut text, "cases", &or_none(self.cases.iter().map(|name| format!("{name:?}")).collect()));
        self.problems.iter().for_each(|problem| line(&mut text, problem));
        let manifest = self.module.manifest();
        if let Some(documentation) = manifest.and_then(|manifest| manifest.documentation.as_deref()) {
            row(&mut text, "manual", &format!("{} lines, which --json has", documentation.lines().count()));
        }
        match manifest.and_then(|manifest| manifest.schema.as_ref()) {
            Some(schema) => table(&mut text, &schema.keys()),
            None => row(&mut text, "config", "no schema"),
        }
        self.put_fit(&mut text);
        text.truncate(text.trim_end().len());
        text
    }

    fn put_fit(&self, text: &mut String) {
        text.push('\n');
        let whose = self.policy.as_ref().map_or_else(|| "a policy".to_owned(), |name| format!("the policy {name:?}"));
        if self.fit.lacks.is_empty() {
            line(
                text,
                &format!("{whose} has nothing to grant for it{}", if self.policy.is_some() { " besides" } else { "" }),
            );
        } else {
            let lacks: Vec<_> = self.fit.lacks.iter().map(ToString::to_string).collect();
            line(text, &format!("{whose} has to grant {}:", lacks.join(", ")));
            line(text, &self.fit.grants);
        }
        // Of no policy, the configuration is not there to be right.
        if self.policy.is_some() {
            self.fit.problems.iter().for_each(|problem| line(text, &problem.to_string()));
        }
    }

    /// As one document.
    #[must_use]
    pub fn json(&self) -> Value {
        let manifest = self.module.manifest();
        let needs = self.asks();
        let problems: Vec<_> = self.fit.problems.iter().map(ToString::to_string).collect();
        let lacks: Vec<_> =
            self.fit.lacks.iter().map(|lack| json!({ "grant": lack.kind.key(), "name": lack.name })).collect();
        json!({
            "name": manifest.map(|manifest| &manifest.name),
            "version": manifest.map(|manifest| &manifest.version),
            "description": manifest.and_then(|manifest| manifest.description.as_ref()),
            "digest": format!("sha256:{}", self.module.digest),
            "bytes": self.bytes,
            "kind": if self.is_component { "component" } else { "core" },
            "hooks": self.hooks(),
            "imports": self.module.imported().collect::<Vec<_>>(),
            "needs": needs.iter().map(Asked::json).collect::<Vec<_>>(),
            "cases": self.cases,
            "cases-problems": self.problems,
            "schema": manifest.and_then(|manifest| manifest.schema.as_ref()).map(|schema| schema.written()),
            "documentation": manifest.and_then(|manifest| manifest.documentation.as_ref()),
            "policy": self.policy,
            "lacks": lacks,
            "grants": (!self.fit.lacks.is_empty()).then_some(&self.fit.grants),
            "problems": if self.policy.is_some() { problems } else { Vec::new() },
        })
    }

    /// As its manifest has them. Without one they are known only when it has been configured.
    fn hooks(&self) -> Option<Vec<String>> {
        self.module.manifest().map(|manifest| manifest.hooks.clone())
    }
}

impl Asked {
    fn shown(&self) -> String {
        let name = self.name.as_ref().map(|name| format!(" {name:?}")).unwrap_or_default();
        let why = if self.why.is_empty() { String::new() } else { format!(": {}", self.why) };
        let optional = if self.is_optional { " (it can do without)" } else { "" };
        format!("{}{name}{why}{optional}", self.key)
    }

    fn json(&self) -> Value {
        json!({ "grant": self.key, "name": self.name, "why": self.why, "optional": self.is_optional })
    }
}

/// The keys of the configuration, in columns.
fn table(text: &mut String, keys: &[Key]) {
    const WIDEST: usize = 40;
    text.push_str("\n[config]\n");
    let width = |of: fn(&Key) -> &str| keys.iter().map(|key| of(key).chars().count().min(WIDEST)).max().unwrap_or(0);
    let (paths, forms) = (width(|key| &key.path), width(|key| &key.form));
    for Key { path, form, default, is_required, description } in keys {
        let notes = [
            is_required.then(|| "required".to_owned()),
            default.as_ref().map(|default| format!("default {default}")),
            description.clone(),
        ];
        let notes: Vec<_> = notes.into_iter().flatten().collect();
        line(text, format!("  {path:paths$}  {form:forms$}  {}", notes.join("; ")).trim_end());
    }
    if keys.is_empty() {
        line(text, "  no keys");
    }
}

fn or_none(names: Vec<String>) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn row(text: &mut String, head: &str, content: &str) {
    line(text, &format!("{head:8} {content}"));
}

fn line(text: &mut String, content: &str) {
    // Writing to memory does not fail.
    let _ = writeln!(text, "{content}");
}
