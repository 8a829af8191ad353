//! What a child process does between fork and exec.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Makes the child of `command` enter the cgroup whose `cgroup.procs` is open for writing as
/// `procs`, before its program starts: a program that reads its own cgroup never sees the
/// caller's.
///
/// Source: cgroup-v2.rst, "Processes": writing 0 moves the writing process itself.
pub fn enter_cgroup(command: &mut Command, procs: OwnedFd) {
    // SAFETY: the closure runs in the forked child; it makes a single write(2), which is
    // async-signal-safe, and allocates nothing.
    #[expect(unsafe_code)]
    unsafe {
        command.pre_exec(move || {
            let written = libc::write(procs.as_raw_fd(), c"0".as_ptr().cast(), 1);
            if written == 1 {
                Ok(())
            } else {
                Err(std::io::Error::last_os_error())
            }
        });
    }
}
