//! The secrets of the configuration: read from where they are, kept from snapshot to snapshot, exchanged in place.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use crate::config::{self, Problem, SecretSource};
use crate::sandbox::{MAX_SECRET, Secret, SecretValue};

/// All secrets by name.
#[derive(Default)]
pub(super) struct Secrets(HashMap<String, Arc<Secret>>);

/// What has been read, but does not count before a snapshot has been built with it.
pub(super) struct Fresh {
    values: Vec<(Arc<Secret>, SecretValue)>,
    /// What could not be read. A secret that was there before stays as it is.
    pub(super) problems: Vec<Problem>,
}

impl Secrets {
    /// Reads the secrets that the configuration names. Of others nothing is kept but what policies in use hold.
    pub(super) fn read(&mut self, wanted: &[config::SecretEntry]) -> Fresh {
        let mut older = std::mem::take(&mut self.0);
        let mut fresh = Fresh { values: Vec::new(), problems: Vec::new() };
        for secret in wanted {
            let known = older.remove(&secret.name);
            let known = match (read(&secret.source), known) {
                (Ok(value), None) => Some(Arc::new(Secret::new(value))),
                (Ok(value), Some(known)) => {
                    fresh.values.push((Arc::clone(&known), value));
                    Some(known)
                }
                (Err((message, remedy)), known) => {
                    fresh.problems.push(problem(secret, message, remedy));
                    known
                }
            };
            self.0.extend(known.map(|known| (secret.name.clone(), known)));
        }
        fresh
    }

    /// These and no others.
    pub(super) fn set(&mut self, secrets: Vec<(String, Arc<Secret>)>) {
        self.0 = secrets.into_iter().collect();
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<Secret>> {
        self.0.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Fresh {
    /// Whoever asks for the secrets from now on gets what has been read. What could not be read is left.
    pub(super) fn take_effect(self) -> Vec<Problem> {
        for (secret, value) in self.values {
            secret.set(value);
        }
        self.problems
    }
}

type Wrong = (String, &'static str);

fn problem(secret: &config::SecretEntry, message: String, remedy: &str) -> Problem {
    let place = secret.place.clone();
    Problem { file: place.file, line: place.line, key: place.key, message, remedy: remedy.to_owned() }
}

fn read(source: &SecretSource) -> Result<SecretValue, Wrong> {
    let value = match source {
        SecretSource::File(path) => read_file(path).map_err(|error| {
            (format!("{} cannot be read: {}", path.display(), error.to_string().to_lowercase()), "check the file")
        })?,
        SecretSource::Environment(name) => {
            let value = std::env::var_os(name).ok_or_else(|| {
                (format!("there is no variable {name:?}"), "set it in the environment that the gateway is started with")
            })?;
            SecretValue::new(value.into_encoded_bytes())
        }
    };
    match value.bytes().len() {
        0 => Err(("the secret is empty".to_owned(), "put it there")),
        length if length > MAX_SECRET => Err(("the secret is larger than 64KiB".to_owned(), "keep it below that")),
        _ => Ok(value),
    }
}

/// Most editors, and `echo`, end a file with a line break, which is not part of the secret.
fn read_file(path: &Path) -> io::Result<SecretValue> {
    // With room for all of it at once: what a vector leaves behind when it grows is not wiped.
    let mut bytes = Vec::with_capacity(MAX_SECRET + 4);
    File::open(path)?.take(MAX_SECRET as u64 + 3).read_to_end(&mut bytes)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(SecretValue::new(bytes))
}
