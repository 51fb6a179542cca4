//! Credentials for registries, from where other tools keep them: Docker's `config.json` and the helpers that it names.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::Error;

/// How long a helper may take, and how much it may say.
const PATIENCE: Duration = Duration::from_secs(10);
const MAX_ANSWER: u64 = 64 << 10;
/// The largest file of credentials that is read.
const MAX_FILE: u64 = 1 << 20;

/// Who asks. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    None,
    Password {
        user: String,
        password: String,
    },
    /// What tokens are given for.
    Refresh(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(credentials)")
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct File {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl Credentials {
    /// Those for a registry: from that file, or from the one of this user, if there is one.
    pub(super) fn find(file: Option<&Path>, host: &str) -> Result<Self, Error> {
        let (path, must_be) = match file {
            Some(path) => (path.to_owned(), true),
            None => match default_file() {
                Some(path) => (path, false),
                None => return Ok(Self::None),
            },
        };
        match std::fs::metadata(&path) {
            Ok(found) if found.len() > MAX_FILE => return Err(Error::file(&path, "is too large for credentials")),
            Err(_) if !must_be => return Ok(Self::None),
            _ => {}
        }
        let text = std::fs::read(&path).map_err(|error| Error::file(&path, format!("cannot be read: {error}")))?;
        // What is wrong is said without a word of what is in it.
        let file: File = serde_json::from_slice(&text)
            .map_err(|error| Error::file(&path, format!("is no file of credentials, line {}", error.line())))?;
        file.find(host).map_err(|problem| Error::file(&path, problem))
    }
}

impl File {
    fn find(&self, host: &str) -> Result<Credentials, String> {
        let of_host = self.cred_helpers.iter().find(|(key, _)| same_host(key, host)).map(|(_, helper)| helper);
        if let Some(helper) = of_host.or(self.creds_store.as_ref().filter(|name| !name.is_empty())) {
            let found = ask(helper, server_of(host))?;
            if of_host.is_some() || found != Credentials::None {
                return Ok(found);
            }
        }
        match self.auths.iter().find(|(key, _)| same_host(key, host)) {
            Some((key, entry)) => entry.credentials().ok_or_else(|| format!("auths.{key:?} has no name and password")),
            None => Ok(Credentials::None),
        }
    }
}

impl Entry {
    fn credentials(&self) -> Option<Credentials> {
        if let Some(token) = self.identitytoken.as_ref().filter(|token| !token.is_empty()) {
            return Some(Credentials::Refresh(token.clone()));
        }
        if let (Some(user), Some(password)) = (&self.username, &self.password) {
            return Some(Credentials::Password { user: user.clone(), password: password.clone() });
        }
        let decoded = STANDARD.decode(self.auth.as_ref()?.trim()).ok()?;
        let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some(Credentials::Password { user: user.to_owned(), password: password.trim_end_matches('\0').to_owned() })
    }
}

/// `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`.
fn default_file() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker"));
    Some(folder.or_else(home)?.join("config.json"))
}

/// Under which name helpers know a registry.
fn server_of(host: &str) -> &str {
    if host == "docker.io" { "https://index.docker.io/v1/" } else { host }
}

/// Whether a key of the file is about a host.
fn same_host(key: &str, host: &str) -> bool {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let bare = bare.split('/').next().unwrap_or(bare);
    bare == host || host == "docker.io" && matches!(bare, "index.docker.io" | "registry-1.docker.io")
}

/// What `docker-credential-NAME get` says.
fn ask(name: &str, server: &str) -> Result<Credentials, String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(format!("{name:?} is no name of a credential helper"));
    }
    let program = format!("docker-credential-{name}");
    let helper =
        Command::new(&program).arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut helper = helper.map_err(|error| format!("{program} cannot be run: {error}"))?;
    let (is_good, said) = converse(&mut helper, server).map_err(|problem| format!("{program} {problem}"))?;
    if !is_good {
        return match said.windows(9).any(|part| part == b"not found") {
            true => Ok(Credentials::None),
            false => Err(format!("{program} fails")),
        };
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: String,
    }
    let answer: Answer =
        serde_json::from_slice(&said).map_err(|_| format!("{program} says nothing that can be read"))?;
    Ok(match answer.username.as_str() {
        "<token>" => Credentials::Refresh(answer.secret),
        _ => Credentials::Password { user: answer.username, password: answer.secret },
    })
}

/// Whether a helper has ended well, and what it said. One that takes too long is killed.
fn converse(helper: &mut Child, server: &str) -> Result<(bool, Vec<u8>), String> {
    if let Some(mut stdin) = helper.stdin.take() {
        // One that has ended does not read; what it says counts.
        let _ = stdin.write_all(server.as_bytes());
    }
    let stdout = helper.stdout.take();
    let (done, answer) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut said = Vec::new();
        let read = stdout.map(|stdout| stdout.take(MAX_ANSWER).read_to_end(&mut said));
        // Nobody waits any more if that fails.
        let _ = done.send(read.transpose().map(|_| said));
    });
    let until = Instant::now() + PATIENCE;
    loop {
        match helper.try_wait() {
            Ok(Some(status)) => {
                let said = answer.recv_timeout(PATIENCE).ok().and_then(Result::ok).unwrap_or_default();
                return Ok((status.success(), said));
            }
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            _ => {
                let _ = helper.kill();
                let _ = helper.wait();
                return Err("does not answer in time".to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, host: &str) -> Result<Credentials, String> {
        serde_json::from_str::<File>(text).unwrap().find(host)
    }

    #[test]
    fn an_entry_is_found_by_its_host() {
        let file = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"dTpwOnE="},"ghcr.io":{"identitytoken":"t"},"a:5000":{}}}"#;
        let password = Credentials::Password { user: "u".into(), password: "p:q".into() };
        assert_eq!(find(file, "docker.io"), Ok(password));
        assert_eq!(find(file, "ghcr.io"), Ok(Credentials::Refresh("t".into())));
        assert_eq!(find(file, "evil-ghcr.io"), Ok(Credentials::None));
        assert!(find(file, "a:5000").unwrap_err().contains("no name and password"));
    }

    #[test]
    fn a_helper_has_a_plain_name() {
        let problem = find(r#"{"credHelpers":{"ghcr.io":"../../bin/sh"}}"#, "ghcr.io").unwrap_err();
        assert!(problem.contains("no name of a credential helper"), "{problem}");
    }
}
