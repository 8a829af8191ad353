//! From options and an image to what a container is to be.

use std::path::Path;

use racker_store::{Access, Image};

use super::command::{argv, env, labels};
use super::health::health;
use super::image::{obtain, tree};
use super::mounts::{devices, mounts};
use super::network::{network, own_hosts, published};
use super::options::{Options, Systemd, WaitFor};
use super::rights::{host_users, limits, security, sysctls};
use super::values;
use super::what::What;
use crate::container::hosts;
use crate::container::slot::random_id;
use crate::failure::{Failure, RUN_FAILED};
use crate::lifecycle::config::{Config, Restart, Wait};
use crate::lifecycle::{Kept, Yard, state, volume};
use crate::realise::Workshop;
use crate::systemd;

/// Commands that stand for the image's init itself.
const INITS: [&str; 5] = [
    "/sbin/init",
    "/usr/sbin/init",
    "/lib/systemd/systemd",
    "/usr/lib/systemd/systemd",
    "init",
];

/// Makes a container, pulling or baking its image where it is missing. In the background, its id is what is
/// reported.
pub(crate) fn create(
    shop: Workshop<'_>,
    options: &Options,
    what: &What,
    background: bool,
) -> Result<Kept, Failure> {
    let (name, command) = what.split();
    let (mut config, image) = settle(shop, options, name, command, background)?;
    for mount in config.mounts.iter_mut().filter(|it| it.anonymous) {
        mount.source = random().map_err(wrong)?;
    }
    let kept = Yard::of(shop.store).create(config, Some(&image))?;
    volume::provide(shop.store, &kept)?;
    if background && !kept.config.remove {
        kept.make_durable()?;
    }
    if let Some(file) = &options.cidfile {
        std::fs::write(file, &kept.config.id)
            .map_err(|error| wrong(format!("write {}: {error}", file.display())))?;
    }
    crate::lifecycle::events::put(shop.store, &kept.config, "create", &[]);
    Ok(kept)
}

/// What a container is to be, and its image, which is pulled or baked where it is missing.
pub(crate) fn settle(
    shop: Workshop<'_>,
    options: &Options,
    name: &str,
    command: &[String],
    background: bool,
) -> Result<(Config, Image), Failure> {
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
    Ok((config, image))
}

pub(super) fn wrong(text: impl Into<String>) -> Failure {
    Failure::new(RUN_FAILED, text)
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
        .or_else(|| options.name.as_deref().and_then(hosts::name))
        .unwrap_or_else(|| id[..12].to_owned());
    if options.rm && options.restart != Restart::No {
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
        hosts: own_hosts(options).map_err(wrong)?,
        dns: options.dns.iter().map(ToString::to_string).collect(),
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
