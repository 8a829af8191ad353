//! Platforms (`os/architecture[/variant]`) and which of several images suits one best.

use std::fmt;
use std::str::FromStr;

use super::error::Error;
use crate::shown::plain;

/// What an image is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// Operating system, as Go names it.
    pub os: String,
    /// Architecture, as Go names it: `amd64`, `arm64`, `386`, ...
    pub architecture: String,
    /// Variant of the architecture: `v7`, `v8`, `v3`.
    pub variant: Option<String>,
}

impl Platform {
    /// The machine this program runs on.
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86" => "386",
            "powerpc64" => "ppc64le",
            "mips64" => "mips64le",
            other => other,
        };
        Self::new("linux", architecture, None)
    }

    /// A platform from its three words, spellings unified.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let (architecture, implied) = match architecture {
            "x86_64" | "x86-64" => ("amd64", None),
            "aarch64" => ("arm64", None),
            "i386" | "i486" | "i586" | "i686" => ("386", None),
            "armhf" => ("arm", Some("v7")),
            "armel" => ("arm", Some("v6")),
            "loongarch64" => ("loong64", None),
            other => (other, None),
        };
        let variant = variant
            .filter(|v| !v.is_empty())
            .or(implied)
            .map(|variant| {
                let bare = variant.strip_prefix('v').unwrap_or(variant);
                format!("v{bare}")
            });
        let plain = matches!(
            (architecture, variant.as_deref()),
            ("arm64", Some("v8")) | ("amd64", Some("v1"))
        );
        let variant = if plain { None } else { variant };
        Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant,
        }
    }

    /// How well an image for `offered` suits: 0 is best, `None` not at all.
    ///
    /// A variant runs what was made for lower variants of the same architecture; 32-bit ARM
    /// without a variant means v7.
    pub fn rank(&self, offered: &Platform) -> Option<u32> {
        if self.os != offered.os || self.architecture != offered.architecture {
            return None;
        }
        let have = self.level()?;
        have.checked_sub(offered.level()?)
    }

    fn level(&self) -> Option<u32> {
        let Some(variant) = &self.variant else {
            return Some(match self.architecture.as_str() {
                "arm" => 70,
                "arm64" => 80,
                _ => 10,
            });
        };
        let mut parts = variant.trim_start_matches('v').splitn(2, '.');
        let major = parts.next()?.parse::<u32>().ok()?;
        let minor = parts
            .next()
            .map_or(Some(0), |minor| minor.parse::<u32>().ok())?;
        (major < 100 && minor < 10).then_some(major * 10 + minor)
    }
}

/// Whether a word is an architecture, which alone stands for one of Linux. Source: containerd, package
/// platforms: `arm64` and `arm/v7`.
fn is_known(word: &str) -> bool {
    let known = [
        "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64",
        "ppc64le", "riscv64", "s390x",
    ];
    let word = Platform::new("linux", word, None).architecture;
    known.contains(&word.as_str())
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An index is anybody's.
        write!(f, "{}/{}", plain(&self.os), plain(&self.architecture))?;
        let mut variants = self.variant.iter();
        variants.try_for_each(|variant| write!(f, "/{}", plain(variant)))
    }
}

impl FromStr for Platform {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts: Vec<&str> = text.split('/').collect();
        let ok = parts.iter().all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        });
        match parts[..] {
            [architecture] if ok && is_known(architecture) => {
                Ok(Self::new("linux", architecture, None))
            }
            [architecture, variant] if ok && is_known(architecture) => {
                Ok(Self::new("linux", architecture, Some(variant)))
            }
            [os, architecture] if ok => Ok(Self::new(os, architecture, None)),
            [os, architecture, variant] if ok => Ok(Self::new(os, architecture, Some(variant))),
            _ => Err(Error::Platform(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(wanted: &str, offered: &str) -> Option<u32> {
        let wanted: Platform = wanted.parse().unwrap();
        wanted.rank(&offered.parse().unwrap())
    }

    #[test]
    fn unifies_spellings() {
        for (text, shown) in [
            ("linux/x86_64", "linux/amd64"),
            ("linux/aarch64/v8", "linux/arm64"),
            ("linux/armhf", "linux/arm/v7"),
            ("arm64", "linux/arm64"),
            ("linux/arm/6", "linux/arm/v6"),
            ("arm64/v8", "linux/arm64"),
            ("arm/v7", "linux/arm/v7"),
            ("x86_64", "linux/amd64"),
            ("windows/amd64", "windows/amd64"),
        ] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), shown);
        }
        for text in ["", "linux", "pdp11", "linux/", "a/b/c/d", "linux/a b"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }

    #[test]
    fn ranks_variants() {
        assert_eq!(rank("linux/amd64", "linux/amd64"), Some(0));
        assert_eq!(rank("linux/amd64", "linux/amd64/v3"), None);
        assert_eq!(rank("linux/amd64/v3", "linux/amd64"), Some(20));
        assert_eq!(rank("linux/arm64", "linux/arm64/v8"), Some(0));
        assert_eq!(rank("linux/arm/v7", "linux/arm/v6"), Some(10));
        assert_eq!(rank("linux/arm", "linux/arm/v7"), Some(0));
        assert_eq!(rank("linux/arm/v6", "linux/arm/v7"), None);
        assert_eq!(rank("linux/amd64", "linux/arm64"), None);
        assert_eq!(rank("linux/amd64", "windows/amd64"), None);
    }
}
