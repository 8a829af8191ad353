//! Reading the seccomp filters of a process.

use std::io::{self, Error};

/// Source: linux/ptrace.h.
const PTRACE_SECCOMP_GET_FILTER: libc::c_uint = 0x420c;

/// Most filters that are read.
const LIMIT: usize = 64;

/// The filters of the process `pid`, the one set first first, each as the bytes of its
/// instructions. The process is stopped for a moment.
///
/// Errors: EPERM or EINVAL where the kernel gives them to nobody. Source: `ptrace(2)`,
/// PTRACE_SECCOMP_GET_FILTER.
pub fn seccomp_filters(pid: u32) -> io::Result<Vec<Vec<u8>>> {
    let pid = pid as libc::pid_t;
    let null = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: the calls write nothing but the status on our stack. A process that is attached and
    // not detached is let go when this thread ends, so no path leaves it stopped for good.
    #[expect(unsafe_code)]
    unsafe {
        if libc::ptrace(libc::PTRACE_SEIZE, pid, null, null) != 0 {
            return Err(Error::last_os_error());
        }
        let stopped = if libc::ptrace(libc::PTRACE_INTERRUPT, pid, null, null) == 0 {
            let mut status = 0;
            libc::waitpid(pid, &raw mut status, libc::__WALL) == pid && libc::WIFSTOPPED(status)
        } else {
            false
        };
        let read = if stopped {
            all(pid)
        } else {
            Err(Error::last_os_error())
        };
        libc::ptrace(libc::PTRACE_DETACH, pid, null, null);
        read
    }
}

/// # Safety
///
/// The process must be stopped by the calling thread.
#[expect(unsafe_code)]
unsafe fn all(pid: libc::pid_t) -> io::Result<Vec<Vec<u8>>> {
    let mut filters = Vec::new();
    while filters.len() < LIMIT {
        let index = filters.len() as *mut libc::c_void;
        // SAFETY: with a null pointer the kernel writes nothing and says how many instructions
        // there are; the second call has room for exactly so many, and the filter of a process
        // never changes.
        let (count, written, words) = unsafe {
            let request = PTRACE_SECCOMP_GET_FILTER;
            let count = libc::ptrace(request, pid, index, std::ptr::null_mut::<libc::c_void>());
            let mut words = vec![0u64; usize::try_from(count).unwrap_or(0)];
            let written = if count > 0 {
                libc::ptrace(request, pid, index, words.as_mut_ptr())
            } else {
                0
            };
            (count, written, words)
        };
        match count {
            -1 if Error::last_os_error().raw_os_error() == Some(libc::ENOENT) => break,
            count if count <= 0 || written != count => return Err(Error::last_os_error()),
            _ => filters.push(words.iter().flat_map(|word| word.to_ne_bytes()).collect()),
        }
    }
    Ok(filters)
}
