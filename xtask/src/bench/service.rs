//! A started program and its end: whatever way the bench ends, the program and its children end with it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::place;
use super::procfs::{self, Stat};

const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(10);

/// A running program. Dropping it ends it.
pub(super) struct Service {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts `program` with its messages kept in `FOLDER/NAME.log`.
    pub(super) fn start(name: &str, program: &Path, args: &[&str], folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let messages = File::create(&log).with_context(|| format!("could not write {}", log.display()))?;
        let child = command(program)
            .args(args)
            .current_dir(folder)
            .env("XDG_STATE_HOME", folder.join("cache"))
            .stdin(Stdio::null())
            .stdout(messages.try_clone()?)
            .stderr(messages)
            .spawn()
            .with_context(|| format!("could not start {}", program.display()))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Waits until `ready` says so.
    pub(super) fn wait_until(&mut self, ready: impl Fn() -> bool) -> anyhow::Result<()> {
        let end = Instant::now() + START;
        while !ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "{} ended at its start ({status}); its last words in {}:\n{}",
                    self.name,
                    self.log.display(),
                    self.last_words()
                );
            }
            if Instant::now() > end {
                bail!(
                    "{} is not ready after {} s; its last words in {}:\n{}",
                    self.name,
                    START.as_secs(),
                    self.log.display(),
                    self.last_words()
                );
            }
            sleep(POLL);
        }
        Ok(())
    }

    /// The number of its first process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The last lines that it wrote.
    pub(super) fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let processes = procfs::tree(self.child.id());
        signal("TERM", &processes[..processes.len().min(1)]);
        let _ended_or_out_of_time = wait(&mut self.child, STOP);
        if processes.iter().skip(1).any(Stat::is_alive) {
            sleep(Duration::from_millis(300));
        }
        let left: Vec<Stat> = processes.into_iter().filter(Stat::is_alive).collect();
        signal("KILL", &left);
        let _status = self.child.wait();
    }
}

/// Runs a program to its end, at most for `limit`, and gives back what it printed. For short output only: a pipe holds
/// 64 KiB.
pub(super) fn output(program: &Path, args: &[&str], limit: Duration) -> anyhow::Result<(ExitStatus, String)> {
    output_with(program, args, &[], limit)
}

/// The same with more variables in the program's environment.
pub(super) fn output_with(
    program: &Path,
    args: &[&str],
    environment: &[(&str, &Path)],
    limit: Duration,
) -> anyhow::Result<(ExitStatus, String)> {
    let mut child = command(program)
        .args(args)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start {}", program.display()))?;
    if !wait(&mut child, limit) {
        let _already_ended = child.kill();
        let _status = child.wait();
        bail!("{} has not ended after {} s and was killed", program.display(), limit.as_secs());
    }
    let output = child.wait_with_output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status, String::from_utf8_lossy(&text).into_owned()))
}

/// The program under `setpriv`, where there is one: the kernel then ends it even if the bench is killed and runs no
/// `Drop`.
fn command(program: &Path) -> Command {
    match place::program("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "TERM", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

fn wait(child: &mut Child, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if !matches!(child.try_wait(), Ok(None)) {
            return true;
        }
        sleep(POLL);
    }
    false
}

/// The shell's `kill`: the standard library sends nothing but SIGKILL, and only to direct children.
fn signal(name: &str, processes: &[Stat]) {
    for process in processes {
        let line = format!("kill -{name} {}", process.pid);
        let _may_have_ended = Command::new("sh").args(["-c", &line]).stderr(Stdio::null()).status();
    }
}
