//! A container's command, as its image's own files complete it.

use super::Error;
use super::config::Config;
use crate::container::{Process, Root};
use crate::container::{capabilities, users};

/// Who a command of the container runs as, and where.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'a> {
    /// `USER[:GROUP]`; the container's where none is given.
    pub user: Option<&'a str>,
    /// The directory; the container's where none is given.
    pub directory: Option<&'a str>,
    /// Variables beside the container's.
    pub env: &'a [(String, String)],
}

/// A command in the container whose root this is.
///
/// Errors: the user is unknown; the directory is not absolute.
pub fn process(
    config: &Config,
    root: &Root,
    argv: Vec<String>,
    wanted: &Wanted<'_>,
) -> Result<Process, Error> {
    let file = |path: &str| root.read(path).unwrap_or_default();
    let user = wanted.user.unwrap_or(&config.user);
    let user = users::find(user, &file("/etc/passwd"), &file("/etc/group"))?;
    let directory = wanted.directory.unwrap_or(&config.directory);
    if !directory.starts_with('/') {
        return Err(Error::Refused(format!(
            "the working directory {directory:?} is not an absolute path"
        )));
    }
    let mut env = config.env.clone();
    env.extend(wanted.env.iter().cloned());
    Ok(Process {
        user,
        directory: directory.to_owned(),
        capabilities: capabilities::left(&config.capabilities.0, &config.capabilities.1),
        limits: config.ulimits.clone(),
        ..Process::of_root(argv, env)
    })
}
