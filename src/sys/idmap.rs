//! Id-mapped mounts: the files of a tree, owned by a container's block of ids.

use std::fs;
use std::io::{self, Error};
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A block of ids: `count` ids from 0 inside are the ids from `base` outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdMap {
    /// The first id outside.
    pub base: u32,
    /// How many ids.
    pub count: u32,
}

impl IdMap {
    /// Every id as it is: no user namespace.
    pub const IDENTITY: Self = Self {
        base: 0,
        count: u32::MAX,
    };

    /// Whether ids are the same inside and outside.
    pub fn is_identity(self) -> bool {
        self == Self::IDENTITY
    }
}

/// A user namespace with this map for users and groups, held by the returned descriptor alone.
///
/// Errors: EPERM where user namespaces are forbidden, ENOSPC past their limit.
/// Source: `user_namespaces(7)`.
pub fn user_namespace(map: IdMap) -> io::Result<OwnedFd> {
    // SAFETY: the child makes only direct system calls (prctl, getppid, unshare, write, pause,
    // _exit), which is sound after fork in a threaded program; it shares no locks with us and never
    // returns.
    #[expect(unsafe_code)]
    let child = unsafe {
        let mut ready = [0; 2];
        if libc::pipe2(ready.as_mut_ptr(), libc::O_CLOEXEC) < 0 {
            return Err(Error::last_os_error());
        }
        let parent = libc::getpid();
        let child = libc::fork();
        if child == 0 {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            // A parent that died before that sends nothing any more.
            if libc::getppid() != parent || libc::unshare(libc::CLONE_NEWUSER) != 0 {
                libc::_exit(1);
            }
            libc::write(ready[1], c"1".as_ptr().cast(), 1);
            loop {
                libc::pause();
            }
        }
        let failed = Error::last_os_error();
        libc::close(ready[1]);
        let reader = OwnedFd::from_raw_fd(ready[0]);
        if child < 0 {
            return Err(failed);
        }
        let mut byte = [0u8; 1];
        let got = libc::read(reader.as_raw_fd(), byte.as_mut_ptr().cast(), 1);
        if got != 1 {
            libc::waitpid(child, std::ptr::null_mut(), 0);
            return Err(Error::from_raw_os_error(libc::EPERM));
        }
        child
    };
    let result = write_maps(child, map);
    // SAFETY: the process is our own child and not yet waited for, so its pid is still its own.
    #[expect(unsafe_code)]
    unsafe {
        libc::kill(child, libc::SIGKILL);
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
    result
}

fn write_maps(child: libc::pid_t, map: IdMap) -> io::Result<OwnedFd> {
    let line = format!("0 {} {}\n", map.base, map.count);
    fs::write(format!("/proc/{child}/uid_map"), &line)?;
    fs::write(format!("/proc/{child}/gid_map"), &line)?;
    Ok(fs::File::open(format!("/proc/{child}/ns/user"))?.into())
}

/// Puts the map of `namespace` on `mount`, a detached mount (from `fsmount` or
/// `open_tree(OPEN_TREE_CLONE)`).
///
/// Errors: EINVAL where the file system cannot be id-mapped. Source: `mount_setattr(2)`.
pub fn with_id_map(mount: OwnedFd, namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: namespace.as_raw_fd() as u64,
    };
    // SAFETY: the path is an empty C string, the attributes outlive the call and their size is
    // passed with them; the kernel writes to neither.
    #[expect(unsafe_code)]
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 {
        Ok(mount)
    } else {
        Err(Error::last_os_error())
    }
}
