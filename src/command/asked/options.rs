//! The options of `run` and `create`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::mounted;
use super::refused::Refused;
use super::values;
use crate::command::assignment;
use crate::container::capabilities;
use crate::lifecycle::config::{Mount, Port, Restart};
use crate::oci::Platform;

/// What `run` and `create` take beside the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Keep standard input open
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give the command a terminal, where racker has one
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Remove the container when it ends
    #[arg(long)]
    pub(crate) rm: bool,
    /// Name of the container; its host name where that is not given
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Set an environment variable; NAME alone takes the caller's value
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Read environment variables from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<PathBuf>,
    /// Directory the command starts in
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// User the command runs as
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// Command in place of the image's entrypoint
    #[arg(long, value_name = "COMMAND")]
    pub(crate) entrypoint: Option<String>,
    /// Host name of the container [default: its id]
    #[arg(short = 'h', long, value_name = "NAME")]
    pub(crate) hostname: Option<String>,
    /// Show a path of the host, or a volume, in the container
    #[arg(short, long, value_name = "[SOURCE:]TARGET[:ro]", value_parser = mounted::volume)]
    pub(crate) volume: Vec<(Mount, bool)>,
    /// Show something in the container: type=bind|volume|tmpfs,source=..,target=..[,readonly]
    #[arg(long, value_name = "FIELDS")]
    pub(crate) mount: Vec<String>,
    /// Mount a file system in memory
    #[arg(long, value_name = "PATH[:OPTIONS]")]
    pub(crate) tmpfs: Vec<String>,
    /// Size of /dev/shm
    #[arg(long, value_name = "BYTES", value_parser = values::bytes)]
    pub(crate) shm_size: Option<u64>,
    /// Nothing of the root can be written
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Have a port of the host lead to the container
    #[arg(short, long, value_name = "[[ADDRESS:]HOST:]PORT")]
    pub(crate) publish: Vec<String>,
    /// Have a free port of the host lead to every port that the image exposes
    #[arg(short = 'P', long)]
    pub(crate) publish_all: bool,
    /// A port that --publish-all counts as exposed
    #[arg(long, value_name = "PORT")]
    pub(crate) expose: Vec<String>,
    /// Network: none, host, private, pasta, container:NAME, or one made by `network create`
    #[arg(long, alias = "net", default_value = "private")]
    pub(crate) network: String,
    /// Add a line to /etc/hosts
    #[arg(long, value_name = "NAME:ADDRESS")]
    pub(crate) add_host: Vec<String>,
    /// Name server in place of the host's
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) dns: Vec<IpAddr>,
    /// Search domain
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) dns_search: Vec<String>,
    /// Add a capability; ALL for all
    #[arg(long, value_name = "NAME", value_parser = capabilities::name)]
    pub(crate) cap_add: Vec<String>,
    /// Drop a capability; ALL for all
    #[arg(long, value_name = "NAME", value_parser = capabilities::name)]
    pub(crate) cap_drop: Vec<String>,
    /// Neither user namespace nor dropped capabilities nor a narrow system call filter
    #[arg(long)]
    pub(crate) privileged: bool,
    /// Ids of the container: its own, or `host`'s
    #[arg(long, value_name = "MODE", default_value = "private")]
    pub(crate) userns: String,
    /// Security option: no-new-privileges
    #[arg(long, value_name = "OPTION")]
    pub(crate) security_opt: Vec<String>,
    /// Most memory it may take
    #[arg(short, long, value_name = "BYTES", value_parser = values::bytes)]
    pub(crate) memory: Option<u64>,
    /// Most memory and swap it may take
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    pub(crate) memory_swap: Option<String>,
    /// Most processors it may take
    #[arg(long, value_name = "NUMBER")]
    pub(crate) cpus: Option<f64>,
    /// Most processes it may have; -1 for any number
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub(crate) pids_limit: Option<i64>,
    /// Limit of its processes
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = values::ulimit)]
    pub(crate) ulimit: Vec<(String, u64, u64)>,
    /// Give it a device of the host
    #[arg(long, value_name = "PATH[:PATH]")]
    pub(crate) device: Vec<String>,
    /// Kernel parameter of its namespaces
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) sysctl: Vec<(String, String)>,
    /// When to start it again: no, on-failure[:N], always, unless-stopped
    #[arg(long, value_name = "POLICY", default_value = "no", value_parser = values::restart)]
    pub(crate) restart: Restart,
    /// Signal that asks it to end
    #[arg(long, value_name = "SIGNAL", value_parser = values::signal)]
    pub(crate) stop_signal: Option<i32>,
    /// Seconds it has to end when asked to
    #[arg(long, value_name = "SECONDS")]
    pub(crate) stop_timeout: Option<u64>,
    /// Say something of it
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub(crate) label: Vec<String>,
    /// Read labels from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) label_file: Vec<PathBuf>,
    /// Write its id to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) cidfile: Option<PathBuf>,
    /// Command that finds out whether it is well
    #[arg(long, value_name = "COMMAND")]
    pub(crate) health_cmd: Option<String>,
    /// Time between two tries of it
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) health_interval: Option<Duration>,
    /// Time that a try of it may take
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) health_timeout: Option<Duration>,
    /// Time from the start on in which its failures do not count
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) health_start_period: Option<Duration>,
    /// Failures in a row that make it unhealthy
    #[arg(long, value_name = "NUMBER")]
    pub(crate) health_retries: Option<u32>,
    /// Leave out the image's way to find out whether it is well
    #[arg(long)]
    pub(crate) no_healthcheck: bool,
    /// A process that reaps orphans; there always is one
    #[arg(long)]
    pub(crate) init: bool,
    /// When to pull the image: always, missing or never
    #[arg(long, value_name = "WHEN", default_value = "missing")]
    pub(crate) pull: Pull,
    /// Platform of the image to pull, such as linux/amd64
    #[arg(long)]
    pub(crate) platform: Option<Platform>,
    /// Whether the image's init is booted
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) systemd: Systemd,
    /// What to wait for before the command is started: basic, boot or none
    #[arg(long, value_enum, default_value = "basic")]
    pub(crate) wait: WaitFor,
    /// Have the host's machined know it: machinectl, journalctl -M
    #[arg(long)]
    pub(crate) register: bool,
    /// How the log is kept: json-file
    #[arg(long, value_name = "DRIVER", default_value = "json-file")]
    pub(crate) log_driver: String,
    #[command(flatten)]
    pub(crate) refused: Refused,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Pull {
    /// In any case.
    Always,
    /// Where it is not there.
    Missing,
    /// Not at all.
    Never,
}

/// Whether an init is booted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Systemd {
    /// Where the image has one, or is the plain image of an operating system
    Auto,
    /// Always
    #[value(alias = "true")]
    Always,
    /// Never
    False,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum WaitFor {
    /// basic.target
    Basic,
    /// The whole boot
    Boot,
    /// Nothing
    None,
}

/// Ports of a list of specifications.
pub(crate) fn ports(list: &[String]) -> Result<Vec<Port>, String> {
    let mut all = Vec::new();
    for text in list {
        all.extend(values::ports(text)?);
    }
    Ok(all)
}
