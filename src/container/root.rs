//! Looking into a guest's root without ever leaving it.
//!
//! Every path is resolved by the kernel with `RESOLVE_IN_ROOT`: an absolute link in the image
//! leads to the image's own file. Source: `openat2(2)`.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, chownat, fstat, mkdirat,
    openat,
};

use crate::files::open_within;

/// Most that is read of one file.
const LIMIT: u64 = 4 << 20;

/// The oldest systemd that can be spoken to over its private socket with descriptors.
const OLDEST_SYSTEMD: u32 = 225;

/// An open root directory.
#[derive(Debug)]
pub struct Root(OwnedFd);

/// The init that a root has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Init {
    /// systemd's version.
    pub version: u32,
}

impl Root {
    /// Opens the directory at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, path, flags, Mode::empty())?))
    }

    /// Opens `path` inside the root.
    pub fn file(&self, path: impl AsRef<Path>, flags: OFlags) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        // A fifo must not make us wait; openat2 takes no other flags beside O_PATH.
        let wait = if flags.contains(OFlags::PATH) {
            OFlags::empty()
        } else {
            OFlags::NONBLOCK
        };
        Ok(open_within(&self.0, path.as_ref(), flags | wait, resolve)?)
    }

    /// The text of the regular file at `path`, up to 4 MiB, bytes that are not UTF-8 replaced.
    pub fn read(&self, path: impl AsRef<Path>) -> io::Result<String> {
        let file = File::from(self.file(path, OFlags::RDONLY)?);
        if !file.metadata()?.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut bytes = Vec::new();
        file.take(LIMIT).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The mode of what is at `path`, links followed, `None` where nothing is.
    pub fn mode(&self, path: impl AsRef<Path>) -> Option<u32> {
        let file = self.file(path, OFlags::PATH).ok()?;
        fstat(&file).ok().map(|stat| stat.st_mode)
    }

    fn names(&self, path: &str) -> Vec<String> {
        let Ok(directory) = self.file(path, OFlags::RDONLY | OFlags::DIRECTORY) else {
            return Vec::new();
        };
        let Ok(entries) = Dir::read_from(&directory) else {
            return Vec::new();
        };
        entries
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect()
    }

    /// Makes the directory `path` and those that lead to it, where they are missing, owned by
    /// `owner`. No link leads out of the root.
    pub fn make_directories(&self, path: &str, owner: u32) -> io::Result<()> {
        let mut done = String::new();
        for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
            let parent = self.file(format!("{done}/"), OFlags::PATH | OFlags::DIRECTORY)?;
            match mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
                Ok(()) => {
                    let (uid, gid) = (Uid::from_raw(owner), Gid::from_raw(owner));
                    chownat(
                        &parent,
                        name,
                        Some(uid),
                        Some(gid),
                        AtFlags::SYMLINK_NOFOLLOW,
                    )?;
                }
                Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            done = format!("{done}/{name}");
        }
        // What was there may be something else.
        self.file(format!("{done}/"), OFlags::PATH | OFlags::DIRECTORY)?;
        Ok(())
    }

    /// Makes an empty file at `path` where nothing is, owned by `owner`, and the directories that
    /// lead to it.
    pub fn make_file(&self, path: &str, owner: u32) -> io::Result<()> {
        let (parent, name) = path
            .trim_end_matches('/')
            .rsplit_once('/')
            .unwrap_or(("", path));
        self.make_directories(parent, owner)?;
        let parent = self.file(format!("{parent}/"), OFlags::PATH | OFlags::DIRECTORY)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        match openat(&parent, name, flags, Mode::from_raw_mode(0o644)) {
            Ok(file) => {
                let owner = (Some(Uid::from_raw(owner)), Some(Gid::from_raw(owner)));
                Ok(rustix::fs::fchown(&file, owner.0, owner.1)?)
            }
            Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The systemd in the root, if there is one that can run as init and take commands. Its
    /// version is read off the name of its private library (`libsystemd-shared-252.so`).
    pub fn init(&self) -> Option<Init> {
        let present = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"]
            .iter()
            .any(|path| self.mode(path).is_some_and(executable_file));
        if !present {
            return None;
        }
        let mut directories = vec!["/usr/lib/systemd".to_owned(), "/lib/systemd".to_owned()];
        directories.extend(
            self.names("/usr/lib")
                .into_iter()
                .filter(|name| name.ends_with("-linux-gnu") || name.contains("-linux-gnu"))
                .map(|name| format!("/usr/lib/{name}/systemd")),
        );
        directories.push("/usr/lib64/systemd".to_owned());
        directories
            .iter()
            .flat_map(|directory| self.names(directory))
            .find_map(|name| shared_library_version(&name))
            .filter(|version| *version >= OLDEST_SYSTEMD)
            .map(|version| Init { version })
    }

    /// Where `name` is executed from: itself when it has a slash, else the first executable on
    /// `search`, both relative to `directory`.
    pub fn find_command(&self, name: &str, search: &str, directory: &str) -> Found {
        let candidates: Vec<String> = if name.contains('/') {
            vec![absolute(name, directory)]
        } else {
            search
                .split(':')
                .map(|dir| absolute(&format!("{dir}/{name}"), directory))
                .collect()
        };
        let mut denied = false;
        for candidate in candidates {
            match self.mode(&candidate) {
                Some(mode) if executable_file(mode) => return Found::At(candidate),
                Some(_) => denied = true,
                None => {}
            }
        }
        if denied {
            Found::NotExecutable
        } else {
            Found::Missing
        }
    }
}

/// The answer of [`Root::find_command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The absolute path.
    At(String),
    /// Something is there that cannot be executed.
    NotExecutable,
    /// Nothing is there.
    Missing,
}

fn executable_file(mode: u32) -> bool {
    FileType::from_raw_mode(mode) == FileType::RegularFile && mode & 0o111 != 0
}

fn absolute(path: &str, directory: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{directory}/{path}")
    }
}

/// Whether a file's name is that of the private library of a systemd that can run as init and take
/// commands.
pub fn is_library_of_init(name: &str) -> bool {
    shared_library_version(name).is_some_and(|version| version >= OLDEST_SYSTEMD)
}

fn shared_library_version(name: &str) -> Option<u32> {
    let rest = name.strip_prefix("libsystemd-shared-")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn the_version_is_in_the_library_name() {
        assert_eq!(
            shared_library_version("libsystemd-shared-252.so"),
            Some(252)
        );
        assert_eq!(
            shared_library_version("libsystemd-shared-257.9-1.so"),
            Some(257)
        );
        assert_eq!(shared_library_version("libsystemd.so"), None);
    }

    #[test]
    fn absolute_links_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(dir.path().join("etc/inner"), "inner").unwrap();
        symlink("/etc/inner", dir.path().join("link")).unwrap();
        symlink("/../../../../etc/hostname", dir.path().join("escape")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        assert_eq!(root.read("link").unwrap(), "inner");
        assert!(root.read("escape").is_err());
    }

    #[test]
    fn commands_are_found_like_a_shell_finds_them() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("usr/bin")).unwrap();
        let tool = dir.path().join("usr/bin/tool");
        std::fs::write(&tool, "").unwrap();
        let root = Root::open(dir.path()).unwrap();
        let find = |name| root.find_command(name, "/bin:/usr/bin", "/usr");
        assert_eq!(find("tool"), Found::NotExecutable);
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find("tool"), Found::At("/usr/bin/tool".into()));
        assert_eq!(find("bin/tool"), Found::At("/usr/bin/tool".into()));
        assert_eq!(find("none"), Found::Missing);
        assert_eq!(find("/usr"), Found::NotExecutable);
    }
}
