//! Who a request is made for.

/// An identity: what a filter has found out about who a request is made for, and what later filters, rate limits, the access
/// log and, where the route says so, the upstream are told. No client can send it. Everything but the subject may be missing.
///
/// ```
/// use tollgate_filter::Identity;
///
/// let identity = Identity::new("alice").issuer("https://login.example").scope("orders:read").claim("email", "a@b.example");
/// assert!(identity.has_scope("orders:read"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    pub(crate) subject: String,
    pub(crate) issuer: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) claims: Vec<(String, String)>,
}

impl Identity {
    /// Nothing is known of it but who it is, for whoever says so.
    #[must_use]
    pub fn new(subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), ..Self::default() }
    }

    /// Who says so.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// One more thing that it may do: visible characters without spaces (RFC 6749, section 3.3).
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    /// One more group that it belongs to.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.groups.push(group.into());
        self
    }

    /// What else is said of it.
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.claims.push((name.into(), value.into()));
        self
    }

    /// Who it is.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Who says so, if that is known.
    #[must_use]
    pub fn issued_by(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// What it may do.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// What it belongs to.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// Whether it may do that.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|known| known == scope)
    }

    /// Whether it belongs to that group.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|known| known == group)
    }
}
