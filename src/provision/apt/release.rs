//! The signed metadata of repositories: its newest date and one digest over all of it.
//!
//! The digest is SHA-256 over the lines `NAME SHA256\n`, sorted. A name is what apt calls the file
//! less everything up to `_dists_`, so that two mirrors of one archive give the same digest.

use racker_store::Digest;
use sha2::{Digest as _, Sha256};

use crate::provision::{Error, Result};

/// One `InRelease` or `Release` file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    /// The file's name, without the mirror.
    pub name: String,
    /// The SHA-256 of the file, in hex.
    pub sha256: String,
    /// Its `Date`, in seconds since 1970.
    pub date: i64,
}

/// The metadata that one solution rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Releases(Vec<Release>);

impl Releases {
    /// Reads pairs of lines: one of `sha256sum`, and the `Date:` field of the same file.
    pub fn parse(text: &str) -> Result<Releases> {
        let mut releases = Vec::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let unclear = || Error::Output {
                tool: "apt-get",
                line: line.to_owned(),
            };
            let (sha256, name) = line.split_once("  ").ok_or_else(unclear)?;
            let date = lines
                .next()
                .and_then(|l| l.strip_prefix("Date:"))
                .and_then(parse_date);
            releases.push(Release::new(name, sha256, date.ok_or_else(unclear)?));
        }
        Ok(Releases::from(releases))
    }

    /// The newest date; `None` when there is no metadata at all.
    pub fn epoch(&self) -> Option<i64> {
        self.0.iter().map(|release| release.date).max()
    }

    /// One digest over everything.
    pub fn digest(&self) -> Digest {
        let mut hasher = Sha256::new();
        for release in &self.0 {
            hasher.update(format!("{} {}\n", release.name, release.sha256));
        }
        digest(hasher)
    }
}

impl From<Vec<Release>> for Releases {
    fn from(mut releases: Vec<Release>) -> Releases {
        releases.sort();
        Releases(releases)
    }
}

impl Release {
    fn new(file: &str, sha256: &str, date: i64) -> Release {
        let name = file.rsplit_once("_dists_").map_or(file, |(_, name)| name);
        Release {
            name: name.to_owned(),
            sha256: sha256.to_owned(),
            date,
        }
    }

    /// Takes a file of apt's list directory; `None` when it has no date.
    pub(crate) fn read(file: &str, content: &[u8]) -> Option<Release> {
        let text = String::from_utf8_lossy(content);
        let date = text
            .lines()
            .find_map(|line| line.strip_prefix("Date:"))
            .and_then(parse_date)?;
        let mut hasher = Sha256::new();
        hasher.update(content);
        Some(Release::new(file, &digest(hasher).hex(), date))
    }
}

/// The digest that a hasher arrived at.
pub(crate) fn digest(hasher: Sha256) -> Digest {
    Digest::from_bytes(hasher.finalize().into())
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Reads `Sat, 17 May 2025 09:41:05 UTC`, as repositories write it; only UTC is allowed there.
pub fn parse_date(text: &str) -> Option<i64> {
    let text = text.split_once(',').map_or(text, |(_, rest)| rest);
    let mut words = text.split_ascii_whitespace();
    let day: i64 = words.next()?.parse().ok()?;
    let month = words
        .next()
        .and_then(|word| MONTHS.iter().position(|m| *m == word))? as i64
        + 1;
    let year: i64 = words.next()?.parse().ok()?;
    let mut clock = words
        .next()?
        .split(':')
        .map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if !matches!(words.next()?, "UTC" | "GMT" | "+0000" | "Z") {
        return None;
    }
    // Days of the proleptic Gregorian calendar, counted in years that begin with March.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 719_469;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// Writes what [`parse_date`] reads.
pub(crate) fn format_date(seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let (days, clock) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let weekday = DAYS[days.rem_euclid(7) as usize];
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let name = MONTHS[((month + 2) % 12) as usize];
    let year = era * 400 + year + i64::from(month >= 10);
    let (hour, minute, second) = (clock / 3_600, clock / 60 % 60, clock % 60);
    format!("{weekday}, {day:02} {name} {year} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for text in [
            "Sat, 17 May 2025 09:41:05 UTC",
            "Thu, 29 Feb 2024 23:59:59 UTC",
            "Fri, 01 Mar 2024 00:00:00 UTC",
            "Wed, 31 Dec 1969 23:59:59 UTC",
        ] {
            assert_eq!(parse_date(text).map(format_date).as_deref(), Some(text));
        }
        assert_eq!(parse_date(" Thu, 01 Jan 1970 00:00:00 UTC"), Some(0));
        assert_eq!(
            parse_date("Sat, 17 May 2025 09:41:05 UTC"),
            Some(1_747_474_865)
        );
        assert_eq!(
            parse_date("Thu, 29 Feb 2024 23:59:59 +0000"),
            Some(1_709_251_199)
        );
        assert_eq!(
            parse_date("Fri,  1 Mar 2024 00:00:00 GMT"),
            Some(1_709_251_200)
        );
        assert_eq!(parse_date("Fri, 1 Mar 2024 00:00:00 +0200"), None);
        assert_eq!(parse_date("yesterday"), None);
    }

    #[test]
    fn the_mirror_is_not_in_the_digest() {
        let text = |mirror: &str, second: &str| {
            format!(
                "{:064}  {mirror}_debian_dists_bookworm_InRelease\n\
                 Date: Sat, 17 May 2025 09:41:05 UTC\n\
                 {second:0>64}  {mirror}_debian_dists_bookworm-updates_InRelease\n\
                 Date: Tue, 20 May 2025 02:20:00 UTC\n",
                1
            )
        };
        let one = Releases::parse(&text("a.test", "2")).unwrap();
        assert_eq!(one.epoch(), Some(1_747_707_600));
        assert_eq!(
            one.digest(),
            Releases::parse(&text("b.test", "2")).unwrap().digest()
        );
        assert_ne!(
            one.digest(),
            Releases::parse(&text("a.test", "3")).unwrap().digest()
        );
        assert!(Releases::parse("nonsense").is_err());
    }
}
