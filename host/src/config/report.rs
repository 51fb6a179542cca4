//! Collects the problems of one file, so that all of them are reported at once.

use std::{
    cell::{Cell, RefCell},
    path::{Path, PathBuf},
};

use super::Problem;

/// A value as written, with the place where it is written.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    /// The value.
    pub(super) value: T,
    /// Its key path.
    pub(super) key: String,
    /// Its line, from 1.
    pub(super) line: usize,
}

impl<T> At<T> {
    /// Another value at the same place.
    pub(super) fn map<U>(self, convert: impl FnOnce(T) -> U) -> At<U> {
        At { value: convert(self.value), key: self.key, line: self.line }
    }
}

/// Why a value is no good: message and remedy.
pub(super) type Wrong = (String, String);

/// What the text of whoever wrote a module may take up once it is read, in bytes: it may say to repeat things.
const ROOM: usize = 2 << 20;
const TOO_MUCH: &str = "what it carries is too much once it is read";

/// The problems of one file. Shared by all that read or check a part of it, hence the cell.
#[derive(Debug)]
pub(super) struct Report {
    file: PathBuf,
    problems: RefCell<Vec<Problem>>,
    /// How much may still be taken up, if that is bounded.
    room: Option<Cell<usize>>,
}

impl Report {
    /// No problem so far.
    pub(super) fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), problems: RefCell::default(), room: None }
    }

    /// Of a text that a module carries: its author is not the one whose files these are.
    pub(super) fn carried(module: impl Into<PathBuf>) -> Self {
        Self { room: Some(Cell::new(ROOM)), ..Self::new(module) }
    }

    /// Whether the text is one that a module carries, which names no files.
    pub(super) fn is_carried(&self) -> bool {
        self.room.is_some()
    }

    /// Whether there is room for that many bytes, which are taken from it.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let Some(room) = &self.room else { return true };
        let rest = room.get().checked_sub(bytes);
        room.set(rest.unwrap_or(0));
        if rest.is_none() && !self.problems.borrow().iter().any(|problem| problem.message == TOO_MUCH) {
            self.whole(TOO_MUCH, "shorten its cases");
        }
        rest.is_some()
    }

    /// The file that the problems are in.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// A problem of the file as a whole.
    pub(super) fn whole(&self, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(None, None, message.into(), remedy.into());
    }

    /// A problem of a line.
    pub(super) fn line(&self, line: usize, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(Some(line), None, message.into(), remedy.into());
    }

    /// A problem of a value.
    pub(super) fn at<T>(&self, at: &At<T>, message: impl Into<String>, remedy: impl Into<String>) {
        self.key(&at.key, at.line, message, remedy);
    }

    /// The result if it is good; else the value that it was made of has a problem.
    pub(super) fn good<T, U>(&self, at: &At<U>, result: Result<T, Wrong>) -> Option<T> {
        result.map_err(|(message, remedy)| self.at(at, message, remedy)).ok()
    }

    /// A problem of a key.
    pub(super) fn key(&self, key: &str, line: usize, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(Some(line), Some(key.to_owned()), message.into(), remedy.into());
    }

    /// A problem of a key that the file does not have.
    pub(super) fn absent(&self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(None, Some(key.to_owned()), message.into(), remedy.into());
    }

    /// A problem that is known already.
    pub(super) fn add(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Whether there is any problem.
    pub(super) fn any(&self) -> bool {
        !self.problems.borrow().is_empty()
    }

    /// Whether there is a problem of a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.problems.borrow().iter().any(|problem| problem.key.as_deref() == Some(key))
    }

    /// Whether there is a problem of something inside a key.
    pub(super) fn concerns(&self, key: &str) -> bool {
        let inside = |problem: &Problem| {
            let rest = problem.key.as_deref().and_then(|other| other.strip_prefix(key));
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        self.problems.borrow().iter().any(inside)
    }

    /// Takes over the problems of another file, which is a part of this one.
    pub(super) fn absorb(&self, other: Self) {
        self.problems.borrow_mut().extend(other.problems.into_inner());
    }

    /// All problems in the order of their lines.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        problems
    }

    fn push(&self, line: Option<usize>, key: Option<String>, message: String, remedy: String) {
        let file = self.file.clone();
        self.problems.borrow_mut().push(Problem { file, line, key, message, remedy });
    }
}
