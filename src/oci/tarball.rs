//! Files inside of a tar file, read where they lie.
//!
//! One pass finds the members, then each is read at its place. An archive that is compressed as a
//! whole, or that comes as a stream, is put into the store's staging area first.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use racker_store::{StageDir, Store};

use super::decompress::{Compression, Decompress};
use super::error::{Error, Result};
use crate::shown::shown;

/// What a tar's length is a multiple of, in bytes. Source: tar(5).
const BLOCK: u64 = 512;
/// Characters of what the library says.
const SAID: usize = 200;
/// Members of one archive.
const MEMBERS: usize = 100_000;
/// How the reason begins where an archive is whole, and of another kind.
pub(super) const NO_IMAGES: &str = "it has no images";
/// What is wrong with an archive that ends too early.
const CUT: &str = "it is cut off";
/// Symbolic links in a row.
const LINKS: usize = 8;

/// A tar file whose members are known.
#[derive(Debug)]
pub(crate) struct Tarball {
    /// The plain tar.
    path: PathBuf,
    /// The file as the user knows it.
    shown: PathBuf,
    members: BTreeMap<String, Found>,
    /// Where the plain tar is, if it was put there.
    _stage: Option<StageDir>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    offset: u64,
    size: u64,
}

#[derive(Debug)]
enum Found {
    File(Member),
    Link(String),
}

impl Tarball {
    /// Opens a file.
    pub(crate) fn open(store: &Store, file: &Path) -> Result<Self> {
        let failed = |error| Error::io(file.display(), error);
        let mut opened = File::open(file).map_err(failed)?;
        // What cannot be read at any place is taken as a stream.
        if !opened.metadata().map_err(failed)?.is_file() {
            return Self::receive(store, opened, file);
        }
        let mut head = [0; Compression::MAGIC];
        let length = opened.read(&mut head).map_err(failed)?;
        opened.rewind().map_err(failed)?;
        if Compression::sniff(&head[..length]) == Compression::None {
            Self::scan(file.to_owned(), file, None)
        } else {
            Self::receive(store, opened, file)
        }
    }

    /// Takes in a stream, compressed or not; `shown` is for messages.
    pub(crate) fn receive(store: &Store, source: impl Read, shown: &Path) -> Result<Self> {
        let stage = store
            .stage()
            .map_err(|error| Error::store(shown.display(), error))?;
        let failed = |error| Error::io(shown.display(), error);
        let plain = stage.path().join("archive.tar");
        let mut copy = File::create(&plain).map_err(failed)?;
        let mut reader = Decompress::new(source).map_err(failed)?;
        io::copy(&mut reader, &mut copy).map_err(|error| Error::Decompress {
            what: shown.display().to_string(),
            reason: match error.kind() {
                io::ErrorKind::UnexpectedEof => CUT.to_owned(),
                _ => error.to_string(),
            },
        })?;
        Self::scan(plain, shown, Some(stage))
    }

    fn scan(path: PathBuf, shown: &Path, stage: Option<StageDir>) -> Result<Self> {
        let failed = |error| Error::io(shown.display(), error);
        let file = File::open(&path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut tar = tar::Archive::new(file);
        let mut archive = Self {
            path,
            shown: shown.to_owned(),
            members: BTreeMap::new(),
            _stage: stage,
        };
        if length == 0 {
            return Err(archive.wrong("it is empty".to_owned()));
        }
        for entry in tar.entries_with_seek().map_err(failed)? {
            let entry = entry.map_err(|error| archive.unreadable(&error, length))?;
            let Ok(name) = String::from_utf8(entry.path_bytes().into_owned()) else {
                continue;
            };
            let kind = entry.header().entry_type();
            let end = entry.raw_file_position().saturating_add(entry.size());
            if end > length && !kind.is_gnu_sparse() {
                return Err(archive.wrong(CUT.to_owned()));
            }
            let found = if kind.is_file() {
                Found::File(Member {
                    offset: entry.raw_file_position(),
                    size: entry.size(),
                })
            } else if kind.is_symlink() || kind.is_hard_link() {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                let Ok(target) = String::from_utf8(target) else {
                    continue;
                };
                let base = if kind.is_symlink() {
                    name.rsplit_once('/').map(|(d, _)| d)
                } else {
                    None
                };
                Found::Link(base.map_or(target.clone(), |base| format!("{base}/{target}")))
            } else {
                continue;
            };
            archive.members.insert(normal(&name), found);
            if archive.members.len() > MEMBERS {
                return Err(archive.wrong(format!("it has more than {MEMBERS} members")));
            }
        }
        Ok(archive)
    }

    /// The file as the user knows it.
    pub(crate) fn shown(&self) -> &Path {
        &self.shown
    }

    /// The error that the archive is not what it should be.
    pub(crate) fn wrong(&self, reason: String) -> Error {
        Error::Archive {
            path: self.shown.clone(),
            reason,
        }
    }

    /// The error that there is no member where one should be, in an archive of so many bytes.
    fn unreadable(&self, error: &io::Error, length: u64) -> Error {
        if !self.members.is_empty() && !length.is_multiple_of(BLOCK) {
            return self.wrong(CUT.to_owned());
        }
        // The library repeats what it cannot read.
        let said: String = error.to_string().chars().take(SAID).collect();
        self.wrong(format!("not a tar file: {}", shown(said.as_bytes())))
    }

    /// Whether there is such a member.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(&normal(name))
    }

    fn member(&self, name: &str) -> Result<Member> {
        let mut name = normal(name);
        for _ in 0..LINKS {
            match self.members.get(&name) {
                Some(Found::File(member)) => return Ok(*member),
                Some(Found::Link(target)) => name = normal(target),
                None => return Err(self.wrong(format!("`{name}` is missing"))),
            }
        }
        Err(self.wrong(format!("`{name}` is a loop of links")))
    }

    /// A member, to be read from its beginning.
    pub(crate) fn stream(&self, name: &str) -> Result<io::Take<File>> {
        let member = self.member(name)?;
        let failed = |error| Error::io(self.shown.display(), error);
        let mut file = File::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(member.offset)).map_err(failed)?;
        Ok(file.take(member.size))
    }

    /// All of a small member.
    pub(crate) fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>> {
        let mut stream = self.stream(name)?;
        if stream.limit() > limit {
            return Err(Error::TooLarge {
                what: name.to_owned(),
                limit,
            });
        }
        let mut bytes = Vec::with_capacity(stream.limit() as usize);
        stream
            .read_to_end(&mut bytes)
            .map_err(|error| Error::io(self.shown.display(), error))?;
        Ok(bytes)
    }
}

/// A member's name without `.`, `..` and empty components; names only, no file is followed.
fn normal(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn names_are_normal() {
        for (name, expected) in [
            ("./a//b", "a/b"),
            ("a/../b/l.tar", "b/l.tar"),
            ("../../x", "x"),
        ] {
            assert_eq!(normal(name), expected);
        }
    }
}
