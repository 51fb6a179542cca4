//! Whether a module may be run, by who has signed it and where it comes from. It is asked before anything of the module is looked at.

use std::io::Read;
use std::path::Path;

use crate::config::{self, FilterSource, Problem, Trust, Unsigned};
use crate::deploy::Proof;
use crate::oci::{self, PublicKey, Reference, Refusal, Signed};

/// The longest detached signature that is read.
const MAX_SIGNATURE: u64 = 16 << 10;

/// Why a module may be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Somebody trusted has signed it.
    Signed(PublicKey),
    /// Nobody has, and it may be run all the same.
    Unsigned(String),
    /// Nobody has said whom to trust.
    Unasked,
}

/// Whether a module may be run, by where its policy has it from and by what it has to show. One that is part of the gateway may, and
/// so may one in a file where no rule is about it.
pub(super) fn of(policy: &config::Policy, content: &[u8], proof: &Proof, rules: &[Trust]) -> Result<Verdict, Problem> {
    match &policy.filter {
        FilterSource::Bundled { .. } => Ok(Verdict::Unasked),
        FilterSource::Module { path, .. } => match rules.iter().find(|rule| rule.is_about_file(path)) {
            Some(rule) => judge(policy, rule, oci::verify_file(content, proof.beside.as_deref(), &rule.keys)),
            None if rules.is_empty() => Ok(Verdict::Unasked),
            None => Ok(Verdict::Unsigned("no [[trust]] is about it".to_owned())),
        },
        FilterSource::Pulled { reference, .. } => {
            let Some(rule) = rules.iter().find(|rule| rule.is_about(&reference.place)) else {
                return Err(nobody_said(policy, reference));
            };
            let verified = proof.artifact.as_ref().map(|it| oci::verify(it, &proof.signatures, &rule.keys));
            judge(policy, rule, verified.unwrap_or(Err(Refusal::Unsigned)))
        }
    }
}

fn nobody_said(policy: &config::Policy, reference: &Reference) -> Problem {
    let message = format!("nobody has said whom to trust with {}", reference.place);
    let remedy = format!("add [[trust]] with registries = [\"{}\"] and keys, or unsigned = \"warn\"", reference.place);
    policy.source_problem(message, remedy)
}

fn judge(policy: &config::Policy, rule: &Trust, verified: Result<Signed, Refusal>) -> Result<Verdict, Problem> {
    match (verified, rule.unsigned) {
        (Ok(Signed { key }), _) => Ok(Verdict::Signed(key)),
        (Err(refusal), Unsigned::Warn) => Ok(Verdict::Unsigned(refusal.to_string())),
        (Err(refusal), Unsigned::Refuse) => {
            let line = rule.place.line.map(|line| format!(" (line {line})")).unwrap_or_default();
            let message = format!("the module of {:?} is not trusted: {refusal}", policy.filter.name());
            Err(policy.source_problem(message, format!("have it signed by a key of [[trust]]{line}")))
        }
    }
}

/// The signature in `NAME.wasm.sig`.
pub(super) fn beside(path: &Path) -> Option<String> {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    let mut text = String::new();
    std::fs::File::open(Path::new(&name)).ok()?.take(MAX_SIGNATURE).read_to_string(&mut text).ok()?;
    Some(text)
}
