//! What an instance is like once it is configured, so that others can begin from there, and be put back to it after each
//! exchange: neither is configured again.

use std::ops::Range;

use smallvec::SmallVec;
use wasmtime::{Memory, Store, Val};

use super::core::CoreGuest;
use super::instance::HostState;
use super::pages::{self, PAGE};

/// The memory and the globals of a configured instance.
pub(super) struct Image {
    memory: Box<[u8]>,
    globals: Vec<Val>,
}

/// An instance cannot be made like the image; it must be dropped.
#[derive(Debug)]
pub(super) struct Differs;

impl Image {
    /// Of an instance that has seen no exchange yet.
    pub(super) fn of(guest: &CoreGuest, store: &mut Store<HostState>) -> Self {
        let globals = guest.globals.iter().map(|global| global.get(&mut *store)).collect();
        Self { memory: guest.memory().data(&*store).into(), globals }
    }

    /// Makes a new instance of the same module like this one.
    pub(super) fn fill(&self, guest: &CoreGuest, store: &mut Store<HostState>) -> Result<(), Differs> {
        let short = self.memory.len().saturating_sub(guest.memory().data_size(&*store));
        if short > 0 {
            guest.memory().grow(&mut *store, (short as u64).div_ceil(64 << 10)).map_err(|_| Differs)?;
        }
        let memory = self.room(guest.memory(), store)?;
        for (page, like) in memory.chunks_mut(PAGE).zip(self.memory.chunks(PAGE)) {
            // Pages that are equal stay those of the module, which instances share.
            if page != like {
                page.copy_from_slice(like);
            }
        }
        self.set_globals(guest, store)
    }

    /// Puts an instance that was like this one back to it, whatever exchanges have done there.
    pub(super) fn restore(&self, guest: &CoreGuest, store: &mut Store<HostState>) -> Result<(), Differs> {
        let memory = self.room(guest.memory(), store)?;
        let mut written = SmallVec::<[Range<usize>; 16]>::new();
        pages::written(memory, |range| written.push(range)).ok_or(Differs)?;
        for range in written {
            memory[range.clone()].copy_from_slice(&self.memory[range]);
        }
        self.set_globals(guest, store)
    }

    /// The instance's memory, if it has not grown.
    fn room<'a>(&self, memory: Memory, store: &'a mut Store<HostState>) -> Result<&'a mut [u8], Differs> {
        let memory = memory.data_mut(store);
        if memory.len() == self.memory.len() { Ok(memory) } else { Err(Differs) }
    }

    fn set_globals(&self, guest: &CoreGuest, store: &mut Store<HostState>) -> Result<(), Differs> {
        for (global, value) in guest.globals.iter().zip(&self.globals) {
            global.set(&mut *store, *value).map_err(|_| Differs)?;
        }
        Ok(())
    }
}
