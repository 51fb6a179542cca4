//! TLS as a listener speaks it: from PEM files to the settings of a handshake.

mod files;
mod names;

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ServerConfig, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, SupportedProtocolVersion};
use sha2::{Digest, Sha256};

use self::files::{File, problem};
use self::names::ByName;
use crate::config::{ClientAuth, Problem, Tls, TlsProfile};

/// What handshakes of a listener need, for all workers, and what it was made of.
#[derive(Debug)]
pub struct TlsSettings {
    /// For rustls.
    pub config: Arc<ServerConfig>,
    written: Tls,
    digest: [u8; 32],
}

impl TlsSettings {
    /// Reads certificates and keys. What has not changed since `older` is taken over, so that sessions can be resumed.
    ///
    /// # Errors
    /// All that is wrong with the files, each problem with the file and what to do.
    pub fn load(tls: &Tls, older: Option<&Arc<Self>>) -> Result<Arc<Self>, Vec<Problem>> {
        let read = |result: Result<File, Problem>, problems: &mut Vec<Problem>| {
            result.map_err(|problem| problems.push(problem)).ok()
        };
        let mut problems = Vec::new();
        let pairs: Vec<_> = tls
            .certificates
            .iter()
            .map(|pair| (read(File::read(&pair.cert), &mut problems), read(File::read(&pair.key), &mut problems)))
            .collect();
        let authorities = tls.client_auth.as_ref().map(|auth| (auth, read(File::read(&auth.ca), &mut problems)));
        if !problems.is_empty() {
            return Err(problems);
        }
        let pairs: Vec<(File, File)> = pairs.into_iter().filter_map(|(cert, key)| cert.zip(key)).collect();
        let authorities = authorities.and_then(|(auth, file)| Some((auth, file?)));
        let all = pairs.iter().flat_map(|(cert, key)| [cert, key]).chain(authorities.iter().map(|(_, file)| file));
        let digest = digest(all);
        if let Some(older) = older.filter(|older| older.digest == digest && older.written == *tls) {
            return Ok(Arc::clone(older));
        }
        let config = build(tls.profile, &pairs, authorities.as_ref().map(|(auth, file)| (*auth, file)))?;
        Ok(Arc::new(Self { config: Arc::new(config), written: tls.clone(), digest }))
    }
}

fn digest<'a>(files: impl Iterator<Item = &'a File>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update((file.content.len() as u64).to_le_bytes());
        hasher.update(&file.content);
    }
    hasher.finalize().into()
}

fn build(
    profile: TlsProfile,
    pairs: &[(File, File)],
    client_auth: Option<(&ClientAuth, &File)>,
) -> Result<ServerConfig, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut keys = Vec::new();
    for (cert, key) in pairs {
        match cert.certified_key(key) {
            Ok(key) => keys.push(key),
            Err(problem) => problems.push(problem),
        }
    }
    let verifier = match client_auth.map(|(auth, file)| verifier(auth, file)) {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(Ok(verifier)) => verifier,
        Some(Err(problem)) => {
            problems.push(problem);
            return Err(problems);
        }
    };
    let Some(by_name) = ByName::new(keys).filter(|_| problems.is_empty()) else { return Err(problems) };
    let whole = |error: rustls::Error| {
        let file = &pairs[0].0.path;
        vec![problem(file, format!("TLS cannot be set up: {error}"), "use another kind of key")]
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&versions(profile))
        .map_err(whole)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(by_name));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Sessions are kept by clients, under keys that rotate: no memory here, and any worker can resume them. New settings
    // have new keys, so nobody resumes a session past another certificate or another authority.
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(whole)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

fn versions(profile: TlsProfile) -> Vec<&'static SupportedProtocolVersion> {
    match profile {
        TlsProfile::Modern => vec![&TLS13],
        TlsProfile::Intermediate => vec![&TLS13, &TLS12],
    }
}

fn verifier(auth: &ClientAuth, file: &File) -> Result<Arc<dyn ClientCertVerifier>, Problem> {
    let mut roots = RootCertStore::empty();
    for certificate in file.certificates()? {
        roots.add(certificate).map_err(|error| {
            problem(&file.path, format!("holds a certificate that is no authority: {error}"), "name a file of CAs")
        })?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if auth.required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| problem(&file.path, error.to_string(), "name a file of CAs"))
}
