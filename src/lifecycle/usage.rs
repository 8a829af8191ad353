//! What a container takes of the machine right now.
//!
//! The sum over its processes: that needs no controller, which a host may have in either version
//! of control groups, or not at all. Sources: `proc_pid_stat(5)`, `proc_pid_statm(5)`,
//! `proc_pid_io(5)`, cgroup-v2.rst.

use std::fs;
use std::os::fd::AsRawFd;

use super::Error;
use super::kept::Kept;
use super::state::State;
use crate::container::cgroup;

/// A sample.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Microseconds of the processors since its start.
    pub processor: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// Processes.
    pub processes: u64,
    /// Bytes received and sent over its network.
    pub network: (u64, u64),
    /// Bytes read from and written to disks.
    pub disk: (u64, u64),
}

/// The pids of a container's processes on the host, without racker's and nspawn's own.
pub fn pids(kept: &Kept) -> Result<Vec<u32>, Error> {
    let hierarchy = cgroup::hierarchy().map_err(Error::io("find the control groups"))?;
    // Beside `payload` is nspawn.
    let root = format!(
        "/proc/self/fd/{}/{}/payload",
        hierarchy.as_raw_fd(),
        kept.config.cgroup()
    );
    let mut all = Vec::new();
    for entry in walkdir::WalkDir::new(root).into_iter().flatten() {
        if entry.file_type().is_dir() {
            let text = fs::read_to_string(entry.path().join("cgroup.procs"));
            all.extend(
                text.unwrap_or_default()
                    .lines()
                    .filter_map(|it| it.parse::<u32>().ok()),
            );
        }
    }
    Ok(all)
}

/// Takes a sample.
pub fn sample(kept: &Kept, state: &State) -> Result<Usage, Error> {
    let mut usage = Usage::default();
    let page = rustix::param::page_size() as u64;
    for pid in pids(kept)? {
        usage.processes += 1;
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
        let statm = read("statm").unwrap_or_default();
        let field = |place: usize| -> u64 {
            let word = statm.split_whitespace().nth(place);
            word.and_then(|it| it.parse().ok()).unwrap_or(0)
        };
        usage.memory += field(1).saturating_sub(field(2)) * page;
        let io = read("io").unwrap_or_default();
        let counter = |name: &str| -> u64 {
            let line = io.lines().find_map(|it| it.strip_prefix(name));
            line.and_then(|it| it.trim().parse().ok()).unwrap_or(0)
        };
        usage.disk.0 += counter("read_bytes:");
        usage.disk.1 += counter("write_bytes:");
    }
    let stat = kept
        .cgroup()
        .and_then(|it| it.read("cpu.stat"))
        .unwrap_or_default();
    let time = stat.lines().find_map(|it| it.strip_prefix("usage_usec "));
    usage.processor = time.and_then(|it| it.parse().ok()).unwrap_or(0);
    let net = fs::read_to_string(format!("/proc/{}/net/dev", state.leader)).unwrap_or_default();
    for line in net.lines().skip(2) {
        let Some((name, counters)) = line.split_once(':') else {
            continue;
        };
        if name.trim() == "lo" {
            continue;
        }
        let counters: Vec<u64> = counters
            .split_whitespace()
            .filter_map(|it| it.parse().ok())
            .collect();
        usage.network.0 += counters.first().copied().unwrap_or(0);
        usage.network.1 += counters.get(8).copied().unwrap_or(0);
    }
    Ok(usage)
}
