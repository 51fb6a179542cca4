//! Policies that are scripts: the text is the policy's content, and a module that is bundled for its language runs it.

use std::path::Path;
use std::sync::Arc;

use crate::bundled;
use crate::config::{Policy, Problem};
use crate::sandbox::{Content, Digest, Module, ModuleCache, ModuleError, Reach};

/// The longest script that is read, in bytes.
const LONGEST: usize = 1 << 20;

/// The module that runs the policy: what was read, or what is bundled for the language of the script that was read.
pub(super) fn module(
    cache: &ModuleCache,
    policy: &Policy,
    content: &Content,
    reach: Reach,
) -> Result<Arc<Module>, ModuleError> {
    let Some(language) = policy.filter.language() else {
        return cache.load_for(content, content.digest(), reach);
    };
    let missing = || ModuleError::NoEngine(language.engine());
    let engine = bundled::engine(language.engine()).ok_or_else(missing)?;
    let engine = cache.load_for(engine, Digest::of(engine), reach)?;
    Ok(Module::script(&engine, content.digest()))
}

/// What the module is configured with: the policy's `[config]`, and the script if it runs one.
pub(super) fn configuration(policy: &Policy, content: &[u8]) -> Result<String, Problem> {
    let config = policy.config.to_string();
    if policy.filter.language().is_none() {
        return Ok(config);
    }
    if content.len() > LONGEST {
        let message = format!("{} bytes are more than the {LONGEST} that a script may have", content.len());
        return Err(of_script(policy, None, message, "write a compiled filter instead"));
    }
    let script = str::from_utf8(content).map_err(|error| {
        let line = content[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        of_script(policy, Some(line), "is not valid UTF-8".to_owned(), "save the script as UTF-8")
    })?;
    Ok(serde_json::json!({ "name": file_name(policy), "script": script, "config": config }).to_string())
}

/// What is wrong with a script, if the message of what runs it is about a place there: `NAME:LINE:COLUMN: MESSAGE`, or without
/// one `NAME: MESSAGE`.
pub(super) fn problem(policy: &Policy, message: &str) -> Option<Problem> {
    policy.filter.language()?;
    let rest = message.strip_prefix(file_name(policy))?.strip_prefix(':')?;
    let placed = || {
        let (line, rest) = rest.split_once(':')?;
        let (column, text) = rest.split_once(": ")?;
        let (line, column) = (line.parse().ok()?, column.parse::<usize>().ok()?);
        Some(of_script(policy, Some(line), format!("{text} (column {column})"), ""))
    };
    placed().or_else(|| Some(of_script(policy, None, rest.trim_start().to_owned(), "")))
}

fn of_script(policy: &Policy, line: Option<usize>, message: String, remedy: &str) -> Problem {
    let file = policy.filter.path().map(Path::to_owned).unwrap_or_default();
    Problem { file, line, key: None, message, remedy: remedy.to_owned() }
}

fn file_name(policy: &Policy) -> &str {
    let name = policy.filter.path().and_then(Path::file_name).and_then(|name| name.to_str());
    name.unwrap_or_else(|| policy.filter.name())
}
