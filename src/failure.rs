//! Errors as the user sees them, and racker's exit codes.

use std::error::Error;
use std::fmt::Write;

/// Something failed.
pub const FAILED: u8 = 1;
/// The command line or the recipe is wrong.
pub const USAGE: u8 = 2;
/// `diff --exit-code`: the two differ.
pub const DIFFERENT: u8 = 1;
/// `pkgprobe`: a check does not hold.
pub const CHECK_FAILED: u8 = 3;
/// `autopkgtest-virt-racker`: there is no testbed, or what was asked of it makes no sense. Source:
/// the exit code of autopkgtest's own servers.
pub const TESTBED_FAILED: u8 = 12;
/// `autopkgtest-virt-racker`: a command could not be run in the testbed at all. Source: autopkgtest,
/// README.virtualisation-server, print-execute-command.
pub const NOT_EXECUTED: u8 = 254;
/// `postroj selftest`: an image failed.
pub const SELFTEST_FAILED: u8 = 5;
/// A step of a recipe failed.
pub const STEP_FAILED: u8 = 100;
/// A step took longer than its timeout.
pub const TIMED_OUT: u8 = 101;
/// Fetched bytes are not those that were expected.
pub const DIGEST_MISMATCH: u8 = 102;
/// A step that was made again came out otherwise.
pub const NOT_REPRODUCIBLE: u8 = 104;
/// `run`: racker itself failed.
pub const RUN_FAILED: u8 = 125;
/// `run`: the command cannot be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// `run`: the command was not found.
pub const NOT_FOUND: u8 = 127;

/// Characters of a line of output that are shown.
const LINE: usize = 400;

/// An error with everything that is shown of it.
#[derive(Debug)]
pub struct Failure {
    /// racker's exit code.
    pub code: u8,
    /// What failed; a report of its own where it has more than one line.
    pub message: String,
    /// What to do about it.
    pub hints: Vec<String>,
    /// The last lines of the output of what failed.
    pub output: Vec<String>,
}

impl Failure {
    /// A failure without hints.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hints: Vec::new(),
            output: Vec::new(),
        }
    }

    /// A failure from an error and its causes, in one line.
    pub fn from_error(code: u8, error: &dyn Error, hints: Vec<String>) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !message.ends_with(&text) {
                let _ = write!(message, ": {text}");
            }
            source = cause.source();
        }
        Self {
            code,
            message,
            hints,
            output: Vec::new(),
        }
    }

    /// Adds a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Has lines of output be shown, each as long as one reads on.
    pub fn shows<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) {
        let lines = lines.into_iter();
        self.output = lines
            .map(|line| match line.char_indices().nth(LINE) {
                Some((end, _)) => format!("{}… ({} bytes)", &line[..end], line.len()),
                None => line.to_owned(),
            })
            .collect();
    }

    /// The text for standard error.
    pub fn render(&self) -> String {
        let mut text = String::new();
        if self.message.starts_with("error") {
            text.push_str(self.message.trim_end());
        } else {
            let _ = write!(text, "racker: {}", self.message.trim_end());
        }
        for line in &self.output {
            let _ = write!(text, "\n  | {line}");
        }
        for hint in &self.hints {
            let _ = write!(text, "\nhint: {hint}");
        }
        text
    }
}

impl From<racker_store::Error> for Failure {
    fn from(error: racker_store::Error) -> Self {
        let hints = error.hints();
        let code = match error {
            racker_store::Error::DigestMismatch { .. } => DIGEST_MISMATCH,
            _ => FAILED,
        };
        Self::from_error(code, &error, hints)
    }
}

impl From<crate::installed::Error> for Failure {
    fn from(error: crate::installed::Error) -> Self {
        let hints = error.hints();
        Self::from_error(FAILED, &error, hints)
    }
}

impl From<crate::sbom::Error> for Failure {
    fn from(error: crate::sbom::Error) -> Self {
        let hints = error.hints();
        Self::from_error(FAILED, &error, hints)
    }
}

impl From<crate::provenance::Error> for Failure {
    fn from(error: crate::provenance::Error) -> Self {
        let hints = error.hints();
        Self::from_error(FAILED, &error, hints)
    }
}

impl From<crate::container::Error> for Failure {
    fn from(error: crate::container::Error) -> Self {
        let hints = error.hints();
        Self::from_error(FAILED, &error, hints)
    }
}

impl From<crate::lifecycle::Error> for Failure {
    fn from(error: crate::lifecycle::Error) -> Self {
        let hints = error.hints();
        let code = match crate::lifecycle::exit_code(&error) {
            RUN_FAILED => FAILED,
            code => code,
        };
        Self::from_error(code, &error, hints)
    }
}

impl From<crate::oci::Error> for Failure {
    fn from(error: crate::oci::Error) -> Self {
        let code = if error.is_digest_mismatch() {
            DIGEST_MISMATCH
        } else {
            FAILED
        };
        let hints = error.hints();
        Self::from_error(code, &error, hints)
    }
}

impl From<crate::realise::Error> for Failure {
    fn from(error: crate::realise::Error) -> Self {
        use crate::realise::Error as E;
        let mut failure = match error {
            E::Recipe(error) => return from_recipe(error),
            ref error => Self::from_error(error.code(), error, error.hints()),
        };
        if let E::StepFailed { tail, .. } = &error {
            failure.shows(tail.lines());
        }
        failure
    }
}

/// A failure from a recipe's error, with its picture of the file where it has one.
pub fn from_recipe(error: crate::recipe::Error) -> Failure {
    match &error {
        crate::recipe::Error::Invalid(diagnostics) => {
            Failure::new(USAGE, diagnostics.render(!crate::settings::no_color()))
        }
        other => Failure::from_error(USAGE, other, other.hints()),
    }
}
