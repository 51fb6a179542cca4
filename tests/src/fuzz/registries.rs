//! What registries and bundles answer: references, challenges, manifests, and signatures with what they sign. Nothing of it is trusted.

use tollgate::oci::{Challenge, Digest, Manifest, PublicKey, Reference, Signature, verify};

/// A key that nobody has.
const KEY: &[u8] = b"-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAENptdY/l3nB0yqkXLBWkZWQwo6+cu\n\
    OSWS1X9vPavpiQOoTTGC0xX57OojUadxF1cdQmrsiReWg2Wn4FneJfa8xw==\n-----END PUBLIC KEY-----\n";

/// All that the bytes may be.
pub fn run(data: &[u8]) {
    if let Ok(manifest) = Manifest::read(data)
        && let Ok(module) = manifest.module()
    {
        assert!(module.size <= 64 << 20, "{module:?}");
    }
    let _ = PublicKey::from_pem(data);
    let key = PublicKey::from_pem(KEY).expect("it is one");
    let signature = Signature { payload: data.to_vec(), text: String::from_utf8_lossy(data).into_owned() };
    assert!(verify(&Digest::of(data), &[signature], &[key]).is_err());
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = Challenge::read(text);
    if let Ok(reference) = Reference::parse(text) {
        let again = Reference::parse(&reference.to_string());
        assert_eq!(again.as_ref(), Ok(&reference), "{text:?}");
        let name = reference.short_name();
        assert!(reference.path().is_some() || !name.contains(['/', '\\']) && !name.starts_with('.'), "{text:?}");
    }
}

/// One of each.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let digest = Digest::of(b"");
    let descriptor = format!(r#"{{"mediaType":"application/wasm","digest":"{digest}","size":7}}"#);
    let manifest =
        format!(r#"{{"schemaVersion":2,"config":{descriptor},"layers":[{descriptor}],"annotations":{{"a":"b"}}}}"#);
    let image = format!(r#""image":{{"docker-manifest-digest":"{digest}"}}"#);
    let kind = r#""type":"cosign container image signature""#;
    let payload =
        format!(r#"{{"critical":{{"identity":{{"docker-reference":"a.b/c"}},{image},{kind}}},"optional":null}}"#);
    let texts = [
        format!("oci://ghcr.io:443/acme/jwt:1.2@{digest}"),
        "oci:bundles/a.tar:1".to_owned(),
        r#"Bearer realm="https://a.example/token",service="b \"c\"",scope=repository:x:pull"#.to_owned(),
        "Basic realm=\"x\"".to_owned(),
        manifest,
        payload,
    ];
    let mut seeds: Vec<_> = texts.into_iter().map(String::into_bytes).collect();
    seeds.push(KEY.to_vec());
    seeds
}
