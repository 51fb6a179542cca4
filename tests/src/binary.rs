//! The program itself, as a process of its own.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::client::{Connection, Request};
use crate::files::target_dir;
use crate::gate::{PATIENCE, eventually};
use crate::gateway::TestGateway;
use crate::message::Response;

/// A running `tollgate`. Killed when dropped.
pub struct Binary {
    child: Child,
    /// The process that has taken over, if one has.
    successor: Option<u32>,
    log: Arc<Log>,
    files: Option<TestGateway>,
}

/// What a program that has ended has said.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

#[derive(Default)]
struct Log {
    lines: Mutex<(Vec<String>, bool)>,
    more: Condvar,
}

impl Binary {
    /// Starts the program with these environment variables and arguments.
    #[must_use]
    #[track_caller]
    pub fn spawn(environment: &[(&str, &str)], args: &[impl AsRef<OsStr>]) -> Self {
        Self::start(command(Path::new(".")), environment, args)
    }

    /// Starts another file as if it were the program.
    #[must_use]
    #[track_caller]
    pub fn spawn_file(file: &Path, environment: &[(&str, &str)], args: &[impl AsRef<OsStr>]) -> Self {
        let mut command = Command::new(file);
        command.env_remove("TOLLGATE_LOG");
        Self::start(command, environment, args)
    }

    /// The file of the program.
    #[must_use]
    #[track_caller]
    pub fn file() -> PathBuf {
        program()
    }

    /// Starts it from a shell, after these commands, such as `ulimit -n 100`.
    #[must_use]
    #[track_caller]
    pub fn spawn_after(commands: &str, args: &[impl AsRef<OsStr>]) -> Self {
        // Not every shell has descriptors above 9.
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("{commands}; exec \"$0\" \"$@\"")]).arg(program()).env_remove("TOLLGATE_LOG");
        Self::start(shell, &[], args)
    }

    #[track_caller]
    fn start(mut command: Command, environment: &[(&str, &str)], args: &[impl AsRef<OsStr>]) -> Self {
        command
            .envs(environment.iter().copied())
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        let stderr = child.stderr.take().expect("standard error is a pipe");
        let log = Arc::new(Log::default());
        let reader = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                reader.push(line);
            }
            reader.close();
        });
        Self { child, successor: None, log, files: None }
    }

    /// Starts the program in a folder; what it prints is part of its log.
    #[must_use]
    #[track_caller]
    pub fn follow(folder: &Path, environment: &[(&str, &str)], args: &[impl AsRef<OsStr>]) -> Self {
        let mut command = command(folder);
        command.envs(environment.iter().copied()).args(args).stdin(Stdio::null());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program can be started");
        let log = Arc::new(Log::default());
        let stdout: Box<dyn Read + Send> = Box::new(child.stdout.take().expect("standard output is a pipe"));
        let stderr: Box<dyn Read + Send> = Box::new(child.stderr.take().expect("standard error is a pipe"));
        let readers = [stdout, stderr].map(|stream| {
            let reader = Arc::clone(&log);
            std::thread::spawn(move || {
                BufReader::new(stream).lines().map_while(Result::ok).for_each(|line| reader.push(line))
            })
        });
        let reader = Arc::clone(&log);
        std::thread::spawn(move || {
            readers.into_iter().for_each(|thread| drop(thread.join()));
            reader.close();
        });
        Self { child, successor: None, log, files: None }
    }

    /// Keeps the files for as long as the program runs.
    pub(crate) fn with_files(mut self, files: TestGateway) -> Self {
        self.files = Some(files);
        self
    }

    /// The files that it was started with.
    #[must_use]
    #[track_caller]
    pub fn files(&self) -> &TestGateway {
        self.files.as_ref().expect("it was started with files")
    }

    /// Runs the program in a folder to its end.
    #[track_caller]
    pub fn finish(folder: &Path, args: &[impl AsRef<OsStr>]) -> Finished {
        Self::finish_with(folder, &[], args)
    }

    /// The same with these environment variables.
    #[track_caller]
    pub fn finish_with(folder: &Path, environment: &[(&str, &str)], args: &[impl AsRef<OsStr>]) -> Finished {
        let mut command = command(folder);
        let output = command.envs(environment.iter().copied()).args(args).stdin(Stdio::null()).output();
        let output = output.expect("the program can be started");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Finished { status: output.status, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Waits for a line of the log that contains all of these, and gives it.
    #[track_caller]
    pub fn line(&self, parts: &[&str]) -> String {
        self.log.find(parts).unwrap_or_else(|lines| panic!("no line with {parts:?}:\n{}", lines.join("\n")))
    }

    /// All lines of the log so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.log.lines.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// The address of the first listener.
    #[must_use]
    #[track_caller]
    pub fn address(&self) -> SocketAddr {
        address(&self.line(&["listening", "address"]))
    }

    /// The address of the admin pages.
    #[must_use]
    #[track_caller]
    pub fn admin_address(&self) -> SocketAddr {
        address(&self.line(&["admin pages"]))
    }

    /// Sends `GET` on a connection of its own.
    #[track_caller]
    pub fn get(&self, target: &str) -> Response {
        Connection::open(self.address()).request(Request::get(target))
    }

    /// Its process number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.successor.unwrap_or(self.child.id())
    }

    /// Has the program replaced by what is in its file now, and waits until the old process has ended.
    #[track_caller]
    pub fn hand_over(&mut self) {
        let old = self.id();
        self.signal("USR2");
        self.handed_over();
        eventually("the old process ends", || self.has_ended(old));
    }

    /// Waits until a successor serves; from then on it is the program.
    #[track_caller]
    pub fn handed_over(&mut self) {
        let count = usize::from(self.successor.is_some());
        let handed_over = |line: &&String| line.contains("handed over") && line.contains("process=");
        let mut lines = Vec::new();
        eventually("it is handed over", || {
            lines = self.lines().iter().filter(handed_over).cloned().collect();
            lines.len() > count
        });
        self.successor = lines.last().and_then(|line| process(line));
        assert!(self.successor.is_some(), "{lines:?}");
    }

    /// Whether a process of its has ended, waited for or not.
    fn has_ended(&mut self, process: u32) -> bool {
        if process == self.child.id() {
            return self.child.try_wait().expect("it is our child").is_some();
        }
        let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        status.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z'))
    }

    /// How many descriptors it has open.
    #[must_use]
    #[track_caller]
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).expect("the program runs").count()
    }

    /// How many KiB of memory it has in use.
    #[must_use]
    #[track_caller]
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("the program runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).expect("Linux tells it")
    }

    /// Sends a signal, such as `TERM`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let kill = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.id())]).status();
        assert!(kill.is_ok_and(|status| status.success()), "no signal {name} for {}", self.id());
    }

    /// Waits until it has ended.
    #[track_caller]
    pub fn wait(mut self) -> Finished {
        let mut status = None;
        eventually("the program ends", || {
            status = self.child.try_wait().expect("it is our child");
            status.is_some()
        });
        self.log.wait_for_end();
        Finished { status: status.expect("it has ended"), stdout: String::new(), stderr: self.lines().join("\n") }
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for process in
            self.lines().iter().filter(|line| line.contains("the successor starts")).filter_map(|line| process(line))
        {
            let _ = Command::new("sh").args(["-c", &format!("kill -KILL {process} 2>/dev/null")]).status();
        }
    }
}

/// The value behind `process=`.
fn process(line: &str) -> Option<u32> {
    line.split("process=").nth(1)?.split(' ').next()?.parse().ok()
}

impl Log {
    fn push(&self, line: String) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).0.push(line);
        self.more.notify_all();
    }

    fn close(&self) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.more.notify_all();
    }

    fn wait_for_end(&self) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.more.wait_timeout_while(lines, PATIENCE, |(_, ended)| !*ended));
    }

    /// The line, or all lines if it does not come.
    fn find(&self, parts: &[&str]) -> Result<String, Vec<String>> {
        let find = |lines: &[String]| lines.iter().find(|line| parts.iter().all(|part| line.contains(part))).cloned();
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |(lines, ended): &mut (Vec<String>, bool)| find(lines).is_none() && !*ended;
        let (lines, _) = self.more.wait_timeout_while(lines, PATIENCE, waiting).unwrap_or_else(PoisonError::into_inner);
        find(&lines.0).ok_or_else(|| lines.0.clone())
    }
}

/// The value behind `address=` or `"address":"`.
#[track_caller]
fn address(line: &str) -> SocketAddr {
    let value = line.split("address").nth(1).unwrap_or_default().trim_start_matches(['=', '"', ':']);
    let value = value.split(['"', ' ', ',', '}']).next().unwrap_or_default();
    value.parse().unwrap_or_else(|error| panic!("{error}: no address in {line}"))
}

/// The program, with nothing of the caller's environment that would change what it does.
fn command(folder: &Path) -> Command {
    let mut command = Command::new(program());
    command.current_dir(folder).env_remove("TOLLGATE_LOG");
    command
}

/// Cargo builds it whenever it builds a test of this package.
#[track_caller]
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its program");
    let program = test.parent().and_then(Path::parent).unwrap_or(target_dir()).join("tollgate-under-test");
    assert!(program.exists(), "{} is missing; run `cargo build -p tollgate-tests --bins`", program.display());
    program
}
