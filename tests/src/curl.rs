//! curl, as a client that somebody else has written (Debian package `curl`).

use std::process::{Command, Output, Stdio};

use crate::files::Folder;
use crate::message::{Fields, Response};

/// What curl came to: a response, or its own exit code.
///
/// # Errors
/// If curl says that there was no good response; with its exit code.
#[track_caller]
pub fn curl(args: &[&str]) -> Result<Response, i32> {
    let folder = Folder::new();
    let (head, body) = (folder.path().join("head"), folder.path().join("body"));
    let output = tool("curl", "curl", |command| {
        command.args(["--silent", "--show-error", "--max-time", "20", "--dump-header"]).arg(&head);
        command.arg("--output").arg(&body).args(args)
    });
    if !output.status.success() {
        return Err(output.status.code().unwrap_or(-1));
    }
    let head = std::fs::read(&head).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let body = std::fs::read(&body).unwrap_or_default();
    Ok(response(&head, body))
}

/// Runs a tool of the system to its end.
#[track_caller]
pub fn tool(program: &str, package: &str, args: impl FnOnce(&mut Command) -> &mut Command) -> Output {
    let mut command = Command::new(program);
    // It may want to write a configuration or to ask questions.
    command.stdin(Stdio::null()).env_remove("CURL_HOME");
    args(&mut command).output().unwrap_or_else(|error| panic!("{program}: {error}; install the package `{package}`"))
}

/// The last head, and after it the trailers.
fn response(head: &str, body: Vec<u8>) -> Response {
    let parts: Vec<&str> = head.split("\r\n\r\n").filter(|part| !part.is_empty()).collect();
    let last = parts.iter().rfind(|part| part.starts_with("HTTP/")).copied().unwrap_or_default();
    let trailers = parts.last().filter(|part| !part.starts_with("HTTP/")).copied().unwrap_or_default();
    let mut lines = last.lines();
    let mut status = lines.next().unwrap_or_default().split(' ');
    Response {
        version: status.next().unwrap_or_default().to_owned(),
        status: status.next().and_then(|status| status.parse().ok()).unwrap_or_default(),
        fields: fields(lines),
        body,
        trailers: fields(trailers.lines()),
        complete: true,
    }
}

fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> Fields {
    let field = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    Fields(lines.filter_map(field).collect())
}
