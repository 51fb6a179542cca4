//! Keys that modules are signed with: ECDSA on P-256 and Ed25519, in PEM, as `openssl` and `cosign` write them.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    UnparsedPublicKey,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::Signature;

/// Whoever signs.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: Kind,
    bytes: Vec<u8>,
    /// A digest of it, for people.
    short: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    P256,
    Ed25519,
}

const EC: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const OF_ED25519: &str = "1.3.101.112";

impl PublicKey {
    /// Reads one (`-----BEGIN PUBLIC KEY-----`).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| "has no public key in PEM".to_owned())?;
        let info = SubjectPublicKeyInfo::from_der(&der);
        let (_, info) = info.map_err(|_| "has a public key that cannot be read".to_owned())?;
        let curve = info.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
        let kind = match info.algorithm.algorithm.to_id_string().as_str() {
            EC if curve.is_some_and(|curve| curve.to_id_string() == P256) => Kind::P256,
            OF_ED25519 => Kind::Ed25519,
            _ => return Err("has a key of another kind than ECDSA on P-256 and Ed25519".to_owned()),
        };
        let short = Sha256::digest(&der).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { kind, bytes: info.subject_public_key.data.to_vec(), short })
    }

    /// Whether somebody with the private key has signed that.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.kind {
            Kind::P256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.bytes).verify(message, signature),
            Kind::Ed25519 => UnparsedPublicKey::new(&ED25519, &self.bytes).verify(message, signature),
        };
        verified.is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// What one signs with. It is never shown.
pub struct PrivateKey(Pair);

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl PrivateKey {
    /// Reads one, which is not encrypted.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let is_encrypted =
            [&b"ENCRYPTED"[..], b"Proc-Type: 4"].iter().any(|mark| pem.windows(mark.len()).any(|part| part == *mark));
        if is_encrypted {
            return Err("is encrypted; write it without a password, or sign with cosign".to_owned());
        }
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| "has no private key in PEM".to_owned())?;
        let bytes = der.secret_der();
        if let Ok(pair) = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, bytes) {
            return Ok(Self(Pair::P256(pair)));
        }
        match Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes) {
            Ok(pair) => Ok(Self(Pair::Ed25519(pair))),
            Err(_) => Err("has a key of another kind than ECDSA on P-256 and Ed25519".to_owned()),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        match &self.0 {
            Pair::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message);
                Ok(signature.map_err(|_| "cannot sign".to_owned())?.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }

    /// Whether it has made that signature.
    #[must_use]
    pub fn has_made(&self, signature: &Signature) -> bool {
        let (message, bytes) = (&signature.payload, signature.bytes());
        let verified = match &self.0 {
            Pair::P256(pair) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key()).verify(message, &bytes)
            }
            Pair::Ed25519(pair) => UnparsedPublicKey::new(&ED25519, pair.public_key()).verify(message, &bytes),
        };
        verified.is_ok()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}
