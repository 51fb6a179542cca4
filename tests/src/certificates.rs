//! Certificates for stories: an authority of their own, and what it signs.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// An authority that signs whatever a story wants.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, as PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub cert: String,
    /// The private key.
    pub key: String,
}

impl Pair {
    /// The certificate without the armour of PEM.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        CertificateDer::from_pem_slice(self.cert.as_bytes()).expect("it is PEM").to_vec()
    }
}

impl Authority {
    /// A new authority that nobody trusts yet.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "no two are the same")]
    pub fn new() -> Self {
        let mut params = params("Authority of a story");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("there is entropy");
        let pem = params.self_signed(&key).expect("the parameters are good").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Its own certificate.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for servers of these names or addresses.
    #[must_use]
    #[track_caller]
    pub fn server(&self, names: &[&str]) -> Pair {
        let mut params = params("server");
        params.subject_alt_names = names.iter().map(|name| subject(name)).collect();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params)
    }

    /// A certificate for a client of this name at the organization `Example`, with these URIs.
    #[must_use]
    #[track_caller]
    pub fn client(&self, name: &str, uris: &[&str]) -> Pair {
        let mut params = params(name);
        params.distinguished_name.push(DnType::OrganizationName, "Example");
        params.subject_alt_names = uris.iter().map(|uri| SanType::URI(ia5(uri))).collect();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Pair {
        let key = KeyPair::generate().expect("there is entropy");
        let cert = params.signed_by(&key, &self.issuer).expect("the parameters are good");
        Pair { cert: cert.pem(), key: key.serialize_pem() }
    }
}

fn subject(name: &str) -> SanType {
    name.parse().map_or_else(|_| SanType::DnsName(ia5(name)), SanType::IpAddress)
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

#[track_caller]
fn ia5(name: &str) -> rcgen::string::Ia5String {
    name.try_into().expect("names are ASCII")
}
