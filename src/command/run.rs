//! `racker run`

use std::io::IsTerminal;

use racker_store::Image;
use serde_json::Value;

use super::Context;
use crate::container::direct::{self, Outcome};
use crate::container::nspawn::Network;
use crate::container::{Console, Exit, Process, Snapshot, Upper, booted, users};
use crate::failure::{Failure, NOT_EXECUTABLE, NOT_FOUND, RUN_FAILED};
use crate::settings::caller_variable;
use crate::ui::Bars;
use crate::{container, image, systemd};

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(super) struct Args {
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// Pass standard input on
    #[arg(short, long)]
    interactive: bool,
    /// Give the command a terminal, where racker has one
    #[arg(short, long)]
    tty: bool,
    /// Remove the container when it ends; always so
    #[arg(long)]
    rm: bool,
    /// Set an environment variable; NAME alone takes the caller's value
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Directory the command starts in
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// User the command runs as
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Command in place of the image's entrypoint
    #[arg(long, value_name = "COMMAND")]
    entrypoint: Option<String>,
    /// Host name of the container [default: its id]
    #[arg(short = 'h', long, value_name = "NAME")]
    hostname: Option<String>,
    /// Name of the container; its host name where that is not given
    #[arg(long)]
    name: Option<String>,
    /// Network of the container
    #[arg(long, alias = "net", value_enum, default_value = "none")]
    network: NetworkMode,
    /// Whether the image's init is booted
    #[arg(long, value_enum, default_value = "auto")]
    systemd: Systemd,
    /// Image: a baked one, a curated label, or a reference to a registry
    image: String,
    /// Command and its arguments, in place of the image's
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum NetworkMode {
    /// A loopback interface alone
    None,
    /// The host's
    Host,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Systemd {
    /// Where the image has one, or is the plain image of an operating system
    Auto,
    /// Always
    #[value(alias = "true")]
    Always,
    /// Never
    False,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    container::slot::require_root()?;
    let bars = Bars::new(context.ui);
    context.workshop(&bars, |shop| {
        let image = image::obtain(shop, &args.image)?;
        let method = context.settings.tree_mount;
        let upper = match shop.store.access() {
            racker_store::Access::ReadWrite => Upper::Disk,
            racker_store::Access::ReadOnly => Upper::Memory(1 << 30),
        };
        let open = |tree| Snapshot::open(shop.store, tree, method, upper);
        let mut snapshot = open(image.tree)?;
        context.phase("snapshot mounted");
        if wants_systemd(&args, &image, &snapshot)?
            && let Some(tree) = systemd::tree(shop, &image)?
        {
            snapshot.release()?;
            snapshot = open(tree)?;
            context.phase("snapshot with systemd mounted");
        }
        let result = in_snapshot(context, &args, &image, &snapshot);
        let released = snapshot.release();
        let exit = result?;
        released?;
        context.phase("all gone");
        Ok(exit.0)
    })
}

/// Whether the image lacks a systemd that it should have.
fn wants_systemd(args: &Args, image: &Image, snapshot: &Snapshot) -> Result<bool, Failure> {
    let wanted = match args.systemd {
        Systemd::False => false,
        Systemd::Always => true,
        Systemd::Auto => args.entrypoint.is_none() && systemd::is_stock(&image.config["config"]),
    };
    Ok(wanted && snapshot.root()?.init().is_none())
}

fn in_snapshot(
    context: &Context,
    args: &Args,
    image: &Image,
    snapshot: &Snapshot,
) -> Result<Exit, Failure> {
    let terminal = args.tty && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let process = process(args, &image.config["config"], snapshot, terminal)?;
    let console = if terminal {
        Console::Terminal
    } else {
        Console::Pipes {
            stdin: args.interactive,
        }
    };
    let hostname = args
        .hostname
        .as_deref()
        .or(args.name.as_deref())
        .unwrap_or(snapshot.slot().id());
    let options = direct::Options {
        hostname,
        own_hosts: true,
        network: match args.network {
            NetworkMode::None => Network::None,
            NetworkMode::Host => Network::Host,
        },
        binds: &[],
        timeout: None,
        forward_signals: true,
        phase: &|what| context.phase(what),
    };
    let init = match args.systemd {
        Systemd::False => None,
        Systemd::Auto | Systemd::Always => snapshot.root()?.init(),
    };
    if init.is_none() && args.systemd == Systemd::Always {
        return Err(
            Failure::new(RUN_FAILED, format!("{} has no systemd", args.image))
                .hint("add it in a recipe: packages = [\"systemd\"]")
                .hint("--systemd=false runs the command without"),
        );
    }
    let result = match init {
        Some(init) => {
            context
                .ui
                .detail(format!("booting systemd {}", init.version));
            booted::run(snapshot, &init, &process, console, &options)
        }
        None => direct::run(snapshot, &process, console, &options).map(|outcome| match outcome {
            Outcome::Exited(exit) => exit,
            Outcome::TimedOut => Exit(137),
        }),
    };
    result.map_err(|error| match error {
        container::Error::CommandNotFound(_) => Failure::from_error(NOT_FOUND, &error, Vec::new()),
        container::Error::CommandDenied(_) => {
            Failure::from_error(NOT_EXECUTABLE, &error, Vec::new())
        }
        other => other.into(),
    })
}

/// The command with everything that image and options say of it.
fn process(
    args: &Args,
    config: &Value,
    snapshot: &Snapshot,
    terminal: bool,
) -> Result<Process, Failure> {
    let argv = argv(args, config)?;
    let mut env: Vec<(String, String)> = strings(&config["Env"])
        .into_iter()
        .filter_map(|line| {
            line.split_once('=')
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
        })
        .collect();
    if terminal {
        let term = caller_variable("TERM").unwrap_or_else(|| "xterm".into());
        env.push(("TERM".into(), term));
    }
    for given in &args.env {
        match given.split_once('=') {
            Some((name, value)) => env.push((name.to_owned(), value.to_owned())),
            None => env.extend(caller_variable(given).map(|value| (given.clone(), value))),
        }
    }
    let root = snapshot.root()?;
    let file = |path: &str| root.read(path).unwrap_or_default();
    let text = |key: &str| config[key].as_str().filter(|it| !it.is_empty());
    let user = args.user.as_deref().or(text("User")).unwrap_or_default();
    let user = users::find(user, &file("/etc/passwd"), &file("/etc/group"))?;
    let directory = args
        .workdir
        .as_deref()
        .or(text("WorkingDir"))
        .unwrap_or("/");
    if !directory.starts_with('/') {
        return Err(Failure::new(
            RUN_FAILED,
            format!("the working directory {directory:?} is not an absolute path"),
        ));
    }
    root.make_directories(directory, snapshot.slot().ids().base)
        .map_err(|error| {
            Failure::new(
                RUN_FAILED,
                format!("make the working directory {directory}: {error}"),
            )
        })?;
    Ok(Process {
        argv,
        env,
        user,
        directory: directory.to_owned(),
    })
}

/// Entrypoint and command, as docker combines them: an entrypoint given as an option takes the
/// image's command away, a command given takes the image's place.
fn argv(args: &Args, config: &Value) -> Result<Vec<String>, Failure> {
    let mut argv = match &args.entrypoint {
        Some(command) if command.is_empty() => Vec::new(),
        Some(command) => vec![command.clone()],
        None => strings(&config["Entrypoint"]),
    };
    if !args.command.is_empty() {
        argv.extend(args.command.iter().cloned());
    } else if args.entrypoint.is_none() {
        argv.extend(strings(&config["Cmd"]));
    }
    if argv.is_empty() {
        return Err(Failure::new(RUN_FAILED, "no command specified")
            .hint("the image names none; give one behind the image"));
    }
    Ok(argv)
}

fn strings(value: &Value) -> Vec<String> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn argv_of(line: &[&str], config: &Value) -> Vec<String> {
        let line = std::iter::once("run").chain(line.iter().copied());
        argv(&Line::try_parse_from(line).unwrap().args, config).unwrap()
    }

    #[test]
    fn entrypoint_and_command_combine_like_dockers() {
        let config = json!({ "Entrypoint": ["/entry", "-x"], "Cmd": ["serve"] });
        assert_eq!(argv_of(&["img"], &config), ["/entry", "-x", "serve"]);
        assert_eq!(
            argv_of(&["img", "sh", "-c", "a b"], &config),
            ["/entry", "-x", "sh", "-c", "a b"]
        );
        assert_eq!(argv_of(&["--entrypoint", "ls", "img"], &config), ["ls"]);
        assert_eq!(
            argv_of(&["--entrypoint", "ls", "img", "-l"], &config),
            ["ls", "-l"]
        );
        assert_eq!(argv_of(&["--entrypoint", "", "img", "sh"], &config), ["sh"]);
    }

    #[test]
    fn what_follows_the_image_is_the_commands_own() {
        let config = json!({});
        let line = ["-it", "--rm", "img", "ls", "--rm", "-it", "--", "-h"];
        assert_eq!(argv_of(&line, &config), ["ls", "--rm", "-it", "--", "-h"]);
    }
}
