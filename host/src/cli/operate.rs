//! `tollgate rollback`, `pin`, `unpin`, `pause`, `resume`, `promote` and `abort`: said to the running gateway over its own socket.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::say;
use super::which::Which;
use crate::deploy::{Home, Version};

/// The most that is read of an answer, in bytes.
const MAX_ANSWER: u64 = 64 << 10;

// No doc comments on these: clap would take them for the commands' descriptions.
#[derive(Args)]
pub(super) struct OfVersion {
    /// The policy.
    policy: String,
    /// The version, as `tollgate history` shows it.
    version: Option<Version>,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct OfPolicy {
    /// The policy.
    policy: String,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct OfAny {
    /// The policy; without one, all changes are meant.
    policy: Option<String>,
    #[command(flatten)]
    which: Which,
}

impl OfVersion {
    pub(super) fn roll_back(self) -> Result<(), String> {
        self.post("rollback", "is rolled back to")
    }

    pub(super) fn pin(self) -> Result<(), String> {
        self.post("pin", "is pinned to")
    }

    fn post(self, what: &str, done: &str) -> Result<(), String> {
        let answer = post(&self.which.home()?, &path(&self.policy, what), self.version)?;
        say(&format!("{} {done} {}", self.policy, version_of(&answer)));
        Ok(())
    }
}

impl OfPolicy {
    pub(super) fn unpin(self) -> Result<(), String> {
        let answer = post(&self.which.home()?, &path(&self.policy, "unpin"), None)?;
        say(&format!("{} follows its files again and serves {}", self.policy, version_of(&answer)));
        Ok(())
    }

    pub(super) fn promote(self) -> Result<(), String> {
        let answer = post(&self.which.home()?, &path(&self.policy, "promote"), None)?;
        say(&format!("{} serves {} to all: its trial is over", self.policy, version_of(&answer)));
        Ok(())
    }

    pub(super) fn abort(self) -> Result<(), String> {
        let answer = post(&self.which.home()?, &path(&self.policy, "abort"), None)?;
        say(&format!("{} serves {} again: its trial is over", self.policy, version_of(&answer)));
        Ok(())
    }
}

impl OfAny {
    pub(super) fn pause(self) -> Result<(), String> {
        self.post("pause", "paused: changes are not taken", "paused: no change is taken")
    }

    pub(super) fn resume(self) -> Result<(), String> {
        self.post("resume", "resumed: changes are taken", "resumed: changes are taken")
    }

    fn post(self, what: &str, of_policy: &str, of_all: &str) -> Result<(), String> {
        let home = self.which.home()?;
        match self.policy {
            Some(policy) => {
                let answer = post(&home, &path(&policy, what), None)?;
                say(&format!("{policy} is {of_policy}; it serves {}", version_of(&answer)));
            }
            None => {
                post(&home, &format!("/{what}"), None)?;
                say(of_all);
            }
        }
        Ok(())
    }
}

fn path(policy: &str, what: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let encode = |byte: u8| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    format!("/policies/{}/{what}", policy.bytes().map(encode).collect::<String>())
}

fn version_of(answer: &Value) -> &str {
    answer["version"].as_str().unwrap_or("nothing")
}

fn post(home: &Home, path: &str, version: Option<Version>) -> Result<Value, String> {
    let (status, body) = exchange(home.path(), path, version).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
            format!("no gateway runs with {}", home.path().display())
        }
        _ => format!("the gateway cannot be asked: {error}"),
    })?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    match status {
        200 => Ok(answer),
        _ => Err(answer["error"].as_str().unwrap_or("the gateway's answer cannot be read").to_owned()),
    }
}

/// One request on a connection of its own.
fn exchange(home: &Path, path: &str, version: Option<Version>) -> std::io::Result<(u16, Vec<u8>)> {
    // By the descriptor of the folder, as the path of a socket must not be longer than 107 bytes.
    let folder = File::open(home)?;
    let socket = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join("admin.sock");
    let mut stream = UnixStream::connect(socket)?;
    let body = version.map(|version| json!({ "version": version }).to_string()).unwrap_or_default();
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    let broken = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    match head.parse(&answer) {
        Ok(httparse::Status::Complete(end)) => Ok((head.code.ok_or_else(broken)?, answer[end..].to_vec())),
        _ => Err(broken()),
    }
}
