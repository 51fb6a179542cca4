//! PEM files, read within bounds, and what is in them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustls::Error as TlsError;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::config::Problem;

/// The largest file that is read: a bundle of all public authorities has a fifth of it.
const MAX_BYTES: u64 = 1 << 20;

/// A file and what is in it.
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) content: Vec<u8>,
}

impl File {
    pub(super) fn read(path: &Path) -> Result<Self, Problem> {
        let mut content = Vec::new();
        let read = fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut content));
        read.map_err(|error| unreadable(path, &error))?;
        if content.len() as u64 > MAX_BYTES {
            return Err(problem(path, "larger than 1MiB", "name a PEM file"));
        }
        Ok(Self { path: path.to_owned(), content })
    }

    /// The certificates, at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Problem> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.content).collect();
        let wrong = |message: String| {
            problem(&self.path, message, "write PEM certificates, each between BEGIN CERTIFICATE and END CERTIFICATE")
        };
        let certificates = read.map_err(|error| wrong(format!("is not valid PEM: {error}")))?;
        if certificates.is_empty() { Err(wrong("holds no certificate".to_owned())) } else { Ok(certificates) }
    }

    /// The certificates of this file with the key of the other.
    pub(super) fn certified_key(&self, key: &Self) -> Result<CertifiedKey, Problem> {
        let chain = self.certificates()?;
        check(&self.path, &chain[0])?;
        CertifiedKey::from_der(chain, key.private_key()?, &aws_lc_rs::default_provider()).map_err(|error| match error {
            TlsError::InconsistentKeys(_) => problem(
                &key.path,
                format!("is not the key of the certificate in {}", self.path.display()),
                "put the certificate and the key of one pair into the two files",
            ),
            error => problem(&key.path, format!("cannot be used: {error}"), "use an ECDSA, Ed25519 or RSA key"),
        })
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, Problem> {
        PrivateKeyDer::from_pem_slice(&self.content).map_err(|_| {
            let encrypted = self.content.windows(9).any(|window| window == b"ENCRYPTED");
            let (message, remedy) = match encrypted {
                true => ("the private key is encrypted", "decrypt it: openssl pkey -in OLD -out NEW"),
                false => {
                    ("holds no private key", "write the key as PEM, between BEGIN PRIVATE KEY and END PRIVATE KEY")
                }
            };
            problem(&self.path, message, remedy)
        })
    }
}

/// A certificate that cannot be read would fail each handshake. One that has expired may be meant for a test: it is said.
fn check(path: &Path, certificate: &CertificateDer<'_>) -> Result<(), Problem> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|error| {
        problem(path, format!("holds no valid certificate: {error}"), "ask its authority for another")
    })?;
    if !parsed.validity().is_valid() {
        tracing::warn!(file = %path.display(), validity = ?parsed.validity(), "the certificate is not valid now");
    }
    Ok(())
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let (message, remedy) = match error.kind() {
        io::ErrorKind::NotFound => ("there is no such file".to_owned(), "correct the path, or put the file there"),
        io::ErrorKind::PermissionDenied => {
            ("permission denied".to_owned(), "make it readable for the user that the gateway runs as")
        }
        _ => (error.to_string().to_lowercase(), "check that it is a regular, readable file"),
    };
    problem(path, format!("cannot be read: {message}"), remedy)
}

pub(super) fn problem(file: &Path, message: impl Into<String>, remedy: &str) -> Problem {
    Problem { file: file.to_owned(), line: None, key: None, message: message.into(), remedy: remedy.to_owned() }
}
