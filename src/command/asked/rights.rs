//! What a container may do, and take of the machine.

use super::config::wrong;
use super::options::Options;
use crate::container::limits::Limits;
use crate::failure::Failure;

pub(super) fn host_users(options: &Options) -> Result<bool, Failure> {
    match options.userns.as_str() {
        "host" => Ok(true),
        "" | "private" | "auto" => Ok(false),
        other => Err(wrong(format!(
            "--userns={other} is not supported: host or private"
        ))),
    }
}

/// Whether programs cannot gain privileges.
pub(super) fn security(options: &Options) -> Result<bool, Failure> {
    let mut sealed = false;
    for option in &options.security_opt {
        match option.replace('=', ":").as_str() {
            "no-new-privileges" | "no-new-privileges:true" => sealed = true,
            "no-new-privileges:false" => sealed = false,
            // None of these is used.
            "apparmor:unconfined" | "label:disable" => {}
            _ => {
                return Err(wrong(format!(
                    "--security-opt {option} is not supported: no-new-privileges is"
                )));
            }
        }
    }
    Ok(sealed)
}

pub(super) fn limits(options: &Options) -> Result<Limits, Failure> {
    match (options.memory_swap.as_deref(), options.memory) {
        (None | Some("-1"), _) => {}
        (Some(_), _) => {
            return Err(wrong(
                "--memory-swap is not supported: give --memory; swap is not limited",
            ));
        }
    }
    if options.memory.is_some_and(|it| it < 6 << 20) {
        return Err(wrong("minimum memory limit allowed is 6MB"));
    }
    if options.cpus.is_some_and(|it| it <= 0.0 || !it.is_finite()) {
        return Err(wrong("--cpus must be more than 0"));
    }
    Ok(Limits {
        memory: options.memory,
        cpus: options.cpus,
        pids: options
            .pids_limit
            .and_then(|it| u64::try_from(it).ok())
            .filter(|it| *it > 0),
    })
}

pub(super) fn sysctls(options: &Options) -> Result<Vec<(String, String)>, Failure> {
    const ALLOWED: [&str; 6] = [
        "net.",
        "fs.mqueue.",
        "kernel.msg",
        "kernel.shm",
        "kernel.sem",
        "kernel.shm_rmid_forced",
    ];
    for (name, _) in &options.sysctl {
        if !ALLOWED.iter().any(|it| name.starts_with(it))
            || name.contains('/')
            || name.contains("..")
        {
            return Err(wrong(format!(
                "sysctl {name} is not in a namespace of the container: it would be the host's"
            )));
        }
        if name.starts_with("net.") && options.network == "host" {
            return Err(wrong(format!(
                "sysctl {name} would be the host's with --network=host"
            )));
        }
    }
    Ok(options.sysctl.clone())
}

#[cfg(test)]
mod tests {
    use super::super::line::parse;
    use super::*;

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        assert!(parse(&["--rm"]).options.refused.check().is_ok());
        for line in [
            &["--gpus", "all"][..],
            &["--ipc=host"],
            &["--oom-kill-disable"],
        ] {
            let error = parse(line).options.refused.check().unwrap_err();
            assert!(error.contains("is not supported: "), "{error}");
        }
        assert!(sysctls(&parse(&["--sysctl", "vm.swappiness=1"]).options).is_err());
        assert!(security(&parse(&["--security-opt", "seccomp=unconfined"]).options).is_err());
        assert!(security(&parse(&["--security-opt", "no-new-privileges"]).options).unwrap());
    }
}
