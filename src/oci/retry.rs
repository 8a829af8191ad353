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

    /// No second try and little patience, for what can be done without. A kept connection that turns
    /// out to be closed is no try.
    pub fn hasty() -> Self {
        Self {
            stall: Duration::from_secs(5),
            ..Self::never()
        }
    }

    /// Whether there is no second try.
    pub(crate) fn is_single(&self) -> bool {
        self.attempts <= 1
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

/// The value of a `Retry-After` header: a number of seconds, or a date. Source: RFC 9110, 10.2.3.
pub(crate) fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    let time = parser.parse_timestamp(value).ok()?;
    let seconds = time.as_second() - jiff::Timestamp::now().as_second();
    Some(Duration::from_secs(seconds.try_into().unwrap_or(0)))
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
        let past = retry_after("Fri, 31 Dec 1999 23:59:59 GMT");
        assert_eq!(past, Some(Duration::ZERO));
        let far = retry_after("Mon, 31 Dec 2998 23:59:59 GMT").unwrap();
        assert!(far > Duration::from_secs(1 << 32));
        assert_eq!(retry_after("soon"), None);
    }
}
