//! What is at a path of one side, as far as it can differ.

use racker_store::{Content, Metadata, ObjectId, Time};
use serde::{Serialize, Serializer};

use crate::shown::shown;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// What is at a path of one side. What the kind does not have is not written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct State {
    /// What it is.
    pub kind: Kind,
    /// Permission bits with set-uid, set-gid and sticky; serialised as four octal digits.
    #[serde(serialize_with = "octal")]
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last change; serialised as seconds since 1970 with nine digits behind the point.
    #[serde(serialize_with = "decimal")]
    pub mtime: Time,
    /// Bytes of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// BLAKE3 of a file's bytes; none if it has no bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blake3: Option<ObjectId>,
    /// Where a symbolic link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Major and minor number of a device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<(u32, u32)>,
    /// How many names it has, if more than one.
    #[serde(skip_serializing_if = "is_one")]
    pub links: usize,
    /// The package that owns the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
}

impl State {
    /// A directory, or a file with its content and number of names.
    pub(super) fn new(metadata: &Metadata, content: Option<(&Content, usize)>) -> Self {
        let mut state = Self {
            kind: Kind::Directory,
            mode: metadata.mode,
            uid: metadata.uid,
            gid: metadata.gid,
            mtime: metadata.mtime,
            size: None,
            blake3: None,
            target: None,
            device: None,
            links: 1,
            package: None,
        };
        let Some((content, links)) = content else {
            return state;
        };
        state.links = links;
        state.kind = match content {
            Content::File { object, size } => {
                (state.size, state.blake3) = (Some(*size), *object);
                Kind::File
            }
            Content::Symlink(target) => {
                state.target = Some(shown(target));
                Kind::Symlink
            }
            Content::CharDevice { major, minor } => {
                state.device = Some((*major, *minor));
                Kind::CharDevice
            }
            Content::BlockDevice { major, minor } => {
                state.device = Some((*major, *minor));
                Kind::BlockDevice
            }
            Content::Fifo => Kind::Fifo,
            Content::Socket => Kind::Socket,
        };
        state
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn octal<S: Serializer>(mode: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{mode:04o}"))
}

fn decimal<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{}.{:09}", time.seconds, time.nanoseconds))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_one(links: &usize) -> bool {
    *links == 1
}
