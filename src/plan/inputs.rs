//! The content of a copied source, file by file.
//!
//! What enters is what lands in the image: mode (the step's, else 0755 or 0644 by the execute bit),
//! the extended attributes `security.capability` and `user.*`, link targets and bytes. Times, owners
//! and the rest of a mode are the checkout's own and enter nothing.
//!
//! The source itself may be a link as long as it leads to a place in the recipe's directory. Links
//! inside a copied directory are copied as links and followed nowhere.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use racker_store::{ObjectId, Xattrs};
use serde_json::{Map, Value, json};

use crate::recipe::{CopyStep, Mode};

/// Everything a copy step brings in, sorted by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// Whether the source is a directory, whose content is copied; else it is one file.
    pub directory: bool,
    /// The files, links and directories; a source directory itself is not among them.
    pub entries: Vec<Input>,
}

/// One file, link or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its path in the source directory, or its name if it is the source.
    pub path: PathBuf,
    /// Where it lies on the host.
    pub host: PathBuf,
    /// What it is.
    pub kind: InputKind,
    /// The mode it gets.
    pub mode: Mode,
    /// The extended attributes it keeps.
    pub xattrs: Xattrs,
}

/// What an input is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// A regular file.
    File {
        /// BLAKE3 of its bytes.
        object: ObjectId,
        /// Its size in bytes.
        size: u64,
    },
    /// A symbolic link and its target.
    Symlink(Box<[u8]>),
    /// A directory.
    Directory,
}

/// Why a source cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It leads out of the recipe's directory.
    #[error("{} leads to {}, out of the recipe's directory", path.display(), target.display())]
    Outside {
        /// The source.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// It is a socket, a pipe or a device.
    #[error("{} is a {kind}, and neither file, directory nor link", path.display())]
    Special {
        /// The source.
        path: PathBuf,
        /// `pipe`, `socket` or `device`.
        kind: &'static str,
    },
}

impl Error {
    /// Returns lines of advice.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Read { path, .. } if path.to_string_lossy().contains(['*', '?']) => {
                vec!["patterns have no meaning here: name a file or a directory".to_owned()]
            }
            Self::Read { .. } => Vec::new(),
            Self::Outside { .. } => vec!["copy it into the recipe's directory".to_owned()],
            Self::Special { kind, .. } => vec![
                match *kind {
                    "pipe" => "make it in a `run` step, by mkfifo",
                    "socket" => "whoever listens on it makes it, when that runs",
                    _ => "no step can make one; `racker run --device` gives one to a container",
                }
                .to_owned(),
            ],
        }
    }
}

/// Finds a file that a recipe names, relative to its directory; it must lie inside.
pub fn find(directory: &Path, name: &str) -> Result<PathBuf, Error> {
    let path = directory.join(name.trim_start_matches("./"));
    let root = directory.canonicalize().map_err(failed(directory))?;
    let source = path.canonicalize().map_err(failed(&path))?;
    if source.starts_with(&root) {
        return Ok(source);
    }
    Err(Error::Outside {
        path,
        target: source,
    })
}

/// Digests the files that a recipe names: BLAKE3 by the name of each.
pub fn digests(directory: &Path, names: &[String]) -> Result<BTreeMap<String, String>, Error> {
    let digest = |name: &String| {
        let path = find(directory, name)?;
        Ok((name.clone(), object(&path)?.0.to_string()))
    };
    names.iter().map(digest).collect()
}

/// BLAKE3 and size of a file.
fn object(path: &Path) -> Result<(ObjectId, u64), Error> {
    let mut hasher = blake3::Hasher::new();
    let file = File::open(path).map_err(failed(path))?;
    hasher.update_reader(file).map_err(failed(path))?;
    let id = ObjectId::from_bytes(*hasher.finalize().as_bytes());
    Ok((id, hasher.count()))
}

impl Inputs {
    /// Reads and digests the source of a copy step.
    pub fn read(directory: &Path, step: &CopyStep) -> Result<Self, Error> {
        let path = directory.join(&step.from);
        let source = find(directory, &step.from)?;
        let mut inputs = Self {
            directory: source.is_dir(),
            entries: Vec::new(),
        };
        if inputs.directory {
            inputs.walk(&source, step.mode)?;
        } else {
            let name = path.file_name().unwrap_or_default().into();
            inputs.entries.push(read_entry(name, source, step.mode)?);
        }
        Ok(inputs)
    }

    /// Returns where an input lands in the image.
    pub fn target(&self, step: &CopyStep, input: &Input) -> PathBuf {
        if self.directory || step.to.ends_with('/') {
            Path::new(&step.to).join(&input.path)
        } else {
            PathBuf::from(&step.to)
        }
    }

    /// Returns what enters the step's key: an object by path.
    pub fn document(&self) -> Value {
        let entries = self
            .entries
            .iter()
            .map(|input| (escape(input.path.as_os_str().as_bytes()), input.document()));
        json!({ "directory": self.directory, "entries": entries.collect::<Map<_, _>>() })
    }

    fn walk(&mut self, source: &Path, mode: Option<Mode>) -> Result<(), Error> {
        let mut waiting = vec![PathBuf::new()];
        while let Some(relative) = waiting.pop() {
            let host = source.join(&relative);
            for entry in fs::read_dir(&host).map_err(failed(&host))? {
                let name = entry.map_err(failed(&host))?.file_name();
                let path = relative.join(&name);
                let input = read_entry(path.clone(), host.join(&name), mode)?;
                if input.kind == InputKind::Directory {
                    waiting.push(path);
                }
                self.entries.push(input);
            }
        }
        self.entries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(())
    }
}

impl Input {
    fn document(&self) -> Value {
        let mut document = match &self.kind {
            InputKind::File { object, size } => {
                json!({ "kind": "file", "blake3": object.to_string(), "size": size })
            }
            InputKind::Symlink(target) => json!({ "kind": "symlink", "target": escape(target) }),
            InputKind::Directory => json!({ "kind": "directory" }),
        };
        if !matches!(self.kind, InputKind::Symlink(_)) {
            document["mode"] = json!(self.mode);
        }
        if !self.xattrs.is_empty() {
            let xattrs = self
                .xattrs
                .iter()
                .map(|(name, value)| (escape(name), escape(value).into()));
            document["xattrs"] = Value::Object(xattrs.collect());
        }
        document
    }
}

fn read_entry(path: PathBuf, host: PathBuf, mode: Option<Mode>) -> Result<Input, Error> {
    let metadata = fs::symlink_metadata(&host).map_err(failed(&host))?;
    let (kind, mode) = if metadata.is_file() {
        let (object, size) = object(&host)?;
        let executable = metadata.permissions().mode() & 0o111 != 0;
        let standard = Mode::new(if executable { 0o755 } else { 0o644 });
        (InputKind::File { object, size }, mode.unwrap_or(standard))
    } else if metadata.is_dir() {
        (
            InputKind::Directory,
            mode.map_or(Mode::new(0o755), Mode::for_directory),
        )
    } else if metadata.is_symlink() {
        let target = fs::read_link(&host).map_err(failed(&host))?;
        (
            InputKind::Symlink(target.as_os_str().as_bytes().into()),
            Mode::new(0o777),
        )
    } else {
        let kind = match metadata.file_type() {
            it if it.is_fifo() => "pipe",
            it if it.is_socket() => "socket",
            _ => "device",
        };
        return Err(Error::Special { path: host, kind });
    };
    let xattrs = read_xattrs(&host).map_err(failed(&host))?;
    Ok(Input {
        path,
        host,
        kind,
        mode,
        xattrs,
    })
}

fn read_xattrs(path: &Path) -> io::Result<Xattrs> {
    let mut kept = Xattrs::new();
    let mut names = vec![0; 1 << 16];
    let length = match rustix::fs::llistxattr(path, names.as_mut_slice()) {
        Ok(length) => length,
        Err(rustix::io::Errno::NOTSUP) => 0,
        Err(error) => return Err(error.into()),
    };
    for name in names[..length].split(|byte| *byte == 0) {
        if name == b"security.capability" || name.starts_with(b"user.") {
            let mut value = vec![0; 1 << 16];
            let length = rustix::fs::lgetxattr(path, name, value.as_mut_slice())?;
            kept.insert(name.into(), value[..length].into());
        }
    }
    Ok(kept)
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    move |source| Error::Read {
        path: path.to_owned(),
        source,
    }
}

/// Writes bytes as text: UTF-8 as it is, backslashes doubled, other bytes as `\xNN`.
fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
#[path = "inputs_tests.rs"]
mod tests;
