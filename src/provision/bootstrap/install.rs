//! The command line of mmdebstrap.
//!
//! The caller sees to a user namespace (a block of ids, the job as its root), a mount namespace
//! with the job's binds over the host's root directory, and new pid and network namespaces with
//! `/proc` mounted anew. Nothing in there makes a device node: mmdebstrap notices that it cannot,
//! binds the host's while it works and leaves `/dev` empty.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::{Bootstrap, Error, Result};
use crate::provision::apt::{Bodies, Repository, own_like, pinned};
use crate::provision::exchange::GUEST;
use crate::provision::job::environment;
use crate::provision::{Bind, Exchange, Fetched, Job, Network};

/// Where the job sees the directory that it fills.
pub const TARGET: &str = "/run/racker-root";

/// Shows the repository to what runs inside the new root.
const SETUP: &str = r#"mkdir -p "$1/run/racker" && mount --bind /run/racker "$1/run/racker""#;

/// Takes it away again, and what mmdebstrap copied from the host or wrote for itself.
const CUSTOMIZE: &str = r#"set -e
umount "$1/run/racker"
rmdir "$1/run/racker"
rm -f "$1/etc/resolv.conf" "$1/etc/hostname" "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
cat /run/racker/install/sources.list >"$1/etc/apt/sources.list""#;

/// The job that fills `target`, an empty directory of the guest's root.
///
/// The synthetic repository is written into the exchange directory. `sources` becomes the image's
/// `sources.list`.
pub fn job(
    bootstrap: &Bootstrap,
    packages: &[Fetched],
    epoch: i64,
    sources: &str,
    exchange: &Exchange,
    target: &Path,
) -> Result<Job> {
    bootstrap.validate()?;
    Repository {
        codename: &bootstrap.suite,
        epoch,
        bodies: Bodies::fitting(packages),
    }
    .write(&exchange.fresh("repo")?, packages)?;
    let list = exchange.fresh("install")?.join("sources.list");
    fs::write(&list, sources).map_err(Error::io(&list))?;
    own_like(exchange, &exchange.fresh("tmp")?)?;

    let (variant, _) = bootstrap.variant()?;
    let locked = packages.iter().map(|fetched| &fetched.package);
    let include = pinned(&bootstrap.request(), locked).join(",");
    let mut argv: Vec<OsString> = [
        "mmdebstrap".to_owned(),
        "--mode=root".to_owned(),
        format!("--variant={variant}"),
        "--format=directory".to_owned(),
        "--skip=check/qemu,check/signed-by,output/dev,output/mknod".to_owned(),
        "--dpkgopt=force-unsafe-io".to_owned(),
        format!("--setup-hook={SETUP}"),
        format!("--customize-hook={CUSTOMIZE}"),
    ]
    .map(OsString::from)
    .into();
    if !include.is_empty() {
        argv.push(format!("--include={include}").into());
    }
    argv.extend([
        OsString::from(&bootstrap.suite),
        TARGET.into(),
        format!("deb [trusted=yes] file:{GUEST}/repo ./").into(),
    ]);
    let tmp = Exchange::guest("tmp");
    Ok(Job {
        argv,
        env: environment(
            Some(epoch),
            &[
                ("DEBIAN_FRONTEND", "noninteractive"),
                ("HOME", "/nonexistent"),
                ("TMPDIR", &tmp),
            ],
        ),
        binds: vec![
            exchange.bind(),
            Bind {
                source: target.to_owned(),
                target: TARGET.into(),
                writable: true,
            },
        ],
        network: Network::None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line() {
        let directory = tempfile::tempdir().unwrap();
        let exchange = Exchange::new(directory.path());
        let bootstrap = Bootstrap {
            distribution: "debian".to_owned(),
            suite: "trixie".to_owned(),
            include: vec!["systemd".to_owned(), "dbus".to_owned()],
            ..Bootstrap::default()
        };
        let job = job(
            &bootstrap,
            &[],
            1,
            "deb x\n",
            &exchange,
            Path::new("/target"),
        )
        .unwrap();
        assert_eq!(job.argv[2], "--variant=apt");
        assert_eq!(
            job.argv[8..],
            [
                "--include=apt,systemd,dbus",
                "trixie",
                "/run/racker-root",
                "deb [trusted=yes] file:/run/racker/repo ./"
            ]
        );
        assert_eq!(job.network, Network::None);
        assert_eq!(
            exchange.read("install/sources.list").unwrap().unwrap(),
            "deb x\n"
        );
        assert!(
            exchange
                .read("repo/Release")
                .unwrap()
                .unwrap()
                .contains("Codename: trixie\n")
        );
    }
}
