//! The closure of a bootstrap, solved by the host's apt on an empty system.
//!
//! apt is pointed away from everything of the host: its state, lists, caches, sources, settings
//! and preferences lie in a directory of ours; only keyrings and proxies are the host's. It needs
//! no privilege.

use std::fs;
use std::path::Path;
use std::process::Command;

use racker_store::Digest;

use super::apt::{self, Lists, Settings, explain, uris};
use super::mirror::Mirror;
use super::sources::Sources;
use super::tool::run;
use super::{Bootstrap, Error, Result};
use crate::provision::exchange::METADATA;
use crate::provision::{Exchange, Fetched, Resolution};

/// What resolving a bootstrap finds out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The closure.
    pub resolution: Resolution,
    /// `sources.list` of the image.
    pub sources: String,
}

/// Solves a bootstrap, with the network, in an exchange directory that nobody else sees. Its
/// metadata serves the image's own apt as well, which has the same sources.
pub fn resolve(
    bootstrap: &Bootstrap,
    hold: &[Fetched],
    exchange: &Exchange,
    settings: &Settings,
) -> Result<Resolved> {
    let directory = exchange.host();
    let root = directory.display().to_string();
    bootstrap.validate()?;
    let host = fs::read_to_string("/etc/os-release")
        .ok()
        .and_then(|text| codename(&text));
    let sources = Sources::read(Path::new("/etc/apt"));
    let mirror = Mirror::choose(bootstrap, &sources, host.as_deref())?;

    for name in ["metadata/lists/partial", "cache/archives/partial", "etc"] {
        let path = directory.join(name);
        fs::create_dir_all(&path).map_err(Error::io(&path))?;
    }
    let arch = run(
        Command::new("dpkg").arg("--print-architecture"),
        "dpkg",
        "dpkg",
    )?;
    let arch = String::from_utf8_lossy(&arch.stdout).trim().to_owned();
    for (name, text) in [
        ("status", String::new()),
        (
            "sources.list",
            mirror.host_sources(directory)? + &apt::hold::sources(hold, &root),
        ),
        (
            "apt.conf",
            conf(directory, settings, &arch) + &apt::hold::write(hold, exchange, &root)?,
        ),
    ] {
        let path = directory.join(name);
        fs::write(&path, text).map_err(Error::io(&path))?;
    }

    run_apt(directory, &["update", "-q"])?;
    let (_, patterns) = bootstrap.variant()?;
    let mut arguments = vec!["install", "--print-uris", "-qq", "--"];
    arguments.extend(patterns);
    arguments.extend(bootstrap.include.iter().map(String::as_str));
    let list = run_apt(directory, &arguments)?;
    let mut packages = uris::parse(&list)?;
    apt::hold::restore(&mut packages, hold, &root);

    forget_hold(directory)?;
    let lists = Lists::read(exchange)?;
    let sources = mirror.image_sources();
    let known = directory.join(METADATA).join("sources");
    let digest = Digest::of(sources.as_bytes()).hex();
    fs::write(&known, format!("{digest}  /etc/apt/sources.list\n")).map_err(Error::io(&known))?;
    Ok(Resolved {
        resolution: Resolution {
            packages,
            date: lists.date().ok_or(Error::NoSources)?,
            metadata: lists.digest(),
        },
        sources,
    })
}

/// Removes what apt keeps of the repository of held packages, which is no metadata of anybody's.
fn forget_hold(directory: &Path) -> Result<()> {
    let lists = directory.join(METADATA).join("lists");
    for entry in fs::read_dir(&lists).map_err(Error::io(&lists))? {
        let path = entry.map_err(Error::io(&lists))?.path();
        if path.to_string_lossy().contains("_hold_._") {
            fs::remove_file(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

/// Runs the host's apt on the private directory.
fn run_apt(directory: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("apt-get");
    command
        .args(arguments)
        .env("APT_CONFIG", directory.join("apt.conf"))
        .env("LC_ALL", "C.UTF-8");
    let output = run(&mut command, "apt-get", "apt")?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(explain(&String::from_utf8_lossy(&output.stderr)))
}

fn conf(directory: &Path, settings: &Settings, arch: &str) -> String {
    let at = directory.display();
    let mut text = String::new();
    for (name, value) in [
        ("APT::Architecture", arch),
        ("APT::Architectures::", arch),
        ("Dir::Etc", &format!("{at}/etc")),
        ("Dir::Etc::main", "/dev/null"),
        ("Dir::Etc::parts", "/dev/null"),
        ("Dir::Etc::sourcelist", &format!("{at}/sources.list")),
        ("Dir::Etc::sourceparts", "/dev/null"),
        ("Dir::Etc::trustedparts", "/etc/apt/trusted.gpg.d/"),
        ("Dir::Etc::netrc", "/etc/apt/auth.conf"),
        ("Dir::Etc::netrcparts", "/etc/apt/auth.conf.d/"),
        ("Dir::State", &format!("{at}")),
        ("Dir::State::status", &format!("{at}/status")),
        ("Dir::Log", &format!("{at}")),
    ] {
        text.push_str(&format!("{name} \"{value}\";\n"));
    }
    text + &crate::provision::apt::resolve_conf(false, settings, &at.to_string())
}

fn codename(os_release: &str) -> Option<String> {
    let value = os_release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(value.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_host_is_read_or_written() {
        let text = conf(Path::new("/private"), &Settings::default(), "amd64");
        assert!(text.contains("Dir::Etc::parts \"/dev/null\";\n"));
        assert!(text.contains("Dir::State::status \"/private/status\";\n"));
        assert!(text.contains("Dir::State::lists \"/private/metadata/lists/\";\n"));
        assert_eq!(
            codename("ID=debian\nVERSION_CODENAME=\"x\"\n").as_deref(),
            Some("x")
        );
    }
}
