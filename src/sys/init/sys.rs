//! The system calls.

use std::ffi::{c_char, c_int, c_long, c_void};
use std::io::Error;
use std::sync::atomic::{AtomicI32, Ordering};

unsafe extern "C" {
    pub fn fork() -> c_int;
    pub fn setgroups(size: usize, list: *const u32) -> c_int;
    pub fn setresgid(r: u32, e: u32, s: u32) -> c_int;
    pub fn setresuid(r: u32, e: u32, s: u32) -> c_int;
    pub fn execve(path: *const c_char, argv: *const *const c_char, env: *const *const c_char) -> c_int;
    pub fn chdir(path: *const c_char) -> c_int;
    pub fn setsid() -> c_int;
    pub fn ioctl(fd: c_int, request: u64, ...) -> c_int;
    pub fn dup2(from: c_int, to: c_int) -> c_int;
    pub fn close(fd: c_int) -> c_int;
    pub fn pipe2(fds: *mut c_int, flags: c_int) -> c_int;
    pub fn read(fd: c_int, to: *mut c_void, length: usize) -> isize;
    pub fn write(fd: c_int, from: *const c_void, length: usize) -> isize;
    pub fn poll(fds: *mut PollFd, count: u64, timeout: c_int) -> c_int;
    pub fn accept4(fd: c_int, address: *mut c_void, length: *mut u32, flags: c_int) -> c_int;
    pub fn recvmsg(fd: c_int, message: *mut Message, flags: c_int) -> isize;
    pub fn send(fd: c_int, from: *const c_void, length: usize, flags: c_int) -> isize;
    pub fn syscall(number: c_long, ...) -> c_long;
    pub fn setrlimit(resource: c_int, limit: *const u64) -> c_int;
    fn prctl(option: c_int, ...) -> c_int;
    pub fn kill(pid: c_int, number: c_int) -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn signal(number: c_int, handler: usize) -> usize;
    fn _exit(code: c_int) -> !;
}

#[repr(C)]
pub struct PollFd {
    pub fd: c_int,
    pub events: i16,
    pub got: i16,
}

/// `struct msghdr`.
#[repr(C)]
pub struct Message {
    pub name: *mut c_void,
    pub name_length: u32,
    pub parts: *mut Part,
    pub part_count: usize,
    pub control: *mut c_void,
    pub control_length: usize,
    pub flags: c_int,
}

/// `struct iovec`.
#[repr(C)]
pub struct Part {
    pub base: *mut c_void,
    pub length: usize,
}

pub const POLLIN: i16 = 1;
pub const CLOEXEC: c_int = 0o2_000_000;
pub const TIOCSCTTY: u64 = 0x540e;
pub const MSG_CMSG_CLOEXEC: c_int = 0x4000_0000;
pub const MSG_NOSIGNAL: c_int = 0x4000;

const SIGHUP: c_int = 1;
const SIGPIPE: c_int = 13;
const SIGCHLD: c_int = 17;
/// HUP, INT, QUIT, USR1, USR2, TERM.
const FORWARDED: [c_int; 6] = [SIGHUP, 2, 3, 10, 12, 15];
const DEFAULT: usize = 0;
const NO_HANG: c_int = 1;

/// Pid of the main command, for the signal handler.
static MAIN: AtomicI32 = AtomicI32::new(0);
/// Where the handler of SIGCHLD writes.
static WAKE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn forward(number: c_int) {
    let pid = MAIN.load(Ordering::Relaxed);
    if pid > 0 {
        // SAFETY: kill(2) is async-signal-safe.
        unsafe { kill(pid, number) };
    }
}

extern "C" fn wake(_: c_int) {
    // SAFETY: write(2) is async-signal-safe; the byte is a static.
    unsafe { write(WAKE.load(Ordering::Relaxed), c"".as_ptr().cast(), 1) };
}

/// Passes signals to the main command.
pub fn forward_signals() {
    for number in FORWARDED {
        // SAFETY: the handler is async-signal-safe.
        unsafe { signal(number, forward as *const () as usize) };
    }
}

/// Has a byte written to `fd` when a child ends.
pub fn wake_on_child(fd: c_int) {
    WAKE.store(fd, Ordering::Relaxed);
    // SAFETY: the handler is async-signal-safe.
    unsafe { signal(SIGCHLD, wake as *const () as usize) };
}

/// Sets back, in a child, what signals do.
pub fn default_signals() {
    for number in FORWARDED.into_iter().chain([SIGPIPE, SIGCHLD]) {
        // SAFETY: no handler of ours is named.
        unsafe { signal(number, DEFAULT) };
    }
}

/// Names the main command.
pub fn set_main(pid: c_int) {
    MAIN.store(pid, Ordering::Relaxed);
}

/// A child that ended, and its exit code or 128 + n; `None` where there is none (yet).
pub fn wait(block: bool) -> Option<(c_int, c_int)> {
    loop {
        let mut status = 0;
        // SAFETY: the status is written to our stack.
        let pid = unsafe { waitpid(-1, &raw mut status, if block { 0 } else { NO_HANG }) };
        if pid > 0 {
            let signal = status & 0x7f;
            let code = if signal == 0 { (status >> 8) & 0xff } else { 128 + signal };
            return Some((pid, code));
        }
        if pid == 0 || Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            return None;
        }
    }
}

/// Leaves this process and all that it starts these capabilities at most, from the next program on.
/// Source: `capabilities(7)`, "Transformation of capabilities during execve()".
pub fn bound(set: u64) -> std::io::Result<()> {
    const CAPBSET_DROP: c_int = 24;
    const AMBIENT: c_int = 47;
    const AMBIENT_CLEAR_ALL: u64 = 4;
    const VERSION_3: u32 = 0x2008_0522;
    const CAPGET: c_long = if cfg!(target_arch = "x86_64") { 125 } else { 90 };
    for number in 0..64u64 {
        // SAFETY: no pointer is passed. A number that the kernel does not know is an error.
        if set & 1 << number == 0 && unsafe { prctl(CAPBSET_DROP, number, 0u64, 0u64, 0u64) } != 0 {
            let error = Error::last_os_error();
            if error.kind() == std::io::ErrorKind::InvalidInput {
                break;
            }
            return Err(error);
        }
    }
    // What can be inherited is not subject to the bounding set.
    let header = [VERSION_3, 0];
    let mut data = [0u32; 6];
    // SAFETY: header and data are of the size that this version has, and live to the end of the
    // calls. capset's number follows capget's.
    unsafe {
        prctl(AMBIENT, AMBIENT_CLEAR_ALL, 0u64, 0u64, 0u64);
        if syscall(CAPGET, header.as_ptr(), data.as_mut_ptr()) != 0 {
            return Err(Error::last_os_error());
        }
        data[2] &= set as u32;
        data[5] &= (set >> 32) as u32;
        if syscall(CAPGET + 1, header.as_ptr(), data.as_ptr()) != 0 {
            return Err(Error::last_os_error());
        }
    }
    Ok(())
}

/// Ends the process without running anything else of it.
pub fn exit(code: c_int) -> ! {
    // SAFETY: nothing has to be run at the end.
    unsafe { _exit(code) }
}

pub fn fail(code: c_int, text: &str) -> ! {
    eprintln!("racker: {text}");
    exit(code)
}
