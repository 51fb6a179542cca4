//! What an upstream sees in another way than the client has sent it.

use http::uri::PathAndQuery;
use http::{HeaderValue, Uri, header, request};
use regex::Regex;

use super::path::{below, has_dot_segments};

/// Changes to a request after its hooks. `X-Forwarded-Host` tells the upstream what the client has asked for.
#[derive(Clone, Debug)]
pub struct Rewrite {
    /// The path.
    pub path: PathRewrite,
    /// What `Host` says.
    pub host: Option<HeaderValue>,
}

/// What becomes of the path. A path that a filter has changed so that it does not fit any more stays as the filter left it.
#[derive(Clone, Debug)]
pub enum PathRewrite {
    /// Nothing.
    Kept,
    /// Another prefix.
    Prefix(PrefixChange),
    /// If the expression matches it as a whole, this, where `$1` or `${name}` are groups.
    Expression(Regex, String),
}

/// A prefix in the place of another.
#[derive(Clone, Debug)]
pub struct PrefixChange {
    /// Without `/` at its end, so empty for `/`.
    matched: String,
    with: String,
}

/// A rewritten path that nobody should get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rewritten path is not a valid one")]
pub struct RewriteError;

impl Rewrite {
    /// Makes the changes. The query stays, behind one that the rewritten path brings with it.
    ///
    /// # Errors
    /// If no valid path comes out, or one with dot segments.
    pub fn apply(&self, head: &mut request::Parts) -> Result<(), RewriteError> {
        if let Some(path) = self.path.apply(head.uri.path()) {
            head.uri = with_path(path, head.uri.query())?;
        }
        if let Some(host) = &self.host {
            head.headers.insert(header::HOST, host.clone());
        }
        Ok(())
    }
}

impl PathRewrite {
    fn apply(&self, path: &str) -> Option<String> {
        match self {
            Self::Kept => None,
            Self::Prefix(change) => change.apply(path),
            Self::Expression(expression, to) => {
                let groups = expression.captures(path)?;
                let mut new = String::with_capacity(path.len() + to.len());
                groups.expand(to, &mut new);
                Some(new)
            }
        }
    }
}

impl PrefixChange {
    /// Puts `with` in the place of `matched`.
    #[must_use]
    pub fn new(matched: &str, with: &str) -> Self {
        let without_slash = |prefix: &str| prefix.trim_end_matches('/').to_owned();
        Self { matched: without_slash(matched), with: without_slash(with) }
    }

    /// What takes the place.
    #[must_use]
    pub fn with(&self) -> &str {
        if self.with.is_empty() { "/" } else { &self.with }
    }

    /// The changed path, if the path has the prefix.
    pub(super) fn apply(&self, path: &str) -> Option<String> {
        let rest = below(path, &self.matched)?;
        Some(if self.with.is_empty() && rest.is_empty() { "/".to_owned() } else { format!("{}{rest}", self.with) })
    }
}

fn with_path(mut path: String, query: Option<&str>) -> Result<Uri, RewriteError> {
    if has_dot_segments(path.split('?').next().unwrap_or_default()) {
        return Err(RewriteError);
    }
    if let Some(query) = query {
        path.push(if path.contains('?') { '&' } else { '?' });
        path.push_str(query);
    }
    let path = PathAndQuery::from_maybe_shared(bytes::Bytes::from(path)).map_err(|_| RewriteError)?;
    Ok(Uri::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(path: PathRewrite, uri: &str) -> Result<String, RewriteError> {
        let mut head = http::Request::builder().uri(uri).header("host", "a").body(()).unwrap().into_parts().0;
        let host = Some(HeaderValue::from_static("b"));
        Rewrite { path, host }.apply(&mut head)?;
        assert_eq!(head.headers.get_all("host").iter().collect::<Vec<_>>(), ["b"]);
        Ok(head.uri.to_string())
    }

    fn prefix(matched: &str, with: &str, uri: &str) -> String {
        rewritten(PathRewrite::Prefix(PrefixChange::new(matched, with)), uri).unwrap()
    }

    fn expression(expression: &str, to: &str, uri: &str) -> Result<String, RewriteError> {
        let expression = Regex::new(&format!("^(?:{expression})$")).unwrap();
        rewritten(PathRewrite::Expression(expression, to.into()), uri)
    }

    #[test]
    fn a_prefix_takes_anothers_place() {
        assert_eq!(prefix("/orders", "/v2", "/orders/7?a=/orders"), "/v2/7?a=/orders");
        assert_eq!(prefix("/orders", "/v2/", "/orders"), "/v2");
        assert_eq!(prefix("/orders", "/v2", "/orders/"), "/v2/");
        assert_eq!(prefix("/orders", "/", "/orders"), "/");
        assert_eq!(prefix("/orders", "/", "/orders/7"), "/7");
        assert_eq!(prefix("/", "/v2", "/"), "/v2/");
        assert_eq!(prefix("/", "/v2", "/a"), "/v2/a");
        assert_eq!(prefix("/orders", "/v2", "/ordersx"), "/ordersx");
        assert_eq!(prefix("/orders", "/v2", "*"), "*");
    }

    #[test]
    fn groups_of_an_expression_are_put_in() {
        assert_eq!(expression("/a/(.*)", "/b/$1", "/a/x/y?q").unwrap(), "/b/x/y?q");
        assert_eq!(expression("/u/(?<id>[0-9]+)", "/user?id=${id}", "/u/7?q=1").unwrap(), "/user?id=7&q=1");
        assert_eq!(expression("/a", "/b", "/a/c").unwrap(), "/a/c", "the whole path has to match");
    }

    #[test]
    fn no_rewritten_path_leads_up() {
        assert_eq!(expression("/a(.*)", "/b/$1", "/a.."), Err(RewriteError));
        assert_eq!(expression("/a(.*)", "/b/$1", "/a%2E."), Err(RewriteError));
        assert_eq!(expression("/a(.*)", "/b/$1", "/a...").unwrap(), "/b/...");
    }
}
