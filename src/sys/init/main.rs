//! The process with pid 1 of a container that boots no init of its own.
//!
//! It is compiled on its own (see `build.rs`), linked statically, carried inside the racker binary
//! and bound into the container, whose image need not have a single library. It changes to the
//! user and directory asked for, starts the command, reaps orphans, and ends with the command's
//! exit code, or 128 + n when signal n ended it: what nspawn's own stub reports as 255.
//!
//! Usage: `init UID GID GROUPS DIRECTORY COMMAND [ARGUMENT...]`, GROUPS separated by commas or
//! `-`. Exit code 127: the command was not found; 126: it cannot be executed; 125: the rest.

use std::ffi::{CString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

unsafe extern "C" {
    fn fork() -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn setgroups(size: usize, list: *const u32) -> c_int;
    fn setresgid(r: u32, e: u32, s: u32) -> c_int;
    fn setresuid(r: u32, e: u32, s: u32) -> c_int;
    fn execv(path: *const c_char, argv: *const *const c_char) -> c_int;
    fn setpgid(pid: c_int, group: c_int) -> c_int;
    fn tcsetpgrp(fd: c_int, group: c_int) -> c_int;
    fn isatty(fd: c_int) -> c_int;
    fn signal(number: c_int, handler: usize) -> usize;
    fn kill(pid: c_int, number: c_int) -> c_int;
    fn _exit(code: c_int) -> !;
}

const SIGHUP: c_int = 1;
const SIGINT: c_int = 2;
const SIGQUIT: c_int = 3;
const SIGPIPE: c_int = 13;
const SIGTERM: c_int = 15;
const SIGTTOU: c_int = 22;
const SIGNALS_FORWARDED: [c_int; 6] = [SIGHUP, SIGINT, SIGQUIT, 10, 12, SIGTERM];
const DEFAULT: usize = 0;
const IGNORE: usize = 1;

/// Pid of the command, for the signal handler.
static COMMAND: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(0);

extern "C" fn forward(number: c_int) {
    let pid = COMMAND.load(std::sync::atomic::Ordering::Relaxed);
    if pid > 0 {
        // SAFETY: kill(2) is async-signal-safe.
        unsafe { kill(pid, number) };
    }
}

fn fail(code: c_int, text: &str) -> ! {
    eprintln!("racker: {text}");
    // SAFETY: ends the process without running anything else of it.
    unsafe { _exit(code) }
}

fn number(text: &str) -> u32 {
    text.parse().unwrap_or_else(|_| fail(125, &format!("init: bad id {text:?}")))
}

fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if arguments.len() < 5 {
        fail(125, "init: usage: UID GID GROUPS DIRECTORY COMMAND [ARGUMENT...]");
    }
    let text = |index: usize| arguments[index].to_string_lossy().into_owned();
    let (uid, gid) = (number(&text(0)), number(&text(1)));
    let groups: Vec<u32> = text(2).split(',').filter(|g| *g != "-").map(number).collect();
    let directory = arguments[3].clone();
    let command: Vec<CString> = arguments[4..]
        .iter()
        .map(|a| CString::new(a.as_bytes()).unwrap_or_default())
        .collect();

    // SAFETY: this process has one thread; every pointer handed over lives to the end of the call;
    // the handler is async-signal-safe.
    let child = unsafe {
        for number in SIGNALS_FORWARDED {
            signal(number, forward as *const () as usize);
        }
        let child = fork();
        if child == 0 {
            for number in SIGNALS_FORWARDED {
                signal(number, DEFAULT);
            }
            signal(SIGPIPE, DEFAULT);
            if isatty(0) == 1 {
                signal(SIGTTOU, IGNORE);
                setpgid(0, 0);
                tcsetpgrp(0, std::process::id() as c_int);
                signal(SIGTTOU, DEFAULT);
            }
            if setgroups(groups.len(), groups.as_ptr()) != 0
                || setresgid(gid, gid, gid) != 0
                || setresuid(uid, uid, uid) != 0
            {
                fail(125, &format!("cannot become user {uid}:{gid}: {}", last()));
            }
            if let Err(error) = std::env::set_current_dir(&directory) {
                fail(126, &format!("chdir to {}: {error}", directory.to_string_lossy()));
            }
            execute(&command);
        }
        child
    };
    if child < 0 {
        fail(125, &format!("cannot start a process: {}", last()));
    }
    COMMAND.store(child, std::sync::atomic::Ordering::Relaxed);
    loop {
        let mut status = 0;
        // SAFETY: the status is written to our stack.
        let pid = unsafe { waitpid(-1, &raw mut status, 0) };
        if pid == child {
            let signal = status & 0x7f;
            let code = if signal == 0 { (status >> 8) & 0xff } else { 128 + signal };
            // SAFETY: see `fail`.
            unsafe { _exit(code) }
        }
        if pid < 0 && last().kind() != std::io::ErrorKind::Interrupted {
            fail(125, &format!("lost the command: {}", last()));
        }
    }
}

fn last() -> std::io::Error {
    std::io::Error::last_os_error()
}

/// Replaces this process by the command: as given when it has a slash, else from `$PATH`.
fn execute(command: &[CString]) -> ! {
    let mut pointers: Vec<*const c_char> = command.iter().map(|a| a.as_ptr()).collect();
    pointers.push(std::ptr::null());
    let name = std::ffi::OsStr::from_bytes(command[0].as_bytes());
    let search = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let candidates: Vec<_> = if name.as_bytes().contains(&b'/') {
        vec![Path::new(name).to_path_buf()]
    } else {
        std::env::split_paths(&search).map(|directory| directory.join(name)).collect()
    };
    let mut denied = None;
    for candidate in candidates {
        let Ok(path) = CString::new(candidate.as_os_str().as_bytes()) else { continue };
        // SAFETY: a path and a null-terminated list of C strings, all alive.
        unsafe { execv(path.as_ptr(), pointers.as_ptr()) };
        let error = last();
        match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {}
            _ => denied = Some(error),
        }
    }
    match denied {
        Some(error) => fail(126, &format!("exec: {name:?}: {error}")),
        None if name.as_bytes().contains(&b'/') => {
            fail(127, &format!("exec: {name:?}: no such file or directory"))
        }
        None => fail(127, &format!("exec: {name:?}: executable file not found in $PATH")),
    }
}
