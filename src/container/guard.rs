//! The process that outlives racker to clear up after it.
//!
//! It is racker itself, started with the hidden word `guard` before anything of a container exists.
//! Its standard input is a pipe that only racker holds open, its standard output the root of the
//! cgroup hierarchy, its standard error the locked block file, which holds the [`Record`]. When the
//! pipe ends, because racker closed it or died, the guard kills the container, waits until it is
//! gone, and removes what it left. Racker ends a container in no other way, so the path that runs
//! after a `kill -9` is the one that always runs.
//!
//! Where the guard is killed too, [`sweep`] in the next racker does its work: a record whose lock
//! nobody holds.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cgroup::{self, Cgroup};
use super::ids;

/// The hidden word that makes racker a guard.
pub const WORD: &str = "guard";

/// How long killed processes may take to vanish.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a container leaves on the host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Its cgroup's name.
    pub cgroup: String,
    /// Whether the cgroup is that of a unit of the host's systemd, which removes it, and would not
    /// learn that it is empty if somebody else did.
    #[serde(default)]
    pub unit: bool,
    /// Directories to remove, and links to them.
    pub remove: Vec<PathBuf>,
    /// Directories to remove where nobody else uses them: where no link in their [`USERS`] leads
    /// anywhere.
    #[serde(default)]
    pub remove_unused: Vec<PathBuf>,
    /// Its groups in version 1 hierarchies.
    #[serde(default)]
    pub legacy: Vec<PathBuf>,
}

/// What links to the users of a directory lie in, inside it.
pub const USERS: &str = "users";

impl Record {
    /// Writes the record into the block file.
    pub fn save(&self, mut block: &File) -> io::Result<()> {
        block.rewind()?;
        block.set_len(0)?;
        block.write_all(&serde_json::to_vec(self)?)
    }

    fn load(mut block: &File) -> io::Result<Option<Self>> {
        let mut text = Vec::new();
        block.rewind()?;
        block.read_to_end(&mut text)?;
        Ok(if text.is_empty() {
            None
        } else {
            serde_json::from_slice(&text).ok()
        })
    }

    /// Ends the container and removes what it left, then empties the record.
    fn clear(&self, hierarchy: OwnedFd, block: &File) -> io::Result<()> {
        let cgroup = Cgroup::existing(hierarchy, self.cgroup.clone());
        cgroup.kill(PATIENCE)?;
        let removed = if self.unit { Ok(()) } else { cgroup.remove() };
        for group in &self.legacy {
            match fs::remove_dir(group) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        for path in &self.remove {
            // A link may be somebody else's by now.
            let to = fs::read_link(path).map(|to| path.with_file_name(to));
            if to.is_ok_and(|to| !self.remove.contains(&to)) {
                continue;
            }
            remove_all(path)?;
        }
        for path in self.remove_unused.iter().filter(|it| !is_used(it)) {
            remove_all(path)?;
        }
        removed?;
        block.set_len(0)
    }
}

fn remove_all(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn is_used(path: &Path) -> bool {
    let links = fs::read_dir(path.join(USERS));
    let mut links = links.into_iter().flatten().flatten();
    links.any(|link| fs::metadata(link.path()).is_ok())
}

/// The guard as racker holds it.
#[derive(Debug)]
pub struct Guard {
    child: Child,
    /// Held open; closing it is the signal.
    pipe: Option<OwnedFd>,
}

impl Guard {
    /// Starts a guard for the container recorded in `block`.
    pub fn start(hierarchy: OwnedFd, block: &File) -> io::Result<Self> {
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let child = Command::new("/proc/self/exe")
            .arg0("racker-guard")
            .arg(WORD)
            .env_clear()
            .current_dir("/")
            .stdin(reader)
            .stdout(hierarchy)
            .stderr(Stdio::from(block.try_clone()?))
            .process_group(0)
            .spawn()?;
        Ok(Self {
            child,
            pipe: Some(writer),
        })
    }

    /// Has the guard clear up, and waits until it has.
    pub fn finish(&mut self) -> io::Result<()> {
        if self.pipe.take().is_some() {
            self.child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

/// What a racker started as guard does. Nobody reads its messages; its exit code says success.
pub fn main() -> io::Result<()> {
    let hierarchy = rustix::io::dup(rustix::stdio::stdout())?;
    let block = File::from(rustix::io::dup(rustix::stdio::stderr())?);
    io::copy(&mut io::stdin(), &mut io::sink())?;
    match Record::load(&block)? {
        Some(record) => record.clear(hierarchy, &block),
        None => Ok(()),
    }
}

/// Clears up after the container recorded in a block that is locked; nothing where there is none.
pub fn clear(block: &File) -> io::Result<()> {
    match Record::load(block)? {
        Some(record) => record.clear(cgroup::hierarchy()?, block),
        None => Ok(()),
    }
}

/// Clears up after containers whose racker and guard are both gone; `blocks` is the directory of
/// block files. What cannot be cleared now is left for the next sweep.
pub fn sweep(blocks: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(blocks) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let path = entry?.path();
        if fs::metadata(&path).is_ok_and(|m| m.len() > 0)
            && let Ok(Some(block)) = ids::lock(&path)
            && let Some(record) = Record::load(&block)?
        {
            let _ = record.clear(cgroup::hierarchy()?, &block);
        }
    }
    Ok(())
}
