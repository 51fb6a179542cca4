//! Edits of filters: what is accepted leaves a head that can be sent.

use tollgate::message::{Edit, Message};

/// What kind of edit, then a name and a value, parted by a zero.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let split = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
    let (name, value) =
        (String::from_utf8_lossy(&rest[..split]).into_owned(), rest.get(split + 1..).unwrap_or_default().to_vec());
    let message = if kind & 1 == 0 { Message::Request } else { Message::Response };
    let edit = match kind >> 1 & 3 {
        0 => Edit::Add(&name, &value),
        1 => Edit::Remove(&name),
        _ => Edit::Set(&name, &value),
    };
    if edit.check(message).is_ok() {
        let reserved = ["content-length", "transfer-encoding", "host", "connection", "upgrade", "te", "trailer"];
        assert!(!reserved.contains(&name.as_str()), "{name} can be edited");
        assert!(!value.iter().any(|byte| b"\r\n\0".contains(byte)) || kind >> 1 & 3 == 1, "{name:?} can be {value:?}");
        assert!(name != ":path" || !value.contains(&b'#'), "a part of {value:?} is lost");
    }
}

/// Edits of fields and of parts of heads.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let seeds = [
        "x-a\0value",
        ":path\0/a?b",
        ":path\0/a#b",
        ":method\0GET",
        ":authority\0a:80",
        ":status\x00200",
        "@consumer\0a",
        "@attr:a\0b",
        "host\0a",
    ];
    seeds.iter().flat_map(|seed| [0, 1, 2, 3, 4, 5].map(|kind| [&[kind], seed.as_bytes()].concat())).collect()
}
