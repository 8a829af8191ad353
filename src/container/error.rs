//! What can go wrong around a container.

use std::io;
use std::path::PathBuf;

use super::bridge::Lack;

/// An error of the container part; the message says what and where, [`Error::hints`] what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call or file operation failed.
    #[error("{action}")]
    Io {
        /// What was being done, with the path.
        action: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// systemd-nspawn is not installed.
    #[error("systemd-nspawn is not installed")]
    NspawnMissing,
    /// systemd-nspawn ended before the container ran.
    #[error("systemd-nspawn could not start the container: {0}")]
    Nspawn(String),
    /// The guest's init did not come up in time.
    #[error("the container did not boot within {seconds} s")]
    BootTimeout {
        /// How long was waited.
        seconds: u64,
        /// The last lines of the console.
        console: String,
    },
    /// There is nothing to boot.
    #[error("the image has no systemd to boot")]
    NoInit,
    /// The guest's init ended during boot.
    #[error("the container's init ended while it booted")]
    BootDied {
        /// The last lines of the console.
        console: String,
    },
    /// The guest's init refused or lost the command.
    #[error("cannot run the command through the container's init: {0}")]
    Bus(String),
    /// The host's systemd or machined does not take it.
    #[error("cannot register the container as a machine of the host's: {0}")]
    Machine(String),
    /// No free block of ids.
    #[error("no free block of user ids in {}", directory.display())]
    NoIds {
        /// Where the blocks are kept.
        directory: PathBuf,
    },
    /// `-u` names nobody.
    #[error("unable to find user {0}: no matching entry in the image's passwd file")]
    NoUser(String),
    /// `-u` names no group.
    #[error("unable to find group {0}: no matching entry in the image's group file")]
    NoGroup(String),
    /// A network could not be set up or joined.
    #[error("network: {0}")]
    Network(String),
    /// The host has no right or no program to make a bridge.
    #[error("cannot make a network for containers: {0}")]
    NoBridge(Lack),
    /// pasta is not installed.
    #[error("pasta is not installed")]
    PastaMissing,
    /// pasta ended before the container had a way out.
    #[error("pasta gives the container no way out: {0}")]
    Pasta(String),
    /// A port of the host is taken.
    #[error("bind for {0} failed: port is already allocated")]
    PortTaken(std::net::SocketAddr),
    /// Not root.
    #[error("must run as root: it mounts file systems and makes user namespaces")]
    NotRoot,
    /// The command is not there (exit code 127).
    #[error("{0}")]
    CommandNotFound(String),
    /// The command cannot be executed (exit code 126).
    #[error("{0}")]
    CommandDenied(String),
    /// racker's own pid 1 could not start the command.
    #[error("cannot start the command in the container: {0}")]
    Agent(String),
    /// The store could not give the tree.
    #[error(transparent)]
    Store(#[from] racker_store::Error),
}

impl Error {
    /// Wraps an I/O error with what was being done.
    pub fn io<E: Into<io::Error>>(action: impl Into<String>) -> impl FnOnce(E) -> Self {
        let action = action.into();
        move |source| Self::Io {
            action,
            source: source.into(),
        }
    }

    /// What the user can do about it, one line each.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NspawnMissing => {
                vec!["install it: apt-get install systemd-container".into()]
            }
            Self::NoBridge(lack) => {
                let mend = match lack {
                    Lack::Ip => Some("install it: apt-get install iproute2".into()),
                    Lack::Firewall => Some("install one: apt-get install nftables".into()),
                    Lack::Right | Lack::Forwarding(_) => None,
                };
                let others = [
                    "the default network does without where there is pasta: apt-get install passt",
                    "--network=none or --network=host needs none of that",
                ];
                mend.into_iter().chain(others.map(Into::into)).collect()
            }
            Self::PastaMissing => vec!["install it: apt-get install passt".into()],
            Self::Pasta(_) => vec![
                "pasta needs /dev/net/tun, and a host with an address and a default route".into(),
                "--network=none or --network=host needs none of that".into(),
            ],
            Self::NotRoot => vec!["run it with sudo".into()],
            Self::BootTimeout { console, .. } | Self::BootDied { console } => {
                let mut hints: Vec<String> = console
                    .lines()
                    .map(|line| format!("console: {line}"))
                    .collect();
                hints.push("try --systemd=false to run the command without an init".into());
                hints
            }
            Self::Io { source, .. } if source.raw_os_error() == Some(libc::ENOSPC) => {
                vec!["the disk is full".into()]
            }
            Self::Machine(_) => vec![
                "--register needs a host that systemd booted, with dbus and systemd-container"
                    .into(),
                "without --register nothing of that is needed".into(),
            ],
            Self::NoInit => vec!["add it in a recipe: packages = [\"systemd\"]".into()],
            Self::NoIds { .. } => vec!["end some containers".into()],
            _ => Vec::new(),
        }
    }
}
