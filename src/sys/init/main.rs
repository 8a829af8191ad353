//! racker's own program inside a container.
//!
//! It is compiled on its own (see `build.rs`), linked statically, carried inside the racker binary
//! and bound into the container, whose image need not have a single library.
//!
//! - `init` is the process with pid 1 of a container that boots no init of its own: it starts
//!   commands that come over the socket that is its standard input ([`agent`]), reaps orphans, and
//!   ends with the main command.
//! - `init boot FILTERS ARGUMENT...` sets the seccomp filters in a file and becomes the image's init.
//! - `init UID GID GROUPS DIRECTORY COMMAND [ARGUMENT...]` becomes that user and starts the
//!   command, GROUPS separated by commas or `-`; it ends with the command's exit code, or 128 + n
//!   when signal n ended it. Exit code 127: the command was not found; 126: it cannot be executed;
//!   125: the rest.

mod agent;
mod boot;
mod command;
mod filter;
mod sys;

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;

use command::{Command, Streams};

fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if arguments.is_empty() {
        agent::serve();
    }
    if arguments[0] == "boot" && arguments.len() > 1 {
        boot::boot(&arguments[1], &arguments[2..]);
    }
    if arguments.len() < 5 {
        sys::fail(125, "init: usage: UID GID GROUPS DIRECTORY COMMAND [ARGUMENT...]");
    }
    let text = |index: usize| arguments[index].to_string_lossy().into_owned();
    let number = |index: usize| {
        let text = text(index);
        text.parse().unwrap_or_else(|_| sys::fail(125, &format!("init: bad id {text:?}")))
    };
    let string = |text: &std::ffi::OsStr| CString::new(text.as_bytes()).unwrap_or_default();
    let command = Command {
        uid: number(0),
        gid: number(1),
        groups: command::groups(&text(2))
            .unwrap_or_else(|| sys::fail(125, &format!("init: bad groups {:?}", text(2)))),
        directory: string(&arguments[3]),
        bounding: None,
        limits: Vec::new(),
        argv: arguments[4..].iter().map(|it| string(it)).collect(),
        env: std::env::vars_os()
            .map(|(name, value)| {
                let mut line = name;
                line.push("=");
                line.push(value);
                string(&line)
            })
            .collect(),
    };
    sys::forward_signals();
    let child = match command.start(Streams::Own) {
        Ok(child) => child,
        Err((code, text)) => sys::fail(code, &text),
    };
    sys::set_main(child);
    loop {
        match sys::wait(true) {
            Some((pid, code)) if pid == child => sys::exit(code),
            Some(_) => {}
            None => sys::fail(125, "init: lost the command"),
        }
    }
}
