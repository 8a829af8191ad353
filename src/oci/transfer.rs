//! One body that survives broken connections: what is missing is asked for again.
//!
//! After a break the server is asked for `Range: bytes=N-`. An answer that is not exactly that
//! range is not trusted: the body is asked for as a whole, and what was already read is skipped.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::error::{Error, Result};
use super::response::Response;
use super::retry::Retry;
use super::unreachable::innermost;

/// Breaks after which a transfer gives up, whatever progress it makes between them.
const BREAKS: u32 = 100;

/// Bytes that must come in the time for which a server may say nothing.
const ENOUGH: u64 = 16 << 10;

/// Opens the body at an offset; gets the validator of the first answer from the second time on.
pub(crate) type Open<'a> = Box<dyn FnMut(u64, Option<&str>) -> Result<Response> + Send + 'a>;

/// Reads a body to its end, over as many connections as that takes.
pub(crate) struct Transfer<'a> {
    what: String,
    open: Open<'a>,
    body: Option<Response>,
    /// Bytes given to the caller.
    offset: u64,
    /// Bytes of the present body to throw away first.
    skip: u64,
    size: Option<u64>,
    validator: Option<String>,
    /// Whether ranges are of no use here.
    whole: bool,
    retry: Retry,
    failures: u32,
    breaks: u32,
    /// How long it was waited for how many bytes, since there were enough.
    waited: Duration,
    gained: u64,
    /// Connections in a row that were too slow.
    slow: u32,
    cancel: Option<&'a AtomicBool>,
}

impl<'a> Transfer<'a> {
    /// Prepares the transfer of `what`, of `size` bytes where that is known.
    pub(crate) fn new(what: &str, size: Option<u64>, retry: &Retry, open: Open<'a>) -> Self {
        Self {
            what: what.to_owned(),
            open,
            body: None,
            offset: 0,
            skip: 0,
            size,
            validator: None,
            whole: false,
            retry: retry.clone(),
            failures: 0,
            breaks: 0,
            waited: Duration::ZERO,
            gained: 0,
            slow: 0,
            cancel: None,
        }
    }

    /// Stops with [`Error::Cancelled`] once `flag` is set.
    pub(crate) fn cancelled_by(mut self, flag: &'a AtomicBool) -> Self {
        self.cancel = Some(flag);
        self
    }

    /// Begins with what comes after the first `offset` bytes, which the caller has.
    pub(crate) fn starting_at(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// The size, once something has been read and if the server told it.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Makes the connection, so that [`Transfer::size`] is known.
    pub(crate) fn connect(&mut self) -> Result<()> {
        while self.body.is_none() {
            self.reopen()?;
        }
        Ok(())
    }

    /// The next bytes; 0 at the end of the body.
    pub(crate) fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        loop {
            if self.cancel.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                return Err(Error::Cancelled);
            }
            let Some(body) = &mut self.body else {
                if self.offset > 0 && self.size == Some(self.offset) {
                    return Ok(0);
                }
                self.reopen()?;
                continue;
            };
            let start = Instant::now();
            let result = body.read(out);
            self.waited += start.elapsed();
            if self.waited > self.retry.stall && result.as_ref().is_ok_and(|n| *n > 0) {
                self.slow += 1;
                if self.slow >= self.retry.attempts {
                    return Err(self.failed("it comes too slowly"));
                }
                self.broke("it comes too slowly")?;
                continue;
            }
            match result {
                Ok(0) if self.skip > 0 || self.size.is_some_and(|size| self.offset < size) => {
                    self.broke("the connection was closed early")?;
                }
                Ok(0) => return Ok(0),
                Ok(n) if self.skip > 0 => {
                    let skipped = self.skip.min(n as u64);
                    self.skip -= skipped;
                    let skipped = skipped as usize;
                    if skipped < n {
                        out.copy_within(skipped..n, 0);
                        return self.took(n - skipped);
                    }
                }
                Ok(n) => return self.took(n),
                // All of it is here, however the connection ends.
                Err(_) if self.skip == 0 && self.size == Some(self.offset) => return Ok(0),
                Err(error) => self.broke(&innermost(&error))?,
            }
        }
    }

    fn took(&mut self, n: usize) -> Result<usize> {
        self.offset += n as u64;
        self.gained += n as u64;
        self.failures = 0;
        if self.gained >= ENOUGH {
            (self.waited, self.gained, self.slow) = (Duration::ZERO, 0, 0);
        }
        match self.size {
            Some(expected) if self.offset > expected => Err(self.wrong_size(self.offset)),
            _ => Ok(n),
        }
    }

    fn broke(&mut self, reason: &str) -> Result<()> {
        self.body = None;
        (self.waited, self.gained) = (Duration::ZERO, 0);
        self.failures += 1;
        self.breaks += 1;
        match self.retry.wait(self.failures) {
            Some(wait) if self.breaks < BREAKS => {
                thread::sleep(wait);
                Ok(())
            }
            _ => Err(self.failed(reason)),
        }
    }

    fn reopen(&mut self) -> Result<()> {
        let from = if self.whole { 0 } else { self.offset };
        let response = (self.open)(from, self.validator.as_deref())?;
        match response.status() {
            206 if from > 0 => match parse_range(response.header("content-range")) {
                Some((start, total)) if start == from => {
                    if let (Some(total), Some(size)) = (total, self.size)
                        && total != size
                    {
                        return Err(self.failed("it changed under way"));
                    }
                    self.skip = 0;
                }
                _ => {
                    self.whole = true;
                    return self.broke("the server answered with another range than was asked for");
                }
            },
            416 if from > 0 => {
                self.whole = true;
                return self.broke("the server does not have the range that is missing");
            }
            200 => {
                match (response.length(), self.size) {
                    (Some(length), Some(size)) if length != size => {
                        return Err(self.wrong_size(length));
                    }
                    (length, None) => self.size = length,
                    _ => {}
                }
                let validator = response.header("etag").filter(|tag| !tag.starts_with("W/"));
                let validator = validator.or_else(|| response.header("last-modified"));
                let validator = validator.map(str::to_owned);
                if self.offset > 0 && self.validator.is_some() && validator != self.validator {
                    return Err(self.failed("it changed under way"));
                }
                self.validator = validator;
                self.skip = self.offset;
            }
            status => {
                let reason = "it is neither the whole nor the missing part".to_owned();
                return Err(Error::Status {
                    url: self.what.clone(),
                    status,
                    reason,
                });
            }
        }
        self.body = Some(response);
        Ok(())
    }

    fn wrong_size(&self, actual: u64) -> Error {
        let expected = self.size.unwrap_or_default();
        Error::SizeMismatch {
            what: self.what.clone(),
            expected,
            actual,
        }
    }

    fn failed(&self, reason: &str) -> Error {
        let (what, received) = (self.what.clone(), self.offset);
        Error::Transfer {
            what,
            received,
            reason: reason.to_owned(),
        }
    }
}

/// Start and total of `bytes START-END/TOTAL`.
fn parse_range(header: Option<&str>) -> Option<(u64, Option<u64>)> {
    let (range, total) = header?.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let start = start.parse().ok()?;
    (end.parse::<u64>().ok()? >= start).then_some((start, total.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::parse_range;

    #[test]
    fn reads_content_range() {
        assert_eq!(parse_range(Some("bytes 5-9/10")), Some((5, Some(10))));
        assert_eq!(parse_range(Some("bytes 5-9/*")), Some((5, None)));
        for bad in [
            None,
            Some("bytes */10"),
            Some("bytes 9-5/10"),
            Some("items 1-2/3"),
            Some(""),
        ] {
            assert_eq!(parse_range(bad), None);
        }
    }
}
