//! Other programs that speak to registries: what they make of filters, and what tollgate makes of theirs.

use std::fs;
use std::process::Command;

use tollgate_tests::{Folder, Registry, filter};

use super::{P256, digest, make_keys, said};

/// What skopeo says.
#[track_caller]
fn skopeo(args: &[&str]) -> String {
    let done = Command::new("skopeo").args(args).output();
    let done = done.unwrap_or_else(|error| panic!("skopeo: {error}; install the package skopeo"));
    assert!(done.status.success(), "{args:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn skopeo_copies_filters_and_their_signatures_and_they_stay_what_they_are() {
    let (registry, folder) = (Registry::start(), Folder::new());
    folder.write("headers.wasm", filter("headers"));
    make_keys(folder.path(), "acme", P256);
    let at = format!("{}/acme/headers:1", registry.host());
    let pushed = digest(&said(&folder, &["push", "headers.wasm", &at, "--key", "acme.key"]));
    let manifest = skopeo(&["inspect", "--raw", "--tls-verify=false", &format!("docker://{at}")]);
    assert!(manifest.contains("application/vnd.wasm.config.v0+json"), "{manifest}");
    // To another repository, with the signatures that are beside it there.
    let signature = format!("{}.sig", pushed.replace(':', "-"));
    for tag in ["1", &signature] {
        let place = |repository: &str| format!("docker://{}/{repository}:{tag}", registry.host());
        let insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"];
        skopeo(&[&["copy"], &insecure[..], &[&place("acme/headers"), &place("copies/headers")]].concat());
    }
    let copy = format!("{}/copies/headers:1", registry.host());
    let pulled = said(&folder, &["pull", &copy, "-o", "copy.wasm", "--key", "acme.pub"]);
    assert_eq!(digest(&pulled), pushed);
    assert!(fs::read(folder.path().join("copy.wasm")).unwrap() == filter("headers"));
    // Into a bundle, and from one.
    let bundle = format!("oci:{}:1", folder.path().join("bundle").display());
    skopeo(&["copy", "--src-tls-verify=false", &format!("docker://{at}"), &bundle]);
    assert_eq!(digest(&said(&folder, &["pull", &bundle, "-o", "bundled.wasm"])), pushed);
    let back = format!("docker://{}/back/headers:1", registry.host());
    skopeo(&["copy", "--dest-tls-verify=false", &bundle, &back]);
    let back = format!("{}/back/headers:1", registry.host());
    assert_eq!(digest(&said(&folder, &["pull", &back, "-o", "back.wasm"])), pushed);
}
