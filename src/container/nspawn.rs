//! systemd-nspawn's command line: one invocation in, arguments and environment out.
//!
//! Source: `systemd-nspawn(1)`; systemd's docs/ENVIRONMENT.md.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::boot::Purpose;
use super::{Process, boot};
use crate::sys::IdMap;

/// The program's name.
pub const PROGRAM: &str = "systemd-nspawn";

/// Where racker's own pid 1 appears in a container.
pub const INIT: &str = "/run/racker-init";

/// A host path shown in the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// The path on the host.
    pub source: PathBuf,
    /// The path in the container.
    pub target: PathBuf,
    /// Whether it can be written there.
    pub writable: bool,
}

/// What a container sees of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// A loopback interface of its own and nothing else.
    None,
    /// The host's network.
    Host,
}

/// What runs in the container.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// The image's init.
    Boot(Purpose),
    /// A command below racker's own pid 1, which lies at this path of the host.
    Direct {
        /// The command.
        process: &'a Process,
        /// racker's pid 1.
        init: &'a Path,
        /// Whether the command has racker's terminal.
        terminal: bool,
    },
}

/// Everything that decides the command line.
#[derive(Debug)]
pub struct Invocation<'a> {
    /// The mounted root.
    pub root: &'a Path,
    /// The container's id.
    pub id: &'a str,
    /// The guest's host name.
    pub hostname: &'a str,
    /// The guest's ids.
    pub ids: IdMap,
    /// The guest's network.
    pub network: Network,
    /// Host paths it sees.
    pub binds: &'a [Bind],
    /// What runs.
    pub payload: Payload<'a>,
}

impl Invocation<'_> {
    /// The arguments, without the program's name.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut list: Vec<OsString> = Vec::new();
        let mut push = |text: String| list.push(text.into());
        push("--quiet".into());
        // A `.nspawn` file beside the root must not decide anything.
        push("--settings=no".into());
        // Neither machined nor the host's systemd is needed.
        push("--register=no".into());
        push("--keep-unit".into());
        push(format!("--directory={}", self.root.display()));
        push(format!("--machine=racker-{}", self.id));
        push(format!("--hostname={}", self.hostname));
        push(format!(
            "--private-users={}:{}",
            self.ids.base, self.ids.count
        ));
        // The lower layers are id-mapped already; nspawn would copy them all up.
        push("--private-users-ownership=off".into());
        push("--link-journal=no".into());
        push("--timezone=off".into());
        match self.network {
            Network::None => {
                push("--private-network".into());
                push("--resolv-conf=off".into());
            }
            Network::Host => push("--resolv-conf=bind-host".into()),
        }
        for bind in self.binds {
            let option = if bind.writable { "--bind" } else { "--bind-ro" };
            push(format!(
                "{option}={}:{}",
                escape(&bind.source.display().to_string()),
                escape(&bind.target.display().to_string())
            ));
        }
        match self.payload {
            Payload::Boot(purpose) => {
                push("--boot".into());
                push("--notify-ready=yes".into());
                push("--kill-signal=SIGRTMIN+3".into());
                push("--console=read-only".into());
                for (name, value) in boot::ENVIRONMENT {
                    push(format!("--setenv={name}={value}"));
                }
                list.extend(boot::arguments(purpose).into_iter().map(OsString::from));
            }
            Payload::Direct {
                process,
                init,
                terminal,
            } => {
                push(format!(
                    "--console={}",
                    if terminal { "interactive" } else { "pipe" }
                ));
                push(format!(
                    "--bind-ro={}:{INIT}",
                    escape(&init.display().to_string())
                ));
                for (name, value) in process.environment() {
                    push(format!("--setenv={name}={value}"));
                }
                push("--".into());
                init_arguments(process).into_iter().for_each(&mut push);
                list.extend(process.argv.iter().map(OsString::from));
            }
        }
        list
    }

    /// The environment of nspawn itself.
    pub fn environment(&self, notify: &Path) -> Vec<(&'static str, OsString)> {
        vec![
            ("PATH", super::process::PATH.into()),
            ("NOTIFY_SOCKET", notify.into()),
            // One image runs many times at once, each on its own overlay.
            ("SYSTEMD_NSPAWN_LOCK", "0".into()),
            // Guests of version 258 and newer refuse anything else; older ones take it.
            ("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1".into()),
            // An image `FROM scratch` has no os-release.
            ("SYSTEMD_NSPAWN_CHECK_OS_RELEASE", "0".into()),
            // What the image has in /tmp is there, what is written there stays.
            ("SYSTEMD_NSPAWN_TMPFS_TMP", "0".into()),
        ]
    }
}

/// The command line of racker's pid 1, up to the command.
pub fn init_arguments(process: &Process) -> Vec<String> {
    let user = &process.user;
    vec![
        INIT.to_owned(),
        user.uid.to_string(),
        user.gid.to_string(),
        groups(&user.groups),
        process.directory.clone(),
    ]
}

fn groups(list: &[u32]) -> String {
    if list.is_empty() {
        return "-".into();
    }
    list.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

/// Escapes what `--bind=` takes as its own.
fn escape(path: &str) -> String {
    path.replace('\\', "\\\\").replace(':', "\\:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::users::User;

    fn invocation<'a>(payload: Payload<'a>, binds: &'a [Bind]) -> Invocation<'a> {
        Invocation {
            root: Path::new("/run/racker/x/root"),
            id: "0123456789ab",
            hostname: "guest",
            ids: IdMap {
                base: 524_288,
                count: 65536,
            },
            network: Network::None,
            binds,
            payload,
        }
    }

    fn text(invocation: &Invocation<'_>) -> Vec<String> {
        invocation
            .arguments()
            .into_iter()
            .map(|a| a.into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_booted_container() {
        let all = text(&invocation(Payload::Boot(Purpose::Command), &[]));
        assert_eq!(
            all[..18].join(" "),
            "--quiet --settings=no --register=no --keep-unit --directory=/run/racker/x/root \
             --machine=racker-0123456789ab --hostname=guest --private-users=524288:65536 \
             --private-users-ownership=off --link-journal=no --timezone=off --private-network \
             --resolv-conf=off --boot --notify-ready=yes --kill-signal=SIGRTMIN+3 \
             --console=read-only --setenv=SYSTEMD_DEFAULT_MOUNT_RATE_LIMIT_BURST=10000"
        );
        assert!(all.contains(&"systemd.mask=dev-hugepages.mount".to_owned()));
    }

    #[test]
    fn a_command_with_arguments_as_given() {
        let process = Process {
            argv: vec!["ls".into(), "-l".into(), "a b".into(), "--help".into()],
            env: vec![("A".into(), "1".into()), ("A".into(), "x=y z".into())],
            user: User {
                uid: 33,
                gid: 33,
                groups: vec![4, 110],
                home: "/var/www".into(),
            },
            directory: "/srv".into(),
        };
        let payload = Payload::Direct {
            process: &process,
            init: Path::new("/i"),
            terminal: false,
        };
        let binds = [Bind {
            source: "/a:b".into(),
            target: "/c".into(),
            writable: false,
        }];
        let all = text(&invocation(payload, &binds));
        assert_eq!(
            all[13..],
            [
                "--bind-ro=/a\\:b:/c",
                "--console=pipe",
                "--bind-ro=/i:/run/racker-init",
                "--setenv=A=x=y z",
                "--setenv=HOME=/var/www",
                "--setenv=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "--",
                "/run/racker-init",
                "33",
                "33",
                "4,110",
                "/srv",
                "ls",
                "-l",
                "a b",
                "--help"
            ]
        );
    }
}
