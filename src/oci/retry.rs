//! When to try again, and how long to wait before.

use std::time::Duration;

/// A policy: waits double from `first` up to `ceiling`.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Failures in a row after which an operation gives up.
    pub attempts: u32,
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest wait.
    pub ceiling: Duration,
    /// The longest wait that a server may ask for.
    pub patience: Duration,
    /// How long a server may say nothing, or next to nothing.
    pub stall: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 5,
            first: Duration::from_millis(250),
            ceiling: Duration::from_secs(8),
            patience: Duration::from_secs(60),
            stall: Duration::from_secs(30),
        }
    }
}

impl Retry {
    /// No second try.
    pub fn never() -> Self {
        Self {
            attempts: 1,
            ..Self::default()
        }
    }

    /// The wait after `failures` (from 1) failures in a row; `None`: give up.
    pub fn wait(&self, failures: u32) -> Option<Duration> {
        (failures < self.attempts)
            .then(|| {
                self.first
                    .saturating_mul(1 << failures.saturating_sub(1).min(16))
            })
            .map(|wait| wait.min(self.ceiling))
    }

    /// Whether an HTTP status may be different next time.
    pub fn is_transient(status: u16) -> bool {
        matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
    }
}

/// The value of a `Retry-After` header, where it is a number of seconds.
pub(crate) fn retry_after(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_the_ceiling() {
        let retry = Retry {
            attempts: 9,
            ..Retry::default()
        };
        let waits: Vec<_> = (1..10)
            .map(|n| retry.wait(n).map(|d| d.as_millis()))
            .collect();
        let expected = [250, 500, 1000, 2000, 4000, 8000, 8000, 8000].map(Some);
        assert_eq!((&waits[..8], waits[8]), (&expected[..], None));
        assert_eq!(Retry::never().wait(1), None);
    }

    #[test]
    fn reads_retry_after() {
        assert_eq!(retry_after(" 12 "), Some(Duration::from_secs(12)));
        assert_eq!(retry_after("Fri, 31 Dec 1999 23:59:59 GMT"), None);
    }
}
