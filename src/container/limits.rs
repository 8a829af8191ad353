//! How much of the machine a container may take.
//!
//! A controller is used in the version 2 hierarchy where that has it, else in the version 1
//! hierarchy that the host mounted for it, so that limits hold on hybrid hosts too. Sources:
//! cgroup-v2.rst; cgroup-v1/{memory,pids}.rst; scheduler/sched-bwc.rst.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, openat};
use serde::{Deserialize, Serialize};

use super::bus::Properties;
use super::cgroup::Cgroup;

/// Microseconds in which a share of the processors is counted.
const PERIOD: u64 = 100_000;

/// Limits; none where nothing is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory.
    #[serde(default)]
    pub memory: Option<u64>,
    /// Processors.
    #[serde(default)]
    pub cpus: Option<f64>,
    /// Processes and threads.
    #[serde(default)]
    pub pids: Option<u64>,
}

/// One file of a controller: its name in either version, and what is written.
struct Setting {
    controller: &'static str,
    unified: (&'static str, String),
    legacy: Vec<(&'static str, String)>,
}

impl Limits {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn settings(&self) -> Vec<Setting> {
        let mut all = Vec::new();
        if let Some(bytes) = self.memory {
            all.push(Setting {
                controller: "memory",
                unified: ("memory.max", bytes.to_string()),
                legacy: vec![("memory.limit_in_bytes", bytes.to_string())],
            });
        }
        if let Some(cpus) = self.cpus {
            let quota = (cpus * PERIOD as f64).round().max(1000.0) as u64;
            all.push(Setting {
                controller: "cpu",
                unified: ("cpu.max", format!("{quota} {PERIOD}")),
                legacy: vec![
                    ("cpu.cfs_period_us", PERIOD.to_string()),
                    ("cpu.cfs_quota_us", quota.to_string()),
                ],
            });
        }
        if let Some(count) = self.pids {
            all.push(Setting {
                controller: "pids",
                unified: ("pids.max", count.to_string()),
                legacy: vec![("pids.max", count.to_string())],
            });
        }
        all
    }

    /// The same as properties of a unit of systemd's. Source: `systemd.resource-control(5)`.
    pub(super) fn properties(&self) -> Properties {
        let cpus = self.cpus.map(|it| (it * 1e6).round().max(10_000.0) as u64);
        [
            ("MemoryMax", self.memory),
            ("CPUQuotaPerSecUSec", cpus),
            ("TasksMax", self.pids),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
        .collect()
    }

    /// The version 1 groups that are needed for `cgroup`, not made yet.
    ///
    /// Errors: NotFound where a controller is nowhere.
    pub(super) fn legacy_groups(&self, cgroup: &str) -> io::Result<Vec<PathBuf>> {
        let unified = super::cgroup::hierarchy()?;
        let mut all = Vec::new();
        for setting in self.settings() {
            if !has(&unified, setting.controller)? {
                let at = legacy_hierarchy(setting.controller)?.ok_or_else(|| {
                    io::Error::new(
                        io::ErrorKind::NotFound,
                        format!("no control group hierarchy has {}", setting.controller),
                    )
                })?;
                all.push(at.join(cgroup));
            }
        }
        all.dedup();
        Ok(all)
    }

    /// Makes sure that the host's systemd can limit its unit `cgroup` by what version 2 has.
    ///
    /// Errors: it keeps to version 1, which lacks the controller.
    pub(super) fn check_unit(&self, cgroup: &Cgroup) -> io::Result<()> {
        let unified = super::cgroup::hierarchy()?;
        for setting in self.settings() {
            if has(&unified, setting.controller)? && cgroup.read(setting.unified.0).is_err() {
                let reason = format!(
                    "the host's systemd has no controller {}",
                    setting.controller
                );
                return Err(io::Error::new(io::ErrorKind::NotFound, reason));
            }
        }
        Ok(())
    }

    /// Puts the limits on `cgroup` and on the version 1 groups, which are made; what a process has
    /// to write to in order to be in the latter.
    pub(super) fn set(&self, cgroup: &Cgroup, legacy: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
        let unified = super::cgroup::hierarchy()?;
        for group in legacy {
            match fs::create_dir(group) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        for setting in self.settings() {
            if has(&unified, setting.controller)? {
                enable(&unified, setting.controller)?;
                cgroup.write(setting.unified.0, &setting.unified.1)?;
                continue;
            }
            for (name, value) in &setting.legacy {
                let group = legacy.iter().find(|it| it.join(name).exists());
                let group = group.ok_or(io::ErrorKind::NotFound)?;
                fs::write(group.join(name), value)?;
            }
        }
        Ok(legacy.iter().map(|it| it.join("cgroup.procs")).collect())
    }
}

fn has(unified: &OwnedFd, controller: &str) -> io::Result<bool> {
    let file = openat(
        unified,
        "cgroup.controllers",
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let text = io::read_to_string(fs::File::from(file))?;
    Ok(text.split_whitespace().any(|it| it == controller))
}

/// Lets the groups below the root have the controller.
fn enable(unified: &OwnedFd, controller: &str) -> io::Result<()> {
    let file = openat(
        unified.as_fd(),
        "cgroup.subtree_control",
        OFlags::WRONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    io::Write::write_all(
        &mut fs::File::from(file),
        format!("+{controller}").as_bytes(),
    )
}

/// Where the host has the version 1 hierarchy of a controller.
pub fn legacy_hierarchy(controller: &str) -> io::Result<Option<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(mounts.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?;
        let mut fields = file_system.split(' ');
        let kind = fields.next()?;
        let options = fields.nth(1)?;
        let found = kind == "cgroup" && options.split(',').any(|it| it == controller);
        found.then(|| Path::new(point).to_owned())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_a_share_of_a_period() {
        let limits = Limits {
            cpus: Some(1.5),
            ..Limits::default()
        };
        let [setting] = &limits.settings()[..] else {
            panic!("one setting");
        };
        assert_eq!(setting.unified.1, "150000 100000");
        assert!(Limits::default().is_empty());
    }
}
