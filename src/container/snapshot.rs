//! An ephemeral, writable copy of a tree.

use std::fs;
use std::path::{Path, PathBuf};

use racker_store::{StageDir, Store, TreeId};
use rustix::fs::CWD;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, move_mount, unmount,
};

use super::slot::{Slot, Wish};
use super::{Error, Method, Root, cgroup, mount};
use crate::sys;

/// Where a snapshot's changes are kept while it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upper {
    /// On the store's disk, never synced.
    Disk,
    /// In memory, at most this many bytes.
    Memory(u64),
}

/// A mounted tree with an empty upper, and the slot that holds it.
#[derive(Debug)]
pub struct Snapshot {
    slot: Slot,
    root: PathBuf,
    writable: PathBuf,
    /// Held so that nobody takes the upper for a leftover.
    _stage: Option<StageDir>,
}

impl Snapshot {
    /// Mounts a snapshot of `tree` in a mount namespace of the calling thread's own. The mounts
    /// end with the thread and the processes it started.
    pub fn open(store: &Store, tree: TreeId, method: Method, upper: Upper) -> Result<Self, Error> {
        Self::open_as(store, tree, method, upper, Wish::default())
    }

    /// The same in a place as wished.
    pub fn open_as(
        store: &Store,
        tree: TreeId,
        method: Method,
        upper: Upper,
        wish: Wish,
    ) -> Result<Self, Error> {
        let kept = wish.writable.clone();
        let mut slot = Slot::acquire_as(wish)?;
        let stage = match upper {
            Upper::Disk if kept.is_some() => None,
            Upper::Disk => {
                // What racker and its guard, killed together, left here; its containers are gone.
                store.sweep_stage()?;
                let stage = store.stage()?;
                slot.also_remove(stage.path())?;
                Some(stage)
            }
            Upper::Memory(_) => None,
        };
        let disk = stage.as_ref().map(|stage| stage.path().to_owned());
        sys::private_mounts().map_err(Error::io("make a private mount namespace"))?;
        let directory = slot.directory().to_owned();
        let size = match upper {
            Upper::Memory(size) => size,
            Upper::Disk => 64 << 20,
        };
        tmpfs(&directory, size).map_err(Error::io("mount a tmpfs"))?;
        nspawn_directories().map_err(Error::io("mount what systemd-nspawn needs"))?;
        let writable = disk.or(kept).unwrap_or_else(|| directory.join("writable"));
        let layout = mount::Layout {
            directory: &directory,
            writable: &writable,
            volatile: upper == Upper::Disk,
            ids: slot.ids(),
        };
        let root = mount::tree(store, tree, method, &layout)?;
        Ok(Self {
            slot,
            root,
            writable,
            _stage: stage,
        })
    }

    /// Its place on the host.
    pub fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Has a directory stay that was to end with it.
    pub fn keep(&mut self, directory: &Path) -> Result<(), Error> {
        self.slot.keep(directory)
    }

    /// Where the root is mounted; seen by the calling thread and its children alone.
    pub fn root_path(&self) -> &Path {
        &self.root
    }

    /// The root, for reading files of the guest.
    pub fn root(&self) -> Result<Root, Error> {
        Root::open(&self.root).map_err(Error::io(format!("open {}", self.root.display())))
    }

    /// The directory of the changes.
    pub fn upper(&self) -> PathBuf {
        self.writable.join("upper")
    }

    /// A place beside the upper for what is shared with the guest, and like it in memory or on
    /// the disk; not made yet.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.writable.join(name)
    }

    /// Shows a directory of the host under this name beside the root, its files owned as the
    /// guest is to see them: root's are the guest's root's. Returns where.
    pub fn show(&self, source: &Path, name: &str) -> Result<PathBuf, Error> {
        let at = self.slot.directory().join(name);
        mount::show(source, at, self.slot.ids())
            .map_err(Error::io(format!("mount {}", source.display())))
    }

    /// Unmounts the root, so that the upper is complete; nothing may run in it any more.
    pub fn unmount(&self) -> Result<(), Error> {
        unmount(&self.root, UnmountFlags::empty())
            .map_err(Error::io(format!("unmount {}", self.root.display())))
    }

    /// Ends it; nothing is left when this returns.
    pub fn release(self) -> Result<(), Error> {
        self.slot.release()
    }
}

/// Does `work` on a thread of its own, because a namespace is a thread's.
pub fn on_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

pub(super) fn tmpfs(at: &Path, size: u64) -> std::io::Result<()> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "size", size.to_string())?;
    fsconfig_set_string(&context, "mode", "0755")?;
    fsconfig_create(&context)?;
    let mount = fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::empty(),
    )?;
    Ok(move_mount(
        &mount,
        "",
        CWD,
        at,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )?)
}

/// A tmpfs where nspawn removes directories (it refuses to on a disk), and the unified hierarchy
/// where it looks for cgroups, whatever the host has there.
fn nspawn_directories() -> std::io::Result<()> {
    let own = Path::new("/run/systemd/nspawn");
    fs::create_dir_all(own)?;
    tmpfs(own, 1 << 20)?;
    cgroup::mount(Path::new("/sys/fs/cgroup"))
}
