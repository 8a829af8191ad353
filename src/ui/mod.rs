//! The terminal: data on standard output, talk on standard error.

mod bars;
mod changes;
mod containers;
mod listing;
mod probes;
mod prompt;
mod table;
mod template;

pub use bars::{Bars, Row};
pub use changes::{file_line, package_row, total_line};
pub use containers::{container_document, container_row, container_status};
pub use listing::{Column, Wish};
pub use probes::{ProbeFormat, probe_title};
pub use prompt::ask;
pub use table::{Table, ago, size, span};
pub use template::Format;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::{FAILED, Failure};

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Errors alone.
    Quiet,
    /// What happens.
    #[default]
    Normal,
    /// More of it.
    Verbose,
    /// All of it.
    Debug,
}

/// Everything that is shown goes through here.
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    verbosity: Verbosity,
    color: bool,
    terminal: bool,
}

impl Ui {
    /// Looks at the terminal.
    pub fn new(verbosity: Verbosity) -> Self {
        let terminal = io::stderr().is_terminal();
        Self {
            verbosity,
            color: terminal && !crate::settings::no_color(),
            terminal,
        }
    }

    /// The same terminal, with errors alone.
    #[must_use]
    pub fn quieter(mut self) -> Self {
        self.verbosity = Verbosity::Quiet;
        self
    }

    /// Whether messages may have colours.
    pub fn color(&self) -> bool {
        self.color
    }

    /// Whether standard error is a terminal that shows progress.
    pub fn shows_progress(&self) -> bool {
        self.terminal && self.verbosity >= Verbosity::Normal
    }

    /// How much is said.
    pub fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    /// Writes a line of data.
    ///
    /// Errors: that standard output is closed ends racker in silence, as in other filters.
    pub fn data(&self, line: impl AsRef<str>) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match writeln!(out, "{}", line.as_ref()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
            other => other.map_err(|error| Failure::new(FAILED, format!("write output: {error}"))),
        }
    }

    /// Writes data as indented JSON.
    pub fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::new(FAILED, format!("write JSON: {error}")))?;
        self.data(text)
    }

    /// Says something.
    pub fn say(&self, line: impl AsRef<str>) {
        if self.verbosity >= Verbosity::Normal {
            self.error(line);
        }
    }

    /// Says something to who wants to know more.
    pub fn detail(&self, line: impl AsRef<str>) {
        if self.verbosity >= Verbosity::Verbose {
            self.error(line);
        }
    }

    /// Says something to who wants to know everything.
    pub fn debug(&self, line: impl AsRef<str>) {
        if self.verbosity >= Verbosity::Debug {
            self.error(line);
        }
    }

    /// Says something in any case.
    pub fn error(&self, line: impl AsRef<str>) {
        let _ = writeln!(io::stderr().lock(), "{}", line.as_ref());
    }
}
