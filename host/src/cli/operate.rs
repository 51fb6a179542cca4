//! `tollgate rollback`, `pin`, `unpin`, `pause`, `resume`, `promote` and `abort`: said to the running gateway over its own socket.

use clap::Args;
use serde_json::{Value, json};

use super::ask::{Door, encoded};
use super::say;
use super::which::Which;
use crate::deploy::{Home, Version};

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
    format!("/policies/{}/{what}", encoded(policy))
}

fn version_of(answer: &Value) -> &str {
    answer["version"].as_str().unwrap_or("nothing")
}

fn post(home: &Home, path: &str, version: Option<Version>) -> Result<Value, String> {
    let door = Door::Home(home.clone());
    let body = version.map(|version| json!({ "version": version }).to_string()).unwrap_or_default();
    let (status, body) = door.send("POST", path, &body).map_err(|error| door.unreachable(&error))?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    match status {
        200 => Ok(answer),
        _ => Err(answer["error"].as_str().unwrap_or("the gateway's answer cannot be read").to_owned()),
    }
}
