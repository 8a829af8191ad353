//! The private mount namespace, and whose network this is.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::UnshareFlags;

/// Gives the calling thread, and the processes it starts, a mount namespace of their own that
/// sees the host's later mounts but shows it none. It ends with its last member, and every mount
/// in it with it.
///
/// Errors: EPERM without `CAP_SYS_ADMIN`. Source: `mount_namespaces(7)`.
pub fn private_mounts() -> std::io::Result<()> {
    // SAFETY: CLONE_NEWNS detaches this thread's root, cwd and mounts from the other threads',
    // which is the purpose; file descriptors and memory stay shared, so no safe code is broken.
    #[expect(unsafe_code)]
    unsafe {
        rustix::thread::unshare_unsafe(UnshareFlags::NEWNS)?;
    }
    mount_change(
        "/",
        MountPropagationFlags::REC | MountPropagationFlags::DOWNSTREAM,
    )?;
    Ok(())
}

/// `_IO(0xb7, 0x1)`. Source: linux/nsfs.h.
const NS_GET_USERNS: libc::Ioctl = 0xb701;

/// Whether the network namespace of the calling thread was made in its own user namespace, or in one
/// below: its capabilities count there. Source: `ioctl_ns(2)`.
pub fn network_is_own() -> bool {
    let Ok(network) = File::open("/proc/thread-self/ns/net") else {
        return false;
    };
    // SAFETY: the call takes no argument and gives a new descriptor, which nobody else has.
    #[expect(unsafe_code)]
    unsafe {
        let owner = libc::ioctl(network.as_raw_fd(), NS_GET_USERNS);
        if owner < 0 {
            return false;
        }
        drop(OwnedFd::from_raw_fd(owner));
    }
    true
}
