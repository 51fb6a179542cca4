//! Stories of sharing filters: a registry of Debian's, bundles, signatures, and gateways that follow what is there.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod clients;
mod commands;
mod distrust;
mod gateways;
mod proxies;

use std::path::Path;
use std::process::Command;

use tollgate_tests::{Binary, Finished, Folder};

/// What `tollgate filter` says in a folder.
fn run(folder: &Folder, args: &[&str]) -> Finished {
    Binary::finish(folder.path(), &[&["filter"], args].concat())
}

/// As `run`; it must have gone well.
#[track_caller]
fn said(folder: &Folder, args: &[&str]) -> String {
    let finished = run(folder, args);
    assert!(finished.status.success(), "{args:?}: {finished:?}");
    finished.stdout.trim_end().to_owned()
}

/// As `run`; it must have been refused.
#[track_caller]
fn refused(folder: &Folder, args: &[&str]) -> String {
    let finished = run(folder, args);
    assert_eq!(finished.status.code(), Some(1), "{args:?}: {finished:?}");
    finished.stderr
}

/// The digest in what a command has said.
#[track_caller]
fn digest(said: &str) -> String {
    let (_, digest) = said.rsplit_once('@').unwrap_or_else(|| panic!("no digest: {said}"));
    digest.to_owned()
}

/// A pair of keys by OpenSSL, `NAME.key` and `NAME.pub`.
#[track_caller]
fn make_keys(folder: &Path, name: &str, kind: &[&str]) {
    let openssl = |args: &[&str]| {
        let done = Command::new("openssl").args(args).current_dir(folder).output();
        let done = done.unwrap_or_else(|error| panic!("openssl: {error}; install the package openssl"));
        assert!(done.status.success(), "{args:?}: {done:?}");
    };
    let (key, public) = (format!("{name}.key"), format!("{name}.pub"));
    openssl(&[&["genpkey", "-out", &key], kind].concat());
    openssl(&["pkey", "-in", &key, "-pubout", "-out", &public]);
}

const P256: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
const ED25519: &[&str] = &["-algorithm", "ed25519"];
