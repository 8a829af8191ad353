//! The command line: one verb per file.
//!
//! Nothing else knows clap. Each verb has its arguments and a `run` that gives racker's exit code.

mod asked;
mod attach;
mod autopkgtest;
mod bake;
mod bake_report;
mod commit;
mod cp;
mod create;
mod destination;
mod diff;
mod doctor;
mod each;
mod events;
mod exec;
mod export;
mod history;
mod images;
mod import;
mod inspect;
mod instruction;
mod key;
mod kill;
mod load;
mod lock;
mod log;
mod login;
mod logout;
mod logs;
mod named;
mod network;
mod output;
mod pause;
mod pkgprobe;
mod plan;
mod port;
mod postroj;
mod provenance;
mod prune;
mod ps;
mod pull;
mod push;
mod rename;
mod restart;
mod rm;
mod rmi;
mod rules;
mod run;
mod save;
mod sbom;
mod start;
mod stats;
mod stop;
mod store;
mod tag;
mod top;
mod version;
mod volume;
mod wait;
mod why;

pub use bake::{bake_chain, curated_lock};
pub(crate) use bake::{read_lock, take_turn, write_lock};

use clap::{Parser, Subcommand};
use racker_store::{Access, Store};

use crate::cache::{Cache, SecretKey};
use crate::failure::{FAILED, Failure, NOT_EXECUTED, RUN_FAILED, USAGE};
use crate::oci::{Client, Registries, Retry};
use crate::realise::{Reporter, Workshop};
use crate::settings::{self, Settings};
use crate::ui::{Ui, Verbosity};

/// Bakes operating-system images from recipes, and runs them.
#[derive(Debug, Parser)]
#[command(
    name = "racker",
    version,
    max_term_width = 100,
    infer_subcommands = false
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// Options of every verb.
#[derive(Debug, clap::Args)]
struct Global {
    /// Directory of the store [default: /var/lib/racker]
    #[arg(long, global = true, value_name = "DIR")]
    store: Option<std::path::PathBuf>,
    /// How trees are mounted: auto, erofs or checkout
    #[arg(long, global = true, value_name = "METHOD")]
    tree_mount: Option<String>,
    /// Use no network
    #[arg(long, global = true)]
    offline: bool,
    /// Say more
    #[arg(long, global = true)]
    verbose: bool,
    /// Say everything
    #[arg(long, global = true)]
    debug: bool,
    /// Say errors alone
    #[arg(long, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Bake images from recipes
    Bake(bake::Args),
    /// Show a recipe's steps, their keys, and what is cached here or in a shared cache
    Plan(plan::Args),
    /// Explain for each step why it is or is not cached
    Why(why::Args),
    /// Make or renew the lock of a recipe, or verify it
    Lock(lock::Args),
    /// Make the keys that results in shared caches are signed with
    Key(key::Args),
    /// Show the log of a step
    Log(log::Args),
    /// Pull an image from a registry
    Pull(pull::Args),
    /// Push an image to a registry
    Push(push::Args),
    /// Load images from an archive
    Load(load::Args),
    /// Make an image of a root filesystem
    Import(import::Args),
    /// Log in to a registry
    Login(login::Args),
    /// Forget a login
    Logout(logout::Args),
    /// Give an image a further name
    Tag(tag::Args),
    /// Make a container without starting it
    Create(Box<create::Args>),
    /// Run a command in a snapshot of an image
    Run(Box<run::Args>),
    /// List containers
    Ps(ps::Args),
    /// Run a command in a container that runs
    Exec(exec::Args),
    /// Show what a container wrote
    Logs(logs::Args),
    /// Have containers end
    Stop(stop::Args),
    /// Kill containers, or send them a signal
    Kill(kill::Args),
    /// Remove containers
    Rm(rm::Args),
    /// Wait for the end of containers and print their exit codes
    Wait(wait::Args),
    /// Start containers that do not run
    Start(start::Args),
    /// Stop containers and start them again
    Restart(restart::Args),
    /// Freeze all processes of containers
    Pause(pause::Args),
    /// Let frozen containers go on
    Unpause(pause::Args),
    /// Show a container that runs in the background
    Attach(attach::Args),
    /// Show the processes of a container
    Top(top::Args),
    /// Show the published ports of a container
    Port(port::Args),
    /// Give a container another name
    Rename(rename::Args),
    /// Copy files into or out of a container
    Cp(cp::Args),
    /// Make an image of what a container changed
    Commit(commit::Args),
    /// Show what containers take of the machine
    Stats(stats::Args),
    /// Show what happens to containers
    Events(events::Args),
    /// Remove containers that ended
    Prune(prune::Args),
    /// Make, list and remove networks
    Network(network::Args),
    /// Make, list and remove volumes
    Volume(volume::Args),
    /// Boot images with packages in them and check that they work
    Pkgprobe(Box<pkgprobe::Args>),
    /// Write images into an archive or an OCI layout, the same bytes everywhere
    Save(save::Args),
    /// Write the files of a container or image: an archive, a directory, a file system image
    Export(export::Args),
    /// List images
    Images(images::Args),
    /// List the rules by which steps are made reproducible
    Rules(rules::Args),
    /// Remove images
    Rmi(rmi::Args),
    /// Show everything about an image
    Inspect(inspect::Args),
    /// Show how an image was made
    History(history::Args),
    /// Show what differs between two images, trees or steps
    Diff(diff::Args),
    /// Write a bill of materials of an image
    Sbom(sbom::Args),
    /// State how an image was made, from what
    Provenance(provenance::Args),
    /// Collect, verify, repair and measure the store
    Store(store::Args),
    /// Say what this machine has and lacks
    Doctor(doctor::Args),
    /// Show the version
    Version(version::Args),
    /// Run a command in a testbed
    #[command(hide = true)]
    AutopkgtestExecute(autopkgtest::execute::Args),
}

/// What verbs work with.
#[derive(Debug)]
struct Context {
    ui: Ui,
    settings: Settings,
    start: std::time::Instant,
}

/// Docker's groups of verbs: `container ps` is `ps`, `image ls` is `images`, and so on.
fn groups(mut words: Vec<std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    let word = |place: usize| {
        words
            .get(place)
            .and_then(|it| it.to_str())
            .unwrap_or_default()
    };
    let verb = match (word(1), word(2)) {
        ("container", "ls" | "list") => "ps",
        ("image", "ls" | "list") => "images",
        ("image", "rm" | "remove") => "rmi",
        ("system", "prune") => "prune",
        ("system", "events") => "events",
        ("container" | "image", other) if !other.starts_with('-') && !other.is_empty() => other,
        _ => return words,
    };
    let verb = verb.into();
    words.splice(1..3, [verb]);
    words
}

/// Parses the command line and does what it says; racker's exit code.
pub fn main() -> u8 {
    if postroj::is_called() {
        return postroj::main();
    }
    if autopkgtest::is_called() {
        return autopkgtest::main();
    }
    let cli = match Cli::try_parse_from(groups(std::env::args_os().collect())) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let run = std::env::args_os().any(|it| it == "run" || it == "create" || it == "exec");
            return match error.use_stderr() {
                false => 0,
                true if run => RUN_FAILED,
                true => USAGE,
            };
        }
    };
    let own_code = match cli.verb {
        Verb::Run(_) | Verb::Create(_) => Some(RUN_FAILED),
        Verb::AutopkgtestExecute(_) => Some(NOT_EXECUTED),
        _ => None,
    };
    perform(cli.global, own_code, |context| match cli.verb {
        Verb::Bake(args) => bake::run(context, args),
        Verb::Plan(args) => plan::run(context, args),
        Verb::Why(args) => why::run(context, args),
        Verb::Lock(args) => lock::run(context, args),
        Verb::Key(args) => key::run(context, &args),
        Verb::Log(args) => log::run(context, args),
        Verb::Pull(args) => pull::run(context, args),
        Verb::Push(args) => push::run(context, args),
        Verb::Load(args) => load::run(context, args),
        Verb::Import(args) => import::run(context, args),
        Verb::Login(args) => login::run(context, args),
        Verb::Logout(args) => logout::run(context, args),
        Verb::Tag(args) => tag::run(context, args),
        Verb::Create(args) => create::run(context, *args),
        Verb::Run(args) => run::run(context, *args),
        Verb::Ps(args) => ps::run(context, &args),
        Verb::Exec(args) => exec::run(context, args),
        Verb::Logs(args) => logs::run(context, &args),
        Verb::Stop(args) => stop::run(context, &args),
        Verb::Kill(args) => kill::run(context, &args),
        Verb::Rm(args) => rm::run(context, &args),
        Verb::Wait(args) => wait::run(context, &args),
        Verb::Start(args) => start::run(context, &args),
        Verb::Restart(args) => restart::run(context, &args),
        Verb::Pause(args) => pause::pause(context, &args),
        Verb::Unpause(args) => pause::unpause(context, &args),
        Verb::Attach(args) => attach::run(context, &args),
        Verb::Top(args) => top::run(context, &args),
        Verb::Port(args) => port::run(context, &args),
        Verb::Rename(args) => rename::run(context, &args),
        Verb::Cp(args) => cp::run(context, &args),
        Verb::Commit(args) => commit::run(context, &args),
        Verb::Stats(args) => stats::run(context, &args),
        Verb::Events(args) => events::run(context, &args),
        Verb::Prune(args) => prune::run(context, &args),
        Verb::Network(args) => network::run(context, &args),
        Verb::Volume(args) => volume::run(context, &args),
        Verb::Pkgprobe(args) => pkgprobe::run(context, &args),
        Verb::Save(args) => save::run(context, &args),
        Verb::Export(args) => export::run(context, &args),
        Verb::Images(args) => images::run(context, args),
        Verb::Rules(args) => rules::run(context, args),
        Verb::Rmi(args) => rmi::run(context, args),
        Verb::Inspect(args) => inspect::run(context, args),
        Verb::History(args) => history::run(context, args),
        Verb::Diff(args) => diff::run(context, args),
        Verb::Sbom(args) => sbom::run(context, args),
        Verb::Provenance(args) => provenance::run(context, args),
        Verb::Store(args) => store::run(context, &args),
        Verb::Doctor(args) => doctor::run(context, args),
        Verb::Version(args) => version::run(context, args),
        Verb::AutopkgtestExecute(args) => autopkgtest::execute::run(context, args),
    })
}

/// Does `work` with what the options say; the exit code, `own_code` where racker itself failed.
fn perform(
    global: Global,
    own_code: Option<u8>,
    work: impl FnOnce(&Context) -> Result<u8, Failure>,
) -> u8 {
    let start = std::time::Instant::now();
    let verbosity = match (global.quiet, global.verbose, global.debug) {
        (true, ..) => Verbosity::Quiet,
        (_, _, true) => Verbosity::Debug,
        (_, true, _) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let ui = Ui::new(verbosity);
    let options = settings::Options {
        store: global.store,
        tree_mount: global.tree_mount,
        offline: global.offline,
    };
    let result = Settings::read(options).and_then(|settings| {
        work(&Context {
            ui,
            settings,
            start,
        })
    });
    match result {
        Ok(code) => code,
        Err(failure) => {
            ui.error(failure.render());
            match (own_code, failure.code) {
                // `run` says with a code that racker failed; 126 and 127 speak of the command.
                (Some(own), code) if !matches!(code, 126 | 127) => own,
                (_, code) => code,
            }
        }
    }
}

impl Context {
    /// The store, for reading and writing; for reading alone where it cannot be written.
    fn store(&self) -> Result<Store, Failure> {
        match Store::open(&self.settings.store, Access::ReadWrite) {
            Ok(store) => Ok(store),
            Err(error) if self.settings.store.join("meta.toml").exists() => {
                Store::open(&self.settings.store, Access::ReadOnly).map_err(|_| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Says when something was reached, to who wants to know everything.
    fn phase(&self, what: &str) {
        let milliseconds = self.start.elapsed().as_secs_f64() * 1000.0;
        self.ui.debug(format!("{milliseconds:8.1} ms  {what}"));
    }

    fn registries(&self) -> Result<Registries, Failure> {
        Ok(Registries::load(&self.settings.registries())?)
    }

    /// Everything that baking and pulling need, for `work`.
    fn workshop<T>(
        &self,
        reporter: &dyn Reporter,
        work: impl FnOnce(Workshop<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.sharing_workshop(reporter, None, work)
    }

    /// The same; results of steps are shared with other machines, signed by `signer`.
    fn sharing_workshop<T>(
        &self,
        reporter: &dyn Reporter,
        signer: Option<SecretKey>,
        work: impl FnOnce(Workshop<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let store = self.store()?;
        let proxies = settings::proxies();
        let client = Client::new().through(proxies.clone());
        // A cache that does not answer is done without.
        let hasty = Client::with_retry(Retry::hasty()).through(proxies);
        let registries = self.registries()?;
        let cache = if self.settings.offline {
            Cache::none()
        } else {
            let mut settings = self.settings.cache.clone();
            // Whoever signs here is believed here.
            match &signer {
                Some(key) => settings.trusted.push(key.public().clone()),
                None if settings.read.is_empty() => {}
                None => settings.trusted.extend(key::own(self.ui, &self.settings)),
            }
            Cache::open(&settings, signer, &hasty, &registries, reporter.progress())
        };
        work(Workshop {
            store: &store,
            settings: &self.settings,
            client: &client,
            registries: &registries,
            cache: &cache,
            reporter,
            on_disk: false,
        })
    }
}

/// Parses `NAME=VALUE`.
fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// A general failure.
fn failed(message: impl Into<String>) -> Failure {
    Failure::new(FAILED, message)
}
