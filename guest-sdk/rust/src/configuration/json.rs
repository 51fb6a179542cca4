//! JSON (RFC 8259) for serde.
//!
//! It runs once for each instance and is generic over everything that a configuration holds, so its parts are kept from
//! being copied into each other: the smaller the component, the sooner it is compiled.

use std::borrow::Cow;

use serde::de::value::CowStrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::problem::Problem;

type Result<T> = std::result::Result<T, Problem>;

/// More than this is no configuration, and would end at the stack's limit.
const DEEPEST: u8 = 32;

pub(super) struct Reader<'de> {
    text: &'de str,
    position: usize,
    depth: u8,
}

enum Number<'de> {
    Unsigned(u64),
    Negative(i64),
    Fraction(&'de str),
}

impl<'de> Reader<'de> {
    pub(super) fn new(text: &'de str) -> Self {
        Self { text, position: 0, depth: 0 }
    }

    /// Nothing may follow.
    pub(super) fn end(&mut self) -> Result<()> {
        if self.peek() == 0 { Ok(()) } else { Err(self.malformed()) }
    }

    /// The next byte that is not white space, or 0 at the end.
    #[inline(never)]
    fn peek(&mut self) -> u8 {
        let rest = self.rest();
        let blank = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.position += blank;
        rest.get(blank).copied().unwrap_or(0)
    }

    fn rest(&self) -> &'de [u8] {
        self.text.as_bytes().get(self.position..).unwrap_or_default()
    }

    /// The text from there to the current position.
    fn since(&self, start: usize) -> &'de str {
        self.text.get(start..self.position).unwrap_or_default()
    }

    #[inline(never)]
    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.position += usize::from(found);
        found
    }

    #[inline(never)]
    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.accept(byte) { Ok(()) } else { Err(self.malformed()) }
    }

    #[inline(never)]
    fn word(&mut self, word: &str) -> Result<()> {
        if self.rest().starts_with(word.as_bytes()) {
            self.position += word.len();
            return Ok(());
        }
        Err(self.malformed())
    }

    #[inline(never)]
    fn malformed(&self) -> Problem {
        Problem::new(["not JSON at byte ", &*self.position.to_string()].concat())
    }

    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > DEEPEST { Err(Problem::new("too deeply nested")) } else { Ok(()) }
    }

    #[inline(never)]
    fn boolean(&mut self) -> Result<bool> {
        let value = self.peek() == b't';
        self.word(if value { "true" } else { "false" }).map(|()| value)
    }

    #[inline(never)]
    fn number(&mut self) -> Result<Number<'de>> {
        self.peek();
        let start = self.position;
        let length = self
            .rest()
            .iter()
            .take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        self.position += length;
        let text = self.since(start);
        if let Ok(number) = text.parse() {
            Ok(Number::Unsigned(number))
        } else if let Ok(number) = text.parse() {
            Ok(Number::Negative(number))
        } else if text.bytes().any(|byte| byte.is_ascii_digit()) {
            Ok(Number::Fraction(text))
        } else {
            Err(self.malformed())
        }
    }

    #[inline(never)]
    fn string(&mut self) -> Result<Cow<'de, str>> {
        self.expect(b'"')?;
        let mut text = Cow::Borrowed("");
        loop {
            let start = self.position;
            let Some(length) = self.rest().iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
                return Err(self.malformed());
            };
            self.position += length;
            text += self.since(start);
            let quote = self.rest().first() == Some(&b'"');
            self.position += 1;
            if quote {
                return Ok(text);
            }
            text.to_mut().push(self.escape()?);
        }
    }

    /// What follows a backslash (RFC 8259, section 7).
    fn escape(&mut self) -> Result<char> {
        let escape = self.rest().first().copied();
        self.position += 1;
        Ok(match escape {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.malformed()),
        })
    }

    /// A character outside of the basic plane is written as two surrogates.
    #[inline(never)]
    fn unicode(&mut self) -> Result<char> {
        let mut code = self.hex()?;
        if (0xd800..0xdc00).contains(&code) {
            self.word("\\u")?;
            let low = self.hex()?.wrapping_sub(0xdc00);
            if low >= 0x400 {
                return Err(self.malformed());
            }
            code = 0x10000 + ((code - 0xd800) << 10) + low;
        }
        char::from_u32(code).ok_or_else(|| self.malformed())
    }

    fn hex(&mut self) -> Result<u32> {
        let start = self.position;
        self.position += 4;
        let digits = self.since(start);
        if digits.len() != 4 || digits.starts_with('+') {
            return Err(self.malformed());
        }
        u32::from_str_radix(digits, 16).map_err(|_| self.malformed())
    }

    /// The error for a value of another type than the visitor can take.
    #[cold]
    fn mismatch(&mut self, expected: &dyn de::Expected) -> Problem {
        let text;
        let found = match self.peek() {
            b'{' => Unexpected::Map,
            b'[' => Unexpected::Seq,
            b'n' => Unexpected::Unit,
            byte @ (b't' | b'f') => Unexpected::Bool(byte == b't'),
            b'"' => match self.string() {
                Ok(found) => {
                    text = found;
                    Unexpected::Str(&text)
                }
                Err(problem) => return problem,
            },
            b'-' | b'0'..=b'9' => match self.number() {
                Ok(Number::Unsigned(number)) => Unexpected::Unsigned(number),
                Ok(Number::Negative(number)) => Unexpected::Signed(number),
                Ok(Number::Fraction(_)) => Unexpected::Other("a fraction"),
                Err(problem) => return problem,
            },
            _ => return self.malformed(),
        };
        Problem::invalid_type(found, expected)
    }

    /// Passes over a value that nobody wants.
    #[inline(never)]
    fn skip(&mut self) -> Result<()> {
        match self.peek() {
            b'{' => self.skip_members(b'}', true),
            b'[' => self.skip_members(b']', false),
            b'"' => self.string().map(drop),
            b't' | b'f' => self.boolean().map(drop),
            b'n' => self.word("null"),
            _ => self.number().map(drop),
        }
    }

    fn skip_members(&mut self, end: u8, named: bool) -> Result<()> {
        let mut members = Members::begin(self)?;
        while members.more(end)? {
            if named {
                members.reader.string()?;
                members.reader.expect(b':')?;
            }
            members.reader.skip()?;
        }
        Ok(())
    }
}

macro_rules! integers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            self.deserialize_u64(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Problem;

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32
    }
    forward_to_deserialize_any! { bytes byte_buf }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek() {
            b'{' => self.deserialize_map(visitor),
            b'[' => self.deserialize_seq(visitor),
            b'"' => self.deserialize_str(visitor),
            b't' | b'f' => self.deserialize_bool(visitor),
            b'n' => self.deserialize_unit(visitor),
            _ => self.deserialize_f64(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek() {
            b't' | b'f' => visitor.visit_bool(self.boolean()?),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    /// Every integer. Fractions are refused here, so that filters without them need no code to read them.
    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if !matches!(self.peek(), b'-' | b'0'..=b'9') {
            return Err(self.mismatch(&visitor));
        }
        match self.number()? {
            Number::Unsigned(number) => visitor.visit_u64(number),
            Number::Negative(number) => visitor.visit_i64(number),
            Number::Fraction(_) => Err(Problem::invalid_type(Unexpected::Other("a fraction"), &visitor)),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if !matches!(self.peek(), b'-' | b'0'..=b'9') {
            return Err(self.mismatch(&visitor));
        }
        match self.number()? {
            Number::Unsigned(number) => visitor.visit_u64(number),
            Number::Negative(number) => visitor.visit_i64(number),
            Number::Fraction(text) => visitor.visit_f64(text.parse().map_err(|_| self.malformed())?),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.peek() != b'"' {
            return Err(self.mismatch(&visitor));
        }
        match self.string()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek() {
            b'n' => {
                self.word("null")?;
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek() {
            b'n' => {
                self.word("null")?;
                visitor.visit_unit()
            }
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.peek() != b'[' {
            return Err(self.mismatch(&visitor));
        }
        let mut elements = Members::begin(self)?;
        let value = visitor.visit_seq(&mut elements)?;
        if elements.open && elements.more(b']')? {
            return Err(Problem::new("the list is too long"));
        }
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.peek() != b'{' {
            return Err(self.mismatch(&visitor));
        }
        visitor.visit_map(Members::begin(self)?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }

    /// A text for a variant without content, a table of one member for others.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.peek() {
            b'"' => {
                let name: CowStrDeserializer<'_, Problem> = self.string()?.into_deserializer();
                visitor.visit_enum(name)
            }
            b'{' => {
                let mut members = Members::begin(self)?;
                if !members.more(b'}')? {
                    return Err(Problem::invalid_type(Unexpected::Map, &visitor));
                }
                let value = visitor.visit_enum(&mut members)?;
                members.reader.expect(b'}')?;
                members.reader.depth -= 1;
                Ok(value)
            }
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.skip()?;
        visitor.visit_unit()
    }
}

/// The members of a list or a table.
struct Members<'a, 'de> {
    reader: &'a mut Reader<'de>,
    count: usize,
    open: bool,
    key: Cow<'de, str>,
}

impl<'a, 'de> Members<'a, 'de> {
    #[inline(never)]
    fn begin(reader: &'a mut Reader<'de>) -> Result<Self> {
        reader.position += 1;
        reader.deeper()?;
        Ok(Self { reader, count: 0, open: true, key: Cow::Borrowed("") })
    }

    /// Whether another member follows; passes over what lies between.
    #[inline(never)]
    fn more(&mut self, end: u8) -> Result<bool> {
        if self.reader.accept(end) {
            self.open = false;
            self.reader.depth -= 1;
            return Ok(false);
        }
        if self.count > 0 {
            self.reader.expect(b',')?;
        }
        self.count += 1;
        Ok(true)
    }
}

impl<'de> SeqAccess<'de> for &mut Members<'_, 'de> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if !self.more(b']')? {
            return Ok(None);
        }
        let index = self.count - 1;
        seed.deserialize(&mut *self.reader).map(Some).map_err(|problem| problem.in_element(index))
    }
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if !self.more(b'}')? {
            return Ok(None);
        }
        self.key = self.reader.string()?;
        self.reader.expect(b':')?;
        let key: CowStrDeserializer<'_, Problem> = Cow::Borrowed(&*self.key).into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(&mut *self.reader).map_err(|problem| problem.in_key(&self.key))
    }
}

impl<'de> EnumAccess<'de> for &mut Members<'_, 'de> {
    type Error = Problem;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        self.key = self.reader.string()?;
        self.reader.expect(b':')?;
        let key: CowStrDeserializer<'_, Problem> = Cow::Borrowed(&*self.key).into_deserializer();
        Ok((seed.deserialize(key)?, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Members<'_, 'de> {
    type Error = Problem;

    fn unit_variant(self) -> Result<()> {
        Err(Problem::new(["`", &*self.key, "` takes no value; write it as a text"].concat()))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(&mut *self.reader).map_err(|problem| problem.in_key(&self.key))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.reader.deserialize_seq(visitor).map_err(|problem| problem.in_key(&self.key))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.reader.deserialize_map(visitor).map_err(|problem| problem.in_key(&self.key))
    }
}
