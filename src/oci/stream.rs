//! Our errors through `std::io::Read`, and out again.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::Error;
use super::transfer::Transfer;

impl io::Read for Transfer<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        Transfer::read(self, out).map_err(io::Error::other)
    }
}

/// The error of ours inside `error`, or `error` with a name to it.
pub(crate) fn error(what: &str, error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        Err(other) => Error::io(what, other),
    }
}

/// A local reader that a flag can stop.
pub(crate) struct Cancellable<'a, R> {
    inner: R,
    cancel: &'a AtomicBool,
}

impl<'a, R> Cancellable<'a, R> {
    pub(crate) fn new(inner: R, cancel: &'a AtomicBool) -> Self {
        Self { inner, cancel }
    }
}

impl<R: io::Read> io::Read for Cancellable<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(io::Error::other(Error::Cancelled));
        }
        self.inner.read(out)
    }
}
