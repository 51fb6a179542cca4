//! Whether a module may be run, by who has signed it and where it comes from. It is asked before anything of the module is looked at.

use std::io::Read;
use std::path::Path;

use crate::config::{self, Problem, Trust, Unsigned};
use crate::oci::{self, PublicKey, Reference, Refusal, Signed};
use crate::pull::Pulled;

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

/// Whether what was fetched may be run.
pub(super) fn of_pulled(
    policy: &config::Policy,
    reference: &Reference,
    pulled: &Pulled,
    rules: &[Trust],
) -> Result<Verdict, Problem> {
    let Some(rule) = rules.iter().find(|rule| rule.is_about(&reference.place)) else {
        let message = format!("nobody has said whom to trust with {}", reference.place);
        let remedy =
            format!("add [[trust]] with registries = [\"{}\"] and keys, or unsigned = \"warn\"", reference.place);
        return Err(policy.source_problem(message, remedy));
    };
    judge(policy, rule, oci::verify(&pulled.artifact, &pulled.signatures, &rule.keys))
}

/// Whether a module in a file may be run: without a rule about it, it may.
pub(super) fn of_file(
    policy: &config::Policy,
    path: &Path,
    content: &[u8],
    rules: &[Trust],
) -> Result<Verdict, Problem> {
    let Some(rule) = rules.iter().find(|rule| rule.is_about_file(path)) else {
        return Ok(match rules.is_empty() {
            true => Verdict::Unasked,
            false => Verdict::Unsigned("no [[trust]] is about it".to_owned()),
        });
    };
    judge(policy, rule, oci::verify_file(content, beside(path).as_deref(), &rule.keys))
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
fn beside(path: &Path) -> Option<String> {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    let mut text = String::new();
    std::fs::File::open(Path::new(&name)).ok()?.take(MAX_SIGNATURE).read_to_string(&mut text).ok()?;
    Some(text)
}
