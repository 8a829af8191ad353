//! A running guest, looked at from the host: its files, as its own processes see them, and what the
//! kernel says of it.
//!
//! Nothing of the guest is run, and none of its paths is resolved outside of its root.

use std::io;
use std::path::PathBuf;

use crate::container::Root;
use crate::installed::Package;
use crate::sys::IdMap;

/// Where a guest is looked at.
#[derive(Debug)]
pub(super) struct View<'a> {
    /// The pid of its PID 1 on the host.
    pub(super) leader: u32,
    /// Its root with everything that is mounted in it.
    pub(super) root: Root,
    /// Its ids.
    pub(super) ids: IdMap,
    /// Its packages.
    pub(super) packages: &'a [Package],
}

impl<'a> View<'a> {
    /// Opens the root of the guest's PID 1.
    pub(super) fn open(leader: u32, ids: IdMap, packages: &'a [Package]) -> io::Result<Self> {
        let path = PathBuf::from(format!("/proc/{leader}/root"));
        Ok(Self {
            leader,
            root: Root::open(&path)?,
            ids,
            packages,
        })
    }

    /// A file of the guest as text; nothing where it cannot be read.
    pub(super) fn text(&self, path: &str) -> String {
        self.root.read(path).unwrap_or_default()
    }

    /// A file of the kernel about the guest's PID 1.
    pub(super) fn kernel(&self, name: &str) -> String {
        let bytes = std::fs::read(format!("/proc/{}/{name}", self.leader));
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    }

    /// An id of the host as the guest has it; those outside of its map are nobody's.
    pub(super) fn id(&self, host: u32) -> u32 {
        match host.checked_sub(self.ids.base) {
            Some(id) if id < self.ids.count => id,
            _ => 65534,
        }
    }
}
