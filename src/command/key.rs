//! `racker key`

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::{Context, failed};
use crate::cache::{PublicKey, SecretKey};
use crate::failure::{Failure, USAGE};
use crate::settings::Settings;
use crate::ui::Ui;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a key; prints the public one, for `trusted-keys`
    Generate {
        /// Whose key it is, such as ci.example.org-1
        name: String,
        /// Where the secret goes [default: ~/.config/racker/NAME.key]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Print the public key of a secret one
    Public {
        /// File of the secret key
        file: PathBuf,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let key = match &args.verb {
        Verb::Generate { name, output } => generate(context, name, output.as_deref())?,
        Verb::Public { file } => read(file)?,
    };
    context.ui.data(key.public().to_string())?;
    Ok(0)
}

fn generate(context: &Context, name: &str, output: Option<&Path>) -> Result<SecretKey, Failure> {
    let key = SecretKey::generate(name);
    let key = key.map_err(|error| Failure::new(USAGE, format!("key {name:?}: {error}")))?;
    let path = match (output, &context.settings.own) {
        (Some(path), _) => path.to_owned(),
        (None, Some(own)) => own.join(format!("{name}.key")),
        (None, None) => {
            let message = "there is no directory for the secret key";
            return Err(Failure::new(USAGE, message).hint("--output FILE names one"));
        }
    };
    let write = || -> std::io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut options = File::options();
        // A key that is there is somebody's.
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        writeln!(file, "{}", key.reveal())?;
        file.sync_all()
    };
    write().map_err(|error| failed(format!("write {}: {error}", path.display())))?;
    context
        .ui
        .say(format!("the secret key is in {}", path.display()));
    Ok(key)
}

/// The key that the settings say results are signed with. That others may read it is told.
pub(super) fn signer(ui: Ui, settings: &Settings) -> Result<SecretKey, Failure> {
    match &settings.signing_key {
        Some(path) => {
            let key = read(path)?;
            let mode = fs::metadata(path).map_or(0, |it| it.permissions().mode());
            if mode & 0o077 != 0 {
                let path = path.display();
                ui.say(format!(
                    "warning: others may use the signing key {path} (mode {:04o})\n\
                     hint: chmod 600 {path}",
                    mode & 0o7777
                ));
            }
            Ok(key)
        }
        None => {
            let message =
                "what goes into a shared cache is signed, and there is no key to sign with";
            Err(Failure::new(USAGE, message)
                .hint("make one: racker key generate NAME")
                .hint("signing-key in config.toml (or RACKER_SIGNING_KEY) names its file"))
        }
    }
}

/// The public key of whoever signs here, which is trusted here, if there is one. Whoever only reads
/// does without where it cannot be had, and is told.
pub(super) fn own(ui: Ui, settings: &Settings) -> Option<PublicKey> {
    let key = settings.signing_key.as_deref().map(read)?;
    let told = key.inspect_err(|error| {
        ui.say(format!("warning: going on without it: {}", error.message));
    });
    told.ok().map(|key| key.public().clone())
}

fn read(path: &Path) -> Result<SecretKey, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::new(USAGE, format!("key {}: {error}", path.display()))
    };
    let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
    text.parse()
        .map_err(|error: crate::cache::KeyError| wrong(&error))
}
