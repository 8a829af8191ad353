//! The private mount namespace.

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
