//! Where a suite of Debian is found: the host's own mirror, with the suite replaced.

use std::fs;
use std::path::Path;

use super::sources::{Source, Sources};
use super::{Bootstrap, Error, Result};

/// Suites that have neither updates nor a security archive of their own.
const ROLLING: [&str; 4] = ["sid", "unstable", "experimental", "rc-buggy"];
/// Names that Debian's current releases have besides their codenames.
const ALIASES: [&str; 6] = [
    "stable",
    "oldstable",
    "oldoldstable",
    "testing",
    "sid",
    "unstable",
];
/// The keyring of Debian's own package.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The repositories of one suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// Address and suite of each, the main one first.
    repositories: Vec<(String, String)>,
    /// The keyring, or the key itself, that they are signed with.
    signed_by: Option<String>,
}

impl Mirror {
    /// Chooses the mirror for a bootstrap out of the host's sources; `host` is the codename of the
    /// host's own release.
    pub fn choose(bootstrap: &Bootstrap, sources: &Sources, host: Option<&str>) -> Result<Mirror> {
        let suite = &bootstrap.suite;
        let release = |name: &str| {
            ALIASES.contains(&name) || Some(name) == host || name == bootstrap.suite.as_str()
        };
        let best = |matches: &dyn Fn(&str) -> bool| {
            let found = sources.0.iter().filter(|s| usable(s) && matches(&s.suite));
            // The last of the best is the first of them in reversed order.
            found.rev().max_by_key(|source| trust(source))
        };
        let main = best(&release);
        let updates = best(&|s| s.strip_suffix("-updates").is_some_and(release));
        let security = best(&|s| {
            s.strip_suffix("-security")
                .or(s.strip_suffix("/updates"))
                .is_some_and(release)
        });
        let rolling = ROLLING.contains(&suite.as_str());
        let mut repositories = Vec::new();
        let mut add = |uri: &str, suite: String| {
            repositories.push((uri.trim_end_matches('/').to_owned(), suite));
        };
        if let Some(uri) = &bootstrap.mirror {
            add(uri, suite.clone());
            if !rolling {
                add(uri, format!("{suite}-updates"));
            }
        } else {
            let main = main.ok_or_else(|| Error::NoMirror {
                distribution: bootstrap.distribution.clone(),
                suite: suite.clone(),
            })?;
            add(&main.uri, suite.clone());
            if let (Some(updates), false) = (updates, rolling) {
                add(&updates.uri, format!("{suite}-updates"));
            }
            if let (Some(security), false) = (security, rolling) {
                add(&security.uri, format!("{suite}-security"));
            }
        }
        let signed_by = main
            .and_then(|source| source.signed_by.clone())
            .filter(|key| key.starts_with('/') || key.contains("BEGIN PGP"))
            .or_else(|| Path::new(KEYRING).exists().then(|| KEYRING.to_owned()));
        Ok(Mirror {
            repositories,
            signed_by,
        })
    }

    /// `sources.list` for the image, which has its own keys.
    pub fn image_sources(&self) -> String {
        self.lines("")
    }

    /// `sources.list` for the host's apt; a key given in full goes to a file in `directory`.
    pub(super) fn host_sources(&self, directory: &Path) -> Result<String> {
        let options = match &self.signed_by {
            Some(key) if key.starts_with('/') => format!("[signed-by={key}] "),
            Some(key) => {
                let path = directory.join("key.asc");
                fs::write(&path, format!("{}\n", key.trim())).map_err(Error::io(&path))?;
                format!("[signed-by={}] ", path.display())
            }
            None => String::new(),
        };
        Ok(self.lines(&options))
    }

    fn lines(&self, options: &str) -> String {
        let line = |(uri, suite): &(String, String)| format!("deb {options}{uri} {suite} main\n");
        self.repositories.iter().map(line).collect()
    }
}

/// Whether a source can be a mirror of Debian itself.
fn usable(source: &Source) -> bool {
    let scheme = source.uri.split(':').next().unwrap_or_default();
    [
        "http",
        "https",
        "ftp",
        "file",
        "copy",
        "tor+http",
        "tor+https",
    ]
    .contains(&scheme)
        && source
            .components
            .iter()
            .any(|component| component == "main")
}

/// How much a source looks like Debian itself and not like somebody's addition to it.
fn trust(source: &Source) -> u8 {
    let signed = source
        .signed_by
        .as_ref()
        .is_some_and(|key| key.contains("/debian-archive-"));
    let last = source
        .uri
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    u8::from(signed) * 2 + u8::from(last.starts_with("debian"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bootstrap(suite: &str, mirror: Option<&str>) -> Bootstrap {
        Bootstrap {
            distribution: "debian".to_owned(),
            suite: suite.to_owned(),
            mirror: mirror.map(str::to_owned),
            ..Bootstrap::default()
        }
    }

    const HOST: &str = "\
deb https://vendor.test/debian/12/prod bookworm main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://m.test/debian/ bookworm main
deb http://m.test/debian bookworm-updates main
deb http://m.test/debian-security bookworm-security main
deb http://m.test/debian bookworm-backports main
deb https://vendor.test/apt cloud-bookworm main
";

    #[test]
    fn the_suite_is_replaced_in_the_hosts_own_mirror() {
        let sources = Sources::parse(HOST);
        let choose = |suite: &str, mirror| {
            Mirror::choose(&bootstrap(suite, mirror), &sources, Some("bookworm")).unwrap()
        };
        assert_eq!(
            choose("trixie", None).image_sources(),
            "deb http://m.test/debian trixie main\n\
             deb http://m.test/debian trixie-updates main\n\
             deb http://m.test/debian-security trixie-security main\n"
        );
        assert_eq!(
            choose("sid", None).image_sources(),
            "deb http://m.test/debian sid main\n"
        );
        assert_eq!(
            choose("trixie", Some("http://other.test/d/")).image_sources(),
            "deb http://other.test/d trixie main\ndeb http://other.test/d trixie-updates main\n"
        );
        let text = choose("sid", None)
            .host_sources(Path::new("/nonexistent"))
            .unwrap();
        assert!(
            text.starts_with("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ")
        );
    }

    #[test]
    fn a_host_without_debian_is_told_so() {
        let sources = Sources::parse("deb http://m.test/ubuntu noble main\n");
        let error = Mirror::choose(&bootstrap("trixie", None), &sources, Some("noble2"));
        assert!(matches!(error, Err(Error::NoMirror { .. })));
    }
}
