//! Commands: a shell can read them, `tollgate` knows those that are its own, and xtask its own.

use std::process::{Command, Stdio};

use clap::Parser;
use tollgate::cli::Cli;

use super::fences::{Fence, all, repository};

/// The lines that a shell would be given: in a console those behind a dollar sign.
fn script(fence: &Fence) -> String {
    let text = fence.text.replace("{{name}}", "mine").replace("{{module}}", "mine").replace("\\\n", " ");
    let lines = text.lines();
    match fence.kind.as_str() {
        "console" => lines.filter_map(|line| line.strip_prefix("$ ")).map(|line| format!("{line}\n")).collect(),
        _ => lines.map(|line| format!("{line}\n")).collect(),
    }
}

/// The words of each simple command, as far as documentation goes: quotes, comments, `&&` and `|`.
fn commands(script: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    for line in script.lines() {
        let (mut word, mut quote, mut begun): (String, Option<char>, bool) = (String::new(), None, false);
        for letter in line.chars() {
            match (quote, letter) {
                (Some(end), letter) if end == letter => quote = None,
                (Some(_), letter) => word.push(letter),
                (None, '\'' | '"') => (quote, begun) = (Some(letter), true),
                (None, '#') if word.is_empty() && !begun => break,
                (None, ' ' | '&' | '|' | ';') => {
                    if begun || !word.is_empty() {
                        commands.last_mut().unwrap().push(std::mem::take(&mut word));
                    }
                    begun = false;
                    if letter != ' ' {
                        commands.push(Vec::new());
                    }
                }
                (None, letter) => word.push(letter),
            }
        }
        if begun || !word.is_empty() {
            commands.last_mut().unwrap().push(word);
        }
        commands.push(Vec::new());
    }
    commands.retain(|command| !command.is_empty());
    commands
}

#[test]
fn commands_are_known() {
    let usage = std::fs::read_to_string(repository("xtask/src/main.rs")).unwrap();
    let mut own = 0;
    for fence in all().iter().filter(|fence| ["sh", "console"].contains(&fence.kind.as_str())) {
        let script = script(fence);
        let mut shell = Command::new("bash");
        let read = shell.args(["-n", "-c", &script]).stderr(Stdio::piped()).output().unwrap();
        assert!(read.status.success(), "{}: {}", fence.place, String::from_utf8_lossy(&read.stderr));
        for command in commands(&script) {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            match words.as_slice() {
                ["tollgate", ..] => {
                    own += 1;
                    let read = Cli::try_parse_from(&words);
                    assert!(read.is_ok(), "{}: {command:?}: {}", fence.place, read.err().unwrap());
                }
                ["cargo", "xtask", name, ..] => {
                    assert!(
                        usage.contains(&format!("        \"{name}\" => ")),
                        "{}: there is no {command:?}",
                        fence.place
                    );
                }
                _ => {}
            }
        }
    }
    assert!(own > 30, "{own} commands");
}

/// Commands in the middle of a sentence: those that begin as a command does have to be one, whatever follows.
#[test]
fn commands_in_sentences_are_known() {
    for page in [
        "README.md",
        "CONFIGURATION.md",
        "docs/deploying.md",
        "docs/languages.md",
        "docs/sharing.md",
        "docs/testing-filters.md",
    ] {
        let text = std::fs::read_to_string(repository(page)).unwrap();
        for code in text.split('`').skip(1).step_by(2).filter_map(|code| code.strip_prefix("tollgate ")) {
            let mut words: Vec<&str> =
                code.split_whitespace().take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).collect();
            let is_group = words.first() == Some(&"filter");
            words.truncate(if is_group { 2 } else { 1 });
            let args = ["tollgate"].iter().chain(&words).chain(&["--help"]).copied();
            let told = Cli::try_parse_from(args).err().unwrap();
            assert_eq!(told.kind(), clap::error::ErrorKind::DisplayHelp, "{page}: there is no `tollgate {code}`");
        }
    }
}

#[test]
fn words_are_split_as_a_shell_does() {
    let script = "a 'b c' \"d\" # e\nf && g -h=1 | i; j ''\n";
    let expected: [&[&str]; 5] = [&["a", "b c", "d"], &["f"], &["g", "-h=1"], &["i"], &["j", ""]];
    assert_eq!(commands(script), expected);
}
