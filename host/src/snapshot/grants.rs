//! From what a policy's entry grants to what its filter is granted.

use super::secrets::Secrets;
use crate::config::{self, FilterSource, Problem};
use crate::sandbox::{FieldPattern, FieldRule, GrantedSecret, Grants};

/// What is granted. A bundled filter is a part of the gateway: it may use clocks, random numbers and the header fields that
/// its configuration names, unless its policy says otherwise.
pub(super) fn granted(policy: &config::Policy, secrets: &Secrets) -> Result<Grants, Vec<Problem>> {
    let is_bundled = matches!(policy.filter, FilterSource::Bundled { .. });
    let fields = || if is_bundled { FieldRule::Any } else { FieldRule::Ordinary };
    let written = &policy.grants;
    let mut problems = Vec::new();
    let mut granted = Vec::new();
    for grant in &written.secrets {
        let name = &grant.name;
        match secrets.get(name) {
            Some(secret) => {
                granted.push(GrantedSecret { name: name.as_str().into(), secret: std::sync::Arc::clone(secret) });
            }
            None => problems.push(Problem {
                file: grant.place.file.clone(),
                line: grant.place.line,
                key: grant.place.key.clone(),
                message: format!("there is no secret {name:?}"),
                remedy: known(secrets),
            }),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Grants {
        clock: written.clock.unwrap_or(is_bundled),
        random: written.random.unwrap_or(is_bundled),
        secrets: granted,
        read: written.read.as_deref().map_or_else(fields, rule),
        write: written.write.as_deref().map_or_else(fields, rule),
        body: written.body.unwrap_or(true),
    })
}

fn known(secrets: &Secrets) -> String {
    let mut names: Vec<_> = secrets.names().map(|name| format!("{name:?}")).collect();
    names.sort();
    match names.is_empty() {
        true => "add [secrets.NAME] with file = \"…\" or env = \"…\" to the configuration file".to_owned(),
        false => format!("secrets that there are: {}", names.join(", ")),
    }
}

/// A star by itself is all ordinary fields.
fn rule(patterns: &[config::FieldPattern]) -> FieldRule {
    let pattern = |pattern: &config::FieldPattern| match pattern {
        config::FieldPattern::Beginning(beginning) if beginning.is_empty() => FieldPattern::Ordinary,
        config::FieldPattern::Beginning(beginning) => FieldPattern::Prefix(beginning.as_str().into()),
        config::FieldPattern::Name(name) => FieldPattern::Name(name.clone()),
    };
    FieldRule::These(patterns.iter().map(pattern).collect())
}
