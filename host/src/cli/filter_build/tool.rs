//! Programs of others: whether they are there, and running them.

use std::io::ErrorKind;
use std::process::{Command, Stdio};

/// A program, and the arguments that always come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tool(Vec<String>);

impl Tool {
    /// As in a shell's line, without quotes.
    pub(super) fn of(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        (!words.is_empty()).then_some(Self(words))
    }

    /// With one more argument that always comes first.
    pub(super) fn and(mut self, word: &str) -> Self {
        self.0.push(word.to_owned());
        self
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.0[0]);
        command.args(&self.0[1..]).stdin(Stdio::null());
        command
    }

    /// Whether it can be run: whether it ends well when it is asked for something harmless.
    pub(super) fn answers(&self, argument: &str) -> bool {
        let mut command = self.command();
        let quiet = command.arg(argument).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    }

    pub(super) fn shown(&self) -> String {
        self.0.join(" ")
    }
}

/// Runs a command to its end, with its messages on standard error for whoever has called. `install` says what to do if there is
/// no such program.
pub(super) fn run(command: &mut Command, install: &str) -> Result<Vec<u8>, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("`{program}` is not installed; {install}"),
        _ => format!("`{program}`: {error}"),
    })?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!("`{program}` has failed ({}); its messages are above", output.status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_a_line_of_words() {
        assert_eq!(Tool::of("  "), None);
        let tool = Tool::of("python3 -m ziglang").unwrap();
        assert_eq!((tool.shown().as_str(), tool.command().get_args().count()), ("python3 -m ziglang", 2));
    }

    #[test]
    fn what_is_not_there_is_said_with_the_remedy() {
        assert!(!Tool::of("there-is-no-such-program").unwrap().answers("--version"));
        let told = run(&mut Command::new("there-is-no-such-program"), "install it").unwrap_err();
        assert_eq!(told, "`there-is-no-such-program` is not installed; install it");
    }

    #[test]
    fn what_fails_is_said() {
        assert!(run(&mut Command::new("false"), "").unwrap_err().starts_with("`false` has failed (exit status: 1)"));
    }
}
