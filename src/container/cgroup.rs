//! A container's control group: what ends all its processes at once.
//!
//! The version 2 hierarchy is mounted detached, so that neither its place on the host nor the
//! host's choice between hybrid and unified matters. Source: cgroup-v2.rst.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, mkdirat, openat, unlinkat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

/// The root of the version 2 hierarchy, as a descriptor of a detached mount.
pub fn hierarchy() -> io::Result<OwnedFd> {
    let context = fsopen("cgroup2", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let mount = fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::empty(),
    )?;
    Ok(openat(
        &mount,
        ".",
        OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
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
    /// A group that no longer exists has none.
    ///
    /// Errors: TimedOut where one outlives `patience`, as a process in an uninterruptible wait can.
    pub fn kill(&self, patience: Duration) -> io::Result<()> {
        let events = match self.file("cgroup.events", OFlags::RDONLY) {
            Ok(events) => events,
            Err(error) if gone(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        File::from(self.file("cgroup.kill", OFlags::WRONLY)?).write_all(b"1")?;
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
