//! `racker login`

use std::io::{self, Read as _};

use super::Context;
use crate::failure::{Failure, USAGE};
use crate::oci::{self, Client, Credentials, Kept};
use crate::settings;
use crate::ui;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Registry
    #[arg(default_value = "docker.io")]
    registry: String,
    /// User name
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,
    /// Password; other users of this machine can see it while racker runs
    #[arg(short, long, conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Plain HTTP and any certificate will do
    #[arg(long)]
    insecure: bool,
}

pub(super) fn run(context: &Context, args: Args) -> Result<u8, Failure> {
    let registry = registry(&args.registry)?;
    let registries = context.registries()?;
    let mut server = registries.server(&registry)?;
    server.insecure |= args.insecure;
    if context.settings.offline {
        return Err(super::failed("racker may not use the network")
            .hint("leave out --offline (or RACKER_OFFLINE)"));
    }
    let username = match args.username {
        Some(name) => name,
        None if args.password_stdin => {
            return Err(Failure::new(USAGE, "--password-stdin needs --username"));
        }
        None => ask("Username: ", false)?,
    };
    let password = match args.password {
        Some(password) => password,
        None if args.password_stdin => {
            let mut text = String::new();
            let read = io::stdin().read_to_string(&mut text);
            read.map_err(|error| super::failed(format!("read standard input: {error}")))?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        None => ask("Password: ", true)?,
    };
    if username.is_empty() || password.is_empty() || username.contains(':') {
        let message = "a user name without a colon and a password are needed";
        return Err(Failure::new(USAGE, message));
    }
    let credentials = Credentials::new(username, password);
    let client = Client::new().through(settings::proxies());
    oci::check_login(&client, server, credentials.clone())?;
    let keyring = registries.keyring();
    match keyring.add(&registry, &credentials)? {
        Kept::File(path) => context.ui.say(format!(
            "the password is kept unencrypted in {}",
            path.display()
        )),
        Kept::Helper(name) => context
            .ui
            .say(format!("the password is kept by docker-credential-{name}")),
    }
    if let Some(path) = keyring.shadow(&registry)? {
        context.ui.say(format!(
            "{} is read before that, and what it has for {registry} is used instead",
            path.display()
        ));
    }
    context.ui.data("Login Succeeded")?;
    Ok(0)
}

fn ask(question: &str, secret: bool) -> Result<String, Failure> {
    ui::ask(question, secret).map_err(|_| {
        Failure::new(
            USAGE,
            "there is no terminal to ask for a name and a password",
        )
        .hint("use --username and --password-stdin")
    })
}

/// A registry's name as keys have it: host and port.
pub(super) fn registry(text: &str) -> Result<String, Failure> {
    let bare = text
        .trim_start_matches("https://")
        .trim_start_matches("http://");
    let bare = bare.trim_end_matches('/');
    let bare = bare.trim_end_matches("/v1").trim_end_matches("/v2");
    let wrong = || {
        Failure::new(USAGE, format!("no registry: {text}"))
            .hint("a registry is host[:port], as in registry.example:5000")
    };
    if bare.contains('/') {
        return Err(wrong());
    }
    // Docker Hub has several names.
    let reference = oci::Reference::parse(&format!("{bare}/a/b")).map_err(|_| wrong())?;
    if reference.registry() == "docker.io" && !bare.ends_with("docker.io") {
        return Err(wrong());
    }
    Ok(reference.registry().to_owned())
}

#[cfg(test)]
mod tests {
    use super::registry;

    #[test]
    fn registries_have_one_name() {
        for (text, expected) in [
            ("docker.io", "docker.io"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("127.0.0.1:5000", "127.0.0.1:5000"),
            ("http://localhost:1/", "localhost:1"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(registry(text).unwrap(), expected, "{text}");
        }
        for bad in ["", "a", "a.b/c", "a b", "a.b:x"] {
            assert!(registry(bad).is_err(), "{bad}");
        }
    }
}
