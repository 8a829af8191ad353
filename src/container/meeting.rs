//! Sockets of a container's directory, where other processes of racker's meet the one that holds it.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Listens at `name` in a directory that only root can enter, in place of whoever did before.
pub fn listen(directory: &Path, name: &str) -> io::Result<UnixListener> {
    let at = File::open(directory)?;
    let path = directory.join(name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(short(&at, name))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Connects to who listens there.
pub fn connect(directory: &Path, name: &str) -> io::Result<UnixStream> {
    let at = File::open(directory)?;
    UnixStream::connect(short(&at, name))
}

/// A path of any length, shortened: the address of a socket has room for 107 bytes.
fn short(at: &File, name: &str) -> String {
    format!("/proc/self/fd/{}/{name}", at.as_raw_fd())
}
