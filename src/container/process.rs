//! What to run, what it is connected to, and how it ended.

use std::fs::File;
use std::io::{Read, Write};

use super::terminal::Screen;
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
    /// The capabilities that it and all that it starts can have at most, by their numbers; those of
    /// its container where none are given.
    pub capabilities: Option<u64>,
    /// Limits by name, such as `NOFILE`: the soft and the hard one.
    pub limits: Vec<(String, u64, u64)>,
}

impl Process {
    /// A command of root's in `/`, with what its container has.
    pub fn of_root(argv: Vec<String>, env: Vec<(String, String)>) -> Self {
        Self {
            argv,
            env,
            user: User::default(),
            directory: "/".into(),
            capabilities: None,
            limits: Vec::new(),
        }
    }

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
    /// Pipes.
    Streams(Streams),
    /// A terminal of its own.
    Terminal(Screen),
}

/// What is at the other end of a command's pipes.
pub struct Streams {
    /// What the command reads; without, it reads an end of file.
    pub input: Option<Box<dyn Read + Send>>,
    /// Takes its output.
    pub out: Box<dyn Write + Send>,
    /// Takes its errors; in one pipe with the output, in the order as written, where none is given.
    pub errors: Option<Box<dyn Write + Send>>,
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams")
            .field("input", &self.input.is_some())
            .finish_non_exhaustive()
    }
}

impl Console {
    /// racker's own streams, by pipes; standard input only where `stdin` says so.
    pub fn own(stdin: bool) -> Self {
        let unbuffered = |stream| -> Box<dyn Write + Send> {
            match rustix::io::dup(stream) {
                Ok(stream) => Box::new(File::from(stream)),
                Err(_) => Box::new(std::io::sink()),
            }
        };
        Self::Streams(Streams {
            input: stdin.then(|| Box::new(std::io::stdin()) as Box<dyn Read + Send>),
            out: unbuffered(rustix::stdio::stdout()),
            errors: Some(unbuffered(rustix::stdio::stderr())),
        })
    }

    /// Output and errors into a file; no input.
    pub fn log(file: File) -> Self {
        Self::Streams(Streams {
            input: None,
            out: Box::new(file),
            errors: None,
        })
    }
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
