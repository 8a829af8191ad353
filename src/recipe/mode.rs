//! Permission bits.

use std::fmt;
use std::str::FromStr;

use super::Problem;

/// The lower twelve bits of a file's mode, written as an octal string such as `"0644"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(u32);

impl Mode {
    /// Keeps the lower twelve bits.
    pub fn new(bits: u32) -> Self {
        Self(bits & 0o7777)
    }

    /// Returns the bits.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Returns the mode of a directory that holds files of this mode: whoever may read may search.
    pub fn for_directory(self) -> Self {
        Self(self.0 & 0o777 | (self.0 & 0o444) >> 2)
    }
}

impl FromStr for Mode {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let octal = (3..=5).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'0'..=b'7'));
        match u32::from_str_radix(text, 8) {
            Ok(bits) if octal && bits <= 0o7777 => Ok(Self(bits)),
            _ => Err(Problem::new(format!("`{text}` is no file mode"))
                .hint("a mode is an octal string such as \"0644\"")),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04o}", self.0)
    }
}

impl serde::Serialize for Mode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
