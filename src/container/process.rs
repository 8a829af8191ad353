//! What to run, what it is connected to, and how it ended.

use std::fs::File;

use super::users::User;

/// The search path where an image names none.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command and its surroundings.
#[derive(Debug, Clone)]
pub struct Process {
    /// The command and its arguments, exactly as it gets them; not empty.
    pub argv: Vec<String>,
    /// Its environment; later entries win.
    pub env: Vec<(String, String)>,
    /// Who it runs as.
    pub user: User,
    /// The directory it starts in.
    pub directory: String,
}

impl Process {
    /// The value of the variable `name`.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The environment with `PATH` and `HOME` filled in, each name once.
    pub fn environment(&self) -> Vec<(String, String)> {
        let defaults = [("PATH", PATH), ("HOME", self.user.home.as_str())];
        let mut all: std::collections::BTreeMap<String, String> = defaults
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        all.extend(self.env.iter().cloned());
        all.into_iter().collect()
    }
}

/// What a command's standard streams are connected to.
#[derive(Debug)]
pub enum Console {
    /// racker's own, by pipes; without `stdin`, the command reads an end of file.
    Pipes {
        /// Whether standard input is passed on.
        stdin: bool,
    },
    /// A terminal of its own, shown on racker's.
    Terminal,
    /// Output and errors into a file; no input.
    Log(File),
}

/// How a command ended: its exit code, or 128 + n for signal n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit(pub u8);

impl Exit {
    /// Whether it ended with 0.
    pub fn success(self) -> bool {
        self.0 == 0
    }
}
