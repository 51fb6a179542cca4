//! What a program holds at one moment, and whether it holds more and more.

use super::procfs;

/// Memory that may come and go without being growth: an allocator gives back in pieces.
const SLACK_KIB: u64 = 2048;
/// Each of the eight clients at most that go on meanwhile may have a connection, and one to the upstream, at one moment
/// and not at the other.
const SLACK_DESCRIPTORS: usize = 16;

/// Of one process and all below it, but descriptors of the process alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Holdings {
    pub(super) resident_kib: u64,
    /// The part of it that no file backs: not the program's code.
    pub(super) anonymous_kib: u64,
    pub(super) descriptors: usize,
}

impl Holdings {
    /// What it holds now.
    pub(super) fn of(pid: u32) -> Self {
        Self {
            resident_kib: procfs::resident_kib(pid),
            anonymous_kib: procfs::anonymous_kib(pid),
            descriptors: procfs::descriptors(pid),
        }
    }

    /// The middle one of each figure; nothing of nothing.
    pub(super) fn median(samples: &[Self]) -> Option<Self> {
        let (mut resident, mut anonymous, mut descriptors) = (Vec::new(), Vec::new(), Vec::new());
        for sample in samples {
            resident.push(sample.resident_kib);
            anonymous.push(sample.anonymous_kib);
            descriptors.push(sample.descriptors);
        }
        resident.sort_unstable();
        anonymous.sort_unstable();
        descriptors.sort_unstable();
        let middle = samples.len() / 2;
        Some(Self {
            resident_kib: *resident.get(middle)?,
            anonymous_kib: *anonymous.get(middle)?,
            descriptors: *descriptors.get(middle)?,
        })
    }

    /// Whether `later` is no more than this: 5 % and a little slack are not growth.
    pub(super) fn is_kept_by(&self, later: &Self) -> bool {
        later.resident_kib <= self.resident_kib + self.resident_kib / 20 + SLACK_KIB
            && later.descriptors <= self.descriptors + SLACK_DESCRIPTORS
    }

    /// `63.9 MiB resident (41.0 MiB anonymous), 34 descriptors`
    pub(super) fn describe(&self) -> String {
        format!(
            "{:.1} MiB resident ({:.1} MiB anonymous), {} descriptors",
            mib(self.resident_kib),
            mib(self.anonymous_kib),
            self.descriptors
        )
    }
}

/// MiB of KiB.
pub(super) fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holdings(resident_kib: u64, descriptors: usize) -> Holdings {
        Holdings { resident_kib, anonymous_kib: resident_kib / 2, descriptors }
    }

    #[test]
    fn growth_is_memory_or_descriptors() {
        let before = holdings(60 * 1024, 30);
        assert!(before.is_kept_by(&holdings(64 * 1024, 46)));
        assert!(!before.is_kept_by(&holdings(70 * 1024, 30)));
        assert!(!before.is_kept_by(&holdings(60 * 1024, 47)));
    }

    #[test]
    fn one_high_moment_does_not_make_a_median() {
        let samples = [holdings(100, 5), holdings(900, 50), holdings(110, 6)];
        assert_eq!(Holdings::median(&samples), Some(Holdings { resident_kib: 110, anonymous_kib: 55, descriptors: 6 }));
        assert_eq!(Holdings::median(&[]), None);
    }
}
