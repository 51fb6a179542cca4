//! What is told of a module: the engine draws a message on several lines, `--> NAME:LINE:COLUMN` first and `error: …` last.

use script_decision::Document;

/// What is wrong with a module, with its place.
pub(crate) fn unreadable(document: &Document, drawn: &str) -> String {
    let message = drawn.lines().rev().find_map(|line| line.strip_prefix("error: ")).unwrap_or(drawn.trim());
    match place(document, drawn) {
        Some((line, column)) => document.at(line, column, message),
        None => document.whole(message.lines().next().unwrap_or_default()),
    }
}

/// Why a module came to nothing: the place, and what the engine says unless that is about a value, which can be a secret.
pub(crate) fn failed(document: &Document, drawn: &str) -> String {
    let message = drawn.lines().rev().find_map(|line| line.strip_prefix("error: ")).unwrap_or("comes to nothing");
    let lower = message.to_ascii_lowercase();
    let message = lower.find("got `").map_or(message, |value| message[..value].trim_end());
    match place(document, drawn) {
        Some((line, column)) => document.at(line, column, message),
        None => document.whole(message),
    }
}

fn place(document: &Document, drawn: &str) -> Option<(usize, usize)> {
    let place = drawn.lines().find_map(|line| line.strip_prefix("--> ")?.strip_prefix(document.name.as_str()))?;
    let (line, column) = place.strip_prefix(':')?.split_once(':')?;
    Some((line.parse().ok()?, column.parse().ok()?))
}
