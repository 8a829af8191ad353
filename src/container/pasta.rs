//! A way out through pasta, for hosts that give no right to make a bridge.
//!
//! pasta carries what a container sends as connections of an ordinary process of the host, and needs
//! rights over the container's network alone. It runs as the container's root in its user namespace,
//! in a group of the container's control group, and so ends with the container however that ends.
//! It is told to lead nothing in: [`super::ports`] does that. Nor does it lead to the host's loopback
//! interface; the host is found at its own addresses. Source: `pasta(1)`.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::mount::mount_bind;

use super::{Error, Snapshot};
use crate::sys;

/// The program's name.
const PROGRAM: &str = "pasta";

/// The device that its packets go through.
const TUN: &str = "/dev/net/tun";

/// A container's address, the same in each: nobody is beside it.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 86, 255, 2);

/// Its way out. There the host's first name server answers, even one that only the host itself
/// reaches.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 86, 255, 1);

/// Errors: pasta is not installed.
pub fn require() -> Result<(), Error> {
    let mut command = Command::new(PROGRAM);
    command.arg("--version").stdin(Stdio::null());
    match command.output() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::PastaMissing),
        Err(error) => Err(Error::io("start pasta")(error)),
    }
}

/// The host's address on its way out, by which containers reach it; none where it has no way out.
pub fn host() -> Option<Ipv4Addr> {
    // Nothing is sent. The address is one of those that are nobody's. Source: RFC 5737.
    let far = SocketAddr::from((Ipv4Addr::new(198, 51, 100, 1), 9));
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(far).ok()?;
    match socket.local_addr().ok()? {
        SocketAddr::V4(address) => Some(*address.ip()),
        SocketAddr::V6(_) => None,
    }
}

/// Gives a way out to the container whose first process is `leader`. To be called where the
/// snapshot's mounts are seen.
pub fn start(snapshot: &Snapshot, leader: u32) -> Result<(), Error> {
    let slot = snapshot.slot();
    let network = File::open(format!("/proc/{leader}/ns/net"))
        .map_err(Error::io("open the container's network"))?;
    let said = slot.directory().join("pasta.log");
    let log = File::create(&said).map_err(Error::io("write to the run directory"))?;
    let mut command = if slot.ids().is_identity() {
        // It would become nobody, who may not enter the container's network.
        let mut command = Command::new(PROGRAM);
        command.arg("--runas=0");
        command
    } else {
        open_to_all(slot.directory(), TUN.as_ref())
            .map_err(Error::io(format!("let the container use {TUN}")))?;
        let mut command = Command::new("nsenter");
        command.arg(format!("--user=/proc/{leader}/ns/user"));
        command.arg(PROGRAM);
        command
    };
    command
        .args(arguments())
        .current_dir("/")
        .stdin(Stdio::from(network))
        .stdout(Stdio::null())
        .stderr(Stdio::from(log))
        .process_group(0);
    for procs in slot
        .procs_beside("network")
        .map_err(Error::io("open the cgroup"))?
    {
        sys::enter_cgroup(&mut command, procs);
    }
    // It goes to the background once packets are carried.
    let status = command.status().map_err(Error::io("start pasta"))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Pasta(reason(
        &fs::read_to_string(&said).unwrap_or_default(),
    )))
}

fn arguments() -> Vec<String> {
    let mut all: Vec<String> = ["--config-net", "--quiet", "--netns-only", "--no-netns-quit"]
        .map(Into::into)
        .into();
    all.extend([
        // It must not lose its right to the network before it has opened it.
        "--netns=/proc/self/fd/0".into(),
        "--ns-ifname=eth0".into(),
        format!("--address={ADDRESS}"),
        "--netmask=24".into(),
        format!("--gateway={GATEWAY}"),
        format!("--dns-forward={GATEWAY}"),
        "--no-map-gw".into(),
    ]);
    let none = ["--tcp-ports", "--udp-ports", "--tcp-ns", "--udp-ns"];
    all.extend(none.map(|direction| format!("{direction}=none")));
    all
}

/// Has everybody in this mount namespace be able to open a device of the host's that only its root
/// can.
fn open_to_all(directory: &Path, device: &Path) -> io::Result<()> {
    let found = fs::metadata(device)?;
    if found.mode() & 0o006 == 0o006 {
        return Ok(());
    }
    let own = directory.join("tun");
    let mode = 0o666;
    mknodat(
        CWD,
        &own,
        FileType::CharacterDevice,
        Mode::from_raw_mode(mode),
        found.rdev(),
    )?;
    fs::set_permissions(&own, fs::Permissions::from_mode(mode))?;
    Ok(mount_bind(&own, device)?)
}

/// What pasta said of its failure, without what it says of the system's log.
fn reason(said: &str) -> String {
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.starts_with("Failed to send") && !line.is_empty())
        .collect();
    match lines[..] {
        [] => "it ended without a word".into(),
        _ => lines.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_in() {
        let all = arguments().join(" ");
        for part in [
            "--tcp-ports=none --udp-ports=none --tcp-ns=none --udp-ns=none",
            "--no-map-gw",
            "--address=10.86.255.2 --netmask=24 --gateway=10.86.255.1",
        ] {
            assert!(all.contains(part), "{all}");
        }
    }

    #[test]
    fn reasons() {
        assert_eq!(
            reason("Failed to send 9 bytes to syslog\nno tun\n"),
            "no tun"
        );
        assert_eq!(reason(""), "it ended without a word");
    }
}
