//! The hostile messages in `tests/corpus`: what each is, and what may become of it.
//!
//! ```text
//! # RFC 9112, section 6: what the file is about
//!
//! [name of the case]
//! > the bytes, with \r \n \t \0 \\ \xHH, and {get} {post} {chunked} {ok} for a beginning, {*100:a} for repetition
//! ! HEAD, or open: circumstances (of responses)
//! = 400, or: forward METHOD TARGET CONTENT, or: forward STATUS CONTENT, or: cut; one line for each message
//! ~ why the gateway may be laxer than nginx here
//! ```

use std::fs;
use std::path::Path;

/// What may become of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// An answer with that status, and nothing whole for the other side.
    Refused(u16),
    /// It arrives: the method and the target, or the status; and the content.
    Forwarded(String, Vec<u8>),
    /// The other side never sees its end.
    Cut,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file's name and the case's.
    pub name: String,
    /// What is sent.
    pub bytes: Vec<u8>,
    /// One for each message.
    pub fates: Vec<Fate>,
    /// What else is to be known.
    pub circumstances: Vec<String>,
    /// Why the gateway may be laxer than nginx.
    pub laxer: Option<String>,
}

impl Case {
    /// Whether a circumstance is given.
    #[must_use]
    pub fn is(&self, circumstance: &str) -> bool {
        self.circumstances.iter().any(|given| given == circumstance)
    }
}

/// All cases of a folder of the corpus.
#[must_use]
#[track_caller]
pub fn corpus(folder: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(folder);
    let mut files: Vec<_> =
        fs::read_dir(&folder).expect("the corpus is there").map(|file| file.expect("it can be read").path()).collect();
    files.sort();
    files.iter().flat_map(|file| read(file)).collect()
}

fn read(file: &Path) -> Vec<Case> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let name = format!("{name}: {title}");
            cases.push(Case { name, bytes: Vec::new(), fates: Vec::new(), circumstances: Vec::new(), laxer: None });
            continue;
        }
        let Some((sign, rest)) = line.split_at_checked(2).filter(|(sign, _)| *sign != "# ") else { continue };
        let case = cases.last_mut().unwrap_or_else(|| panic!("{name}: {line:?} belongs to no case"));
        match sign {
            "> " => case.bytes.extend(bytes(rest)),
            "! " => case.circumstances.push(rest.to_owned()),
            "= " => case.fates.push(fate(rest)),
            "~ " => case.laxer = Some(rest.to_owned()),
            _ => panic!("{name}: what is {line:?}?"),
        }
    }
    for case in &cases {
        assert!(!case.fates.is_empty(), "{} says nothing of what becomes of it", case.name);
    }
    cases
}

fn fate(text: &str) -> Fate {
    if text == "cut" {
        return Fate::Cut;
    }
    let Some(message) = text.strip_prefix("forward ") else {
        return Fate::Refused(text.parse().unwrap_or_else(|_| panic!("{text:?} is no fate")));
    };
    // A status stands alone, a method has its target.
    let words = if message.starts_with(|first: char| first.is_ascii_digit()) { 1 } else { 2 };
    let end = message.match_indices(' ').nth(words - 1).map_or(message.len(), |(place, _)| place);
    let (head, content) = message.split_at(end);
    let head = String::from_utf8(bytes(head)).unwrap_or_else(|_| panic!("{text:?} is not ASCII"));
    Fate::Forwarded(head, bytes(content.strip_prefix(' ').unwrap_or_default()))
}

const BEGINNINGS: [(&str, &str); 4] = [
    ("{get}", "GET / HTTP/1.1\r\nHost: a.test\r\n"),
    ("{post}", "POST / HTTP/1.1\r\nHost: a.test\r\n"),
    ("{chunked}", "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("{ok}", "HTTP/1.1 200 OK\r\n"),
];

fn bytes(mut text: &str) -> Vec<u8> {
    let mut bytes_of_it = Vec::new();
    while let Some(first) = text.chars().next() {
        if let Some((name, beginning)) = BEGINNINGS.iter().find(|(name, _)| text.starts_with(name)) {
            bytes_of_it.extend_from_slice(beginning.as_bytes());
            text = &text[name.len()..];
        } else if let Some(((count, what), rest)) = repetition(text) {
            bytes_of_it.extend(bytes(what).repeat(count));
            text = rest;
        } else if first == '\\' {
            let (byte, length) = escape(text);
            bytes_of_it.push(byte);
            text = &text[length..];
        } else {
            bytes_of_it.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
            text = &text[first.len_utf8()..];
        }
    }
    bytes_of_it
}

fn repetition(text: &str) -> Option<((usize, &str), &str)> {
    let (inside, rest) = text.strip_prefix("{*")?.split_once('}')?;
    let (count, what) = inside.split_once(':')?;
    Some(((count.parse().ok()?, what), rest))
}

fn escape(text: &str) -> (u8, usize) {
    match text.as_bytes().get(1) {
        Some(b'r') => (b'\r', 2),
        Some(b'n') => (b'\n', 2),
        Some(b't') => (b'\t', 2),
        Some(b'0') => (0, 2),
        Some(b'\\') => (b'\\', 2),
        Some(b'x') => {
            let byte = text.get(2..4).and_then(|digits| u8::from_str_radix(digits, 16).ok());
            (byte.unwrap_or_else(|| panic!("{text:?} begins with a bad escape")), 4)
        }
        _ => panic!("{text:?} begins with a bad escape"),
    }
}
