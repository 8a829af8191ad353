//! Making a first root file system out of packages alone.
//!
//! ```text
//! resolve   on the host, with its apt in a private state directory   -> Resolved
//! fetch     somebody else
//! install   Job for mmdebstrap from the synthetic repository          -> a directory
//! ```
//!
//! The `install` job does not run in a snapshot but over the host's own root directory, as root
//! of a user namespace whose ids own nothing of the host. It therefore sees the host's programs
//! and can change none of its files, and maintainer scripts never run as the host's root.

mod install;
mod mirror;
mod resolve;
mod sources;
mod tool;

pub use install::{TARGET, job};
pub use mirror::Mirror;
pub use resolve::{Resolved, resolve};
pub use sources::Sources;
pub use tool::{check_tools, tool_version};

use super::{Error, Result, apt};

/// What a recipe's `from = { bootstrap = ... }` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bootstrap {
    /// The distribution; only `debian`.
    pub distribution: String,
    /// The suite, as a codename or an alias of one.
    pub suite: String,
    /// Packages beyond those of the variant.
    pub include: Vec<String>,
    /// How much is installed; what is essential and apt where nothing is said.
    pub variant: Option<String>,
    /// Another mirror than the host's.
    pub mirror: Option<String>,
}

impl Bootstrap {
    /// The names of the variants that can be asked for.
    pub const VARIANTS: [&str; 7] = [
        "essential",
        "apt",
        "required",
        "minbase",
        "important",
        "debootstrap",
        "standard",
    ];

    /// The variant under mmdebstrap's name and what makes it, as patterns of apt.
    fn variant(&self) -> Result<(&'static str, &'static [&'static str])> {
        const REQUIRED: &str = "?priority(required)";
        const IMPORTANT: &str = "?priority(important)";
        match self.variant.as_deref().unwrap_or("apt") {
            "essential" => Ok(("essential", &["?essential"])),
            "apt" => Ok(("apt", &["?essential", "apt"])),
            "required" | "minbase" => Ok(("required", &["?essential", "apt", REQUIRED])),
            "important" | "debootstrap" => {
                Ok(("important", &["?essential", "apt", REQUIRED, IMPORTANT]))
            }
            "standard" => Ok((
                "standard",
                &[
                    "?essential",
                    "apt",
                    REQUIRED,
                    IMPORTANT,
                    "?priority(standard)",
                ],
            )),
            other => Err(Error::UnknownVariant {
                variant: other.to_owned(),
            }),
        }
    }

    /// Refuses what cannot be made, before anything is fetched.
    pub fn validate(&self) -> Result<()> {
        if self.distribution != "debian" {
            return Err(Error::UnknownDistribution {
                distribution: self.distribution.clone(),
            });
        }
        let suite = &self.suite;
        if !suite.starts_with(|c: char| c.is_ascii_lowercase())
            || !suite
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        {
            return Err(Error::BadName {
                name: suite.clone(),
            });
        }
        if let Some(mirror) = &self.mirror
            && (!mirror.contains(':') || mirror.contains(|c: char| c.is_whitespace() || c == '['))
        {
            return Err(Error::BadName {
                name: mirror.clone(),
            });
        }
        self.variant()?;
        self.request().validate()
    }

    /// The part that is like a package step.
    fn request(&self) -> super::Request {
        // mmdebstrap adds apt by its priority, which the archive states and the package does not.
        let apt = (self.variant.as_deref() != Some("essential")).then(|| "apt".to_owned());
        super::Request {
            install: apt
                .into_iter()
                .chain(self.include.iter().cloned())
                .collect(),
            ..super::Request::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_made_is_refused() {
        let good = Bootstrap {
            distribution: "debian".to_owned(),
            suite: "trixie".to_owned(),
            include: vec!["systemd".to_owned()],
            ..Bootstrap::default()
        };
        assert!(good.validate().is_ok());
        let with = |change: fn(&mut Bootstrap)| {
            let mut bootstrap = good.clone();
            change(&mut bootstrap);
            bootstrap.validate().is_err()
        };
        assert!(with(|b| b.distribution = "fedora".to_owned()));
        assert!(with(|b| b.suite = "../x".to_owned()));
        assert!(with(|b| b.include = vec!["--x".to_owned()]));
        assert!(with(|b| b.variant = Some("huge".to_owned())));
        assert!(with(|b| b.mirror = Some("http://a b".to_owned())));
    }
}
