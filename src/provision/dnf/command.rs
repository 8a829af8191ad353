//! What dnf 5 is asked for: `install`, `remove`, or both in one transaction with `do`.

use crate::provision::Request;

/// The subcommand and its arguments.
pub(super) fn arguments(
    request: &Request,
    install: &[(String, Option<String>)],
    files: &[String],
) -> Vec<String> {
    let named = |(name, version): &(String, Option<String>)| match version {
        Some(version) => with_version(name, version),
        None => name.clone(),
    };
    let coming: Vec<String> = install
        .iter()
        .map(named)
        .chain(files.iter().cloned())
        .collect();
    let leaving = request.remove.clone();
    let mut all = Vec::new();
    match (coming.is_empty(), leaving.is_empty()) {
        (false, false) => {
            all.extend(["do".to_owned(), "--action=install".to_owned()]);
            all.extend(coming);
            all.push("--action=remove".to_owned());
            all.extend(leaving);
        }
        (true, false) => {
            all.push("remove".to_owned());
            all.extend(leaving);
        }
        _ => {
            all.push("install".to_owned());
            all.extend(coming);
        }
    }
    all
}

/// A name that may end in an architecture, with a version: `name-version` or `name-version.arch`.
pub(super) fn with_version(name: &str, version: &str) -> String {
    const ARCHES: [&str; 9] = [
        "noarch", "x86_64", "i686", "aarch64", "ppc64le", "s390x", "armv7hl", "riscv64", "i386",
    ];
    match name.rsplit_once('.') {
        Some((bare, arch)) if ARCHES.contains(&arch) => format!("{bare}-{version}.{arch}"),
        _ => format!("{name}-{version}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_transaction_for_both() {
        let remove = |names: &[&str]| Request {
            remove: names.iter().map(|it| (*it).to_owned()).collect(),
            ..Request::default()
        };
        let install = [
            ("app".to_owned(), Some("1.2*".to_owned())),
            ("python3.12.x86_64".to_owned(), Some("3.12-1".to_owned())),
            ("python3.12".to_owned(), None),
        ];
        assert_eq!(
            arguments(&remove(&[]), &install, &[]),
            [
                "install",
                "app-1.2*",
                "python3.12-3.12-1.x86_64",
                "python3.12"
            ]
        );
        assert_eq!(
            arguments(&remove(&["b"]), &install[..1], &["/x.rpm".to_owned()]),
            [
                "do",
                "--action=install",
                "app-1.2*",
                "/x.rpm",
                "--action=remove",
                "b"
            ]
        );
        assert_eq!(arguments(&remove(&["b"]), &[], &[]), ["remove", "b"]);
    }
}
