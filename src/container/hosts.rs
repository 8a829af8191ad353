//! The guest's `/etc/hosts`: without one, no program finds `localhost` or its own host's name.
//!
//! An image that has none gets one from the skeleton below it ([`mount`](super::mount)), which is no
//! change of the image. A container that is run has one with its name in it, whatever the image
//! has, as docker's have. Source: `hosts(5)`.

use std::fs;
use std::os::unix::fs::chown;

use super::nspawn::Bind;
use super::{Error, Snapshot};

/// The addresses of the host itself.
pub const LOCAL: &str = "127.0.0.1\tlocalhost.localdomain localhost\n\
     ::1\tlocalhost.localdomain localhost ip6-localhost ip6-loopback\n";

/// The host's name that a container's name makes, if it does: a host's has no `_`, and at most 64 bytes.
/// Source: `hostname(7)`.
pub fn name(container: &str) -> Option<String> {
    let name = container.replace('_', "-");
    let name = name.trim_end_matches(['-', '.']);
    (name.len() <= 64 && !name.contains("..")).then(|| name.to_owned())
}

/// Makes one for a guest of this name and says where to show it; none for an image without `/etc`.
pub(super) fn bind(snapshot: &Snapshot, hostname: &str) -> Result<Option<Bind>, Error> {
    if snapshot.root()?.mode("/etc/hosts").is_none() {
        return Ok(None);
    }
    let source = snapshot.slot().directory().join("hosts");
    let owner = Some(snapshot.slot().ids().base);
    fs::write(&source, format!("{LOCAL}127.0.1.1\t{hostname}\n"))
        .and_then(|()| chown(&source, owner, owner))
        .map_err(Error::io(format!("write {}", source.display())))?;
    Ok(Some(Bind {
        source,
        target: "/etc/hosts".into(),
        writable: true,
    }))
}
