//! Containers as `ps` and `inspect` show them: docker's fields, docker's words.

use serde_json::{Value, json};

use super::table::{ago, span};
use crate::lifecycle::config::{NetworkMode, Port, Restart};
use crate::lifecycle::{Kept, State, Status};

const NANOSECONDS: i64 = 1_000_000_000;

/// A moment, RFC 3339; docker's zero for none.
fn moment(nanoseconds: i64) -> String {
    if nanoseconds == 0 {
        return "0001-01-01T00:00:00Z".into();
    }
    jiff::Timestamp::from_nanosecond(i128::from(nanoseconds))
        .map_or_else(|_| String::new(), |it| format!("{it:.9}"))
}

/// `Up 3 seconds`, `Exited (0) 2 minutes ago`, and so on.
pub fn container_status(status: Status, state: &State) -> String {
    let now = crate::lifecycle::state::now();
    let up = || span((now - state.started) / NANOSECONDS);
    let health = match &state.health {
        Some(report) if report.status == "starting" => " (health: starting)".to_owned(),
        Some(report) => format!(" ({})", report.status),
        None => String::new(),
    };
    match status {
        Status::Created => "Created".into(),
        Status::Running => format!("Up {}{health}", up()),
        Status::Paused => format!("Up {} (Paused)", up()),
        Status::Restarting => format!(
            "Restarting ({}) {}",
            state.exit_code,
            ago(state.finished / NANOSECONDS)
        ),
        Status::Exited => format!(
            "Exited ({}) {}",
            state.exit_code,
            ago(state.finished / NANOSECONDS)
        ),
    }
}

/// Ports of the host by those of the container.
fn bindings(ports: &[Port]) -> Value {
    let mut all = serde_json::Map::new();
    for port in ports {
        let key = format!("{}/{}", port.container, port.protocol);
        let list = all.entry(key).or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            list.push(json!({
                "HostIp": port.address.to_string(),
                "HostPort": port.of_host(),
            }));
        }
    }
    Value::Object(all)
}

fn shortened(text: &str, length: usize, whole: bool) -> String {
    if whole || text.chars().count() <= length {
        return text.to_owned();
    }
    let start: String = text.chars().take(length - 1).collect();
    format!("{start}…")
}

/// One container for `ps`; `whole` leaves nothing out.
pub fn container_row(kept: &Kept, status: Status, state: &State, whole: bool) -> Value {
    let config = &kept.config;
    let ports = state.ports.iter().filter(|_| status.runs());
    let ports: Vec<String> = ports.map(ToString::to_string).collect();
    let labels: Vec<String> = config
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mounts: Vec<&str> = config.mounts.iter().map(|it| it.source.as_str()).collect();
    let command = format!("\"{}\"", shortened(&config.argv.join(" "), 20, whole));
    json!({
        "ID": if whole { &config.id } else { config.short_id() },
        "Image": config.image,
        "Command": command,
        "CreatedAt": moment(config.created),
        "RunningFor": ago(config.created / NANOSECONDS),
        "Ports": ports.join(", "),
        "State": status.word(),
        "Status": container_status(status, state),
        "Names": config.name,
        "Labels": labels.join(","),
        "Mounts": mounts.join(","),
        "Networks": config.network.name(),
    })
}

/// Everything about one container, in docker's form.
pub fn container_document(kept: &Kept, status: Status, state: &State) -> Value {
    let config = &kept.config;
    let running = status.runs();
    let env: Vec<String> = config
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mounts: Vec<Value> = config
        .mounts
        .iter()
        .map(|it| {
            json!({
                "Type": if it.volume { "volume" } else { "bind" },
                "Name": if it.volume { it.source.as_str() } else { "" },
                "Source": it.source,
                "Destination": it.target,
                "RW": !it.read_only,
            })
        })
        .collect();
    let address = state.address.map_or_else(String::new, |it| it.to_string());
    let mut networks = serde_json::Map::new();
    if let NetworkMode::Named(_) | NetworkMode::Pasta = &config.network {
        let name = if state.pasta {
            NetworkMode::Pasta.name()
        } else {
            config.network.name()
        };
        networks.insert(name, json!({ "IPAddress": address }));
    }
    let (policy, count) = match config.restart {
        Restart::No => ("no", 0),
        Restart::OnFailure(count) => ("on-failure", count.unwrap_or(0)),
        Restart::Always => ("always", 0),
        Restart::OnReboot => ("on-reboot", 0),
    };
    json!({
        "Id": config.id,
        "Created": moment(config.created),
        "Path": config.argv.first(),
        "Args": config.argv.get(1..),
        "State": {
            "Status": status.word(),
            "Running": running,
            "Paused": status == Status::Paused,
            "Restarting": status == Status::Restarting,
            // The cgroup that would tell is gone with the container.
            "OOMKilled": false,
            "Dead": false,
            "Pid": if running { state.leader } else { 0 },
            "ExitCode": state.exit_code,
            "Error": state.error,
            "StartedAt": moment(state.started),
            "FinishedAt": moment(state.finished),
            "Health": state.health.as_ref().map(|it| json!({
                "Status": it.status,
                "FailingStreak": it.failing,
                "Log": [{ "Output": it.output }],
            })),
        },
        "Image": config.image_id,
        "Name": format!("/{}", config.name),
        "RestartCount": state.restarts,
        "LogPath": kept.path("log"),
        "HostConfig": {
            "AutoRemove": config.remove,
            "NetworkMode": config.network.name(),
            "PortBindings": bindings(&config.ports),
            "Privileged": config.privileged,
            "ReadonlyRootfs": config.read_only,
            "CapAdd": config.capabilities.0,
            "CapDrop": config.capabilities.1,
            "Memory": config.limits.memory.unwrap_or(0),
            "NanoCpus": (config.limits.cpus.unwrap_or(0.0) * 1e9) as i64,
            "PidsLimit": config.limits.pids.unwrap_or(0),
            "RestartPolicy": { "Name": policy, "MaximumRetryCount": count },
            "ExtraHosts": config.hosts.iter().map(|(name, at)| format!("{name}:{at}")).collect::<Vec<_>>(),
            "Dns": config.dns,
        },
        "Mounts": mounts,
        "Config": {
            "Hostname": config.hostname,
            "User": config.user,
            "Tty": config.tty,
            "OpenStdin": config.interactive,
            "Env": env,
            "Cmd": config.argv.get(config.entrypoint..),
            "Entrypoint": config.argv.get(..config.entrypoint),
            "Image": config.image,
            "WorkingDir": config.directory,
            "Labels": config.labels,
            "StopSignal": config.stop_signal,
            "StopTimeout": config.stop_timeout,
        },
        "NetworkSettings": {
            "IPAddress": address,
            "Ports": bindings(if running { &state.ports } else { &[] }),
            "Networks": networks,
        },
        "Racker": {
            "Tree": config.tree,
            "Booted": config.boot,
            "FirstId": state.base,
        },
    })
}
