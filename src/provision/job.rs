//! A command to run in a snapshot, as plain data.

use std::ffi::OsString;
use std::path::PathBuf;

/// A command with everything that it needs from outside its root directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The program and its arguments; the program is looked up in the guest.
    pub argv: Vec<OsString>,
    /// The whole environment, sorted by name; nothing is inherited.
    pub env: Vec<(String, String)>,
    /// What is mounted into the guest, in this order.
    pub binds: Vec<Bind>,
    /// What the command sees of the network.
    pub network: Network,
}

/// One bind mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// A path of the host.
    pub source: PathBuf,
    /// Where it appears in the guest; absolute.
    pub target: PathBuf,
    /// Whether the guest may write to it.
    pub writable: bool,
}

/// What a command sees of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// An empty network namespace of its own.
    None,
    /// The host's network, with its name resolution.
    Host,
}

/// The environment every job starts from; `extra` wins over it.
pub(crate) fn environment(epoch: Option<i64>, extra: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut env = std::collections::BTreeMap::from(
        [
            ("HOME", "/root"),
            ("LC_ALL", "C.UTF-8"),
            (
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ),
            ("TERM", "dumb"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    if let Some(epoch) = epoch {
        env.insert("SOURCE_DATE_EPOCH".to_owned(), epoch.to_string());
    }
    for (name, value) in extra {
        env.insert((*name).to_owned(), (*value).to_owned());
    }
    env.into_iter().collect()
}

/// `argv` of a shell script given inline, with its positional parameters.
pub(crate) fn shell(script: &str, parameters: impl IntoIterator<Item = String>) -> Vec<OsString> {
    ["/bin/sh", "-eu", "-c", script, "racker"]
        .map(OsString::from)
        .into_iter()
        .chain(parameters.into_iter().map(OsString::from))
        .collect()
}
