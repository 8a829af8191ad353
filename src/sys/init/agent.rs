//! Commands on behalf of the host.
//!
//! Standard input is a listening socket that only the host's root can reach. Each connection asks
//! for one command: `KIND LENGTH` as one byte and four of little endian, then LENGTH bytes, with the
//! command's three streams beside the first byte.
//!
//! | kind | bytes | |
//! |---|---|---|
//! | `m`, `M` | command | the main one, with which the container ends; `M`: the streams are a terminal |
//! | `x`, `X` | command | another one |
//! | `k` | a number | signals the main command |
//! | `s` | programs | seccomp filters for everything from here on, of LENGTH and bytes each |
//!
//! A command is `UID GID GROUPS DIRECTORY CAPABILITIES LIMITS COUNT`, COUNT arguments, and the
//! environment, each ended by a zero byte. CAPABILITIES is the bounding set as a number, LIMITS is
//! like `7=1024:2048,1=0:0`; `-` stands for none of either. Answers are lines: `ready` to a new connection, then `started`, or `failed CODE
//! TEXT`, and `exit CODE`. Every byte that comes after a command is the number of a signal for it.

use std::ffi::{CString, c_int, c_void};
use std::io::Error;

use crate::command::{Command, Streams, groups, limits};
use crate::{filter, sys};

/// Most bytes of a request.
const LIMIT: usize = 8 << 20;

struct Connection {
    fd: c_int,
    /// The command's pid once it was started.
    pid: c_int,
    received: Vec<u8>,
    passed: Vec<c_int>,
}

/// Serves until the main command ends.
pub fn serve() -> ! {
    let mut wake = [0; 2];
    // SAFETY: two descriptors are written to our stack.
    if unsafe { sys::pipe2(wake.as_mut_ptr(), sys::CLOEXEC | 0o4000) } != 0 {
        sys::fail(125, "init: cannot make a pipe");
    }
    sys::forward_signals();
    sys::wake_on_child(wake[1]);
    let mut main = 0;
    let mut all: Vec<Connection> = Vec::new();
    loop {
        let fds = [0, wake[0]].into_iter().chain(all.iter().map(|it| it.fd));
        let mut polled: Vec<_> =
            fds.map(|fd| sys::PollFd { fd, events: sys::POLLIN, got: 0 }).collect();
        // SAFETY: the list lives to the end of the call and its length is passed with it.
        let count = unsafe { sys::poll(polled.as_mut_ptr(), polled.len() as u64, -1) };
        if count < 0 {
            continue;
        }
        let mut bytes = [0u8; 64];
        // SAFETY: as many bytes as the array has; the pipe does not block.
        unsafe { sys::read(wake[0], bytes.as_mut_ptr().cast(), bytes.len()) };
        // What was asked for before the end of a command is heard first.
        let known = all.len();
        let mut gone = Vec::new();
        for place in 0..known {
            if polled[place + 2].got != 0 && !all[place].hear(&mut main) {
                gone.push(place);
            }
        }
        while let Some((pid, code)) = sys::wait(false) {
            for connection in all.iter_mut().filter(|it| it.pid == pid) {
                connection.say(&format!("exit {code}\n"));
                connection.pid = 0;
            }
            if pid == main {
                sys::exit(code);
            }
        }
        for place in gone.into_iter().rev() {
            all.remove(place).close();
        }
        if polled[0].got != 0 {
            // SAFETY: no address is asked for.
            let fd = unsafe {
                sys::accept4(0, std::ptr::null_mut(), std::ptr::null_mut(), sys::CLOEXEC)
            };
            if fd >= 0 {
                let connection = Connection { fd, pid: 0, received: Vec::new(), passed: Vec::new() };
                connection.say("ready\n");
                all.push(connection);
            }
        }
    }
}

impl Connection {
    fn say(&self, text: &str) {
        // SAFETY: the bytes live to the end of the call.
        unsafe { sys::send(self.fd, text.as_ptr().cast(), text.len(), sys::MSG_NOSIGNAL) };
    }

    fn close(self) {
        for fd in self.passed.into_iter().chain([self.fd]) {
            // SAFETY: the descriptor is ours and not used again.
            unsafe { sys::close(fd) };
        }
    }

    /// Takes what came; false where the other side is gone.
    fn hear(&mut self, main: &mut c_int) -> bool {
        if !self.receive() {
            return false;
        }
        loop {
            if self.pid != 0 {
                for number in std::mem::take(&mut self.received) {
                    // SAFETY: the process is a child that was not waited for.
                    unsafe { sys::kill(self.pid, c_int::from(number)) };
                }
                return true;
            }
            let Some((kind, rest)) = self.received.split_first() else { return true };
            let kind = *kind;
            let Some((length, rest)) = rest.split_first_chunk::<4>() else { return true };
            let length = u32::from_le_bytes(*length) as usize;
            if length > LIMIT {
                return false;
            }
            let Some(body) = rest.get(..length).map(<[u8]>::to_vec) else { return true };
            self.received.drain(..5 + length);
            match kind {
                b's' => {
                    if let Err(error) = filter::set(&body) {
                        sys::fail(125, &format!("init: cannot set the system call filter: {error}"));
                    }
                }
                b'k' => {
                    if *main > 0 {
                        // SAFETY: the process is a child that was not waited for.
                        unsafe { sys::kill(*main, c_int::from(body.first().copied().unwrap_or(0))) };
                    }
                }
                b'm' | b'M' | b'x' | b'X' => {
                    self.start(&body, kind.is_ascii_uppercase());
                    if kind.eq_ignore_ascii_case(&b'm') {
                        *main = self.pid;
                        sys::set_main(self.pid);
                    }
                }
                _ => return false,
            }
        }
    }

    fn receive(&mut self) -> bool {
        let mut bytes = vec![0u8; 64 << 10];
        // `struct cmsghdr`: its length, level and type, 16 bytes; then the descriptors.
        let mut control = [0u64; 8];
        let mut part = sys::Part { base: bytes.as_mut_ptr().cast::<c_void>(), length: bytes.len() };
        let mut message = sys::Message {
            name: std::ptr::null_mut(),
            name_length: 0,
            parts: &raw mut part,
            part_count: 1,
            control: control.as_mut_ptr().cast(),
            control_length: size_of_val(&control),
            flags: 0,
        };
        // SAFETY: every pointer leads to memory of the length that goes with it.
        let length = unsafe { sys::recvmsg(self.fd, &raw mut message, sys::MSG_CMSG_CLOEXEC) };
        let Ok(length) = usize::try_from(length) else {
            return Error::last_os_error().kind() == std::io::ErrorKind::Interrupted;
        };
        let head = size_of::<usize>() + 8;
        let said = usize::try_from(control[0]).unwrap_or(0);
        if message.control_length >= head && said > head {
            let bytes: Vec<u8> = control.iter().flat_map(|word| word.to_ne_bytes()).collect();
            let end = said.min(bytes.len());
            self.passed.extend(
                bytes[head..end].chunks_exact(4).map(|it| i32::from_ne_bytes(it.try_into().unwrap())),
            );
        }
        self.received.extend(&bytes[..length]);
        length > 0
    }

    fn start(&mut self, body: &[u8], terminal: bool) {
        let fds: Vec<c_int> = std::mem::take(&mut self.passed);
        let result = match (parse(body), <[c_int; 3]>::try_from(fds.as_slice())) {
            (Some(command), Ok(fds)) => command.start(Streams::Given { fds, terminal }),
            _ => Err((125, "a bad request".into())),
        };
        for fd in fds {
            // SAFETY: the descriptor is ours and not used again.
            unsafe { sys::close(fd) };
        }
        match result {
            Ok(pid) => {
                self.pid = pid;
                self.say("started\n");
            }
            Err((code, text)) => self.say(&format!("failed {code} {}\n", text.replace('\n', " "))),
        }
    }
}

fn parse(body: &[u8]) -> Option<Command> {
    let mut words = body.strip_suffix(b"\0")?.split(|byte| *byte == 0);
    let mut text = || std::str::from_utf8(words.next()?).ok();
    let (uid, gid) = (text()?.parse().ok()?, text()?.parse().ok()?);
    let groups = groups(text()?)?;
    let directory = CString::new(text()?).ok()?;
    let bounding = match text()? {
        "-" => None,
        text => Some(text.parse().ok()?),
    };
    let limits = limits(text()?)?;
    let count: usize = text()?.parse().ok()?;
    let mut rest: Vec<CString> = words.map(|it| CString::new(it).ok()).collect::<Option<_>>()?;
    if count > rest.len() {
        return None;
    }
    let env = rest.split_off(count);
    Some(Command { uid, gid, groups, directory, bounding, limits, argv: rest, env })
}
