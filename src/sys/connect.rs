//! Connecting to a container's socket as one of its own processes.

use std::ffi::CString;
use std::io::{self, Error};
use std::mem::{offset_of, size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Connects to the stream socket at `path` (as the caller sees it) from inside the user and pid
/// namespaces of the process `leader`, as their root.
///
/// PID 1 of a container looks at its peer's credentials as they were at connect(2), and refuses a
/// peer whose pid or user it cannot see; so the connecting process joins first. The descriptor is
/// shared with that process, not passed, and so stays with the caller.
///
/// Errors: those of setns(2) and connect(2); ECONNREFUSED while the socket does not listen yet.
pub fn connect_inside(leader: u32, path: &Path) -> io::Result<UnixStream> {
    let user = std::fs::File::open(format!("/proc/{leader}/ns/user"))?;
    let pid = std::fs::File::open(format!("/proc/{leader}/ns/pid"))?;
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: plain initialisation of a C struct for which all zeroes is a valid value.
    #[expect(unsafe_code)]
    let mut address: libc::sockaddr_un = unsafe { zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let bytes = path.as_bytes_with_nul();
    if bytes.len() > address.sun_path.len() {
        return Err(Error::from_raw_os_error(libc::ENAMETOOLONG));
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    let length = (offset_of!(libc::sockaddr_un, sun_path) + bytes.len()) as libc::socklen_t;
    let own = std::fs::File::open("/proc/self/ns/user")?;
    let same_user = same_namespace(&own, &user)?;

    // SAFETY: the children make only direct system calls and end with _exit, sound after fork in a
    // threaded program. All memory they read was made before the fork. The socket is created here
    // and connected there: both share one open file description.
    #[expect(unsafe_code)]
    unsafe {
        let socket = libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        if socket < 0 {
            return Err(Error::last_os_error());
        }
        let stream = UnixStream::from_raw_fd(socket);
        let child = libc::fork();
        if child == 0 {
            if !same_user && libc::setns(user.as_raw_fd(), libc::CLONE_NEWUSER) != 0
                || libc::setns(pid.as_raw_fd(), libc::CLONE_NEWPID) != 0
                || libc::syscall(libc::SYS_setresgid, 0, 0, 0) != 0
                || libc::syscall(libc::SYS_setresuid, 0, 0, 0) != 0
            {
                libc::_exit(*libc::__errno_location());
            }
            let inside = libc::fork();
            if inside == 0 {
                let result = libc::connect(socket, (&raw const address).cast(), length);
                libc::_exit(if result == 0 {
                    0
                } else {
                    *libc::__errno_location()
                });
            }
            libc::_exit(exit_code(inside));
        }
        if child < 0 {
            return Err(Error::last_os_error());
        }
        match exit_code(child) {
            0 => Ok(stream),
            errno => Err(Error::from_raw_os_error(errno)),
        }
    }
}

/// Waits for `child` and returns its exit code, or EPROTO where a signal ended it.
fn exit_code(child: libc::pid_t) -> i32 {
    let mut status = 0;
    loop {
        // SAFETY: `child` is a child of the calling process; the status is written to our stack.
        #[expect(unsafe_code)]
        let result = unsafe { libc::waitpid(child, &raw mut status, 0) };
        if result == child {
            break;
        }
        if result < 0 && Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return libc::ECHILD;
        }
    }
    if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        libc::EPROTO
    }
}

fn same_namespace(a: &std::fs::File, b: &std::fs::File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (a, b) = (a.metadata()?, b.metadata()?);
    Ok((a.dev(), a.ino()) == (b.dev(), b.ino()))
}

const _: () = assert!(size_of::<libc::sockaddr_un>() == 110);
