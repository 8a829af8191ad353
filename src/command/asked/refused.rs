//! Docker's options that racker cannot do: each is refused by name, with the reason, and none is
//! ignored in silence.

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};

/// An option, whether it takes a value, and why it is refused.
const ALL: [(&str, bool, &str); 32] = [
    (
        "annotation",
        true,
        "there is no OCI runtime that would read it",
    ),
    (
        "blkio-weight",
        true,
        "disk bandwidth is not divided between containers",
    ),
    (
        "cgroup-parent",
        true,
        "every container has a control group of its own at the top",
    ),
    (
        "cgroupns",
        true,
        "a container always has a cgroup namespace of its own",
    ),
    ("cpu-period", true, "give --cpus"),
    ("cpu-quota", true, "give --cpus"),
    ("cpu-shares", true, "give --cpus"),
    ("cpuset-cpus", true, "give --cpus"),
    ("cpuset-mems", true, "memory is not bound to nodes"),
    ("device-cgroup-rule", true, "devices are given by --device"),
    ("device-read-bps", true, "disk bandwidth is not limited"),
    ("device-write-bps", true, "disk bandwidth is not limited"),
    (
        "disable-content-trust",
        false,
        "there is no content trust; digests are always checked",
    ),
    ("domainname", true, "give the whole name with --hostname"),
    (
        "gpus",
        true,
        "there is no driver for it; give its nodes with --device",
    ),
    ("group-add", true, "give the group with --user USER:GROUP"),
    ("ip", true, "addresses are chosen by racker"),
    ("ip6", true, "addresses are chosen by racker"),
    (
        "ipc",
        true,
        "a container always has an IPC namespace of its own",
    ),
    ("isolation", true, "it is for Windows"),
    (
        "link",
        true,
        "containers on one --network find each other by name",
    ),
    ("log-opt", true, "the log has no options"),
    ("mac-address", true, "addresses are chosen by racker"),
    ("memory-swappiness", true, "swapping is left to the kernel"),
    (
        "oom-kill-disable",
        false,
        "a container that takes too much memory must end",
    ),
    (
        "pid",
        true,
        "a container always has a pid namespace of its own",
    ),
    ("runtime", true, "there is one: systemd-nspawn"),
    ("storage-opt", true, "the writable layer has no options"),
    ("uts", true, "a container always has a host name of its own"),
    (
        "volume-driver",
        true,
        "volumes are directories of the store",
    ),
    ("volumes-from", true, "name the volumes with --volume"),
    ("use-api-socket", false, "there is no daemon and so no API"),
];

/// Options that are here to be refused.
#[derive(Debug, Default)]
pub(crate) struct Refused(Option<(&'static str, &'static str)>);

impl Refused {
    /// The message for the first that was given.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.0 {
            Some((name, reason)) => Err(format!("--{name} is not supported: {reason}")),
            None => Ok(()),
        }
    }
}

impl clap::Args for Refused {
    fn augment_args(command: Command) -> Command {
        let arg = |(name, value, _): &(&'static str, bool, &str)| {
            let action = if *value {
                ArgAction::Append
            } else {
                ArgAction::SetTrue
            };
            Arg::new(*name).long(*name).hide(true).action(action)
        };
        command.args(ALL.iter().map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Refused {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |name: &&(&'static str, bool, &'static str)| {
            matches.value_source(name.0) == Some(clap::parser::ValueSource::CommandLine)
        };
        let found = ALL.iter().find(given);
        Ok(Self(found.map(|(name, _, reason)| (*name, *reason))))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
