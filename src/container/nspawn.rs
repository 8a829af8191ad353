//! systemd-nspawn's command line: one invocation in, arguments and environment out.
//!
//! Source: `systemd-nspawn(1)`; systemd's docs/ENVIRONMENT.md.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::boot::Purpose;
use super::{Process, boot};
use crate::sys::IdMap;

/// The program's name.
pub const PROGRAM: &str = "systemd-nspawn";

/// Where racker's own pid 1 appears in a container.
pub const INIT: &str = "/run/racker-init";

/// Where a guest's system call filters appear for a moment.
pub const FILTERS: &str = "/run/racker-filters";

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
#[derive(Debug, Clone)]
pub enum Network {
    /// Interfaces of its own: loopback, and what is moved in from outside.
    None,
    /// The host's network.
    Host,
    /// That of somebody else, by a descriptor of the network namespace.
    Joined(Arc<OwnedFd>),
}

/// What a container may and has beside the usual.
#[derive(Debug, Clone, Default)]
pub struct Extras {
    /// Capabilities it has beside nspawn's own; `all` for all.
    pub capabilities: Vec<String>,
    /// Capabilities it lacks; `all` for all.
    pub dropped: Vec<String>,
    /// Whether programs cannot gain privileges.
    pub no_new_privileges: bool,
    /// Whether its root cannot be written.
    pub read_only: bool,
    /// File systems in memory: path and options.
    pub tmpfs: Vec<(String, String)>,
    /// Whether it may do everything that nspawn knows how to allow.
    pub privileged: bool,
}

/// What runs in the container.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// The image's init.
    Boot {
        /// What for.
        purpose: Purpose,
        /// Whether racker's program sets the system call filters first, which lie at [`FILTERS`].
        filtered: bool,
    },
    /// racker's own pid 1, which lies at this path of the host.
    Agent {
        /// racker's pid 1.
        init: &'a Path,
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
    pub network: &'a Network,
    /// Host paths it sees.
    pub binds: &'a [Bind],
    /// What it may and has beside.
    pub extras: &'a Extras,
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
        if self.ids.is_identity() {
            push("--private-users=no".into());
        } else {
            push(format!(
                "--private-users={}:{}",
                self.ids.base, self.ids.count
            ));
            // The lower layers are id-mapped already; nspawn would copy them all up.
            push("--private-users-ownership=off".into());
        }
        push("--link-journal=no".into());
        push("--timezone=off".into());
        match self.network {
            Network::None => {
                push("--private-network".into());
                push("--resolv-conf=off".into());
            }
            Network::Host => push("--resolv-conf=bind-host".into()),
            Network::Joined(_) => push("--resolv-conf=off".into()),
        }
        self.extras.arguments().into_iter().for_each(&mut push);
        for bind in self.binds {
            let option = if bind.writable { "--bind" } else { "--bind-ro" };
            push(format!(
                "{option}={}:{}",
                escape(&bind.source.display().to_string()),
                escape(&bind.target.display().to_string())
            ));
        }
        match self.payload {
            Payload::Boot { purpose, filtered } => {
                if !filtered {
                    push("--boot".into());
                }
                push("--notify-ready=yes".into());
                push("--kill-signal=SIGRTMIN+3".into());
                push("--console=read-only".into());
                for (name, value) in boot::ENVIRONMENT {
                    push(format!("--setenv={name}={value}"));
                }
                if filtered {
                    push("--".into());
                    push(INIT.into());
                    push("boot".into());
                    push(FILTERS.into());
                }
                list.extend(boot::arguments(purpose).into_iter().map(OsString::from));
            }
            Payload::Agent { init } => {
                push("--console=pipe".into());
                push(format!(
                    "--bind-ro={}:{INIT}",
                    escape(&init.display().to_string())
                ));
                push("--".into());
                push(INIT.into());
            }
        }
        list
    }

    /// The environment of nspawn itself.
    pub fn environment(&self, notify: &Path) -> Vec<(&'static str, OsString)> {
        let mut list: Vec<(&'static str, OsString)> = vec![
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
        ];
        if self.extras.privileged {
            list.push(("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "1".into()));
        }
        list
    }
}

impl Extras {
    fn arguments(&self) -> Vec<String> {
        let mut list = Vec::new();
        let mut push = |text: String| list.push(text);
        let names = |list: &[String]| {
            let name = |it: &String| match it.as_str() {
                "all" => "all".to_owned(),
                name => format!("CAP_{name}"),
            };
            list.iter().map(name).collect::<Vec<_>>().join(",")
        };
        if self.privileged {
            push("--capability=all".into());
            push("--system-call-filter=@mount @keyring @debug bpf perf_event_open".into());
        } else if !self.capabilities.is_empty() {
            push(format!("--capability={}", names(&self.capabilities)));
        }
        if !self.dropped.is_empty() {
            push(format!("--drop-capability={}", names(&self.dropped)));
        }
        if self.no_new_privileges {
            push("--no-new-privileges=yes".into());
        }
        if self.read_only {
            push("--read-only".into());
        }
        for (path, options) in &self.tmpfs {
            let options = if options.is_empty() {
                String::new()
            } else {
                format!(":{options}")
            };
            push(format!("--tmpfs={}{options}", escape(path)));
        }
        list
    }
}

/// The command line of racker's program for one command, up to that.
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

pub(super) fn groups(list: &[u32]) -> String {
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

    fn text(extras: &Extras, payload: Payload<'_>, binds: &[Bind]) -> Vec<String> {
        let invocation = Invocation {
            root: Path::new("/run/racker/x/root"),
            id: "0123456789ab",
            hostname: "guest",
            ids: IdMap {
                base: 524_288,
                count: 65536,
            },
            network: &Network::None,
            binds,
            extras,
            payload,
        };
        invocation
            .arguments()
            .into_iter()
            .map(|a| a.into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_booted_container() {
        let all = text(
            &Extras::default(),
            Payload::Boot {
                purpose: Purpose::Command,
                filtered: false,
            },
            &[],
        );
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
    fn a_container_for_commands() {
        let binds = [Bind {
            source: "/a:b".into(),
            target: "/c".into(),
            writable: false,
        }];
        let extras = Extras {
            capabilities: vec!["NET_ADMIN".into(), "SYS_TIME".into()],
            dropped: vec!["all".into()],
            no_new_privileges: true,
            read_only: true,
            tmpfs: vec![
                ("/scratch".into(), "size=1m".into()),
                ("/t".into(), String::new()),
            ],
            privileged: false,
        };
        let payload = Payload::Agent {
            init: Path::new("/i"),
        };
        assert_eq!(
            text(&extras, payload, &binds)[13..],
            [
                "--capability=CAP_NET_ADMIN,CAP_SYS_TIME",
                "--drop-capability=all",
                "--no-new-privileges=yes",
                "--read-only",
                "--tmpfs=/scratch:size=1m",
                "--tmpfs=/t",
                "--bind-ro=/a\\:b:/c",
                "--console=pipe",
                "--bind-ro=/i:/run/racker-init",
                "--",
                "/run/racker-init",
            ]
        );
    }
}
