//! In what two things at the same path differ.

use racker_store::{Content, Metadata};
use serde::Serialize;

/// In what two things at the same path differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Difference {
    /// One is a file, the other a directory, a link, a device.
    Kind,
    /// The bytes of a file.
    Bytes,
    /// The number of bytes of a file.
    Size,
    /// The permission bits.
    Mode,
    /// User or group.
    Owner,
    /// The time of the last change of the bytes.
    Mtime,
    /// Extended attributes.
    Xattrs,
    /// Where a symbolic link points.
    Target,
    /// The numbers of a device.
    Device,
    /// Which other names the file has.
    Links,
}

impl Difference {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Bytes => "bytes",
            Self::Size => "size",
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::Mtime => "mtime",
            Self::Xattrs => "xattrs",
            Self::Target => "target",
            Self::Device => "device",
            Self::Links => "links",
        }
    }
}

/// Says in what the metadata of two things differ.
pub(super) fn of_metadata(before: &Metadata, after: &Metadata) -> Vec<Difference> {
    let owner = |of: &Metadata| (of.uid, of.gid);
    let found = [
        (before.mode != after.mode, Difference::Mode),
        (owner(before) != owner(after), Difference::Owner),
        (before.mtime != after.mtime, Difference::Mtime),
        (before.xattrs != after.xattrs, Difference::Xattrs),
    ];
    found
        .into_iter()
        .filter_map(|(differs, what)| differs.then_some(what))
        .collect()
}

/// Says in what two contents differ.
pub(super) fn of_content(before: &Content, after: &Content) -> Vec<Difference> {
    match (before, after) {
        (one, other) if one == other => Vec::new(),
        (Content::File { size: one, .. }, Content::File { size: other, .. }) => {
            let mut all = vec![Difference::Bytes];
            all.extend((one != other).then_some(Difference::Size));
            all
        }
        (Content::Symlink(_), Content::Symlink(_)) => vec![Difference::Target],
        (Content::CharDevice { .. }, Content::CharDevice { .. })
        | (Content::BlockDevice { .. }, Content::BlockDevice { .. }) => vec![Difference::Device],
        _ => vec![Difference::Kind],
    }
}
