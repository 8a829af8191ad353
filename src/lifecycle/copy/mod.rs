//! Files into and out of a container, as a tar archive in between.
//!
//! Every path of the container is resolved inside its root (`openat2(2)`, RESOLVE_IN_ROOT), and
//! what an archive brings is put in place by descriptors alone, so that no link in the container,
//! nor one that is made meanwhile, leads out of it.

mod pack;
mod unpack;

use std::io::{self, Read, Write};

pub use pack::pack;
pub use unpack::unpack;

/// How owners are translated between a root and an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owners {
    /// The id of the root's own root; ids in archives count from here.
    pub base: u32,
    /// Whether owners are kept; else everything belongs to root.
    pub kept: bool,
}

impl Owners {
    fn out(self, id: u32) -> u64 {
        if self.kept {
            u64::from(id.saturating_sub(self.base))
        } else {
            0
        }
    }

    fn inward(self, id: u64) -> u32 {
        if self.kept {
            self.base.saturating_add(u32::try_from(id).unwrap_or(0))
        } else {
            self.base
        }
    }
}

/// Has one write into a pipe what the other reads from it. The reader's error comes first: the
/// writer's follows from it.
pub fn through(
    write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send,
    read: impl FnOnce(&mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let (mut reader, mut writer) = io::pipe()?;
    std::thread::scope(|scope| {
        let written = scope.spawn(move || write(&mut writer));
        let result = read(&mut reader);
        // What the archive ends with may not have been read.
        let drained = io::copy(&mut reader, &mut io::sink());
        drop(reader);
        let written = written
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        result.and(written).and(drained.map(drop))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::path::{Path, PathBuf};

    use tar::{Builder, Header};

    use super::*;
    use crate::container::Root;

    fn owners() -> Owners {
        let me = rustix::process::geteuid().as_raw();
        Owners {
            base: me,
            kept: true,
        }
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let from = tempfile::tempdir().unwrap();
        let to = tempfile::tempdir().unwrap();
        fs::create_dir_all(from.path().join("a/b")).unwrap();
        fs::write(from.path().join("a/b/file"), "text").unwrap();
        symlink("b/file", from.path().join("a/link")).unwrap();
        let (source, target) = (
            Root::open(from.path()).unwrap(),
            Root::open(to.path()).unwrap(),
        );
        let mut tar = Vec::new();
        pack(&source, "/a", "x", false, owners(), &mut tar).unwrap();
        unpack(&target, "/", owners(), &tar[..]).unwrap();
        unpack(&target, "/", owners(), &tar[..]).unwrap();
        assert_eq!(
            fs::read_to_string(to.path().join("x/link")).unwrap(),
            "text"
        );
        let time = |path: PathBuf| fs::metadata(path).unwrap().mtime();
        assert_eq!(time(from.path().join("a/b")), time(to.path().join("x/b")));
    }

    #[test]
    fn nothing_leads_out() {
        let outside = tempfile::tempdir().unwrap();
        let to = tempfile::tempdir().unwrap();
        symlink(outside.path(), to.path().join("out")).unwrap();
        symlink("/..", to.path().join("up")).unwrap();
        let target = Root::open(to.path()).unwrap();
        let archive = |name: &str| {
            let mut builder = Builder::new(Vec::new());
            let mut header = Header::new_gnu();
            header.set_size(1);
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            // As another program may write it: the library refuses `..` itself.
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, &b"x"[..]).unwrap();
            builder.into_inner().unwrap()
        };
        assert!(unpack(&target, "/", owners(), &archive("../escape")[..]).is_err());
        let _ = unpack(&target, "/", owners(), &archive("out/escape")[..]);
        let _ = unpack(&target, "/", owners(), &archive("up/escape")[..]);
        assert!(!outside.path().join("escape").exists());
        assert!(!to.path().parent().unwrap().join("escape").exists());
        assert!(!Path::new("/escape").exists());
    }
}
