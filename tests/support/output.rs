//! What a program said, and how it ended.

use std::process::Child;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything takes; what hangs fails.
const LIMIT: Duration = Duration::from_secs(600);

/// How racker ended, and what it said.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    line: String,
}

impl Output {
    /// Everything, for the message of a failed test.
    pub(crate) fn report(&self) -> String {
        format!(
            "{}\nexit code: {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.line,
            self.code,
            String::from_utf8_lossy(&self.stdout[..self.stdout.len().min(4096)]),
            self.stderr
        )
    }

    /// Fails unless racker ended with this exit code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.report());
        self
    }

    /// Fails unless racker ended with 0.
    #[track_caller]
    pub(crate) fn success(self) -> Self {
        self.code(0)
    }

    /// Fails unless standard error has `text` in it.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "not said: {text:?}\n{}",
            self.report()
        );
        self
    }

    /// Fails if anything stands on standard error.
    #[track_caller]
    pub(crate) fn silent(self) -> Self {
        assert_eq!(self.stderr, "", "{}", self.report());
        self
    }

    /// Fails unless standard error is one message of racker's own, with its hints and output.
    #[track_caller]
    pub(crate) fn one_message(self) -> Self {
        let messages = self
            .stderr
            .lines()
            .filter(|line| line.starts_with("racker:"))
            .count();
        assert_eq!(messages, 1, "{}", self.report());
        assert!(!self.stderr.contains("panicked"), "{}", self.report());
        self
    }

    /// Standard output as text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        self.utf8()
    }

    /// Standard output, which must be UTF-8.
    #[track_caller]
    pub(crate) fn into_text(self) -> String {
        self.utf8().to_owned()
    }

    #[track_caller]
    fn utf8(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap_or_else(|_| panic!("{}", self.report()))
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|_| panic!("{}", self.report()))
    }

    /// The ids of the steps that were found.
    pub(crate) fn cached(&self) -> Vec<&str> {
        self.steps(|rest| rest.ends_with(" (cached)"))
    }

    /// The ids of the steps that were made.
    pub(crate) fn made(&self) -> Vec<&str> {
        self.steps(|rest| rest.starts_with("done in "))
    }

    fn steps(&self, which: impl Fn(&str) -> bool) -> Vec<&str> {
        self.stderr
            .lines()
            .filter(|line| line.starts_with('['))
            .filter_map(|line| line.split_once("] ")?.1.split_once(": "))
            .filter(|(_, rest)| which(rest))
            .map(|(id, _)| id)
            .collect()
    }
}

/// Waits for the end of a child; kills it and fails where that takes too long.
#[track_caller]
pub(crate) fn wait(child: Child, line: String) -> Output {
    let pid = Pid::from_child(&child);
    let (done, watched) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        let late = watched.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout);
        if late {
            let _ = kill_process(pid, Signal::KILL);
        }
        late
    });
    let output = child.wait_with_output().unwrap();
    drop(done);
    assert!(
        !watchdog.join().unwrap(),
        "{line}: not done within {LIMIT:?}"
    );
    Output {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        line,
    }
}
