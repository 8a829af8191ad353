//! Files of racker's own: documents that are replaced at once, locks, the ends of logs; and files that
//! are opened within a directory.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags, ResolveFlags, flock, openat2, syncfs};
use rustix::io::{Errno, retry_on_intr};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How much of a log is read for its end.
const END: u64 = 16 << 10;

/// How often a path is resolved again.
const PATIENCE: usize = 1000;

/// Opens `path` within `directory`. Wherever on the machine something is renamed or mounted meanwhile,
/// the kernel cannot tell that a `..`, of a link too, stayed within, and says EAGAIN: the path is
/// resolved again. Source: `openat2(2)`.
pub(crate) fn open_within(
    directory: impl AsFd,
    path: &Path,
    flags: OFlags,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    let mut tries = 0..PATIENCE;
    loop {
        match openat2(&directory, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) if tries.next().is_some() => std::thread::yield_now(),
            other => return other,
        }
    }
}

/// Locks a file for this process alone; where another has it, says so by `waiting` and waits for it.
pub(crate) fn lock_or_wait(file: &File, waiting: impl FnOnce()) -> Result<(), Errno> {
    let once = |operation| retry_on_intr(|| flock(file, operation));
    match once(FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => {
            waiting();
            once(FlockOperation::LockExclusive)
        }
        other => other,
    }
}

/// Reads a JSON document; none where there is no such file.
///
/// Errors: `InvalidData` where it makes no sense.
pub(crate) fn read_document<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Puts a JSON document in the place of another at once, so that everybody reads one or the other.
/// One process at a time may write it. It is not synced.
pub(crate) fn write_document(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, serde_json::to_vec(value)?)?;
    fs::rename(&part, path)
}

/// [`write_document`] for good: what was written before is durable first, so that after a power cut one of
/// the two is there, and then this is.
pub(crate) fn keep_document(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = File::create(&part)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    syncfs(&file)?;
    fs::rename(&part, path)?;
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

/// The last `count` lines of a log; none where it cannot be read.
pub(crate) fn tail(path: &Path, count: usize) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.json");
        assert_eq!(read_document::<Vec<u8>>(&path).unwrap(), None);
        write_document(&path, &[1, 2]).unwrap();
        assert_eq!(read_document::<Vec<u8>>(&path).unwrap(), Some(vec![1, 2]));
        keep_document(&path, &[3]).unwrap();
        assert_eq!(read_document::<Vec<u8>>(&path).unwrap(), Some(vec![3]));
        // However it makes no sense, it is damaged and does not just end.
        for damaged in ["", "[1", "{}"] {
            fs::write(&path, damaged).unwrap();
            let error = read_document::<Vec<u8>>(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{damaged}");
        }
    }

    #[test]
    fn ends_of_logs() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        assert_eq!(tail(&path, 2), "");
        fs::write(&path, format!("{}\nx\ny", "long ".repeat(9000))).unwrap();
        assert_eq!(tail(&path, 2), "x\ny");
    }

    #[test]
    fn what_is_renamed_meanwhile_hinders_nobody() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for name in ["one", "other", "moved"] {
            fs::create_dir(at(name)).unwrap();
        }
        let root = File::open(place.path()).unwrap();
        let path = Path::new("one/../other");
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    fs::rename(at("moved"), at("away")).unwrap();
                    fs::rename(at("away"), at("moved")).unwrap();
                }
            });
            let flags = OFlags::PATH;
            let failed = (0..20_000)
                .find_map(|_| open_within(&root, path, flags, ResolveFlags::IN_ROOT).err());
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(failed, None);
        });
    }
}
