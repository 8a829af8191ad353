//! Loop devices: a file as a block device, for kernels that mount no file systems from files.

use std::fs::File;
use std::io::{self, Error};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// How often somebody else may take the free device that was found.
const TRIES: usize = 64;

/// Makes `file` a read-only block device, which ends with its last user. The descriptor is one;
/// a mount of the path is another.
///
/// Errors: ENOENT or EPERM where there are no loop devices. Source: `loop(4)`.
pub fn loop_device(file: &File) -> io::Result<(File, PathBuf)> {
    let control = File::options()
        .read(true)
        .write(true)
        .open("/dev/loop-control")?;
    for _ in 0..TRIES {
        // SAFETY: this request takes no argument, and gives the number of a device.
        #[expect(unsafe_code)]
        let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
        if number < 0 {
            return Err(Error::last_os_error());
        }
        let path = Path::new("/dev").join(format!("loop{number}"));
        let device = File::open(&path)?;
        let config = LoopConfig {
            fd: u32::try_from(file.as_raw_fd()).map_err(Error::other)?,
            block_size: 0,
            info: LoopInfo {
                unused: [0; 52],
                flags: LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR,
                unused_too: [0; 176],
            },
            reserved: [0; 8],
        };
        // SAFETY: the structure is that of the request, outlives the call, and is only read.
        #[expect(unsafe_code)]
        let result = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, &raw const config) };
        if result == 0 {
            return Ok((device, path));
        }
        let error = Error::last_os_error();
        if error.raw_os_error() != Some(libc::EBUSY) {
            return Err(error);
        }
    }
    Err(Error::from_raw_os_error(libc::EBUSY))
}

const LOOP_CTL_GET_FREE: libc::Ioctl = 0x4C82;
const LOOP_CONFIGURE: libc::Ioctl = 0x4C0A;
const LO_FLAGS_READ_ONLY: u32 = 1;
const LO_FLAGS_AUTOCLEAR: u32 = 4;

/// `struct loop_config` of `linux/loop.h`.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

/// `struct loop_info64`: its flags stand at offset 52; nothing else of it is used.
#[repr(C, align(8))]
struct LoopInfo {
    unused: [u8; 52],
    flags: u32,
    unused_too: [u8; 176],
}

const _: () = assert!(size_of::<LoopInfo>() == 232 && size_of::<LoopConfig>() == 304);
