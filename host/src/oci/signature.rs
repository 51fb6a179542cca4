//! Signatures as cosign keeps them: beside an artifact, under a tag made of its digest, with "simple signing" payloads that name
//! that digest; and detached ones beside files, as `cosign sign-blob` writes them.
//!
//! Formats: <https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::{Descriptor, Digest, Error, Manifest, PrivateKey, PublicKey, shown};

/// The largest payload that is read.
pub(super) const MAX_PAYLOAD: u64 = 64 << 10;
/// How many signatures of an artifact are looked at.
const MAX_SIGNATURES: usize = 32;
/// The longest signature, in characters.
const MAX_TEXT: usize = 4096;

const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const KIND: &str = "cosign container image signature";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// A signature with what was signed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, Deserialize)]
pub struct Signature {
    /// What was signed: JSON that names the digest of an artifact.
    pub payload: Vec<u8>,
    /// The signature in base64.
    pub text: String,
}

/// Who has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The key, as it was given.
    pub key: PublicKey,
}

/// Why an artifact is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no signature at all.
    #[error("it is not signed")]
    Unsigned,
    /// None is by one of the keys.
    #[error("none of its {0} signatures is by a key that is trusted")]
    OtherKeys(usize),
    /// A trusted key has signed something else.
    #[error("its signature is for another artifact, {0}")]
    OtherArtifact(String),
}

#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Image {
    docker_manifest_digest: String,
}

impl Signature {
    /// Of a layer and its content, if it is one.
    pub(super) fn of(layer: &Descriptor, payload: Vec<u8>) -> Option<Self> {
        let text = layer.annotations.get(SIGNATURE).filter(|text| text.len() <= MAX_TEXT)?;
        Some(Self { payload, text: text.clone() })
    }

    fn is_by(&self, key: &PublicKey) -> bool {
        key.verifies(&self.payload, &self.bytes())
    }

    /// The signature alone; nothing if it cannot be read.
    pub(super) fn bytes(&self) -> Vec<u8> {
        STANDARD.decode(self.text.trim()).unwrap_or_default()
    }

    /// The digest of what was signed, if the payload is of the right kind.
    fn subject(&self) -> Option<String> {
        let Payload { critical: Critical { image, kind } } = serde_json::from_slice(&self.payload).ok()?;
        (kind == KIND).then_some(image.docker_manifest_digest)
    }
}

/// The layers of a manifest that are payloads.
pub(super) fn layers(manifest: &Manifest) -> impl Iterator<Item = &Descriptor> {
    manifest.layers.iter().filter(|layer| layer.media_type == SIMPLE_SIGNING).take(MAX_SIGNATURES)
}

/// Whether one of the keys has signed the artifact with that digest.
///
/// # Errors
/// Why not.
pub fn verify(artifact: &Digest, signatures: &[Signature], keys: &[PublicKey]) -> Result<Signed, Refusal> {
    let mut other = None;
    for signature in signatures {
        let Some(key) = keys.iter().find(|key| signature.is_by(key)) else { continue };
        match signature.subject() {
            Some(subject) if subject == artifact.to_string() => return Ok(Signed { key: key.clone() }),
            subject => other = Some(subject.unwrap_or_else(|| "or none".to_owned())),
        }
    }
    Err(match (other, signatures.len()) {
        (Some(subject), _) => Refusal::OtherArtifact(shown(&subject)),
        (None, 0) => Refusal::Unsigned,
        (None, count) => Refusal::OtherKeys(count),
    })
}

/// Signs an artifact that is known by that name.
///
/// # Errors
/// If the key cannot sign.
pub fn sign(artifact: &Digest, name: &str, key: &PrivateKey) -> Result<Signature, String> {
    // The order of keys is that of cosign, which sorts them.
    let payload = json!({
        "critical": {
            "identity": { "docker-reference": name },
            "image": { "docker-manifest-digest": artifact },
            "type": KIND,
        },
        "optional": null,
    });
    let payload = payload.to_string().into_bytes();
    let text = STANDARD.encode(key.sign(&payload)?);
    Ok(Signature { payload, text })
}

/// The detached signature of a file.
///
/// # Errors
/// If the key cannot sign.
pub fn sign_file(content: &[u8], key: &PrivateKey) -> Result<String, String> {
    Ok(STANDARD.encode(key.sign(content)?))
}

/// Whether one of the keys has signed the content of a file.
///
/// # Errors
/// Why not.
pub fn verify_file(content: &[u8], signature: Option<&str>, keys: &[PublicKey]) -> Result<Signed, Refusal> {
    let signature = signature.filter(|text| text.len() <= MAX_TEXT).ok_or(Refusal::Unsigned)?;
    let bytes = STANDARD.decode(signature.trim()).map_err(|_| Refusal::OtherKeys(1))?;
    let key = keys.iter().find(|key| key.verifies(content, &bytes));
    key.map(|key| Signed { key: key.clone() }).ok_or(Refusal::OtherKeys(1))
}

/// The manifest of signatures, and its configuration: that of an image without anything, as cosign writes it.
pub(super) fn manifest(signatures: &[Signature]) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let layer = |signature: &Signature| Descriptor {
        annotations: BTreeMap::from([(SIGNATURE.to_owned(), signature.text.clone())]),
        ..Descriptor::of(SIMPLE_SIGNING, &signature.payload)
    };
    let layers: Vec<_> = signatures.iter().map(layer).collect();
    let history: Vec<_> = layers.iter().map(|_| json!({ "created": "0001-01-01T00:00:00Z" })).collect();
    let digests: Vec<_> = layers.iter().map(|layer| layer.digest).collect();
    let config = json!({
        "architecture": "",
        "created": "0001-01-01T00:00:00Z",
        "history": history,
        "os": "",
        "rootfs": { "type": "layers", "diff_ids": digests },
        "config": {},
    });
    let config = config.to_string().into_bytes();
    let manifest = Manifest::new(Descriptor::of(CONFIG, &config), layers, BTreeMap::new()).write()?;
    Ok((config, manifest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cosign itself has made, as the tests of sigstore-rs have it.
    const KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAENptdY/l3nB0yqkXLBWkZWQwo6+cu\n\
        OSWS1X9vPavpiQOoTTGC0xX57OojUadxF1cdQmrsiReWg2Wn4FneJfa8xw==\n\
        -----END PUBLIC KEY-----\n";
    const TEXT: &str =
        "MEUCIQD6q/COgzOyW0YH1Dk+CCYSt4uAhm3FDHUwvPI55zwnlwIgE0ZK58ZOWpZw8YVmBapJhBqCfdPekIknimuO0xH8Jh8=";
    const PAYLOAD: &str = concat!(
        r#"{"critical":{"identity":{"docker-reference":"registry-testing.svc.lan/busybox"},"#,
        r#""image":{"docker-manifest-digest":"sha256:f3cfc9d0dbf931d3db4685ec659b7ac68e2a578219da4aae65427886e649b06b"},"#,
        r#""type":"cosign container image signature"},"optional":null}"#
    );
    const ARTIFACT: &str = "sha256:f3cfc9d0dbf931d3db4685ec659b7ac68e2a578219da4aae65427886e649b06b";

    fn of_cosign() -> Signature {
        Signature { payload: PAYLOAD.into(), text: TEXT.into() }
    }

    #[test]
    fn a_signature_of_cosign_is_verified() {
        let keys = [PublicKey::from_pem(KEY.as_bytes()).unwrap()];
        let artifact: Digest = ARTIFACT.parse().unwrap();
        assert_eq!(verify(&artifact, &[of_cosign()], &keys).unwrap().key, keys[0]);
        assert_eq!(verify(&artifact, &[], &keys), Err(Refusal::Unsigned));
        assert_eq!(verify(&artifact, &[of_cosign()], &[]), Err(Refusal::OtherKeys(1)));
        let other = Digest::of(b"another");
        assert_eq!(verify(&other, &[of_cosign()], &keys), Err(Refusal::OtherArtifact(ARTIFACT.into())));
        let changed = Signature { payload: PAYLOAD.replace("busybox", "busybix").into(), ..of_cosign() };
        assert_eq!(verify(&artifact, &[changed], &keys), Err(Refusal::OtherKeys(1)));
    }

    #[test]
    fn a_payload_is_written_as_cosign_does() {
        let key = "-----BEGIN PRIVATE KEY-----\n\
            MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
            -----END PRIVATE KEY-----\n";
        let key = PrivateKey::from_pem(key.as_bytes()).unwrap();
        let signature = sign(&ARTIFACT.parse().unwrap(), "registry-testing.svc.lan/busybox", &key).unwrap();
        assert_eq!(String::from_utf8(signature.payload).unwrap(), PAYLOAD);
    }

    #[test]
    fn other_keys_are_refused() {
        assert!(PublicKey::from_pem(b"").is_err() && PrivateKey::from_pem(b"").is_err());
        let encrypted = PrivateKey::from_pem(b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----").unwrap_err();
        assert!(encrypted.starts_with("is encrypted"), "{encrypted}");
    }
}
