//! What a module says about itself: JSON that the compiler puts together, so that it can lie in a custom section of the
//! module without a step of the build that writes it there.

use std::marker::PhantomData;

use crate::Schema;

/// A value of JSON that is known when the filter is compiled.
#[derive(Clone, Copy, Debug)]
pub enum Json {
    /// None: a member with it is left out.
    Nothing,
    /// What is JSON already.
    Raw(&'static str),
    /// A text.
    Text(&'static str),
    /// Values in order.
    List(&'static [Json]),
    /// An object.
    Object(&'static Object),
}

/// An object of JSON: its own members, and those of another that it does not have itself.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    /// The other.
    pub base: Option<&'static Object>,
    /// Its own members.
    pub own: &'static [(&'static str, Json)],
}

impl Json {
    /// A text that may be missing or empty.
    #[must_use]
    pub const fn text(text: Option<&'static str>) -> Self {
        match text {
            Some(text) if !text.is_empty() => Self::Text(text),
            _ => Self::Nothing,
        }
    }

    const fn put(&self, out: &mut [u8], at: usize) -> usize {
        match self {
            Self::Nothing => at,
            Self::Raw(json) => copy(json.as_bytes(), out, at),
            Self::Text(text) => put_text(text.as_bytes(), out, at),
            Self::List(values) => {
                let (mut at, mut index) = (copy(b"[", out, at), 0);
                while index < values.len() {
                    if index > 0 {
                        at = copy(b",", out, at);
                    }
                    at = values[index].put(out, at);
                    index += 1;
                }
                copy(b"]", out, at)
            }
            Self::Object(object) => object.put(out, at),
        }
    }
}

impl Object {
    /// How many bytes its text has.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.put(&mut [], 0)
    }

    /// Its text, which has so many bytes.
    #[must_use]
    pub const fn text<const LENGTH: usize>(&self) -> [u8; LENGTH] {
        let mut text = [0; LENGTH];
        assert!(self.put(&mut text, 0) == LENGTH, "its text has another length");
        text
    }

    /// Its text, for tests.
    #[cfg(test)]
    pub(crate) fn to_text(self) -> String {
        let mut text = vec![0; self.length()];
        self.put(&mut text, 0);
        String::from_utf8(text).expect("it is put together of texts")
    }

    const fn put(&self, out: &mut [u8], at: usize) -> usize {
        let begin = copy(b"{", out, at);
        let end = self.put_members(&Heirs { object: self, next: None }, out, begin, begin);
        copy(b"}", out, end)
    }

    /// The members that none of those has that are built on it. `begin` is where the first one is put.
    const fn put_members(&self, heirs: &Heirs<'_>, out: &mut [u8], begin: usize, mut at: usize) -> usize {
        if let Some(base) = self.base {
            at = base.put_members(&Heirs { object: base, next: Some(heirs) }, out, begin, at);
        }
        let mut index = 0;
        while index < self.own.len() {
            let (name, value) = &self.own[index];
            index += 1;
            if matches!(value, Json::Nothing) || heirs.replace(name) {
                continue;
            }
            if at > begin {
                at = copy(b",", out, at);
            }
            at = put_text(name.as_bytes(), out, at);
            at = copy(b":", out, at);
            at = value.put(out, at);
        }
        at
    }

    const fn has(&self, name: &str) -> bool {
        let mut index = 0;
        while index < self.own.len() {
            if is_same(self.own[index].0.as_bytes(), name.as_bytes()) {
                return true;
            }
            index += 1;
        }
        false
    }
}

/// An object, and those that are built on it.
struct Heirs<'a> {
    object: &'a Object,
    next: Option<&'a Heirs<'a>>,
}

impl Heirs<'_> {
    /// Whether one of the others has a member of that name.
    const fn replace(&self, name: &str) -> bool {
        let mut heir = self.next;
        while let Some(Heirs { object, next }) = heir {
            if object.has(name) {
                return true;
            }
            heir = *next;
        }
        false
    }
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut index = 0;
    while index < one.len() {
        if one[index] != other[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// What has no room is only counted.
const fn copy(bytes: &[u8], out: &mut [u8], at: usize) -> usize {
    if at + bytes.len() <= out.len() {
        out.split_at_mut(at).1.split_at_mut(bytes.len()).0.copy_from_slice(bytes);
    }
    at + bytes.len()
}

const fn put_text(mut text: &[u8], out: &mut [u8], at: usize) -> usize {
    let mut at = copy(b"\"", out, at);
    while !text.is_empty() {
        let (plain, rest) = text.split_at(plain_bytes(text));
        at = copy(plain, out, at);
        let Some((first, rest)) = rest.split_first() else { break };
        at = put_escape(*first, out, at);
        text = rest;
    }
    copy(b"\"", out, at)
}

/// How many bytes at the beginning stand for themselves (RFC 8259, section 7).
const fn plain_bytes(text: &[u8]) -> usize {
    let mut count = 0;
    while count < text.len() && text[count] >= b' ' && text[count] != b'"' && text[count] != b'\\' {
        count += 1;
    }
    count
}

const fn put_escape(byte: u8, out: &mut [u8], at: usize) -> usize {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' => copy(b"\\\"", out, at),
        b'\\' => copy(b"\\\\", out, at),
        b'\n' => copy(b"\\n", out, at),
        _ => {
            let (high, low) = (DIGITS[byte as usize >> 4], DIGITS[byte as usize & 15]);
            copy(&[b'\\', b'u', b'0', b'0', high, low], out, at)
        }
    }
}

/// The schema of a type, if it has one.
pub struct Of<T>(PhantomData<T>);

impl<T: Schema> Of<T> {
    /// Its schema. Where `T` has none, this is not there, and what is found is [`Unknown::SCHEMA`].
    pub const SCHEMA: Json = Json::Object(T::SCHEMA);
}

/// What stands in for the schema of a type that has none.
pub trait Unknown {
    /// Nothing.
    const SCHEMA: Json = Json::Nothing;
}

impl<T> Unknown for Of<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    const INNER: &Object = &Object { base: None, own: &[("a", Json::Raw("1")), ("b", Json::Text("x"))] };
    const OUTER: &Object = &Object {
        base: Some(INNER),
        own: &[
            ("b", Json::List(&[Json::Text("é\"\\\n\t"), Json::Object(INNER)])),
            ("c", Json::Nothing),
            ("d", Json::List(&[])),
        ],
    };

    #[test]
    fn the_text_is_made_by_the_compiler() {
        static TEXT: [u8; OUTER.length()] = OUTER.text();
        let expected = r#"{"a":1,"b":["é\"\\\n\u0009",{"a":1,"b":"x"}],"d":[]}"#;
        assert_eq!(std::str::from_utf8(&TEXT), Ok(expected));
        assert_eq!(OUTER.to_text(), expected);
    }

    #[test]
    fn a_type_without_a_schema_has_none() {
        struct Other;
        assert!(matches!(Of::<Other>::SCHEMA, Json::Nothing));
        assert!(matches!(Of::<u8>::SCHEMA, Json::Object(_)));
    }
}
