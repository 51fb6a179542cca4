//! Which pages of a mapping this process has written to: asked of the kernel (PAGEMAP_SCAN, Linux 6.7), which knows it anyway.

use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;

thread_local! {
    /// Of its own for each thread, as the kernel counts the users of a descriptor that threads share.
    static PAGEMAP: Option<File> = File::open("/proc/self/pagemap").ok();
}

/// The smallest page that there is.
pub(super) const PAGE: usize = 4096;

/// How many stretches are asked for at once.
const STRETCHES: usize = 32;

/// Calls `each` with the stretches of `memory` in which every page was written to since it was mapped. Nothing if the kernel
/// cannot tell.
///
/// What is neither present nor swapped out was never touched; what is the zero page or still the file's was only read.
pub(super) fn written(memory: &[u8], mut each: impl FnMut(Range<usize>)) -> Option<()> {
    let base = memory.as_ptr() as usize;
    let end = base + memory.len();
    let mut from = base;
    while from < end {
        let mut stretches = [Stretch::default(); STRETCHES];
        let scan = Scan::new(from, end, &mut stretches);
        let (count, reached) = scan.run()?;
        for stretch in &stretches[..count] {
            let (start, stop) = (stretch.start as usize, stretch.end as usize);
            each(start.clamp(base, end) - base..stop.clamp(base, end) - base);
        }
        if reached <= from {
            return None;
        }
        from = reached;
    }
    Some(())
}

/// `struct page_region` of linux/fs.h.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Stretch {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg` of linux/fs.h.
#[repr(C)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    stretches: u64,
    stretches_length: u64,
    max_pages: u64,
    inverted: u64,
    all_of: u64,
    any_of: u64,
    returned: u64,
}

const FILE: u64 = 1 << 2;
const PRESENT: u64 = 1 << 3;
const SWAPPED: u64 = 1 << 4;
const ZERO: u64 = 1 << 5;

/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: libc::c_ulong = 0xc060_6610;

impl Scan {
    fn new(start: usize, end: usize, stretches: &mut [Stretch; STRETCHES]) -> Self {
        Self {
            size: size_of::<Self>() as u64,
            flags: 0,
            start: start as u64,
            end: end as u64,
            walk_end: 0,
            stretches: stretches.as_mut_ptr() as u64,
            stretches_length: STRETCHES as u64,
            max_pages: 0,
            inverted: FILE | ZERO,
            all_of: FILE | ZERO,
            any_of: PRESENT | SWAPPED,
            returned: 0,
        }
    }

    /// How many stretches were found, and up to where.
    fn run(mut self) -> Option<(usize, usize)> {
        let found = PAGEMAP.with(|pagemap| {
            let file = pagemap.as_ref()?;
            // SAFETY: the kernel reads this structure, writes `walk_end`, and writes to the array that `new` was given, which
            // its caller still holds.
            #[allow(unsafe_code, reason = "a call that no safe wrapper knows")]
            let found = unsafe { libc::ioctl(file.as_raw_fd(), PAGEMAP_SCAN, &raw mut self) };
            usize::try_from(found).ok()
        })?;
        Some((found.min(STRETCHES), self.walk_end as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fresh memory that nobody has touched, aligned to pages.
    fn mapping(pages: usize) -> &'static mut [u8] {
        // SAFETY: an anonymous mapping of its own, which is never unmapped.
        #[allow(unsafe_code, reason = "a mapping")]
        unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let at = libc::mmap(std::ptr::null_mut(), pages * PAGE, protection, flags, -1, 0);
            assert_ne!(at, libc::MAP_FAILED);
            // Huge pages would make one of many.
            libc::madvise(at, pages * PAGE, libc::MADV_NOHUGEPAGE);
            std::slice::from_raw_parts_mut(at.cast(), pages * PAGE)
        }
    }

    fn pages(memory: &[u8]) -> Option<Vec<usize>> {
        let mut pages = Vec::new();
        written(memory, |range| pages.extend(range.step_by(PAGE).map(|at| at / PAGE)))?;
        Some(pages)
    }

    #[test]
    fn what_was_written_is_found_and_what_was_read_is_not() {
        let memory = mapping(100);
        let Some(none) = pages(memory) else { return };
        assert_eq!(none, [0; 0]);
        assert_eq!(std::hint::black_box(&*memory).iter().map(|byte| usize::from(*byte)).sum::<usize>(), 0);
        let odd: Vec<_> = (0..100).filter(|page| page % 2 == 1).collect();
        odd.iter().for_each(|page| memory[page * PAGE + 7] = 1);
        assert_eq!(pages(memory), Some(odd), "more stretches than are asked for at once");
    }
}
