//! A small allocator for filters: free lists by size class over a static arena.
//!
//! Filters allocate little and free it soon, so taking a block from a list and putting it back is most of the work.
//! The arena lies in the module's initial memory, so a fresh instance does not have to grow before its first
//! allocation. Blocks are not joined again: a filter keeps the sum over the classes of what it used at most.

#![allow(unsafe_code, reason = "an allocator hands out raw memory")]

use std::alloc::Layout;
use std::ptr::null_mut;

/// Classes: two for each power of two from 16 bytes (16, 32, 48, 64, 96, 128, …) to 2 GiB.
const CLASSES: usize = 56;

/// Every block begins at a multiple of this.
const ALIGNMENT: usize = 16;

/// Blocks that were freed, by class, and the part of the newest region that was never handed out.
pub(crate) struct SizeClasses {
    free: [*mut Block; CLASSES],
    next: usize,
    end: usize,
}

struct Block {
    next: *mut Block,
}

/// Where more memory comes from: at least so many bytes, as (start, end), or nothing.
pub(crate) trait Source {
    fn more(&mut self, size: usize) -> Option<(usize, usize)>;
}

impl SizeClasses {
    pub(crate) const fn new() -> Self {
        Self { free: [null_mut(); CLASSES], next: 0, end: 0 }
    }

    /// # Safety
    ///
    /// Regions of `source` belong to this allocator alone.
    #[inline]
    pub(crate) unsafe fn allocate(&mut self, layout: Layout, source: &mut impl Source) -> *mut u8 {
        if layout.align() > ALIGNMENT {
            // SAFETY: as the function's own.
            return unsafe { self.allocate_aligned(layout, source) };
        }
        let (class, size) = class_of(layout.size());
        let head = self.free[class];
        if head.is_null() {
            return self.carve(size, source);
        }
        // SAFETY: blocks in a list were freed, and hold their successor.
        self.free[class] = unsafe { (*head).next };
        head.cast()
    }

    /// # Safety
    ///
    /// `pointer` came from `allocate` with the same layout, and nobody uses it any more.
    #[inline]
    pub(crate) unsafe fn free(&mut self, pointer: *mut u8, layout: Layout) {
        let (pointer, size) = if layout.align() > ALIGNMENT {
            // SAFETY: `allocate_aligned` has left the block's address there.
            (unsafe { pointer.cast::<*mut u8>().sub(1).read() }, layout.size() + layout.align())
        } else {
            (pointer, layout.size())
        };
        let (class, _) = class_of(size);
        let block = pointer.cast::<Block>();
        // SAFETY: every block has room for a pointer.
        unsafe { (*block).next = self.free[class] };
        self.free[class] = block;
    }

    /// Whether a block can grow or shrink where it is.
    #[inline]
    pub(crate) fn fits(layout: Layout, size: usize) -> bool {
        layout.align() <= ALIGNMENT && class_of(layout.size()).0 == class_of(size).0
    }

    /// A block that was never handed out.
    #[cold]
    fn carve(&mut self, size: usize, source: &mut impl Source) -> *mut u8 {
        if self.end - self.next < size {
            let Some((start, end)) = source.more(size + ALIGNMENT) else { return null_mut() };
            if start != self.end {
                self.next = start.next_multiple_of(ALIGNMENT);
            }
            self.end = end;
        }
        let block = self.next;
        self.next += size;
        block as *mut u8
    }

    /// A block with more room than asked for, and its address just before what is handed out.
    #[cold]
    unsafe fn allocate_aligned(&mut self, layout: Layout, source: &mut impl Source) -> *mut u8 {
        let roomy = Layout::from_size_align(layout.size() + layout.align(), ALIGNMENT);
        let Ok(roomy) = roomy else { return null_mut() };
        // SAFETY: as the function's own.
        let block = unsafe { self.allocate(roomy, source) };
        if block.is_null() {
            return block;
        }
        let offset = (block as usize + ALIGNMENT).next_multiple_of(layout.align()) - block as usize;
        // SAFETY: `offset` is at least 16 and at most the alignment, so both places are inside the block.
        unsafe {
            let pointer = block.add(offset);
            pointer.cast::<*mut u8>().sub(1).write(block);
            pointer
        }
    }
}

/// The smallest class for a size, and the size of its blocks.
#[inline]
fn class_of(size: usize) -> (usize, usize) {
    let size = if size <= ALIGNMENT { ALIGNMENT } else { size.next_multiple_of(ALIGNMENT) };
    let power = (usize::BITS - (size - 1).leading_zeros()) as usize;
    let (full, half) = (1 << power, (1 << power) / 4 * 3);
    if size <= half && half % ALIGNMENT == 0 { (2 * power - 9, half) } else { (2 * power - 8, full) }
}

#[cfg(all(target_arch = "wasm32", target_os = "unknown", feature = "allocator"))]
mod global {
    use std::alloc::{GlobalAlloc, Layout};
    use std::arch::wasm32;
    use std::cell::UnsafeCell;

    use super::{SizeClasses, Source};

    /// Enough for a configured filter and the buffers of an exchange.
    const ARENA: usize = 32 * 1024;
    const PAGE: usize = 64 * 1024;

    struct Allocator(UnsafeCell<SizeClasses>, UnsafeCell<Regions>);

    #[repr(align(16))]
    struct Arena(UnsafeCell<[u8; ARENA]>);

    #[global_allocator]
    static ALLOCATOR: Allocator = Allocator(UnsafeCell::new(SizeClasses::new()), UnsafeCell::new(Regions { used: 0 }));
    static MEMORY: Arena = Arena(UnsafeCell::new([0; ARENA]));

    // SAFETY: a module without threads.
    unsafe impl Sync for Allocator {}
    // SAFETY: a module without threads, and only the allocator uses it.
    unsafe impl Sync for Arena {}

    /// First the arena, then what the initial memory has behind it, then what the memory grows by.
    struct Regions {
        used: u8,
    }

    impl Source for Regions {
        fn more(&mut self, size: usize) -> Option<(usize, usize)> {
            unsafe extern "C" {
                static __heap_base: u8;
            }
            while self.used < 2 {
                self.used += 1;
                let (start, end) = if self.used == 1 {
                    let start = MEMORY.0.get() as usize;
                    (start, start + ARENA)
                } else {
                    (&raw const __heap_base as usize, wasm32::memory_size(0) * PAGE)
                };
                if start + size <= end {
                    return Some((start, end));
                }
            }
            let pages = size.div_ceil(PAGE);
            let before = wasm32::memory_grow(0, pages);
            (before != usize::MAX).then(|| (before * PAGE, (before + pages) * PAGE))
        }
    }

    // SAFETY: blocks are of the class of their layout and not given out twice; there are no threads.
    unsafe impl GlobalAlloc for Allocator {
        #[inline(never)]
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: see above.
            unsafe { (*self.0.get()).allocate(layout, &mut *self.1.get()) }
        }

        #[inline(never)]
        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            // SAFETY: see above.
            unsafe { (*self.0.get()).free(pointer, layout) }
        }

        unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            if SizeClasses::fits(layout, size) {
                return pointer;
            }
            // SAFETY: the caller's promises for `realloc` cover each step.
            unsafe {
                let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
                if !new.is_null() {
                    new.copy_from_nonoverlapping(pointer, layout.size().min(size));
                    self.dealloc(pointer, layout);
                }
                new
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regions of fixed size from the test's own allocator, never freed.
    struct Leak(usize);

    impl Source for Leak {
        fn more(&mut self, size: usize) -> Option<(usize, usize)> {
            let region = vec![0_u8; size.max(self.0)].leak();
            let start = region.as_mut_ptr() as usize;
            Some((start, start + region.len()))
        }
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn classes_hold_what_is_asked_for_and_waste_less_than_a_third() {
        let mut last = (0, ALIGNMENT);
        for size in 1..5000 {
            let (class, room) = class_of(size);
            assert!(room >= size && room % ALIGNMENT == 0 && class < CLASSES, "{size} → {class}, {room}");
            assert!(room <= 32 || room * 2 <= size * 3 + 32, "{size} → {room}");
            assert!((class, room) == last || (class > last.0 && room > last.1), "{size}");
            last = (class, room);
        }
        assert_eq!((class_of(1 << 31).1, class_of(1 << 31).0 < CLASSES), (1 << 31, true));
    }

    #[test]
    fn a_freed_block_is_the_next_of_its_class() {
        let (mut classes, mut source) = (SizeClasses::new(), Leak(4096));
        // SAFETY: every block is freed once, with its layout.
        unsafe {
            let first = classes.allocate(layout(40, 8), &mut source);
            classes.free(first, layout(40, 8));
            assert_eq!(classes.allocate(layout(48, 1), &mut source), first);
            assert_ne!(classes.allocate(layout(48, 1), &mut source), first);
        }
    }

    #[test]
    fn blocks_do_not_overlap_and_keep_their_alignment() {
        let (mut classes, mut source) = (SizeClasses::new(), Leak(1024));
        let mut blocks: Vec<(usize, Layout)> = Vec::new();
        let mut seed = 7_usize;
        for round in 0..4000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let layout = layout(1 + (seed >> 40) % 700, 1 << ((seed >> 20) % 8));
            // SAFETY: blocks are freed once, with their layouts, and written only while they are held.
            unsafe {
                if round % 3 == 2 {
                    let (block, layout) = blocks.swap_remove((seed >> 33) % blocks.len());
                    classes.free(block as *mut u8, layout);
                } else {
                    let block = classes.allocate(layout, &mut source);
                    assert_eq!(block as usize % layout.align(), 0);
                    block.write_bytes(1, layout.size());
                    blocks.push((block as usize, layout));
                }
            }
        }
        blocks.sort_unstable_by_key(|(block, _)| *block);
        assert!(blocks.windows(2).all(|pair| pair[0].0 + pair[0].1.size() <= pair[1].0));
    }

    #[test]
    fn only_blocks_of_the_same_class_grow_in_place() {
        assert!(SizeClasses::fits(layout(33, 8), 48));
        assert!(!SizeClasses::fits(layout(33, 8), 49));
        assert!(!SizeClasses::fits(layout(33, 32), 34));
    }
}
