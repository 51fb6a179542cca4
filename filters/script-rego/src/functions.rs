//! Whether the functions that a module calls are there: else it would only show when they are called.

use regorus::unstable::{BUILTINS, Expr, Module, Rule, RuleHead};
use script_decision::Document;

use crate::networks::CIDR_CONTAINS;
use crate::usage::Usage;

/// What they say depends on more than the request.
const NOT_PURE: [&str; 8] = [
    "http.send",
    "net.lookup_ip_addr",
    "opa.runtime",
    "rand.intn",
    "time.now_ns",
    "uuid.rfc4122",
    "rego.metadata",
    "rego.parse_module",
];

/// Those that are no built-in ones of the engine; nothing comes of what is printed.
const MORE: [&str; 2] = ["print", CIDR_CONTAINS];

pub(crate) fn check(document: &Document, module: &Module, used: &Usage<'_>) -> Result<(), String> {
    let own: Vec<&str> = module.policy.iter().filter_map(|rule| own(rule)).collect();
    for call in &used.calls {
        let name = call.names.join(".");
        // Without `data` and the package, which are looked at with the paths.
        let is_own = own.contains(&name.as_str()) || call.names.first() == Some(&"data");
        let told = if is_own {
            continue;
        } else if NOT_PURE.contains(&name.as_str()) {
            format!("{name} is not there: what is decided depends on the request and the configuration alone")
        } else if !BUILTINS.contains_key(name.as_str()) && !MORE.contains(&name.as_str()) {
            format!("there is no function {name}")
        } else {
            continue;
        };
        return Err(document.at(call.span.line as usize, call.span.col as usize, &told));
    }
    Ok(())
}

/// What a rule that is a function is called.
fn own(rule: &Rule) -> Option<&str> {
    let name = match rule {
        Rule::Spec { head: RuleHead::Func { refr, .. }, .. } => refr,
        Rule::Default { refr, args, .. } if !args.is_empty() => refr,
        _ => return None,
    };
    match &**name {
        Expr::Var { value, .. } => value.as_string().ok().map(AsRef::as_ref),
        other => Some(other.span().text()),
    }
}
