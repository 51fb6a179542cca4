//! What a filter wants to see, declared once.

use std::time::Duration;

use crate::Hook;

/// The facts that a filter's hooks will read, and the hooks that its configuration makes needless.
///
/// Names of facts: a header field; `:method`, `:path`, `:authority`, `:scheme`; `:status` (response only);
/// `@client-address`, `@client-port`, `@listener`, `@route`, `@consumer`, `@subject`, `@issuer`, `@scopes`, `@groups`,
/// `@claim:NAME`, `@class`, `@attr:NAME`; on TLS connections `@tls-version`,
/// `@tls-sni` and, where the client has shown a certificate, `@tls-subject`, `@tls-san`, `@spiffe-id`; and, for the response,
/// `@request:NAME`: a fact of the request as the request hooks have left it. At most 64 for each direction. Case does not
/// matter, and naming a fact twice is the same as naming it once.
///
/// ```
/// use tollgate_filter::{Hook, Interest};
///
/// let header = String::from("X-API-Key");
/// let interest = Interest::new().request([&header, ":path"]).response([":status"]);
/// let without_response = interest.without(Hook::Response);
/// ```
#[derive(Debug, Default)]
#[must_use]
pub struct Interest {
    pub(crate) request: Names,
    pub(crate) response: Names,
    pub(crate) without: Vec<Hook>,
    pub(crate) whole: Vec<Hook>,
    pub(crate) every: Option<Duration>,
}

impl Interest {
    /// Nothing declared.
    pub fn new() -> Self {
        Self::default()
    }

    /// Facts for `on_request`.
    pub fn request<const N: usize>(self, names: [&str; N]) -> Self {
        self.request_each(names)
    }

    /// Facts for `on_request`, as many as there are.
    pub fn request_each(mut self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        names.into_iter().for_each(|name| self.request.declare(name.as_ref()));
        self
    }

    /// Facts for `on_response`.
    pub fn response<const N: usize>(self, names: [&str; N]) -> Self {
        self.response_each(names)
    }

    /// Facts for `on_response`, as many as there are.
    pub fn response_each(mut self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        names.into_iter().for_each(|name| self.response.declare(name.as_ref()));
        self
    }

    /// Bodies come in one piece instead of many: the hook is [`Hook::RequestBody`] or [`Hook::ResponseBody`]. The gateway
    /// keeps up to `limits.body` of the policy (1 MiB); a client that sends more gets 413, one that would be sent more gets 502.
    /// The head waits meanwhile, so the body hook can edit it or reply.
    pub fn whole(mut self, hook: Hook) -> Self {
        self.whole.push(hook);
        self
    }

    /// How often [`on_tick`](crate::Filter::on_tick) is called: every minute unless this says otherwise, and every 100 ms at
    /// most.
    pub fn every(mut self, period: Duration) -> Self {
        self.every = Some(period);
        self
    }

    /// Does not subscribe to a hook although it is implemented, because the configuration leaves it nothing to do.
    pub fn without(mut self, hook: Hook) -> Self {
        self.without.push(hook);
        self
    }
}

/// Declared names in the order of the subscription.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<Box<str>>);

impl Names {
    pub(crate) const NONE: &'static Self = &Self(Vec::new());

    fn declare(&mut self, name: &str) {
        if self.position("", name).is_none() {
            self.0.push(canonical("", name).into());
        }
    }

    /// Where the name `{prefix}{name}` was declared. Few names, so comparing them beats hashing.
    #[inline]
    pub(crate) fn position(&self, prefix: &str, name: &str) -> Option<usize> {
        let length = prefix.len() + name.len();
        self.0.iter().position(|declared| {
            let declared = declared.as_bytes();
            declared.len() == length
                && declared[..prefix.len()] == *prefix.as_bytes()
                && declared[prefix.len()..].eq_ignore_ascii_case(name.as_bytes())
        })
    }

    pub(crate) fn to_list(&self) -> Vec<String> {
        self.0.iter().map(|name| name.to_string()).collect()
    }
}

/// The name `{prefix}{name}` as the gateway knows it: in lower case, except for attributes and claims, which others may have
/// named otherwise.
pub(crate) fn canonical(prefix: &str, name: &str) -> String {
    let mut canonical = String::with_capacity(prefix.len() + name.len());
    canonical.push_str(prefix);
    canonical.push_str(name);
    let own = canonical.strip_prefix("@request:").unwrap_or(&canonical);
    if !own.starts_with("@attr:") && !own.starts_with("@claim:") {
        canonical.make_ascii_lowercase();
    }
    canonical
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_kept_once() {
        let interest = Interest::new().request(["X-Key", ":path", "x-key", "@attr:Plan"]);
        assert_eq!(interest.request.to_list(), ["x-key", ":path", "@attr:Plan"]);
        assert_eq!(interest.request.position("", "X-KEY"), Some(0));
        assert_eq!(interest.request.position("@attr:", "Plan"), Some(2));
        assert_eq!(interest.request.position("", "x-ke"), None);
    }
}
