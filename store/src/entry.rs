//! One line of a manifest: a path and what is there.
//!
//! ```text
//! PATH d MODE UID GID MTIME XATTRS              directory
//! PATH f MODE UID GID MTIME SIZE OBJECT XATTRS  regular file; OBJECT is "-" when SIZE is 0
//! PATH l MODE UID GID MTIME TARGET XATTRS       symbolic link
//! PATH c|b MODE UID GID MTIME MAJOR MINOR XATTRS
//! PATH p|s MODE UID GID MTIME XATTRS            fifo, socket
//! PATH h FIRST                                  hard link to a path listed before
//! PATH -                                        nothing is here any more
//! PATH .                                        a directory that is only passed through
//! PATH !                                        the directory hides what lies below it
//! PATH > TARGET                                 hard link to a path of the tree below
//! ```
//!
//! Fields are separated by one blank. Paths start with a slash; bytes that are not printable
//! ASCII, and `\` and `=`, are written `\xHH`. MODE is four octal digits, MTIME
//! `seconds.nnnnnnnnn`, XATTRS any number of `name=value`, sorted by name.

use std::io::Write as _;

use crate::hex;
use crate::id::ObjectId;
use crate::path::{MAX_PATH, check_name, components, escape, unescape};
use crate::tree::{Content, Inode, Metadata, PathBytes, Time, Xattrs, check_content};

/// What one line says about its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Directory(Metadata),
    Inode(Inode),
    Link(PathBytes),
    Remove,
    Implicit,
    Opaque,
    LinkBelow(PathBytes),
}

type Parsed<T> = Result<T, &'static str>;
type Xattr = (Box<[u8]>, Box<[u8]>);

pub(crate) fn push_directory(out: &mut Vec<u8>, path: &[u8], metadata: &Metadata) {
    push_metadata(out, path, b'd', metadata);
    push_xattrs(out, &metadata.xattrs);
}

pub(crate) fn push_inode(out: &mut Vec<u8>, path: &[u8], inode: &Inode) {
    let metadata = &inode.metadata;
    match &inode.content {
        Content::File { object, size } => {
            push_metadata(out, path, b'f', metadata);
            push_number(out, *size);
            out.push(b' ');
            match object {
                Some(object) => hex::push(out, object.as_bytes()),
                None => out.push(b'-'),
            }
        }
        Content::Symlink(target) => {
            push_metadata(out, path, b'l', metadata);
            out.push(b' ');
            escape(out, target);
        }
        Content::CharDevice { major, minor } => {
            push_metadata(out, path, b'c', metadata);
            push_number(out, u64::from(*major));
            push_number(out, u64::from(*minor));
        }
        Content::BlockDevice { major, minor } => {
            push_metadata(out, path, b'b', metadata);
            push_number(out, u64::from(*major));
            push_number(out, u64::from(*minor));
        }
        Content::Fifo => push_metadata(out, path, b'p', metadata),
        Content::Socket => push_metadata(out, path, b's', metadata),
    }
    push_xattrs(out, &metadata.xattrs);
}

/// A line that consists of a path, a mark and perhaps another path.
pub(crate) fn push_mark(out: &mut Vec<u8>, path: &[u8], mark: u8, other: Option<&[u8]>) {
    push_path(out, path);
    out.extend_from_slice(&[b' ', mark]);
    if let Some(other) = other {
        out.push(b' ');
        push_path(out, other);
    }
    out.push(b'\n');
}

fn push_path(out: &mut Vec<u8>, path: &[u8]) {
    out.push(b'/');
    escape(out, path);
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    out.push(b' ');
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn push_metadata(out: &mut Vec<u8>, path: &[u8], kind: u8, metadata: &Metadata) {
    push_path(out, path);
    let mode = metadata.mode;
    out.extend_from_slice(&[b' ', kind, b' ']);
    out.extend([9, 6, 3, 0].map(|shift| b'0' + (mode >> shift & 7) as u8));
    push_number(out, u64::from(metadata.uid));
    push_number(out, u64::from(metadata.gid));
    let Time {
        seconds,
        nanoseconds,
    } = metadata.mtime;
    write!(out, " {seconds}.{nanoseconds:09}").expect("a vector takes everything");
}

fn push_xattrs(out: &mut Vec<u8>, xattrs: &Xattrs) {
    for (name, value) in xattrs {
        out.push(b' ');
        escape(out, name);
        out.push(b'=');
        escape(out, value);
    }
    out.push(b'\n');
}

/// Reads one line without its end.
pub(crate) fn parse(line: &[u8]) -> Parsed<(PathBytes, Entry)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let path = parse_path(fields.next().ok_or("has no path")?)?;
    let kind = match fields.next() {
        Some([kind]) => *kind,
        _ => return Err("has no kind"),
    };
    let entry = match kind {
        b'-' => Entry::Remove,
        b'.' => Entry::Implicit,
        b'!' => Entry::Opaque,
        b'h' => Entry::Link(parse_path(fields.next().ok_or("has no link target")?)?),
        b'>' => Entry::LinkBelow(parse_path(fields.next().ok_or("has no link target")?)?),
        _ => {
            let mut metadata = parse_metadata(&mut fields)?;
            let mut content = None;
            if kind != b'd' {
                content = Some(parse_content(kind, &mut fields)?);
            }
            for field in fields.by_ref() {
                let (name, value) = parse_xattr(field)?;
                if metadata.xattrs.insert(name, value).is_some() {
                    return Err("names an attribute twice");
                }
            }
            match content {
                None => Entry::Directory(metadata),
                Some(content) => {
                    check_content(&path, &content).map_err(|_| "has a content that is refused")?;
                    Entry::Inode(Inode { metadata, content })
                }
            }
        }
    };
    if fields.next().is_some() {
        return Err("has too many fields");
    }
    Ok((path, entry))
}

fn parse_path(field: &[u8]) -> Parsed<PathBytes> {
    let rest = field
        .strip_prefix(b"/")
        .ok_or("has a path without a leading slash")?;
    let path = unescape(rest).ok_or("has a bad escape")?;
    if path.len() > MAX_PATH {
        return Err("has an overlong path");
    }
    let mut length = 0;
    for name in components(&path) {
        check_name(&path, name).map_err(|_| "has a name that is refused")?;
        length += name.len() + 1;
    }
    if length != if path.is_empty() { 0 } else { path.len() + 1 } {
        return Err("has a path that is not normal");
    }
    Ok(path)
}

fn parse_number(field: Option<&[u8]>) -> Parsed<u64> {
    let field = field.ok_or("has too few fields")?;
    if field.is_empty() || field.len() > 20 {
        return Err("has a bad number");
    }
    field.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return Err("has a bad number");
        }
        number
            .checked_mul(10)
            .and_then(|n| n.checked_add(u64::from(digit)))
            .ok_or("has a bad number")
    })
}

fn parse_u32(field: Option<&[u8]>) -> Parsed<u32> {
    parse_number(field)?
        .try_into()
        .map_err(|_| "has a number that is too large")
}

fn parse_metadata<'a>(fields: &mut impl Iterator<Item = &'a [u8]>) -> Parsed<Metadata> {
    let mode = fields.next().ok_or("has too few fields")?;
    if mode.len() != 4 || !mode.iter().all(|digit| matches!(digit, b'0'..=b'7')) {
        return Err("has a bad mode");
    }
    let mode = mode
        .iter()
        .fold(0, |mode, digit| mode << 3 | u32::from(digit - b'0'));
    let uid = parse_u32(fields.next())?;
    let gid = parse_u32(fields.next())?;
    let mtime = parse_time(fields.next().ok_or("has too few fields")?).ok_or("has a bad time")?;
    Ok(Metadata {
        mode,
        uid,
        gid,
        mtime,
        xattrs: Xattrs::new(),
    })
}

fn parse_time(field: &[u8]) -> Option<Time> {
    let (seconds, nanoseconds) = std::str::from_utf8(field).ok()?.split_once('.')?;
    if nanoseconds.len() != 9 || seconds.starts_with('+') {
        return None;
    }
    Some(Time {
        seconds: seconds.parse().ok()?,
        nanoseconds: parse_u32(Some(nanoseconds.as_bytes())).ok()?,
    })
}

fn parse_content<'a>(kind: u8, fields: &mut impl Iterator<Item = &'a [u8]>) -> Parsed<Content> {
    Ok(match kind {
        b'f' => {
            let size = parse_number(fields.next())?;
            let object = match fields.next().ok_or("has too few fields")? {
                b"-" => None,
                digits => Some(ObjectId::from_bytes(
                    hex::decode(digits).ok_or("has a bad object")?,
                )),
            };
            if object.is_some() == (size == 0) {
                return Err("has a size that does not fit its object");
            }
            Content::File { object, size }
        }
        b'l' => {
            let target = unescape(fields.next().ok_or("has too few fields")?);
            Content::Symlink(target.ok_or("has a bad escape")?.into())
        }
        b'c' => Content::CharDevice {
            major: parse_u32(fields.next())?,
            minor: parse_u32(fields.next())?,
        },
        b'b' => Content::BlockDevice {
            major: parse_u32(fields.next())?,
            minor: parse_u32(fields.next())?,
        },
        b'p' => Content::Fifo,
        b's' => Content::Socket,
        _ => return Err("has an unknown kind"),
    })
}

fn parse_xattr(field: &[u8]) -> Parsed<Xattr> {
    let at = field
        .iter()
        .position(|byte| *byte == b'=')
        .ok_or("has an attribute without value")?;
    let name = unescape(&field[..at]).ok_or("has a bad escape")?;
    let value = unescape(&field[at + 1..]).ok_or("has a bad escape")?;
    if name.is_empty() {
        return Err("has an attribute without name");
    }
    Ok((name.into(), value.into()))
}
