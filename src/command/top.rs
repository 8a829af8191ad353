//! `racker top`

use std::os::fd::AsRawFd;

use super::Context;
use crate::container::cgroup;
use crate::failure::{FAILED, Failure};
use crate::lifecycle::Yard;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Container
    container: String,
    /// Options for the host's ps
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PS-OPTION")]
    options: Vec<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let kept = Yard::of(&context.store()?).find(&args.container)?;
    kept.running()?;
    let failed = |error: std::io::Error| Failure::new(FAILED, format!("list the processes: {error}"));
    let hierarchy = cgroup::hierarchy().map_err(failed)?;
    // Below `payload` are the container's own; beside it is nspawn.
    let root = format!(
        "/proc/self/fd/{}/racker-{}/payload",
        hierarchy.as_raw_fd(),
        kept.config.short_id()
    );
    let mut pids: Vec<String> = Vec::new();
    for entry in walkdir::WalkDir::new(root).into_iter().flatten() {
        let text = std::fs::read_to_string(entry.path().join("cgroup.procs"));
        pids.extend(text.unwrap_or_default().lines().map(str::to_owned));
    }
    let options = if args.options.is_empty() {
        vec!["-f".to_owned()]
    } else {
        args.options.clone()
    };
    let status = std::process::Command::new("ps")
        .args(options)
        .arg("-p")
        .arg(pids.join(","))
        .status()
        .map_err(|error| {
            Failure::new(FAILED, format!("start ps: {error}"))
                .hint("install it: apt-get install procps")
        })?;
    Ok(u8::from(!status.success()))
}
