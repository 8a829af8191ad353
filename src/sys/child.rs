//! What a child process does between fork and exec.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

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

/// Makes the child of `command` enter a network namespace before its program starts.
///
/// Source: `setns(2)`.
pub fn enter_network(command: &mut Command, namespace: Arc<OwnedFd>) {
    // SAFETY: the closure runs in the forked child; it makes a single setns(2) and allocates
    // nothing.
    #[expect(unsafe_code)]
    unsafe {
        command.pre_exec(move || {
            if libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) == 0 {
                Ok(())
            } else {
                Err(std::io::Error::last_os_error())
            }
        });
    }
}

/// Sends a signal to a process, real-time signals too. Source: `pidfd_send_signal(2)`.
pub fn signal(process: &OwnedFd, number: i32) -> std::io::Result<()> {
    // SAFETY: no pointer is passed but a null one, which stands for no details.
    #[expect(unsafe_code)]
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            number,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

/// Has this process go on when it sets a terminal whose foreground it is not in.
pub fn ignore_terminal_stops() {
    // SAFETY: no handler is set; the signal is ignored.
    #[expect(unsafe_code)]
    unsafe {
        libc::signal(libc::SIGTTOU, libc::SIG_IGN);
    }
}
