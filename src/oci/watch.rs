//! Sending a large body, with an eye on whether it gets on.
//!
//! The HTTP library knows only how long a request takes as a whole, which for a large body is long.
//! So the body is read through a [`Watched`], which notes when; the request is given up where that was
//! too long ago. Between reading and the network lie buffers, for which the patience must allow.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// When something was last read, and whether anybody still wants it to be.
#[derive(Debug, Clone)]
pub(super) struct Watch(Arc<(Mutex<Instant>, AtomicBool)>);

impl Watch {
    pub(super) fn new() -> Self {
        Self(Arc::new((
            Mutex::new(Instant::now()),
            AtomicBool::new(true),
        )))
    }

    /// A body that this watch sees the reading of.
    pub(super) fn over<R>(&self, inner: R) -> Watched<R> {
        let watch = self.clone();
        Watched { inner, watch }
    }

    /// The result of `send`, which reads the body; nothing once it was not read for `patience`. Then
    /// `send` is left to itself: it cannot be ended, but gets no more of the body.
    pub(super) fn during<T: Send + 'static>(
        &self,
        patience: Duration,
        send: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = channel();
        thread::spawn(move || sender.send(send()));
        loop {
            let left = patience.saturating_sub(self.last().elapsed());
            match receiver.recv_timeout(left) {
                Ok(result) => return Some(result),
                Err(RecvTimeoutError::Timeout) if self.last().elapsed() < patience => {}
                Err(_) => {
                    self.0.1.store(false, Ordering::Relaxed);
                    return None;
                }
            }
        }
    }

    fn last(&self) -> Instant {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self) -> io::Result<()> {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        if self.0.1.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err(io::ErrorKind::TimedOut.into())
        }
    }
}

/// A body.
#[derive(Debug)]
pub(super) struct Watched<R> {
    inner: R,
    watch: Watch,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.watch.note()?;
        self.inner.read(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than the patience as a whole, but never silent for so long.
    #[test]
    fn what_gets_on_may_take_long() {
        let watch = Watch::new();
        let mut body = watch.over(io::repeat(1).take(20));
        let sent = watch.during(Duration::from_secs(2), move || {
            let mut count = 0;
            while body.read(&mut [0]).unwrap() > 0 {
                thread::sleep(Duration::from_millis(150));
                count += 1;
            }
            count
        });
        assert_eq!(sent, Some(20));
    }

    #[test]
    fn what_stands_still_is_given_up_and_gets_nothing_more() {
        let watch = Watch::new();
        let mut body = watch.over(io::repeat(1));
        body.read_exact(&mut [0; 9]).unwrap();
        let (end, ended) = channel::<()>();
        let sent = watch.during(Duration::from_millis(50), move || ended.recv());
        assert!(sent.is_none());
        assert_eq!(
            body.read(&mut [0]).unwrap_err().kind(),
            io::ErrorKind::TimedOut
        );
        drop(end);
    }
}
