//! Files without a name: of one whose writer is killed nothing is left.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat};
use rustix::io::{Errno, Result};

/// A new file of `directory`'s file system, to be read and written; none where that knows no such
/// files. Source: `open(2)`, O_TMPFILE.
pub fn unnamed(directory: &Path, mode: u32) -> Result<Option<File>> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(directory, flags, Mode::from_raw_mode(mode)) {
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(None),
        result => Ok(Some(result?.into())),
    }
}

/// Gives an open file a name on its file system, which must be free.
pub fn link_open(file: &File, path: &Path) -> Result<()> {
    // By descriptor needs CAP_DAC_READ_SEARCH, by way of /proc needs /proc: open(2).
    match linkat(file, "", CWD, path, AtFlags::EMPTY_PATH) {
        Err(Errno::NOENT) => {
            let source = format!("/proc/self/fd/{}", file.as_raw_fd());
            linkat(CWD, source, CWD, path, AtFlags::SYMLINK_FOLLOW)
        }
        result => result,
    }
}
