//! A guest's memory: what the host reads there, every address checked, and what it hands over.

use wasmtime::{AsContext, AsContextMut, Memory, Result, bail, format_err};

use super::{List, Realloc};

/// A guest's memory while nobody changes it.
#[derive(Clone, Copy)]
pub(super) struct View<'a>(pub(super) &'a [u8]);

impl<'a> View<'a> {
    pub(super) fn bytes(self, at: u32, length: u32) -> Result<&'a [u8]> {
        let rest = self.0.get(at as usize..).unwrap_or_default();
        rest.get(..length as usize).ok_or_else(|| format_err!("a list of the guest is out of its memory's bounds"))
    }

    pub(super) fn byte(self, at: u32) -> Result<u8> {
        Ok(self.bytes(at, 1)?[0])
    }

    pub(super) fn short(self, at: u32) -> Result<u16> {
        let bytes = self.bytes(at, 2)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn word(self, at: u32) -> Result<u32> {
        let bytes = self.bytes(at, 4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// The address and length of a list that stand at an address.
    pub(super) fn list(self, at: u32) -> Result<List> {
        Ok((self.word(at)?, self.word(next(at, 4)?)?))
    }

    /// The bytes of the list that stands at an address.
    pub(super) fn bytes_at(self, at: u32) -> Result<&'a [u8]> {
        let (start, length) = self.list(at)?;
        self.bytes(start, length)
    }

    pub(super) fn text(self, at: u32, length: u32) -> Result<&'a str> {
        Ok(std::str::from_utf8(self.bytes(at, length)?)?)
    }

    /// The text that stands at an address.
    pub(super) fn text_at(self, at: u32) -> Result<&'a str> {
        let (start, length) = self.list(at)?;
        self.text(start, length)
    }

    /// The addresses of the elements of the list that stands at an address.
    pub(super) fn elements(self, at: u32, size: u32) -> Result<impl ExactSizeIterator<Item = u32> + use<'a>> {
        let (start, count) = self.list(at)?;
        self.elements_of(start, count, size)
    }

    pub(super) fn elements_of(
        self,
        start: u32,
        count: u32,
        size: u32,
    ) -> Result<impl ExactSizeIterator<Item = u32> + use<'a>> {
        let length = count.checked_mul(size).ok_or_else(|| format_err!("a list of the guest is larger than memory"))?;
        self.bytes(start, length)?;
        Ok((0..count as usize).map(move |index| start + index as u32 * size))
    }
}

/// The address so many bytes further.
pub(super) fn next(at: u32, bytes: u32) -> Result<u32> {
    at.checked_add(bytes).ok_or_else(|| format_err!("an address of the guest is out of its memory's bounds"))
}

/// What it takes to hand something to a guest: its memory and its allocator.
pub(in crate::sandbox) struct Guest {
    pub(super) memory: Memory,
    pub(super) realloc: Realloc,
    /// Where the facts of a head hook may be put without asking the allocator. Within bounds, and aligned for numbers.
    pub(super) inbox: Option<u32>,
}

/// How much the inbox of a guest holds that has one, in bytes.
const INBOX: usize = 4 << 10;

impl Guest {
    /// The address that a guest names as that of its inbox, unless there is no room for one.
    pub(super) fn check_inbox(memory: &Memory, store: impl AsContext, at: u32) -> Option<u32> {
        let end = (at as usize).checked_add(INBOX)?;
        (at.is_multiple_of(4) && end <= memory.data_size(store)).then_some(at)
    }

    /// Hands over bytes, which are the guest's from then on.
    pub(super) fn give(&self, mut store: impl AsContextMut, bytes: &[u8]) -> Result<List> {
        if bytes.is_empty() {
            return Ok((1, 0));
        }
        let at = self.room(&mut store, 1, bytes.len())?;
        self.memory.write(&mut store, at as usize, bytes)?;
        Ok((at, bytes.len() as u32))
    }

    /// Hands over bytes and numbers, in the guest's inbox if it has one and they fit.
    pub(super) fn give_facts(&self, mut store: impl AsContextMut, data: &[u8], ends: &[u32]) -> Result<(List, List)> {
        let length = ends.len() * 4 + data.len();
        let Some(inbox) = self.inbox.filter(|_| length <= INBOX) else {
            return Ok((self.give(&mut store, data)?, self.give_numbers(store, ends)?));
        };
        let place = self.memory.data_mut(&mut store).get_mut(inbox as usize..).unwrap_or_default();
        let (numbers, rest) = place.get_mut(..length).unwrap_or_default().split_at_mut(ends.len() * 4);
        for (place, number) in numbers.chunks_exact_mut(4).zip(ends) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        rest.copy_from_slice(data);
        let behind = inbox + numbers.len() as u32;
        Ok(((behind, data.len() as u32), (inbox, ends.len() as u32)))
    }

    /// Hands over numbers.
    pub(super) fn give_numbers(&self, mut store: impl AsContextMut, numbers: &[u32]) -> Result<List> {
        if numbers.is_empty() {
            return Ok((4, 0));
        }
        let at = self.room(&mut store, 4, numbers.len() * 4)?;
        let place = self.memory.data_mut(&mut store).get_mut(at as usize..).unwrap_or_default();
        for (place, number) in place.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        Ok((at, numbers.len() as u32))
    }

    /// Hands over pairs of a name and a value.
    pub(super) fn give_fields(&self, mut store: impl AsContextMut, fields: &[(&str, &[u8])]) -> Result<List> {
        let mut lists = Vec::with_capacity(fields.len() * 4);
        for (name, value) in fields {
            let (name, value) = (self.give(&mut store, name.as_bytes())?, self.give(&mut store, value)?);
            lists.extend([name.0, name.1, value.0, value.1]);
        }
        let (at, _) = self.give_numbers(store, &lists)?;
        Ok((at, fields.len() as u32))
    }

    /// Hands over lists of bytes.
    pub(super) fn give_lists(&self, mut store: impl AsContextMut, lists: &[Vec<u8>]) -> Result<List> {
        let mut places = Vec::with_capacity(lists.len() * 2);
        for list in lists {
            let (at, length) = self.give(&mut store, list)?;
            places.extend([at, length]);
        }
        let (at, _) = self.give_numbers(store, &places)?;
        Ok((at, lists.len() as u32))
    }

    /// Writes the parts of a result to the address that the guest has set aside for it.
    pub(super) fn put(&self, store: impl AsContextMut, at: u32, bytes: &[u8]) -> Result<()> {
        Ok(self.memory.write(store, at as usize, bytes)?)
    }

    fn room(&self, mut store: impl AsContextMut, align: u32, size: usize) -> Result<u32> {
        let length = u32::try_from(size)?;
        let at = self.realloc.call(&mut store, (0, 0, align, length))?;
        let end = (at as usize).checked_add(size);
        if at % align != 0 || end.is_none_or(|end| end > self.memory.data_size(&store)) {
            bail!("the guest's allocator gave no room of {size} bytes");
        }
        Ok(at)
    }
}
