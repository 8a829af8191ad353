//! Setting seccomp filters.

use std::ffi::c_void;
use std::io::Error;

use crate::sys;

/// Sets the filters in a list of lengths and instructions, the first first. Source: `seccomp(2)`.
pub fn set(mut programs: &[u8]) -> std::io::Result<()> {
    /// `struct sock_fprog`.
    #[repr(C)]
    struct Program {
        count: u16,
        filter: *const c_void,
    }
    #[cfg(target_arch = "x86_64")]
    const SECCOMP: std::ffi::c_long = 317;
    #[cfg(not(target_arch = "x86_64"))]
    const SECCOMP: std::ffi::c_long = 277;
    while let Some((length, rest)) = programs.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let (program, rest) = rest.split_at_checked(length).ok_or(std::io::ErrorKind::InvalidData)?;
        let count = u16::try_from(length / 8).map_err(|_| std::io::ErrorKind::InvalidData)?;
        // Aligned as instructions are.
        let words: Vec<u64> = program
            .chunks_exact(8)
            .map(|it| u64::from_ne_bytes(it.try_into().unwrap()))
            .collect();
        let program = Program { count, filter: words.as_ptr().cast() };
        // SAFETY: the program and its instructions live to the end of the call. 1 sets a filter.
        if unsafe { sys::syscall(SECCOMP, 1u64, 0u64, &raw const program) } != 0 {
            return Err(Error::last_os_error());
        }
        programs = rest;
    }
    Ok(())
}
