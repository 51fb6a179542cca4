//! The gateway as a child process that ends with the demo.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::client;
use super::options::Options;
use super::policies::Policies;
use crate::process::{self, say};

const START_LIMIT: Duration = Duration::from_secs(60);
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// A gateway that answers.
pub(super) struct Gateway {
    child: Child,
    pub(super) listen: SocketAddr,
    pub(super) admin: SocketAddr,
}

impl Gateway {
    /// Starts the gateway and waits until it is ready.
    pub(super) fn start(binary: &Path, options: &Options, upstream: SocketAddr, policies: &Policies) -> Result<Self> {
        let mut command = Command::new(binary);
        command.args([
            "run",
            "--no-last-known-good",
            "--listen",
            &options.listen.to_string(),
            "--upstream",
            &format!("http://{upstream}"),
        ]);
        command.arg("--policies").arg(&policies.dir).args(["--admin", &options.admin.to_string()]);
        say(&format!("starting {}", shown(&command)));
        let child =
            command.stdin(Stdio::null()).spawn().with_context(|| format!("could not start {}", binary.display()))?;
        let mut gateway = Self { child, listen: options.listen, admin: options.admin };
        gateway.wait_until_ready()?;
        Ok(gateway)
    }

    /// The status of a gateway that ended, or `None` when it still runs at `deadline`.
    pub(super) fn wait_until(&mut self, deadline: Instant) -> Result<Option<ExitStatus>> {
        process::wait_until(&mut self.child, deadline)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while !client::get(self.admin, "/ready", &[]).is_ok_and(|answer| answer.status == 200) {
            if let Some(status) = self.child.try_wait()? {
                bail!("the gateway ended before it was ready ({status}); its last lines above say why");
            }
            if Instant::now() >= deadline {
                bail!("the gateway was not ready after {} s", START_LIMIT.as_secs());
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Gateway {
    /// Asks it to drain. The standard library can only kill outright, and so the shell's `kill` must do.
    fn drop(&mut self) {
        let asked =
            Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).stderr(Stdio::null()).status();
        let ended = asked.is_ok() && self.wait_until(Instant::now() + DRAIN_LIMIT).is_ok_and(|status| status.is_some());
        if !ended {
            say("the gateway did not stop by itself: killing it");
            // Both fail only when it has ended in the meantime.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn shown(command: &Command) -> String {
    let mut line = command.get_program().display().to_string();
    for arg in command.get_args() {
        let _ = write!(line, " {}", arg.display());
    }
    line
}
