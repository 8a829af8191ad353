//! `racker doctor`

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use super::Context;
use crate::container::{bridge, cgroup, nspawn};
use crate::failure::{FAILED, Failure};
use crate::sys::{IdMap, user_namespace};
use crate::ui::{Table, size};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found about one thing.
#[derive(Debug, Serialize)]
struct Finding {
    thing: &'static str,
    state: State,
    found: String,
    /// What mends it.
    mend: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Good,
    /// Something works less well.
    Weak,
    /// Something does not work.
    Missing,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let all = vec![
        root(),
        program(
            nspawn::PROGRAM,
            "systemd-container",
            "running and baking",
            State::Missing,
        ),
        program(
            "mmdebstrap",
            "mmdebstrap",
            "`from = { bootstrap = ... }`",
            State::Weak,
        ),
        program(
            "nsenter",
            "util-linux",
            "`from = { bootstrap = ... }`",
            State::Weak,
        ),
        program("ip", "iproute2", "containers with a network", State::Weak),
        way_out(),
        kernel(),
        file_system("overlay", State::Missing, "checkouts and snapshots"),
        file_system("erofs", State::Weak, "mounting trees without a checkout"),
        cgroups(),
        user_namespaces(),
        subordinate_ids(),
        disk(&context.settings.store),
    ];
    let failed = all.iter().any(|finding| finding.state == State::Missing);
    if args.json {
        context.ui.json(&all)?;
    } else {
        let mut table = Table::new(["", "THING", "FOUND", "MEND IT WITH"]);
        for finding in &all {
            let mark = match finding.state {
                State::Good => "ok",
                State::Weak => "weak",
                State::Missing => "MISSING",
            };
            table.row([
                mark.to_owned(),
                finding.thing.to_owned(),
                finding.found.clone(),
                finding.mend.clone().unwrap_or_default(),
            ]);
        }
        for line in table.lines() {
            context.ui.data(line)?;
        }
    }
    Ok(if failed { FAILED } else { 0 })
}

/// What gives containers a way out.
fn way_out() -> Finding {
    let thing = "nft, iptables or pasta";
    let paths: Vec<_> = std::env::split_paths(crate::container::process::PATH).collect();
    let installed = |name: &&str| paths.iter().any(|path| path.join(name).exists());
    let bridged = bridge::permitted().then_some(["nft", "iptables"]);
    let mut names = bridged.into_iter().flatten().chain(["pasta"]);
    match names.find(installed) {
        Some(name) => good(thing, name),
        None if bridge::permitted() => bad(
            thing,
            State::Weak,
            "not installed: no containers with a network".into(),
            "apt-get install nftables",
        ),
        None => bad(
            thing,
            State::Weak,
            "no right to make a network, and no pasta: no containers with a network".into(),
            "apt-get install passt",
        ),
    }
}

fn good(thing: &'static str, found: impl Into<String>) -> Finding {
    Finding {
        thing,
        state: State::Good,
        found: found.into(),
        mend: None,
    }
}

fn bad(thing: &'static str, state: State, found: String, mend: &str) -> Finding {
    Finding {
        thing,
        state,
        found,
        mend: Some(mend.to_owned()).filter(|mend| !mend.is_empty()),
    }
}

fn root() -> Finding {
    if rustix::process::geteuid().is_root() {
        good("user", "root")
    } else {
        bad("user", State::Missing, "not root".into(), "sudo racker ...")
    }
}

fn program(name: &'static str, package: &str, used_for: &str, state: State) -> Finding {
    match Command::new(name).arg("--version").output() {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            good(name, text.lines().next().unwrap_or_default())
        }
        _ => bad(
            name,
            state,
            format!("not installed; needed for {used_for}"),
            &format!("apt-get install {package}"),
        ),
    }
}

fn kernel() -> Finding {
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let mut numbers = release
        .split(['.', '-'])
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    match version {
        (6, 12..) | (7.., _) => good("kernel", release),
        (6, _) | (5, 19) => bad(
            "kernel",
            State::Weak,
            format!("{release}: no erofs images from files (6.12); trees are checked out"),
            "",
        ),
        _ => bad(
            "kernel",
            State::Missing,
            format!("{release}: no id-mapped overlay layers (5.19)"),
            "install a newer kernel",
        ),
    }
}

fn file_system(name: &'static str, state: State, used_for: &str) -> Finding {
    let known = || {
        fs::read_to_string("/proc/filesystems").is_ok_and(|text| {
            text.lines()
                .any(|line| line.split_whitespace().last() == Some(name))
        })
    };
    // A module may only need to be asked for.
    if known() || (Command::new("modprobe").arg(name).output().is_ok() && known()) {
        return good(name, "in the kernel");
    }
    bad(
        name,
        state,
        format!("not in the kernel; needed for {used_for}"),
        &format!("modprobe {name}"),
    )
}

fn cgroups() -> Finding {
    match cgroup::hierarchy() {
        Ok(_) => good("cgroups", "version 2 can be mounted"),
        Err(error) => bad(
            "cgroups",
            State::Missing,
            format!("version 2 cannot be mounted: {error}"),
            "boot with systemd.unified_cgroup_hierarchy=1",
        ),
    }
}

fn user_namespaces() -> Finding {
    match user_namespace(IdMap {
        base: 524_288,
        count: 65536,
    }) {
        Ok(_) => good("user namespaces", "can be made"),
        Err(error) => bad(
            "user namespaces",
            State::Missing,
            error.to_string(),
            "sysctl user.max_user_namespaces=65536",
        ),
    }
}

fn subordinate_ids() -> Finding {
    let taken: Vec<String> = ["/etc/subuid", "/etc/subgid"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter(|line| {
            let mut fields = line
                .split(':')
                .skip(1)
                .map(|f| f.parse::<u64>().unwrap_or(0));
            let (first, count) = (fields.next().unwrap_or(0), fields.next().unwrap_or(0));
            first < 524_288 + 1024 * 65536 && first + count > 524_288
        })
        .collect();
    if taken.is_empty() {
        return good("subordinate ids", "524288 and above are free");
    }
    bad(
        "subordinate ids",
        State::Weak,
        format!("containers share ids with {}", taken.join(", ")),
        "usermod --del-subuids FIRST-LAST --del-subgids FIRST-LAST USER",
    )
}

fn disk(store: &Path) -> Finding {
    let there = store
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("/"));
    match rustix::fs::statvfs(there) {
        Ok(stat) => {
            let free = stat.f_bavail * stat.f_frsize;
            let found = format!("{} free for {}", size(free), store.display());
            if free < 2 << 30 {
                bad(
                    "disk",
                    State::Weak,
                    found,
                    "--store DIR or RACKER_STORE names another place",
                )
            } else {
                good("disk", found)
            }
        }
        Err(error) => bad("disk", State::Missing, error.to_string(), ""),
    }
}
