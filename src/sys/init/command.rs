//! A command, and starting it.

use std::ffi::{CStr, CString, OsStr, c_char, c_int};
use std::io::{Error, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::sys;

/// A command and its surroundings.
pub struct Command {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub directory: CString,
    /// Capabilities that it can have at most.
    pub bounding: Option<u64>,
    /// Resource, soft and hard limit.
    pub limits: Vec<(c_int, u64, u64)>,
    pub argv: Vec<CString>,
    /// `NAME=VALUE`.
    pub env: Vec<CString>,
}

/// What its standard streams are.
#[derive(Clone, Copy)]
pub enum Streams {
    /// Those of this process.
    Own,
    /// These.
    Given { fds: [c_int; 3], terminal: bool },
}

/// Why it did not start: 127, 126 or 125, and a text.
pub type Failure = (c_int, String);

/// Group ids separated by commas; `-` for none.
pub fn groups(text: &str) -> Option<Vec<u32>> {
    text.split(',').filter(|it| *it != "-").map(|it| it.parse().ok()).collect()
}

/// Limits like `7=1024:2048,1=0:0`; `-` for none.
pub fn limits(text: &str) -> Option<Vec<(c_int, u64, u64)>> {
    let one = |text: &str| {
        let (resource, values) = text.split_once('=')?;
        let (soft, hard) = values.split_once(':')?;
        Some((resource.parse().ok()?, soft.parse().ok()?, hard.parse().ok()?))
    };
    text.split(',').filter(|it| *it != "-").map(one).collect()
}

impl Command {
    /// Starts it; its pid. Returns when the program runs.
    pub fn start(&self, streams: Streams) -> Result<c_int, Failure> {
        let mut pipe = [0; 2];
        // SAFETY: two descriptors are written to our stack.
        if unsafe { sys::pipe2(pipe.as_mut_ptr(), sys::CLOEXEC) } != 0 {
            return Err((125, format!("cannot make a pipe: {}", Error::last_os_error())));
        }
        // SAFETY: this process has one thread.
        let child = unsafe { sys::fork() };
        if child == 0 {
            let (code, text) = self.become_it(streams);
            let mut said = vec![u8::try_from(code).unwrap_or(125)];
            said.extend(text.as_bytes());
            // SAFETY: the bytes live to the end of the call.
            unsafe { sys::write(pipe[1], said.as_ptr().cast(), said.len()) };
            sys::exit(code);
        }
        let failed = Error::last_os_error();
        // SAFETY: the descriptor is ours and not used again.
        unsafe { sys::close(pipe[1]) };
        let mut said = Vec::new();
        loop {
            let mut part = [0u8; 512];
            // SAFETY: as many bytes as the array has are written to it.
            let length = unsafe { sys::read(pipe[0], part.as_mut_ptr().cast(), part.len()) };
            match usize::try_from(length) {
                Ok(0) => break,
                Ok(length) => said.extend(&part[..length]),
                Err(_) if Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        // SAFETY: as above.
        unsafe { sys::close(pipe[0]) };
        match said.split_first() {
            _ if child < 0 => Err((125, format!("cannot start a process: {failed}"))),
            None => Ok(child),
            Some((code, text)) => Err((c_int::from(*code), String::from_utf8_lossy(text).into_owned())),
        }
    }

    /// Turns this process into the command; returns only where that fails.
    fn become_it(&self, streams: Streams) -> Failure {
        sys::default_signals();
        let last = Error::last_os_error;
        // SAFETY: plain system calls with pointers that live to the end of the call.
        unsafe {
            if let Streams::Given { fds, terminal } = streams {
                // The descriptors are above 2, where those of this process are.
                for (to, from) in fds.into_iter().enumerate() {
                    if sys::dup2(from, to as c_int) < 0 {
                        return (125, format!("cannot set up the streams: {}", last()));
                    }
                }
                sys::setsid();
                if terminal && sys::ioctl(0, sys::TIOCSCTTY, 0) != 0 {
                    return (125, format!("cannot take the terminal: {}", last()));
                }
            }
            for (resource, soft, hard) in &self.limits {
                let limit = [*soft, *hard];
                if sys::setrlimit(*resource, limit.as_ptr()) != 0 {
                    return (125, format!("cannot set limit {resource}: {}", last()));
                }
            }
            if let Some(set) = self.bounding
                && let Err(error) = sys::bound(set)
            {
                return (125, format!("cannot drop capabilities: {error}"));
            }
            if sys::setgroups(self.groups.len(), self.groups.as_ptr()) != 0
                || sys::setresgid(self.gid, self.gid, self.gid) != 0
                || sys::setresuid(self.uid, self.uid, self.uid) != 0
            {
                return (125, format!("cannot become user {}:{}: {}", self.uid, self.gid, last()));
            }
            if sys::chdir(self.directory.as_ptr()) != 0 {
                let (error, directory) = (last(), self.directory.to_string_lossy());
                let code = match error.kind() {
                    ErrorKind::NotFound | ErrorKind::NotADirectory => 127,
                    _ => 126,
                };
                return (code, format!("chdir to {directory}: {error}"));
            }
        }
        self.execute()
    }

    /// Executes it: as given when it has a slash, else from `PATH`.
    fn execute(&self) -> Failure {
        let pointers = |list: &[CString]| -> Vec<*const c_char> {
            list.iter().map(|it| it.as_ptr()).chain([std::ptr::null()]).collect()
        };
        let (argv, env) = (pointers(&self.argv), pointers(&self.env));
        let Some(name) = self.argv.first().map(|it| it.as_bytes()) else {
            return (125, "no command".into());
        };
        let shown = String::from_utf8_lossy(name).into_owned();
        let search = self.variable("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin".into());
        let candidates: Vec<PathBuf> = if name.contains(&b'/') {
            vec![OsStr::from_bytes(name).into()]
        } else {
            let search = std::env::split_paths(&search);
            search.map(|directory| directory.join(OsStr::from_bytes(name))).collect()
        };
        let mut denied = None;
        for candidate in candidates {
            let Ok(path) = CString::new(candidate.as_os_str().as_bytes()) else { continue };
            // SAFETY: a path and two null-terminated lists of C strings, all alive.
            unsafe { sys::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
            let error = Error::last_os_error();
            match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {}
                _ => denied = Some(error),
            }
        }
        match denied {
            Some(error) => (126, format!("exec: {shown:?}: {error}")),
            None if name.contains(&b'/') => {
                (127, format!("exec: {shown:?}: no such file or directory"))
            }
            None => (127, format!("exec: {shown:?}: executable file not found in $PATH")),
        }
    }

    fn variable(&self, name: &str) -> Option<std::ffi::OsString> {
        let find = |line: &CStr| {
            let rest = line.to_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(OsStr::from_bytes(rest).to_owned())
        };
        self.env.iter().rev().find_map(|line| find(line))
    }
}
