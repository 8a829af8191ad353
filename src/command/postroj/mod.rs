//! The second name of the program: `postroj`, one verb per file.
//!
//! Called by a name that ends like this, a symbolic link for instance, racker has the few verbs that
//! look after curated images, with the output and the exit codes that scripts know.

mod invoke;
mod list_images;
mod pull;
mod selftest;

use std::path::Path;

use clap::{Parser, Subcommand};

use super::{Context, Global, perform, pkgprobe};
use crate::failure::USAGE;

/// Looks after curated images and probes packages on them.
#[derive(Debug, Parser)]
#[command(name = "postroj", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the labels of curated images, as JSON
    ListImages,
    /// Bake a curated image, or all that are listed
    Pull(pull::Args),
    /// Boot images with packages in them and check that they work
    Pkgprobe(Box<pkgprobe::Args>),
    /// Boot curated images and check that they work
    Selftest(selftest::Args),
    /// Run a command on another operating system
    Invoke(invoke::Args),
}

/// Whether the program was called by this name.
pub(super) fn is_called() -> bool {
    let name = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&name).file_name().unwrap_or_default();
    name.as_encoded_bytes().ends_with(b"postroj")
}

/// Parses the command line and does what it says; the exit code.
pub(super) fn main() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { USAGE } else { 0 };
        }
    };
    perform(cli.global, None, |context| match cli.verb {
        Verb::ListImages => list_images::run(context),
        Verb::Pull(args) => pull::run(context, &args),
        Verb::Pkgprobe(args) => pkgprobe::run(context, &args),
        Verb::Selftest(args) => selftest::run(context, &args),
        Verb::Invoke(args) => invoke::run(&args),
    })
}
