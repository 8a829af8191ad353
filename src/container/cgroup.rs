//! A container's control group: what ends all its processes at once.
//!
//! The version 2 hierarchy is found wherever the host has it, or mounted detached, so that the
//! host's choice between hybrid and unified does not matter. Source: cgroup-v2.rst.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstatfs, mkdirat, openat, unlinkat};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsmount, fsopen, move_mount, open_tree,
};

/// The root of the version 2 hierarchy.
///
/// The host's own mount of it is taken where there is one: making another costs 8 ms.
pub fn hierarchy() -> io::Result<OwnedFd> {
    let open = |at: BorrowedFd<'_>, path: &str| {
        openat(
            at,
            path,
            OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )
    };
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    for path in mounts.lines().filter_map(mount_point) {
        if let Ok(found) = open(CWD, path)
            && fstatfs(&found).is_ok_and(|stat| stat.f_type == CGROUP2_MAGIC)
        {
            return Ok(found);
        }
    }
    let context = fsopen("cgroup2", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let mount = fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::empty(),
    )?;
    Ok(open(mount.as_fd(), ".")?)
}

/// `CGROUP2_SUPER_MAGIC`. Source: linux/magic.h.
const CGROUP2_MAGIC: rustix::fs::FsWord = 0x6367_7270;

/// The mount point in a line of mountinfo, if that is a whole version 2 hierarchy. Source:
/// `proc_pid_mountinfo(5)`.
fn mount_point(line: &str) -> Option<&str> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    (file_system.starts_with("cgroup2 ") && root == "/").then_some(point)
}

/// Mounts the hierarchy at `at`.
pub(super) fn mount(at: &Path) -> io::Result<()> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    let mount = open_tree(hierarchy()?, "", flags)?;
    Ok(move_mount(
        &mount,
        "",
        CWD,
        at,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )?)
}

/// The name of the control group of the container `id`: where it is `registered`, that of its scope.
pub fn name(id: &str, registered: bool) -> String {
    if registered {
        return super::machine::cgroup(id);
    }
    format!("racker-{id}")
}

/// One control group below the hierarchy's root.
#[derive(Debug)]
pub struct Cgroup {
    hierarchy: OwnedFd,
    name: String,
}

impl Cgroup {
    /// Creates the group `name`.
    pub fn create(name: &str) -> io::Result<Self> {
        let hierarchy = hierarchy()?;
        mkdirat(&hierarchy, name, Mode::from_raw_mode(0o755))?;
        Ok(Self {
            hierarchy,
            name: name.to_owned(),
        })
    }

    /// Creates a group in this one.
    pub(super) fn child(&self, name: &str) -> io::Result<Self> {
        let name = format!("{}/{name}", self.name);
        mkdirat(&self.hierarchy, &name, Mode::from_raw_mode(0o755))?;
        Ok(Self {
            hierarchy: self.hierarchy.try_clone()?,
            name,
        })
    }

    /// The group `name` below `hierarchy`, which may be gone.
    pub fn existing(hierarchy: OwnedFd, name: String) -> Self {
        Self { hierarchy, name }
    }

    /// The hierarchy's root.
    pub fn hierarchy(&self) -> BorrowedFd<'_> {
        self.hierarchy.as_fd()
    }

    /// `cgroup.procs`, open for writing.
    pub fn procs(&self) -> io::Result<OwnedFd> {
        self.file("cgroup.procs", OFlags::WRONLY)
    }

    /// `cgroup.kill`, open for writing: whatever is written kills every process of the group. When the
    /// group is gone it kills nobody, even if there is another one of its name.
    pub fn killer(&self) -> io::Result<File> {
        Ok(File::from(self.file("cgroup.kill", OFlags::WRONLY)?))
    }

    /// Writes to one of the group's files.
    pub fn write(&self, name: &str, value: &str) -> io::Result<()> {
        File::from(self.file(name, OFlags::WRONLY)?).write_all(value.as_bytes())
    }

    /// Reads one of the group's files.
    pub fn read(&self, name: &str) -> io::Result<String> {
        io::read_to_string(File::from(self.file(name, OFlags::RDONLY)?))
    }

    fn file(&self, name: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let path = format!("{}/{name}", self.name);
        Ok(openat(
            &self.hierarchy,
            path,
            flags | OFlags::CLOEXEC,
            Mode::empty(),
        )?)
    }

    /// Kills every process of the group and of those below it, and waits until they are gone.
    /// A group that no longer exists has none; that of a unit may go meanwhile.
    ///
    /// Errors: TimedOut where one outlives `patience`, as a process in an uninterruptible wait can.
    pub fn kill(&self, patience: Duration) -> io::Result<()> {
        match self.kill_existing(patience) {
            Err(error) if gone(&error) => Ok(()),
            other => other,
        }
    }

    fn kill_existing(&self, patience: Duration) -> io::Result<()> {
        let events = self.file("cgroup.events", OFlags::RDONLY)?;
        self.killer()?.write_all(b"1")?;
        let deadline = Instant::now() + patience;
        let mut events = File::from(events);
        loop {
            let mut text = String::new();
            io::Seek::rewind(&mut events)?;
            events.read_to_string(&mut text)?;
            if text.lines().any(|line| line == "populated 0") {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
            match poll(&mut [PollFd::new(&events, PollFlags::PRI)], Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Removes the group and those below it; there must be no process in them.
    pub fn remove(&self) -> io::Result<()> {
        match remove_below(self.hierarchy.as_fd(), &self.name) {
            Err(error) if gone(&error) => Ok(()),
            other => other,
        }
    }
}

fn gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV))
}

fn remove_below(parent: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    let directory = openat(
        parent,
        name,
        OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
    )?;
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let child = entry.file_name().to_string_lossy();
        if entry.file_type() == FileType::Directory && child != "." && child != ".." {
            remove_below(directory.as_fd(), &child)?;
        }
    }
    Ok(unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

#[cfg(test)]
mod tests {
    use super::mount_point;

    #[test]
    fn only_whole_hierarchies_of_version_2_count() {
        let line = |root: &str, kind: &str| {
            format!(
                "41 31 0:38 {root} /sys/fs/cgroup/unified rw,relatime shared:9 - {kind} {kind} rw"
            )
        };
        assert_eq!(
            mount_point(&line("/", "cgroup2")),
            Some("/sys/fs/cgroup/unified")
        );
        assert_eq!(mount_point(&line("/user.slice", "cgroup2")), None);
        assert_eq!(mount_point(&line("/", "cgroup")), None);
    }
}
