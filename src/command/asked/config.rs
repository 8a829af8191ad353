//! From options and an image to what a container is to be.

use std::collections::BTreeMap;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use racker_store::{Access, Image};
use serde_json::Value;

use super::options::{Options, Pull, Systemd, WaitFor, ports};
use super::values::{self, Mounted};
use crate::container::limits::Limits;
use crate::container::slot::random_id;
use crate::failure::{Failure, RUN_FAILED};
use crate::lifecycle::config::{Config, HOST_GATEWAY, Mount, NetworkMode, Wait};
use crate::lifecycle::health::Health;
use crate::lifecycle::{Kept, Yard, state, volume};
use crate::oci::Reference;
use crate::realise::Workshop;
use crate::settings::caller_variable;
use crate::{image, systemd};

/// Commands that stand for the image's init itself.
const INITS: [&str; 5] = [
    "/sbin/init",
    "/usr/sbin/init",
    "/lib/systemd/systemd",
    "/usr/lib/systemd/systemd",
    "init",
];

/// Makes a container, pulling or baking its image where it is missing.
pub(crate) fn create(
    shop: Workshop<'_>,
    options: &Options,
    name: &str,
    command: &[String],
    background: bool,
) -> Result<Kept, Failure> {
    let mut config = settle(shop, options, name, command, background)?;
    for mount in config.mounts.iter_mut().filter(|it| it.anonymous) {
        mount.source = random().map_err(wrong)?;
    }
    let kept = Yard::of(shop.store).create(config)?;
    volume::make_anonymous(shop.store, &kept.config)?;
    if let Some(file) = &options.cidfile {
        std::fs::write(file, &kept.config.id)
            .map_err(|error| wrong(format!("write {}: {error}", file.display())))?;
    }
    crate::lifecycle::events::put(shop.store, &kept.config, "create", &[]);
    Ok(kept)
}

/// What a container is to be, its image pulled or baked where it is missing.
pub(crate) fn settle(
    shop: Workshop<'_>,
    options: &Options,
    name: &str,
    command: &[String],
    background: bool,
) -> Result<Config, Failure> {
    options.refused.check().map_err(wrong)?;
    if let Some(file) = &options.cidfile
        && file.exists()
    {
        return Err(wrong(format!(
            "container ID file {} exists: remove it first",
            file.display()
        )));
    }
    let image = obtain(shop, options, name)?;
    let tree = tree(shop, options, &image)?;
    // From here to where the container itself keeps it, nobody collects it.
    shop.store.hold(tree)?;
    let boots = options.systemd != Systemd::False && systemd::is_in(shop.store, tree)?;
    if !boots && options.systemd == Systemd::Always {
        return Err(wrong(format!("{name} has no systemd"))
            .hint("add it in a recipe: packages = [\"systemd\"]")
            .hint("--systemd=false runs the command without"));
    }
    if options.register && !boots {
        return Err(wrong("--register is for containers that boot")
            .hint("--systemd=always adds systemd to an image"));
    }
    let config = config(shop, options, &image, name, command, background)?;
    let alone = config.argv.len() == 1 && INITS.contains(&config.argv[0].as_str());
    let config = Config {
        tree,
        boot: boots,
        init_alone: boots && alone,
        ..config
    };
    for (mount, make) in &options.volume {
        if *make {
            std::fs::create_dir_all(&mount.source)
                .or_else(|error| {
                    if Path::new(&mount.source).exists() {
                        Ok(())
                    } else {
                        Err(error)
                    }
                })
                .map_err(|error| wrong(format!("make {}: {error}", mount.source)))?;
        }
    }
    Ok(config)
}

fn wrong(text: impl Into<String>) -> Failure {
    Failure::new(RUN_FAILED, text)
}

fn obtain(shop: Workshop<'_>, options: &Options, name: &str) -> Result<Image, Failure> {
    match options.pull {
        Pull::Never => image::need(shop.store, name),
        Pull::Missing if options.platform.is_none() => image::obtain(shop, name),
        Pull::Missing | Pull::Always => {
            let found = image::find(shop.store, name)?;
            let local = found
                .as_ref()
                .is_some_and(|it| it.name.starts_with("localhost/"));
            if local || crate::recipe::curated(name).is_some() {
                return image::obtain(shop, name);
            }
            let reference = Reference::parse(name)?;
            if shop.settings.offline {
                return Err(wrong("racker may not use the network").hint("leave out --offline"));
            }
            let mut oci = shop.oci_options();
            oci.platform.clone_from(&options.platform);
            Ok(crate::oci::pull(shop.store, &reference, &oci)?.image)
        }
    }
}

/// The image's tree, or that with systemd where it should have one and has none.
fn tree(
    shop: Workshop<'_>,
    options: &Options,
    image: &Image,
) -> Result<racker_store::TreeId, Failure> {
    let wanted = match options.systemd {
        Systemd::False => false,
        Systemd::Always => true,
        Systemd::Auto => options.entrypoint.is_none() && systemd::is_stock(&image.config["config"]),
    };
    if wanted && !systemd::is_in(shop.store, image.tree)? {
        return Ok(systemd::tree(shop, image)?.unwrap_or(image.tree));
    }
    Ok(image.tree)
}

fn config(
    shop: Workshop<'_>,
    options: &Options,
    image: &Image,
    name: &str,
    command: &[String],
    background: bool,
) -> Result<Config, Failure> {
    let of_image = &image.config["config"];
    let id = random().map_err(wrong)?;
    let text = |key: &str| of_image[key].as_str().filter(|it| !it.is_empty());
    let (argv, entrypoint) = argv(options, of_image, command)?;
    let (mut mounts, tmpfs) = mounts(options, of_image)?;
    if shop.store.access() == Access::ReadOnly {
        // What is written there is in the container.
        mounts.retain(|it| !it.anonymous);
    }
    let tty = options.tty && (background || on_terminal());
    let privileged = options.privileged;
    let hostname = options
        .hostname
        .clone()
        .or_else(|| options.name.clone())
        .unwrap_or_else(|| id[..12].to_owned());
    if options.rm && options.restart != crate::lifecycle::config::Restart::No {
        return Err(wrong(
            "conflicting options: cannot specify both --restart and --rm",
        ));
    }
    let directory = options.workdir.as_deref().or(text("WorkingDir"));
    let directory = directory.unwrap_or("/").to_owned();
    if !directory.starts_with('/') {
        return Err(wrong(format!(
            "the working directory {directory:?} is not an absolute path"
        )));
    }
    Ok(Config {
        name: options.name.clone().unwrap_or_default(),
        image: name.to_owned(),
        image_id: image.tree,
        tree: image.tree,
        created: state::now(),
        machine: state::machine(),
        argv,
        entrypoint,
        env: env(options, of_image, tty).map_err(wrong)?,
        user: options
            .user
            .as_deref()
            .or(text("User"))
            .unwrap_or_default()
            .to_owned(),
        directory,
        hostname,
        labels: labels(options, of_image).map_err(wrong)?,
        tty,
        interactive: options.interactive,
        boot: false,
        init_alone: false,
        wait: match options.wait {
            WaitFor::Basic => Wait::Basic,
            WaitFor::Boot => Wait::Boot,
            WaitFor::None => Wait::None,
        },
        remove: options.rm,
        network: network(shop, &options.network)?,
        ports: published(options, of_image).map_err(wrong)?,
        mounts,
        tmpfs,
        read_only: options.read_only,
        capabilities: (options.cap_add.clone(), options.cap_drop.clone()),
        privileged,
        host_users: privileged || host_users(options)?,
        no_new_privileges: security(options)?,
        limits: limits(options)?,
        ulimits: options.ulimit.clone(),
        restart: options.restart,
        stop_signal: match (options.stop_signal, text("StopSignal")) {
            (Some(signal), _) => Some(signal),
            (None, Some(text)) => values::signal(text).ok(),
            (None, None) => None,
        },
        stop_timeout: options.stop_timeout.unwrap_or(10),
        health: health(options, &of_image["Healthcheck"]),
        hosts: hosts(options).map_err(wrong)?,
        dns: options.dns.clone(),
        dns_search: options.dns_search.clone(),
        sysctls: sysctls(options)?,
        devices: devices(options)?,
        register: options.register,
        id,
    })
}

fn random() -> Result<String, String> {
    random_id().map_err(|error| format!("read random bytes: {error}"))
}

fn on_terminal() -> bool {
    use std::io::IsTerminal;
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Entrypoint and command, as docker combines them: an entrypoint given as an option takes the
/// image's command away, a command given takes the image's place.
fn argv(
    options: &Options,
    config: &Value,
    command: &[String],
) -> Result<(Vec<String>, usize), Failure> {
    let mut argv = match &options.entrypoint {
        Some(command) if command.is_empty() => Vec::new(),
        Some(command) => vec![command.clone()],
        None => strings(&config["Entrypoint"]),
    };
    let entrypoint = argv.len();
    if !command.is_empty() {
        argv.extend(command.iter().cloned());
    } else if options.entrypoint.is_none() {
        argv.extend(strings(&config["Cmd"]));
    }
    if argv.is_empty() {
        return Err(
            wrong("no command specified").hint("the image names none; give one behind the image")
        );
    }
    Ok((argv, entrypoint))
}

fn strings(value: &Value) -> Vec<String> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn env(options: &Options, config: &Value, tty: bool) -> Result<Vec<(String, String)>, String> {
    let pair = |line: &str| {
        line.split_once('=')
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let mut env: Vec<(String, String)> = strings(&config["Env"])
        .iter()
        .filter_map(|line| pair(line))
        .collect();
    if tty {
        let term = caller_variable("TERM").unwrap_or_else(|| "xterm".into());
        env.push(("TERM".into(), term));
    }
    let mut given = Vec::new();
    for file in &options.env_file {
        given.extend(values::lines(file)?);
    }
    given.extend(options.env.iter().cloned());
    for line in &given {
        match pair(line) {
            Some((name, _)) if name.is_empty() => {
                return Err(format!("invalid environment variable: {line:?}"));
            }
            Some(pair) => env.push(pair),
            None => env.extend(caller_variable(line).map(|value| (line.clone(), value))),
        }
    }
    Ok(env)
}

fn labels(options: &Options, config: &Value) -> Result<BTreeMap<String, String>, String> {
    let mut all = BTreeMap::new();
    for (name, value) in config["Labels"].as_object().into_iter().flatten() {
        all.insert(name.clone(), value.as_str().unwrap_or_default().to_owned());
    }
    let mut given = Vec::new();
    for file in &options.label_file {
        given.extend(values::lines(file)?);
    }
    given.extend(options.label.iter().cloned());
    for line in &given {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        all.insert(name.to_owned(), value.to_owned());
    }
    Ok(all)
}

/// Path and options of a file system in memory.
type Memory = (String, String);

fn mounts(options: &Options, image: &Value) -> Result<(Vec<Mount>, Vec<Memory>), Failure> {
    let given = options.volume.iter();
    let mut mounts: Vec<Mount> = given.map(|(mount, _)| mount.clone()).collect();
    let mut tmpfs: Vec<Memory> = Vec::new();
    for text in &options.mount {
        match values::mount(text).map_err(wrong)? {
            Mounted::Bind(mount) => {
                if !mount.volume && !Path::new(&mount.source).exists() {
                    return Err(wrong(format!(
                        "bind source path does not exist: {}",
                        mount.source
                    )));
                }
                mounts.push(mount);
            }
            Mounted::Memory(path, options) => tmpfs.push((path, options)),
        }
    }
    for text in &options.tmpfs {
        let (path, options) = text.split_once(':').unwrap_or((text, ""));
        if !path.starts_with('/') {
            return Err(wrong(format!(
                "invalid --tmpfs {text:?}: the path must be absolute"
            )));
        }
        tmpfs.push((path.to_owned(), options.to_owned()));
    }
    if let Some(size) = options.shm_size {
        tmpfs.push(("/dev/shm".into(), format!("mode=1777,size={size}")));
    }
    // What the image wants to be a volume is one, unless something else is there.
    for (path, _) in image["Volumes"].as_object().into_iter().flatten() {
        let path = values::absolute(path).map_err(wrong)?;
        let taken = mounts.iter().any(|it| it.target == path);
        if !taken && tmpfs.iter().all(|(it, _)| *it != path) {
            mounts.push(Mount::anonymous(path));
        }
    }
    let mut targets: Vec<&str> = mounts.iter().map(|it| it.target.as_str()).collect();
    targets.extend(tmpfs.iter().map(|(path, _)| path.as_str()));
    targets.sort_unstable();
    let twice = targets.windows(2).find(|pair| pair[0] == pair[1]);
    if let Some([twice, _]) = twice {
        return Err(wrong(format!("duplicate mount point: {twice}")));
    }
    Ok((mounts, tmpfs))
}

fn network(shop: Workshop<'_>, text: &str) -> Result<NetworkMode, Failure> {
    Ok(match text {
        "none" => NetworkMode::None,
        "host" => NetworkMode::Host,
        "private" | "bridge" | "default" => {
            NetworkMode::Named(crate::container::network::DEFAULT.into())
        }
        text => match text.strip_prefix("container:") {
            Some(name) => {
                let other = Yard::of(shop.store).find(name)?;
                other.running()?;
                NetworkMode::Container(other.config.id)
            }
            None => {
                let known = crate::container::network::Networks::lock()?.find(text)?;
                if known.is_none() {
                    return Err(wrong(format!("network {text} not found"))
                        .hint(format!("racker network create {text}")));
                }
                NetworkMode::Named(text.to_owned())
            }
        },
    })
}

/// Published ports; a free one is looked for where none of the host is named.
fn published(
    options: &Options,
    config: &Value,
) -> Result<Vec<crate::lifecycle::config::Port>, String> {
    let mut all = ports(&options.publish)?;
    if options.publish_all {
        let exposed = config["ExposedPorts"].as_object();
        let exposed = exposed.into_iter().flatten().map(|(port, _)| port.clone());
        let more: Vec<String> = exposed.chain(options.expose.iter().cloned()).collect();
        for port in ports(&more)? {
            if !all
                .iter()
                .any(|it| it.container == port.container && it.protocol == port.protocol)
            {
                all.push(port);
            }
        }
    }
    for port in all.iter_mut().filter(|port| port.host == 0) {
        let any = std::net::SocketAddr::new(port.address, 0);
        let free = if port.protocol == "udp" {
            UdpSocket::bind(any).and_then(|it| it.local_addr())
        } else {
            TcpListener::bind(any).and_then(|it| it.local_addr())
        };
        port.host = free
            .map_err(|error| format!("find a free port: {error}"))?
            .port();
    }
    let by_itself = matches!(options.network.as_str(), "none" | "host");
    if !all.is_empty() && options.network.starts_with("container:") {
        return Err(
            "conflicting options: port publishing and the container type network mode".into(),
        );
    }
    if !all.is_empty() && by_itself && options.network == "host" {
        // Its ports are the host's already.
        all.clear();
    }
    Ok(all)
}

fn host_users(options: &Options) -> Result<bool, Failure> {
    match options.userns.as_str() {
        "host" => Ok(true),
        "" | "private" | "auto" => Ok(false),
        other => Err(wrong(format!(
            "--userns={other} is not supported: host or private"
        ))),
    }
}

/// Whether programs cannot gain privileges.
fn security(options: &Options) -> Result<bool, Failure> {
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

fn limits(options: &Options) -> Result<Limits, Failure> {
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

fn hosts(options: &Options) -> Result<Vec<(String, String)>, String> {
    let gateway = options.network != "none" && !options.network.starts_with("container:");
    let entry = |text: &String| {
        let (name, address) = text
            .split_once('=')
            .or_else(|| text.split_once(':'))
            .ok_or_else(|| format!("bad format for --add-host: {text:?}"))?;
        let address = address.trim_matches(['[', ']']);
        let address = match address {
            HOST_GATEWAY if gateway => HOST_GATEWAY,
            HOST_GATEWAY => {
                return Err(format!(
                    "with --network={} there is no {HOST_GATEWAY}",
                    options.network
                ));
            }
            address if address.parse::<std::net::IpAddr>().is_ok() => address,
            _ => return Err(format!("invalid address in --add-host: {address:?}")),
        };
        Ok((name.to_owned(), address.to_owned()))
    };
    options.add_host.iter().map(entry).collect()
}

fn sysctls(options: &Options) -> Result<Vec<(String, String)>, Failure> {
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

fn devices(options: &Options) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
    let entry = |text: &String| {
        let mut parts = text.split(':');
        let source = parts.next().unwrap_or_default();
        let target = parts
            .next()
            .filter(|it| it.starts_with('/'))
            .unwrap_or(source);
        if !Path::new(source).exists() {
            return Err(wrong(format!("no such device: {source}")));
        }
        Ok((PathBuf::from(source), PathBuf::from(target)))
    };
    options.device.iter().map(entry).collect()
}

/// How it is found to be well: as the options say, else as the image does. Source: docker's image
/// specification, `Healthcheck`; times are in nanoseconds.
fn health(options: &Options, image: &Value) -> Option<Health> {
    if options.no_healthcheck {
        return None;
    }
    let shell = |text: &str| vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()];
    let test = match &options.health_cmd {
        Some(text) if text == "none" => return None,
        Some(text) => shell(text),
        None => {
            let test = strings(&image["Test"]);
            match test.first().map(String::as_str) {
                Some("CMD-SHELL") => shell(test.get(1)?),
                Some("CMD") => test[1..].to_vec(),
                _ => return None,
            }
        }
    };
    let time = |given: Option<Duration>, key: &str, usual: u64| {
        let nanoseconds = image[key].as_u64().filter(|it| *it > 0);
        given
            .or(nanoseconds.map(Duration::from_nanos))
            .unwrap_or(Duration::from_secs(usual))
    };
    Some(Health {
        test,
        interval: time(options.health_interval, "Interval", 30),
        timeout: time(options.health_timeout, "Timeout", 30),
        start_period: time(options.health_start_period, "StartPeriod", 0),
        retries: options
            .health_retries
            .or(image["Retries"].as_u64().map(|it| it as u32))
            .filter(|it| *it > 0)
            .unwrap_or(3),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Debug, Parser)]
    #[command(disable_help_flag = true)]
    struct Line {
        #[command(flatten)]
        options: Options,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    }

    fn parse(line: &[&str]) -> Line {
        let line = std::iter::once("run").chain(line.iter().copied());
        Line::try_parse_from(line).unwrap()
    }

    fn argv_of(line: &[&str], config: &Value) -> Vec<String> {
        let line = parse(line);
        argv(&line.options, config, &line.command).unwrap().0
    }

    #[test]
    fn entrypoint_and_command_combine_like_dockers() {
        let config = json!({ "Entrypoint": ["/entry", "-x"], "Cmd": ["serve"] });
        assert_eq!(argv_of(&[], &config), ["/entry", "-x", "serve"]);
        assert_eq!(
            argv_of(&["sh", "-c", "a b"], &config),
            ["/entry", "-x", "sh", "-c", "a b"]
        );
        assert_eq!(argv_of(&["--entrypoint", "ls"], &config), ["ls"]);
        assert_eq!(
            argv_of(&["--entrypoint", "ls", "-l", "a", "x"], &config),
            ["ls", "x"]
        );
        assert_eq!(argv_of(&["--entrypoint", "", "sh"], &config), ["sh"]);
    }

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

    #[test]
    fn health_comes_from_options_or_image() {
        let image = json!({ "Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000u64 });
        let found = health(&parse(&["--health-retries", "2"]).options, &image).unwrap();
        assert_eq!(found.test, ["/bin/sh", "-c", "true"]);
        assert_eq!((found.interval, found.retries), (Duration::from_secs(5), 2));
        assert!(health(&parse(&["--no-healthcheck"]).options, &image).is_none());
        let found = health(&parse(&["--health-cmd", "false"]).options, &json!(null)).unwrap();
        assert_eq!(found.test[2], "false");
    }

    #[test]
    fn one_place_is_mounted_once() {
        let options = parse(&["-v", "/a:/x", "--tmpfs", "/x"]).options;
        assert!(mounts(&options, &json!(null)).is_err());
    }

    #[test]
    fn an_images_volumes_are_anonymous() {
        let image = json!({ "Volumes": { "/a": {}, "/b/": {}, "/c": {} } });
        let options = parse(&["-v", "/host:/a", "--tmpfs", "/c"]).options;
        let (found, _) = mounts(&options, &image).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.target.as_str(), it.anonymous))
            .collect();
        assert_eq!(found, [("/a", false), ("/b", true)]);
    }
}
