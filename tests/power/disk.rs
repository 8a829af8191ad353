//! A disk that remembers everything it was told, so that the power can be cut at any moment of the past.
//!
//! ```text
//! file system -> loop device -> a file served over FUSE by this process -> record of writes and flushes
//! ```
//!
//! A disk owes what it was told before a flush. Of what came later, any part may be there: each block
//! for itself. Protocol: `linux/fuse.h` of the kernel, version 7.31; the served file system is one file.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::support::execute;

/// Bytes of a disk: the least that XFS takes is 300 MiB.
const SIZE: u64 = 320 << 20;

/// Bytes that are lost, or not, together.
const BLOCK: usize = 4096;

/// The most that is written at once.
const MAX_WRITE: u32 = 256 << 10;

/// Something that a disk was told.
enum Told {
    Write(u64, Vec<u8>),
    Flush,
}

/// What a disk was told so far, and what it would answer.
struct Record {
    told: Vec<Told>,
    content: Vec<u8>,
}

/// What becomes of that which was not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// All is lost.
    All,
    /// Nothing is.
    None,
    /// Each block by chance.
    Some,
}

/// Numbers as if by chance, the same for the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // xorshift64*, Vigna 2016.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end
    }
}

/// A disk with a file system on it.
pub(crate) struct Disk {
    record: Arc<Mutex<Record>>,
    file: PathBuf,
    server: Option<JoinHandle<()>>,
}

impl Disk {
    /// A new disk, served at `file`, with an empty file system that `make` makes.
    pub(crate) fn new(file: &Path, make: &[&str]) -> Self {
        let record = Arc::new(Mutex::new(Record {
            told: Vec::new(),
            content: vec![0; SIZE as usize],
        }));
        File::create(file).unwrap();
        let fuse = File::options().read(true).write(true).open("/dev/fuse");
        let fuse = fuse.unwrap();
        let options = format!(
            "fd={},rootmode=100600,user_id=0,group_id=0",
            fuse.as_raw_fd()
        );
        let options = CString::new(options).unwrap();
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        mount("disk", file, "fuse", flags, Some(options.as_c_str())).unwrap();
        let server = {
            let record = Arc::clone(&record);
            std::thread::spawn(move || serve(fuse, &record))
        };
        execute(Command::new(make[0]).args(&make[1..]).arg(file));
        Self {
            record,
            file: file.to_owned(),
            server: Some(server),
        }
    }

    /// The disk as a file, to be mounted.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// How much it was told so far: a moment.
    pub(crate) fn moment(&self) -> usize {
        self.record.lock().unwrap().told.len()
    }

    /// Writes to `path` what is on the disk when the power fails at `moment`.
    pub(crate) fn cut(&self, moment: usize, loss: Loss, dice: &mut Dice, path: &Path) {
        let file = File::create(path).unwrap();
        file.set_len(SIZE).unwrap();
        let record = self.record.lock().unwrap();
        let told = &record.told[..moment];
        let flushed = told.iter().rposition(|it| matches!(it, Told::Flush));
        for (place, it) in told.iter().enumerate() {
            let Told::Write(offset, bytes) = it else {
                continue;
            };
            if flushed.is_some_and(|flushed| place < flushed) || loss == Loss::None {
                file.write_all_at(bytes, *offset).unwrap();
            } else if loss == Loss::Some {
                for (number, block) in bytes.chunks(BLOCK).enumerate() {
                    if dice.below(2) == 0 {
                        let at = offset + (number * BLOCK) as u64;
                        file.write_all_at(block, at).unwrap();
                    }
                }
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = unmount(&self.file, UnmountFlags::DETACH);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

/// Answers the kernel until the file is unmounted.
fn serve(mut fuse: File, record: &Mutex<Record>) {
    const HEADER: usize = 40;
    let mut request = vec![0; MAX_WRITE as usize + BLOCK];
    loop {
        let length = match fuse.read(&mut request) {
            Ok(length) => length,
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return,
            // One that was given up before it came here.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => continue,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => panic!("/dev/fuse: {error}"),
        };
        let (header, body) = request[..length].split_at(HEADER);
        let Some(answer) = answer(u32_at(header, 4), body, record) else {
            continue;
        };
        let (error, bytes) = answer.map_or_else(|error| (-error, Vec::new()), |bytes| (0, bytes));
        let mut out = Vec::with_capacity(16 + bytes.len());
        out.extend_from_slice(&(16 + bytes.len() as u32).to_ne_bytes());
        out.extend_from_slice(&error.to_ne_bytes());
        out.extend_from_slice(&header[8..16]);
        out.extend_from_slice(&bytes);
        match fuse.write_all(&out) {
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => {
                panic!("/dev/fuse: {error}")
            }
            _ => {}
        }
    }
}

/// The answer to one request: bytes or an error number; none where none is wanted.
fn answer(code: u32, body: &[u8], record: &Mutex<Record>) -> Option<Result<Vec<u8>, i32>> {
    const FORGET: u32 = 2;
    const GETATTR: u32 = 3;
    const SETATTR: u32 = 4;
    const OPEN: u32 = 14;
    const READ: u32 = 15;
    const WRITE: u32 = 16;
    const RELEASE: u32 = 18;
    const FSYNC: u32 = 20;
    const INIT: u32 = 26;
    const INTERRUPT: u32 = 36;
    const BATCH_FORGET: u32 = 42;
    /// `FUSE_BIG_WRITES | FUSE_MAX_PAGES`
    const FLAGS: u32 = 1 << 5 | 1 << 22;
    let mut record = record.lock().unwrap();
    let range = || {
        let (start, size) = (u64_at(body, 8) as usize, u32_at(body, 16) as usize);
        start..(start + size).min(SIZE as usize)
    };
    Some(Ok(match code {
        FORGET | INTERRUPT | BATCH_FORGET => return None,
        INIT => {
            let mut out = vec![0; 64];
            let pages = (MAX_WRITE as usize / BLOCK) as u16;
            out[..4].copy_from_slice(&7_u32.to_ne_bytes());
            out[4..8].copy_from_slice(&31_u32.to_ne_bytes());
            out[8..12].copy_from_slice(&body[8..12]);
            out[12..16].copy_from_slice(&FLAGS.to_ne_bytes());
            out[20..24].copy_from_slice(&MAX_WRITE.to_ne_bytes());
            out[24..28].copy_from_slice(&1_u32.to_ne_bytes());
            out[28..30].copy_from_slice(&pages.to_ne_bytes());
            out
        }
        GETATTR | SETATTR => {
            let mut out = vec![0; 104];
            // Valid for an hour, like nothing else here.
            out[..8].copy_from_slice(&3600_u64.to_ne_bytes());
            out[16..24].copy_from_slice(&1_u64.to_ne_bytes());
            out[24..32].copy_from_slice(&SIZE.to_ne_bytes());
            out[76..80].copy_from_slice(&0o100_600_u32.to_ne_bytes());
            out[80..84].copy_from_slice(&1_u32.to_ne_bytes());
            out[96..100].copy_from_slice(&(BLOCK as u32).to_ne_bytes());
            out
        }
        OPEN => vec![0; 16],
        READ => record.content[range()].to_vec(),
        WRITE => {
            let bytes = &body[40..];
            let start = u64_at(body, 8);
            record.content[range()].copy_from_slice(bytes);
            record.told.push(Told::Write(start, bytes.to_vec()));
            let mut out = vec![0; 8];
            out[..4].copy_from_slice(&(bytes.len() as u32).to_ne_bytes());
            out
        }
        FSYNC => {
            record.told.push(Told::Flush);
            Vec::new()
        }
        RELEASE => Vec::new(),
        _ => return Some(Err(libc::ENOSYS)),
    }))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// A mounted file system.
pub(crate) struct Mounted(pub(crate) PathBuf);

impl Mounted {
    /// Mounts a file that is a disk.
    pub(crate) fn new(kind: &str, source: &Path, target: &Path) -> Self {
        fs::create_dir_all(target).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", kind, "-o", "loop"]).arg(source);
        execute(command.arg(target));
        Self(target.to_owned())
    }

    /// Has another file in the place of one.
    pub(crate) fn over(target: &str, source: &Path) -> Self {
        execute(Command::new("mount").arg("--bind").arg(source).arg(target));
        Self(target.into())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
