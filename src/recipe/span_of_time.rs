//! Spans of time such as `1h30m`.

use std::time::Duration;

use super::Problem;

/// Reads a span of time: hours, minutes and seconds in this order, each at most once.
pub fn parse_duration(text: &str) -> Result<Duration, Problem> {
    let problem = || {
        Problem::new(format!("`{text}` is no span of time"))
            .hint("write hours, minutes and seconds, such as \"30s\", \"5m\" or \"1h30m\"")
    };
    let mut rest = text;
    let mut total: u64 = 0;
    for (unit, seconds) in [('h', 3600), ('m', 60), ('s', 1)] {
        let Some((number, after)) = rest.split_once(unit) else {
            continue;
        };
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(problem());
        }
        let number: u64 = number.parse().map_err(|_| problem())?;
        total = number
            .checked_mul(seconds)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(problem)?;
        rest = after;
    }
    if rest.is_empty() && total > 0 {
        Ok(Duration::from_secs(total))
    } else {
        Err(problem())
    }
}
