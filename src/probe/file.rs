//! Paths of a guest.

use std::fs::File;
use std::io::{self, Read};

use rustix::fs::{FileType, OFlags, Stat, fstat, readlinkat};
use rustix::io::Errno;
use sha2::{Digest, Sha256, Sha512};

use super::accounts;
use super::observed::Observed;
use super::view::View;
use crate::check::Claim;

/// Looks at a path, itself and not what a link leads to; contents are those that it leads to.
pub(super) fn look(view: &View<'_>, claim: &Claim) -> Observed {
    let path = claim.subject();
    let flags = OFlags::PATH | OFlags::NOFOLLOW;
    let file = match view.root.file(path, flags) {
        Ok(file) => file,
        Err(error) => {
            let gone = [Errno::NOENT, Errno::NOTDIR].map(|it| Some(it.raw_os_error()));
            let summary = if gone.contains(&error.raw_os_error()) {
                "is not there".to_owned()
            } else {
                format!("cannot be looked at: {error}")
            };
            return Observed::new("exists", false, summary);
        }
    };
    let Ok(stat) = fstat(&file) else {
        return Observed::new("exists", false, "is not there");
    };
    let mut seen = Observed::new("exists", true, "is there")
        .with("mode", format!("{:04o}", stat.st_mode & 0o7777))
        .with("owner", accounts::user_name(view, view.id(stat.st_uid)))
        .with("group", accounts::group_name(view, view.id(stat.st_gid)))
        .with("filetype", kind(&stat))
        .with("size", stat.st_size.to_string());
    if let Ok(target) = readlinkat(&file, "", Vec::new()) {
        seen = seen.with("linked-to", target.to_string_lossy().into_owned());
    }
    for property in ["contents", "contains", "sha256", "sha512"] {
        if claim.expected.iter().any(|(name, _)| *name == property)
            && let Ok(text) = read(view, path, property)
        {
            seen = seen.with(property, text);
        }
    }
    seen
}

fn kind(stat: &Stat) -> &'static str {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => "file",
        FileType::Directory => "directory",
        FileType::Symlink => "symlink",
        FileType::Socket => "socket",
        FileType::Fifo => "pipe",
        FileType::CharacterDevice => "character-device",
        FileType::BlockDevice => "block-device",
        FileType::Unknown => "unknown",
    }
}

fn read(view: &View<'_>, path: &str, property: &str) -> io::Result<String> {
    if !property.starts_with("sha") {
        return view.root.read(path);
    }
    let file = File::from(view.root.file(path, OFlags::RDONLY)?);
    // A device may have no end.
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    if property == "sha256" {
        digest::<Sha256>(file)
    } else {
        digest::<Sha512>(file)
    }
}

fn digest<D: Digest>(mut file: File) -> io::Result<String> {
    let mut hasher = D::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            let bytes = hasher.finalize();
            return Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(&buffer[..count]);
    }
}
