//! Telling a process from a later one with its pid.

use std::fs;

/// When the process started, in clock ticks since boot; 0 where there is none. Source:
/// `proc_pid_stat(5)`.
pub(super) fn since(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The program's name, in brackets, may have anything in it.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let field = rest.split_whitespace().nth(19);
    field.and_then(|it| it.parse().ok()).unwrap_or(0)
}
