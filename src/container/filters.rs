//! System call filters that need not be compiled.
//!
//! nspawn has libseccomp compile its filters at every start, which takes most of the time it needs.
//! They are the same every time, so they are read off the first container after the machine's start
//! (`ptrace(2)`) and kept below `/run`; later ones run nspawn without a filter of its own, and
//! racker's program in the container sets exactly these before anything of the image runs. Where
//! the kernel does not give filters away, or the container may not set any, nspawn goes on to do it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::nspawn::{Extras, PROGRAM};
use crate::sys;

/// Where they are kept, for root alone.
const DIRECTORY: &str = "/run/racker/filters";

/// Filters: the instructions of each, the one set first first.
pub(super) type Filters = Vec<Vec<u8>>;

/// Where those of containers like this are kept; none where such a container could not set them.
pub(super) fn place(extras: &Extras) -> Option<PathBuf> {
    let lost = |name: &String| matches!(name.as_str(), "all" | "SYS_ADMIN");
    if extras.dropped.iter().any(lost) {
        return None;
    }
    let search = std::env::split_paths(super::process::PATH);
    let program = search.map(|it| it.join(PROGRAM)).find(|it| it.exists())?;
    let found = fs::metadata(program).ok()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let key = format!(
        "1 {} {} {} {} {} {:?} {:?} {}",
        found.dev(),
        found.ino(),
        found.size(),
        found.mtime(),
        kernel.trim(),
        extras.capabilities,
        extras.dropped,
        extras.privileged,
    );
    Some(Path::new(DIRECTORY).join(&blake3::hash(key.as_bytes()).to_hex()[..32]))
}

/// The filters that are kept there.
pub(super) fn read(place: &Path) -> Option<Filters> {
    parse(&fs::read(place).ok()?)
}

/// Keeps the filters of the process `leader` there.
pub(super) fn learn(leader: u32, place: &Path) -> io::Result<()> {
    let filters = sys::seccomp_filters(leader)?;
    // No filter at all is nothing that nspawn means to set.
    if filters.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(DIRECTORY)?;
    fs::set_permissions(DIRECTORY, fs::Permissions::from_mode(0o700))?;
    let part = tempfile::NamedTempFile::new_in(DIRECTORY)?;
    fs::write(part.path(), bytes(&filters))?;
    part.persist(place)?;
    Ok(())
}

/// As they are kept, and as racker's program in the container takes them: length and instructions.
pub(super) fn bytes(filters: &Filters) -> Vec<u8> {
    let mut all = Vec::new();
    for filter in filters {
        all.extend((filter.len() as u32).to_le_bytes());
        all.extend(filter);
    }
    all
}

fn parse(mut bytes: &[u8]) -> Option<Filters> {
    let mut all = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (filter, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        all.push(filter.to_vec());
        bytes = rest;
    }
    (bytes.is_empty() && !all.is_empty()).then_some(all)
}

/// What tells nspawn to set none.
pub(super) fn switched_off() -> (&'static str, OsString) {
    ("SYSTEMD_SECCOMP", "0".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_kept_as_they_are() {
        let filters = vec![vec![1; 16], vec![2; 8]];
        assert_eq!(parse(&bytes(&filters)), Some(filters));
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&[9, 0, 0, 0, 1]), None);
    }

    #[test]
    fn who_cannot_set_them_leaves_it_to_nspawn() {
        let dropped = |name: &str| Extras {
            dropped: vec![name.into()],
            ..Extras::default()
        };
        assert_eq!(place(&dropped("all")), None);
        assert_eq!(place(&dropped("SYS_ADMIN")), None);
    }
}
