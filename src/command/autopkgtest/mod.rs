//! The third name of the program: `autopkgtest-virt-racker`, a server of testbeds for Debian's
//! `autopkgtest`.
//!
//! ```text
//! request    a line of autopkgtest's, as a value     pure
//! session    what there is to be done for it
//! transfer   files into and out of the testbed
//! execute    the program that autopkgtest runs commands with
//! ```
//!
//! Source of the protocol: autopkgtest, `README.virtualisation-server.rst`, and where that is silent
//! `lib/VirtSubproc.py`'s behaviour.

pub(super) mod execute;
mod request;
mod session;
mod transfer;

use std::path::Path;

use clap::{CommandFactory, FromArgMatches, Parser};

use super::asked::{Options, Systemd};
use super::{Global, perform};
use crate::failure::{Failure, USAGE};
use crate::lifecycle::config::Restart;

/// Gives autopkgtest a testbed: a container of an image, booted, thrown away and made afresh in a
/// moment.
#[derive(Debug, Parser)]
#[command(
    name = "autopkgtest-virt-racker",
    version,
    max_term_width = 100,
    disable_help_flag = true
)]
struct Cli {
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    #[command(flatten)]
    global: Global,
    #[command(flatten)]
    options: Options,
    /// Image: a baked one, a curated label, or a reference to a registry
    image: String,
}

/// Whether the program was called by this name.
pub(super) fn is_called() -> bool {
    let name = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&name).file_name().unwrap_or_default();
    name.as_encoded_bytes()
        .ends_with(b"autopkgtest-virt-racker")
}

/// Parses the command line and serves until autopkgtest has had enough; the exit code.
pub(super) fn main() -> u8 {
    // Tests may count on all services of the image.
    let command = Cli::command().mut_arg("wait", |it| it.default_value("boot"));
    let parsed = command
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { USAGE } else { 0 };
        }
    };
    perform(cli.global, None, |context| {
        let options = checked(cli.options)?;
        session::serve(context, &options, &cli.image)
    })
}

/// The options, without those that a testbed has its own ways for.
fn checked(mut options: Options) -> Result<Options, Failure> {
    let taken = [
        ("--interactive", options.interactive),
        ("--tty", options.tty),
        ("--user", options.user.is_some()),
        ("--entrypoint", options.entrypoint.is_some()),
        ("--cidfile", options.cidfile.is_some()),
        ("--restart", options.restart != Restart::No),
    ];
    if let Some((name, _)) = taken.iter().find(|(_, given)| *given) {
        let message = format!("{name} has no meaning for a testbed");
        return Err(Failure::new(USAGE, message)
            .hint("autopkgtest says who runs what, and when the testbed ends"));
    }
    // The testbed is its init's; a command of the image's has no part in it.
    options.entrypoint = Some(String::new());
    if options.systemd == Systemd::Auto {
        options.systemd = Systemd::Always;
    }
    Ok(options)
}
