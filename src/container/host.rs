//! A command over the host's own files, as root of nobody: how a first root file system is made
//! by a tool of the host.
//!
//! It sees the host's programs, owns none of its files, has no network, and only the directories
//! bound for it can be written. util-linux's `nsenter` and `unshare` make the namespaces.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::CWD;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, UnmountFlags, move_mount, open_tree, unmount};
use rustix::process::{PidfdFlags, pidfd_open};

use super::launch::pid;
use super::nspawn::Bind;
use super::process::Exit;
use super::slot::Slot;
use super::snapshot::tmpfs;
use super::{Error, notify};
use crate::sys;

/// A slot with a directory in memory that belongs to its root.
#[derive(Debug)]
pub struct Workplace {
    slot: Slot,
    directory: PathBuf,
}

impl Workplace {
    /// Takes a slot and mounts a directory of at most `size` bytes, in a mount namespace of the
    /// calling thread's own.
    pub fn open(size: u64) -> Result<Self, Error> {
        let slot = Slot::acquire()?;
        sys::private_mounts().map_err(Error::io("make a private mount namespace"))?;
        let directory = slot.directory().to_owned();
        tmpfs(&directory, size).map_err(Error::io("mount a tmpfs"))?;
        Ok(Self { slot, directory })
    }

    /// Makes a directory in it, owned by the slot's root.
    pub fn make(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.directory.join(name);
        let owner = Some(self.slot.ids().base);
        fs::create_dir(&path)
            .and_then(|()| chown(&path, owner, owner))
            .map_err(Error::io(format!("create {}", path.display())))?;
        Ok(path)
    }

    /// Its slot.
    pub fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Runs a command and waits for its end, with output and errors into `log`; `None` when it
    /// took longer than `timeout`. All its processes are gone when this returns.
    pub fn run(
        &self,
        argv: &[std::ffi::OsString],
        env: &[(String, String)],
        binds: &[Bind],
        log: &File,
        timeout: Option<Duration>,
    ) -> Result<Option<Exit>, Error> {
        let namespace =
            sys::user_namespace(self.slot.ids()).map_err(Error::io("make a user namespace"))?;
        bind_all(binds).map_err(Error::io("mount what the command needs"))?;
        let mut command = Command::new("nsenter");
        command
            .arg(format!(
                "--user=/proc/{}/fd/{}",
                std::process::id(),
                namespace.as_raw_fd()
            ))
            .args([
                "unshare", "--mount", "--pid", "--fork", "--net", "--ipc", "--uts",
            ])
            .args(["--mount-proc", "--kill-child"])
            .args(argv)
            .env_clear()
            .envs(env.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(
                log.try_clone()
                    .map_err(Error::io("duplicate a descriptor"))?,
            )
            .stderr(
                log.try_clone()
                    .map_err(Error::io("duplicate a descriptor"))?,
            );
        let procs = self
            .slot
            .cgroup()
            .procs()
            .map_err(Error::io("open the cgroup"))?;
        sys::enter_cgroup(&mut command, procs);
        let mut child = command.spawn().map_err(Error::io("start nsenter"))?;
        let process = pid(child.id())
            .and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?))
            .map_err(Error::io("watch a process"))?;
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let mut fds = [PollFd::new(&process, PollFlags::IN)];
        let ended = notify::wait(&mut fds, deadline).map_err(Error::io("wait for a process"))?;
        self.slot.kill()?;
        // The directories that were bound are seen again at their own places.
        unmount("/run", UnmountFlags::DETACH).map_err(Error::io("unmount /run"))?;
        let status = child.wait().map_err(Error::io("wait for a process"))?;
        let code = u8::try_from(status.code().unwrap_or(137)).unwrap_or(255);
        Ok(ended.then_some(Exit(code)))
    }

    /// Ends it; nothing is left when this returns.
    pub fn release(self) -> Result<(), Error> {
        self.slot.release()
    }
}

/// Mounts the binds over the host's paths, in a `/run` of this mount namespace's own.
fn bind_all(binds: &[Bind]) -> io::Result<()> {
    let clone = |path: &Path| {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        open_tree(CWD, path, flags | OpenTreeFlags::AT_RECURSIVE)
    };
    // The sources may lie below `/run` themselves.
    let sources = binds
        .iter()
        .map(|bind| clone(&bind.source))
        .collect::<Result<Vec<_>, _>>()?;
    tmpfs(Path::new("/run"), 16 << 20)?;
    for (bind, source) in binds.iter().zip(&sources) {
        fs::create_dir_all(&bind.target)?;
        move_mount(
            source,
            "",
            CWD,
            &bind.target,
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
        )?;
    }
    Ok(())
}
