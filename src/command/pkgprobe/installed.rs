//! Which of the packages that were asked for are there, and whether they are those that are tested.

use crate::command::failed;
use crate::failure::Failure;
use crate::installed::{Database, Package};
use crate::provision::Tested;

/// Name and version of the installed packages that were asked for.
///
/// Errors: a file that is tested is not what is installed.
pub(super) fn installed(
    all: &[Package],
    asked: &[String],
    tested: &[Tested],
) -> Result<Vec<(String, String)>, Failure> {
    for file in tested {
        if !all.iter().any(|it| file.is(it)) {
            return Err(missing(all, file));
        }
    }
    let wanted = |package: &&Package| {
        tested.iter().any(|file| file.is(package)) || asked.iter().any(|it| means(it, package))
    };
    let pair = |it: &Package| (it.name.clone(), it.version.clone());
    Ok(all.iter().filter(wanted).map(pair).collect())
}

fn missing(all: &[Package], file: &Tested) -> Failure {
    let Tested {
        name,
        version,
        architecture,
        ..
    } = file;
    let wanted = format!("{name} {version} ({architecture}) of {}", file.file);
    let same = all.iter().filter(|it| it.name == *name);
    let found: Vec<String> = same
        .map(|it| format!("{name} {} ({})", it.version, it.architecture))
        .collect();
    failed(match found.as_slice() {
        [] => format!("{wanted} was not installed"),
        _ => format!("{wanted} was not installed, but {}", found.join(", ")),
    })
}

/// Whether a word on the command line means this package: its name, with whatever the package
/// manager of its kind takes beside it.
fn means(word: &str, package: &Package) -> bool {
    let name = &package.name;
    let (bare, version) = match word.split_once('=') {
        Some((bare, version)) => (bare, Some(version)),
        None => (word, None),
    };
    // A version may be a pattern.
    if version.is_some_and(|it| !it.contains('*') && it != package.version) {
        return false;
    }
    let bare = match (package.database, bare.split_once(':')) {
        (Database::Dpkg, Some((bare, architecture))) if architecture == package.architecture => {
            bare
        }
        _ => bare,
    };
    if bare == name {
        return true;
    }
    // dnf and zypper take more than names.
    let Some(rest) = bare.strip_prefix(name.as_str()) else {
        return false;
    };
    let (arch, full) = (&package.architecture, &package.version);
    let plain = full.split_once(':').map_or(full.as_str(), |(_, it)| it);
    let upstream = plain.split_once('-').map_or(plain, |(it, _)| it);
    package.database == Database::Rpm
        && [
            format!(".{arch}"),
            format!("-{upstream}"),
            format!("-{plain}"),
            format!("-{plain}.{arch}"),
            format!("-{full}"),
            format!("-{full}.{arch}"),
        ]
        .iter()
        .any(|it| it == rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(database: Database, name: &str, version: &str, architecture: &str) -> Package {
        Package {
            architecture: architecture.to_owned(),
            ..Package::new(database, name.to_owned(), version.to_owned())
        }
    }

    #[test]
    fn words_mean_packages() {
        let web = package(Database::Dpkg, "web", "1:2.0-1", "amd64");
        for word in ["web", "web=1:2.0-1", "web=1:2*", "web:amd64"] {
            assert!(means(word, &web), "{word}");
        }
        for word in ["web=2.0-1", "web:i386", "web-2.0", "we", "webs"] {
            assert!(!means(word, &web), "{word}");
        }
        let web = package(Database::Rpm, "web", "1:2.0-1.fc1", "x86_64");
        for word in [
            "web",
            "web.x86_64",
            "web-2.0",
            "web-2.0-1.fc1.x86_64",
            "web-1:2.0-1.fc1",
        ] {
            assert!(means(word, &web), "{word}");
        }
        for word in ["web-2", "web-tools", "web-2.0-1", "web.noarch"] {
            assert!(!means(word, &web), "{word}");
        }
    }

    #[test]
    fn what_is_tested_must_be_what_is_there() {
        let tested = Tested {
            file: "web.rpm".into(),
            database: Database::Rpm,
            name: "web".into(),
            version: "1:2.0-1".into(),
            architecture: "x86_64".into(),
        };
        let there = package(Database::Rpm, "web", "1:2.0-1", "x86_64");
        let found = installed(
            std::slice::from_ref(&there),
            &[],
            std::slice::from_ref(&tested),
        );
        assert_eq!(found.unwrap(), [("web".to_owned(), "1:2.0-1".to_owned())]);
        for other in [
            package(Database::Rpm, "web", "2.0-1", "x86_64"),
            package(Database::Rpm, "web", "1:2.0-2", "x86_64"),
            package(Database::Rpm, "web", "1:2.0-1", "noarch"),
            package(Database::Rpm, "web-1", "1:2.0-1", "x86_64"),
        ] {
            let failure = installed(&[other], &[], std::slice::from_ref(&tested)).unwrap_err();
            assert!(
                failure
                    .message
                    .contains("web 1:2.0-1 (x86_64) of web.rpm was not installed")
            );
        }
    }
}
