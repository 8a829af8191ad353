//! Capabilities by name. Source: `capabilities(7)`; linux/capability.h.

/// The names, without `CAP_`, in the order of their numbers.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// A name as it is kept: upper case, without `CAP_`; `all` for all.
///
/// Errors: there is no such capability.
pub fn name(text: &str) -> Result<String, String> {
    let upper = text.to_ascii_uppercase();
    match upper.strip_prefix("CAP_").unwrap_or(&upper) {
        "ALL" => Ok("all".into()),
        name if NAMES.contains(&name) => Ok(name.to_owned()),
        _ => Err(format!("invalid capability: {text:?}")),
    }
}

/// The set that is left to a command: all that its container has but these. What is both taken and
/// added is had where all were taken or only that was added.
///
/// `None` where nothing is taken.
pub fn left(added: &[String], dropped: &[String]) -> Option<u64> {
    if dropped.is_empty() {
        return None;
    }
    let all = dropped.iter().any(|it| it == "all");
    let has = |list: &[String], name: &str| list.iter().any(|it| it == name);
    let kept = NAMES.iter().enumerate().filter(|(_, name)| {
        if all {
            has(added, name) || has(added, "all")
        } else {
            !has(dropped, name)
        }
    });
    Some(kept.fold(0, |set, (number, _)| set | 1 << number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|&it| it.to_owned()).collect()
    }

    #[test]
    fn names() {
        assert_eq!(name("cap_net_admin").unwrap(), "NET_ADMIN");
        assert_eq!(name("ALL").unwrap(), "all");
        assert!(name("FLY").is_err());
    }

    #[test]
    fn what_is_left() {
        assert_eq!(left(&list(&["CHOWN"]), &[]), None);
        assert_eq!(left(&[], &list(&["all"])), Some(0));
        assert_eq!(left(&list(&["CHOWN"]), &list(&["all"])), Some(1));
        let all = (1u64 << NAMES.len()) - 1;
        assert_eq!(left(&[], &list(&["CHOWN"])), Some(all & !1));
        assert_eq!(
            left(&list(&["all"]), &list(&["KILL"])),
            Some(all & !(1 << 5))
        );
    }
}
