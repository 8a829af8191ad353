//! Processes of a guest: those in the pid namespace of its PID 1.

use std::fs;

use super::observed::Observed;
use super::view::View;

/// The longest name that the kernel keeps of a program. Source: `proc_pid_comm(5)`.
const NAME: usize = 15;

/// Looks for a running program of this name.
pub(super) fn look(view: &View<'_>, name: &str) -> Observed {
    let wanted: Vec<u8> = name.bytes().take(NAME).collect();
    let running = programs(view).iter().any(|it| it.as_bytes() == wanted);
    let summary = if running { "runs" } else { "does not run" };
    Observed::new("running", running, summary)
}

/// The names of the programs that run.
fn programs(view: &View<'_>) -> Vec<String> {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let Some(own) = namespace(&view.leader.to_string()) else {
        return Vec::new();
    };
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        name.bytes().all(|it| it.is_ascii_digit()).then_some(name)
    });
    pids.filter(|pid| namespace(pid).as_ref() == Some(&own))
        .filter_map(|pid| program(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?))
        .collect()
}

/// The name in a process's state, unless it ended already. Source: `proc_pid_stat(5)`.
fn program(stat: &str) -> Option<String> {
    let (start, end) = (stat.find('(')?, stat.rfind(')')?);
    let state = stat.get(end + 1..)?.trim_start().chars().next()?;
    let name = stat.get(start + 1..end)?;
    (!matches!(state, 'Z' | 'X')).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_processes() {
        assert_eq!(program("12 (a) b) S 1 12").unwrap(), "a) b");
        assert_eq!(program("12 (gone) Z 1 12"), None);
        assert_eq!(program("odd"), None);
    }
}
