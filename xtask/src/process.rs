//! Running other programs: the one way to start cargo, time limits, and errors that say what was run.

use std::io::ErrorKind;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Tells the person at the terminal what the next seconds are spent on.
pub(crate) fn say(message: &str) {
    eprintln!("xtask: {message}");
}

/// A cargo that sees the environment as a person's shell would give it: `cargo run` adds the variables of the xtask
/// package, and build scripts that watch those would run again at every change between the two.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// A cargo that builds guests: flags meant for the host (`-C target-cpu=native`, say) are not for them.
pub(crate) fn guest_cargo() -> Command {
    let mut command = cargo();
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    command
}

/// Runs to the end with the terminal's own output; an exit code other than zero is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("could not start `{}`", line(command)))?;
    expect_success(command, status)
}

/// Runs to the end and returns what the program wrote to standard output; standard error stays the terminal's.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("could not start `{}`", line(command)))?;
    expect_success(command, output.status)?;
    String::from_utf8(output.stdout).with_context(|| format!("`{}` wrote something that is not UTF-8", line(command)))
}

/// Runs to the end, but no longer than `limit`.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    let mut child = match command.stdin(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("`{}` is not installed", command.get_program().display())
        }
        Err(error) => {
            return Err(error).with_context(|| format!("could not start `{}`", line(command)));
        }
    };
    match wait_until(&mut child, Instant::now() + limit)? {
        Some(status) => expect_success(command, status),
        None => {
            child.kill()?;
            child.wait()?;
            bail!("`{}` had not ended after {} s", line(command), limit.as_secs())
        }
    }
}

/// The child's status, or `None` when it still runs at `deadline`.
pub(crate) fn wait_until(child: &mut Child, deadline: Instant) -> Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        sleep(Duration::from_millis(50));
    }
}

fn expect_success(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed ({status})", line(command));
    }
    Ok(())
}

fn line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}
