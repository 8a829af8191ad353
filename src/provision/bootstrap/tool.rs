//! The programs of the host that bootstrapping needs.

use std::io;
use std::process::{Command, Output, Stdio};

use super::{Error, Result};

/// Makes sure that the programs are there, before anything is fetched.
pub fn check_tools() -> Result<()> {
    run(Command::new("apt-get").arg("--version"), "apt-get", "apt")?;
    tool_version().map(drop)
}

/// What `mmdebstrap --version` says; it belongs to the step's key.
pub fn tool_version() -> Result<String> {
    let output = run(
        Command::new("mmdebstrap").arg("--version"),
        "mmdebstrap",
        "mmdebstrap",
    )?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a program of the host; its absence names Debian's package that has it.
pub(super) fn run(
    command: &mut Command,
    program: &'static str,
    package: &'static str,
) -> Result<Output> {
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::MissingTool { program, package },
            _ => Error::Io {
                path: program.into(),
                source,
            },
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let error = run(&mut Command::new("/nonexistent/tool"), "tool", "tools").unwrap_err();
        assert_eq!(error.to_string(), "`tool` is not installed on this host");
        assert_eq!(error.hints(), ["apt-get install tools"]);
    }
}
