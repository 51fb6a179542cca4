//! What processes have used, from `/proc`.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// One line of `/proc/PID/stat`, as far as it is used here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stat {
    pub(super) pid: u32,
    parent: u32,
    /// User and system time of all its threads, the ended ones included.
    own_ticks: u64,
    /// The same of its children that were waited for.
    children_ticks: u64,
    /// Tells a process from a later one of the same number.
    started: u64,
}

impl Stat {
    /// The process of that number, if there is one.
    pub(super) fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Whether it is still there, rather than a later one of its number.
    pub(super) fn is_alive(&self) -> bool {
        Self::of(self.pid).is_some_and(|now| now.started == self.started)
    }

    /// The name in parentheses may hold anything, so the fields are counted from the last parenthesis.
    fn parse(line: &str) -> Option<Self> {
        let pid = line.split(' ').next()?.parse().ok()?;
        let fields: Vec<&str> = line[line.rfind(')')? + 1..].split_whitespace().collect();
        let number = |proc_field: usize| fields.get(proc_field - 3)?.parse::<u64>().ok();
        Some(Self {
            pid,
            parent: number(4)? as u32,
            own_ticks: number(14)? + number(15)?,
            children_ticks: number(16)? + number(17)?,
            started: number(22)?,
        })
    }
}

/// A process and all below it, the root first.
pub(super) fn tree(root: u32) -> Vec<Stat> {
    let all = all_processes();
    let mut found: Vec<Stat> = all.iter().filter(|stat| stat.pid == root).copied().collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|stat| stat.pid) {
        found.extend(all.iter().filter(|stat| stat.parent == parent && stat.pid != parent));
        next += 1;
    }
    found
}

fn all_processes() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter_map(Stat::of).collect()
}

/// CPU time of a process and all below it.
pub(super) fn cpu(root: u32) -> Duration {
    ticks(tree(root).iter().map(|stat| stat.own_ticks).sum())
}

/// CPU time of the programs that this process started and has seen end.
pub(super) fn cpu_of_ended_children() -> Duration {
    Stat::of(std::process::id()).map_or(Duration::ZERO, |stat| ticks(stat.children_ticks))
}

/// CPU time of the whole machine, everything but idling.
pub(super) fn cpu_of_machine() -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let numbers: Vec<u64> =
        text.lines().next().unwrap_or_default().split_whitespace().skip(1).flat_map(str::parse).collect();
    // user, nice, system, (idle, iowait,) irq, softirq, steal
    ticks([0, 1, 2, 5, 6, 7].into_iter().filter_map(|at| numbers.get(at)).sum())
}

fn ticks(count: u64) -> Duration {
    static PER_SECOND: OnceLock<u64> = OnceLock::new();
    let per_second = *PER_SECOND.get_or_init(|| {
        let output = Command::new("getconf").arg("CLK_TCK").output().ok();
        let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
        // 100 on every architecture that Linux runs a gateway on.
        text.and_then(|text| text.trim().parse().ok()).filter(|number| *number > 0).unwrap_or(100)
    });
    Duration::from_micros(count * 1_000_000 / per_second)
}

/// Resident memory in KiB, summed over a process and all below it; pages that they share count once for each.
pub(super) fn resident_kib(root: u32) -> u64 {
    memory_kib(root, "VmRSS:")
}

/// The most that it ever was, in the same way.
pub(super) fn peak_kib(root: u32) -> u64 {
    memory_kib(root, "VmHWM:")
}

/// The part of it that no file backs.
pub(super) fn anonymous_kib(root: u32) -> u64 {
    memory_kib(root, "RssAnon:")
}

fn memory_kib(root: u32, field: &str) -> u64 {
    tree(root).iter().filter_map(|stat| status_field(&format!("/proc/{}/status", stat.pid), field)).sum()
}

/// How many files this process may have open: the limit now, and the one that it may be raised to.
pub(super) fn open_files_limits() -> Option<(u64, u64)> {
    open_files(&fs::read_to_string("/proc/self/limits").ok()?)
}

fn open_files(limits: &str) -> Option<(u64, u64)> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = line.split_whitespace();
    let mut number = || match words.next()? {
        "unlimited" => Some(u64::MAX),
        digits => digits.parse().ok(),
    };
    Some((number()?, number()?))
}

/// Open descriptors of one process.
pub(super) fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// How often the threads of one process have gone to sleep by themselves; each sleep ends in a wake-up.
pub(super) fn voluntary_switches(pid: u32) -> u64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    tasks
        .flatten()
        .filter_map(|task| status_field(task.path().join("status").to_str()?, "voluntary_ctxt_switches:"))
        .sum()
}

fn status_field(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194304 1 2 3 4 100 20 3 4 20 0 1 0 5555 1000 10";
        let expected = Stat { pid: 42, parent: 7, own_ticks: 120, children_ticks: 7, started: 5555 };
        assert_eq!(Stat::parse(line), Some(expected));
    }

    #[test]
    fn this_process_is_in_its_parents_tree() {
        let me = std::process::id();
        let parent = Stat::of(me).unwrap().parent;
        assert!(tree(parent).iter().any(|stat| stat.pid == me));
        assert!(Stat::of(me).unwrap().is_alive());
    }

    #[test]
    fn limits_are_read() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max open files            1024                 unlimited            files     \n";
        assert_eq!(open_files(text), Some((1024, u64::MAX)));
        assert!(open_files_limits().is_some());
    }

    #[test]
    fn this_process_uses_memory_and_descriptors() {
        let me = std::process::id();
        assert!(resident_kib(me) > 100);
        assert!((1..resident_kib(me)).contains(&anonymous_kib(me)));
        assert!(peak_kib(me) > 100);
        assert!(descriptors(me) >= 3);
    }
}
