//! How much memory the process has in use, and how much it may have.

use std::fs;
use std::path::Path;

/// Bytes in use, as the kernel counts them (proc(5), `statm`).
#[must_use]
pub fn resident() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// What the process's control group may use (cgroups(7), version 2), where the kernel ends it otherwise.
#[must_use]
pub fn group_limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    limit_below(Path::new("/sys/fs/cgroup"), group)
}

/// The least of a group and those around it, which bound it too.
fn limit_below(mount: &Path, group: &str) -> Option<u64> {
    let limits =
        mount.join(group).ancestors().take_while(|path| path.starts_with(mount)).map(limit_of).collect::<Vec<_>>();
    limits.into_iter().flatten().min()
}

/// None if it is `max`, or in the root of all groups.
fn limit_of(group: &Path) -> Option<u64> {
    fs::read_to_string(group.join("memory.max")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_least_limit_around_a_group_holds() {
        let mount = std::env::temp_dir().join(format!("tollgate-groups-{}", std::process::id()));
        std::fs::create_dir_all(mount.join("a/b")).unwrap();
        for (group, limit) in [("a", "1048576"), ("a/b", "max")] {
            std::fs::write(mount.join(group).join("memory.max"), format!("{limit}\n")).unwrap();
        }
        let limits = ["", "a", "a/b", "none"].map(|group| super::limit_below(&mount, group));
        std::fs::remove_dir_all(&mount).unwrap();
        assert_eq!(limits, [None, Some(1 << 20), Some(1 << 20), None]);
    }

    #[test]
    fn what_is_touched_is_in_use() {
        // No difference: other tests give memory back meanwhile.
        let touched = vec![1u8; 256 << 20];
        let resident = super::resident().expect("Linux tells it");
        assert!(((256 << 20)..(8 << 30)).contains(&resident), "{resident} {}", touched[touched.len() / 2]);
    }
}
