//! What an upstream is told of the identity that filters have found out.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::message::{Context, joined};
use crate::snapshot::{ForwardIdentity, IdentityPart};

/// Takes away what a client may have sent in these fields, so that nobody believes it: neither a filter nor the upstream.
pub(super) fn remove(fields: &mut HeaderMap, forwarded: &ForwardIdentity) {
    for (_, name) in &forwarded.fields {
        fields.remove(name);
    }
    // Many servers take `_` for `-`.
    let means = |field: &HeaderName| {
        let spelled = field.as_str().replace('_', "-");
        forwarded.fields.iter().any(|(_, name)| *name == *spelled)
    };
    let lookalikes: Vec<_> = fields.keys().filter(|name| name.as_str().contains('_') && means(name)).cloned().collect();
    lookalikes.iter().for_each(|name| drop(fields.remove(name)));
}

/// Writes what is known into the fields. What is not known has no field.
pub(super) fn write(fields: &mut HeaderMap, forwarded: &ForwardIdentity, context: &Context) {
    // Filters cannot say it by these fields either.
    remove(fields, forwarded);
    for (part, name) in &forwarded.fields {
        if let Some(value) = value(part, context) {
            fields.insert(name, value);
        }
    }
}

fn value(part: &IdentityPart, context: &Context) -> Option<HeaderValue> {
    let principal = context.principal.as_deref();
    let list = |values, separator| HeaderValue::from_maybe_shared(bytes::Bytes::from(joined(values, separator)?)).ok();
    match part {
        IdentityPart::Consumer => context.consumer().cloned(),
        IdentityPart::Subject => principal.map(|principal| principal.subject.clone()),
        IdentityPart::Issuer => principal?.issuer.clone(),
        IdentityPart::Scopes => list(&principal?.scopes, b" "),
        IdentityPart::Groups => list(&principal?.groups, b", "),
        IdentityPart::Claim(claim) => principal?.claim(claim).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_of_a_field_stays() {
        let forwarded = ForwardIdentity { fields: vec![(IdentityPart::Subject, HeaderName::from_static("x-user-id"))] };
        let mut fields = HeaderMap::new();
        for name in ["x-user-id", "x_user_id", "x-user_id", "x-user", "x_other"] {
            fields.append(HeaderName::from_static(name), HeaderValue::from_static("admin"));
        }
        write(&mut fields, &forwarded, &Context::default());
        let mut left: Vec<_> = fields.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["x-user", "x_other"]);
    }
}
