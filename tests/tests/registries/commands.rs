//! `tollgate filter push`, `pull`, `inspect`, `list` and `sign`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use tollgate_tests::{Authority, Binary, Folder, Registry, curl, filter};

use super::{ED25519, P256, digest, make_keys, refused, run, said};

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("headers.wasm", filter("headers"));
    folder
}

#[test]
fn a_module_goes_to_a_registry_and_comes_back() {
    let (registry, folder) = (Registry::start(), folder());
    let at = format!("{}/acme/headers:1.0", registry.host());
    let pushed = said(&folder, &["push", "headers.wasm", &at]);
    assert!(pushed.starts_with(&format!("oci://{}/acme/headers@sha256:", registry.host())), "{pushed}");
    assert_eq!(said(&folder, &["push", "headers.wasm", &at]), pushed, "the same is the same");
    let again = at.replace("1.0", "1.1");
    assert_eq!(digest(&said(&folder, &["push", "headers.wasm", &again])), digest(&pushed));
    assert_eq!(said(&folder, &["list", &format!("{}/acme/headers", registry.host())]), "1.0\n1.1");
    let pulled = said(&folder, &["pull", &at, "-o", "back.wasm"]);
    assert_eq!(pulled, format!("back.wasm: {pushed}"));
    assert!(fs::read(folder.path().join("back.wasm")).unwrap() == filter("headers"));
    said(&folder, &["pull", &pushed, "-o", "by-digest.wasm"]);
    assert!(fs::read(folder.path().join("by-digest.wasm")).unwrap() == filter("headers"));
    let there = refused(&folder, &["pull", &at]);
    assert!(there.contains("headers.wasm is there already; write over it with --force"), "{there}");
    said(&folder, &["pull", &at, "--force"]);
    let told = said(&folder, &["inspect", &format!("oci://{at}")]);
    assert!(told.contains("org.opencontainers.image.title = headers") && told.contains("[config]"), "{told}");
}

#[test]
fn an_artifact_is_laid_out_as_other_tools_expect_it() {
    let (registry, folder) = (Registry::start(), folder());
    said(&folder, &["push", "headers.wasm", &format!("{}/headers:1", registry.host())]);
    let url = format!("http://{}/v2/headers/manifests/1", registry.host());
    let manifest = curl(&["-H", "Accept: application/vnd.oci.image.manifest.v1+json", &url]).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest.body).unwrap();
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
    assert!(manifest["annotations"]["org.opencontainers.image.version"].is_string(), "{manifest}");
}

#[test]
fn what_is_not_there_or_is_no_filter_is_told() {
    let (registry, folder) = (Registry::start(), folder());
    folder.write("text.wasm", "no module");
    let at = format!("{}/headers:1", registry.host());
    let absent = refused(&folder, &["pull", &at, "-o", "x.wasm"]);
    assert!(absent.starts_with(&format!("there is no headers:1 at {}", registry.host())), "{absent}");
    assert!(refused(&folder, &["push", "text.wasm", &at]).starts_with("text.wasm: "));
    assert!(refused(&folder, &["pull", "headers:1"]).contains("names no registry; write HOST/REPOSITORY:TAG"));
    let nobody = refused(&folder, &["pull", "127.0.0.1:1/headers:1", "-o", "x.wasm"]);
    assert!(nobody.starts_with("127.0.0.1:1 cannot be reached: "), "{nobody}");
    assert!(!folder.path().join("x.wasm").exists());
}

#[test]
fn content_that_is_something_else_is_refused() {
    let (registry, folder) = (Registry::start(), folder());
    let at = format!("{}/headers:1", registry.host());
    let pushed = said(&folder, &["push", "headers.wasm", &at]);
    let manifest = fs::read(registry.content(&digest(&pushed))).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let module = registry.content(manifest["layers"][0]["digest"].as_str().unwrap());
    let mut content = fs::read(&module).unwrap();
    *content.last_mut().unwrap() ^= 1;
    fs::write(&module, &content).unwrap();
    let other = refused(&folder, &["pull", &at, "-o", "x.wasm"]);
    assert!(other.contains("is something else: sha256:"), "{other}");
    content.extend_from_slice(&[0; 64]);
    fs::write(&module, &content).unwrap();
    let larger = refused(&folder, &["pull", &at, "-o", "x.wasm"]);
    assert!(larger.contains("too much for what it should be") || larger.contains("something else"), "{larger}");
}

#[test]
fn a_bundle_goes_where_no_registry_is() {
    let (registry, folder) = (Registry::start(), folder());
    make_keys(folder.path(), "acme", P256);
    let at = format!("{}/headers:1", registry.host());
    let pushed = said(&folder, &["push", "headers.wasm", &at, "--key", "acme.key"]);
    for bundle in ["oci:bundle:1.0", "oci:bundle.tar:1.0"] {
        let pulled = said(&folder, &["pull", &at, "-o", bundle]);
        assert_eq!(digest(&pulled), digest(&pushed));
        assert_eq!(said(&folder, &["list", bundle.strip_suffix(":1.0").unwrap()]), "1.0");
        // Its signatures have come along.
        said(&folder, &["pull", bundle, "-o", "out.wasm", "--force", "--key", "acme.pub"]);
        assert!(fs::read(folder.path().join("out.wasm")).unwrap() == filter("headers"));
        let elsewhere = format!("{}/copies/headers:1", registry.host());
        assert_eq!(digest(&said(&folder, &["push", bundle, &elsewhere])), digest(&pushed));
        said(&folder, &["pull", &elsewhere, "-o", "out.wasm", "--force", "--key", "acme.pub"]);
    }
    assert!(folder.path().join("bundle/oci-layout").exists());
    let direct = said(&folder, &["push", "headers.wasm", "oci:direct:1"]);
    assert_eq!(digest(&direct), digest(&pushed));
    assert!(refused(&folder, &["pull", "oci:none:1"]).contains("none: cannot be read"));
    assert!(refused(&folder, &["pull", "oci:bundle:2"]).contains("there is no 2 at bundle"));
}

#[test]
fn a_signature_is_of_one_key_and_one_artifact() {
    let (registry, folder) = (Registry::start(), folder());
    for (name, kind) in [("acme", P256), ("other", ED25519)] {
        make_keys(folder.path(), name, kind);
    }
    let at = format!("oci://{}/headers:1", registry.host());
    let pushed = said(&folder, &["push", "headers.wasm", &at]);
    let pull = |key: &str| run(&folder, &["pull", &at, "-o", "x.wasm", "--force", "--key", key]);
    assert!(pull("acme.pub").stderr.contains("is not taken: it is not signed"));
    assert_eq!(said(&folder, &["sign", &at, "--key", "acme.key"]), pushed);
    assert!(pull("acme.pub").status.success());
    assert!(pull("other.pub").stderr.contains("is not taken: none of its 1 signatures is by a key that is trusted"));
    said(&folder, &["sign", &at, "--key", "other.key"]);
    assert!(pull("acme.pub").status.success() && pull("other.pub").status.success());
    // One that is moved to another artifact is none.
    folder.write("tick.wasm", filter("api-key"));
    let other = said(&folder, &["push", "tick.wasm", &format!("{}/headers:2", registry.host())]);
    let (from, to) = (digest(&pushed).replace(':', "-"), digest(&other).replace(':', "-"));
    let manifests = format!("http://{}/v2/headers/manifests", registry.host());
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let signatures = curl(&["-H", &format!("Accept: {kind}"), &format!("{manifests}/{from}.sig")]).unwrap();
    let signatures = String::from_utf8(signatures.body).unwrap();
    let (kind, place) = (format!("Content-Type: {kind}"), format!("{manifests}/{to}.sig"));
    assert_eq!(curl(&["-X", "PUT", "-H", &kind, "-d", &signatures, &place]).unwrap().status, 201);
    let two = format!("{}/headers:2", registry.host());
    let moved = refused(&folder, &["pull", &two, "-o", "y.wasm", "--key", "acme.pub"]);
    assert!(moved.contains(&format!("its signature is for another artifact, {}", digest(&pushed))), "{moved}");
    let listed = said(&folder, &["list", &format!("{}/headers", registry.host())]);
    assert_eq!(listed, "1\n2", "signatures are no versions");
}

#[test]
fn a_file_is_signed_beside_it() {
    let folder = folder();
    make_keys(folder.path(), "acme", P256);
    assert_eq!(said(&folder, &["sign", "headers.wasm", "--key", "acme.key"]), "headers.wasm.sig");
    // Anybody can check it.
    folder.write(
        "check",
        "openssl base64 -d -A -in headers.wasm.sig -out raw\nopenssl dgst -sha256 -verify acme.pub -signature raw headers.wasm",
    );
    let checked = std::process::Command::new("sh").arg("check").current_dir(folder.path()).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let absent = refused(&folder, &["sign", "none.wasm", "--key", "acme.key"]);
    assert!(absent.contains("none.wasm: cannot be read"), "{absent}");
}

#[test]
fn a_registry_that_wants_to_know_who_asks_is_told() {
    let (registry, folder) = (Registry::start_with_password(), folder());
    let at = format!("{}/headers:1", registry.host());
    let none = refused(&folder, &["push", "headers.wasm", &at]);
    assert!(none.contains("refuses access: it wants credentials, and there are none"), "{none}");
    // Base64 of `story:s3cret`.
    let auths = format!(r#"{{"auths":{{"{}":{{"auth":"c3Rvcnk6czNjcmV0"}}}}}}"#, registry.host());
    folder.write("docker/config.json", auths);
    let config = format!("[registries.\"{}\"]\ncredentials = \"docker/config.json\"\n", registry.host());
    folder.write("tollgate.toml", config);
    said(&folder, &["push", "headers.wasm", &at, "--config", "tollgate.toml"]);
    folder
        .write("docker/config.json", format!(r#"{{"auths":{{"{}":{{"auth":"c3Rvcnk6b3RoZXI="}}}}}}"#, registry.host()));
    let wrong = refused(&folder, &["pull", &at, "--config", "tollgate.toml", "--force"]);
    assert!(wrong.contains("the credentials are not good for that") && !wrong.contains("other"), "{wrong}");
    // A helper, as `docker login` sets one up.
    let helper = folder.write(
        "bin/docker-credential-story",
        "#!/bin/sh\nread server\nprintf '{\"ServerURL\":\"%s\",\"Username\":\"story\",\"Secret\":\"s3cret\"}' \"$server\"\n",
    );
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    folder.write("docker/config.json", format!(r#"{{"credHelpers":{{"{}":"story"}}}}"#, registry.host()));
    let path = format!("{}:{}", folder.path().join("bin").display(), std::env::var("PATH").unwrap());
    let pulled = std::process::Command::new(Binary::file())
        .args(["filter", "pull", &at, "-o", "x.wasm"])
        .env("PATH", path)
        .env("DOCKER_CONFIG", folder.path().join("docker"))
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(pulled.status.success(), "{pulled:?}");
}

#[test]
fn a_registry_with_a_certificate_of_its_own_is_trusted_by_its_authority() {
    let authority = Authority::new();
    let (registry, folder) = (Registry::start_with_tls(&authority.server(&["localhost"])), folder());
    let host = registry.host().replace("127.0.0.1", "localhost");
    let at = format!("{host}/headers:1");
    folder.write("ca.pem", authority.pem());
    folder.write("tollgate.toml", format!("[registries.\"{host}\"]\nca = \"ca.pem\"\n"));
    said(&folder, &["push", "headers.wasm", &at, "--config", "tollgate.toml"]);
    folder.write("tollgate.toml", format!("[registries.\"{host}\"]\nplain-http = false\n"));
    let unknown = refused(&folder, &["pull", &at, "-o", "x.wasm", "--config", "tollgate.toml"]);
    assert!(unknown.contains("cannot be reached: invalid peer certificate"), "{unknown}");
}

#[test]
fn a_mirror_is_asked_first_and_the_registry_if_it_has_nothing() {
    let (mut registry, mirror, folder) = (Registry::start(), Registry::start(), folder());
    let at = format!("{}/acme/headers:1", registry.host());
    let pushed = said(&folder, &["push", "headers.wasm", &at]);
    folder.write(
        "tollgate.toml",
        format!("[registries.\"{}\"]\nmirrors = [\"{}/copies\"]\n", registry.host(), mirror.host()),
    );
    let pull = |name: &str| run(&folder, &["pull", &at, "-o", name, "--config", "tollgate.toml"]);
    assert!(pull("1.wasm").status.success(), "the mirror has nothing yet");
    said(&folder, &["push", "headers.wasm", &format!("{}/copies/acme/headers:1", mirror.host())]);
    registry.kill();
    let pulled = pull("2.wasm");
    assert!(pulled.status.success(), "{pulled:?}");
    assert_eq!(digest(pulled.stdout.trim_end()), digest(&pushed));
}
