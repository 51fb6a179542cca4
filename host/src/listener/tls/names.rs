//! Which certificate a client gets, by the name that it asks for (RFC 6066, section 3).

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;

/// Certificates by the names that are in them.
#[derive(Debug)]
pub(super) struct ByName {
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By the domain below which they hold for one label (RFC 9525, section 6.3).
    wildcard: HashMap<String, Arc<CertifiedKey>>,
    default: Arc<CertifiedKey>,
}

impl ByName {
    /// None if there is no certificate. The first is the default; of two with the same name the earlier one is used.
    pub(super) fn new(keys: Vec<CertifiedKey>) -> Option<Self> {
        let keys: Vec<_> = keys.into_iter().map(Arc::new).collect();
        let default = Arc::clone(keys.first()?);
        let mut by_name = Self { exact: HashMap::new(), wildcard: HashMap::new(), default };
        for key in &keys {
            for name in names(key) {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(domain) => (&mut by_name.wildcard, domain.to_owned()),
                    None => (&mut by_name.exact, name),
                };
                map.entry(name).or_insert_with(|| Arc::clone(key));
            }
        }
        Some(by_name)
    }

    fn find(&self, name: Option<&str>) -> &Arc<CertifiedKey> {
        let find = |name: &str| {
            let wildcard = || self.wildcard.get(name.split_once('.')?.1);
            self.exact.get(name).or_else(wildcard)
        };
        name.and_then(find).unwrap_or(&self.default)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // rustls gives it in lower case and without a final dot.
        Some(Arc::clone(self.find(hello.server_name())))
    }
}

/// The DNS names of a certificate, in lower case.
fn names(key: &CertifiedKey) -> Vec<String> {
    let Some(certificate) = key.cert.first() else { return Vec::new() };
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(certificate) else { return Vec::new() };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let dns = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    names.value.general_names.iter().filter_map(dns).collect()
}
