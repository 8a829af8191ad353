//! The install phase: by name, from the synthetic repository, without a network.
//!
//! apt's lists and caches lie in the exchange directory, so the image's own stay as they are. The
//! repository outranks what is installed, so the locked version wins even where it is the older
//! one; only the names of the request are given to apt, each pinned to its locked version, and
//! apt's marks of automatic packages come out as from a mirror.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::resolve::selectors;
use super::settings::option;
use super::{Bodies, Deb, Repository, debconf, repository};
use crate::package::Package;
use crate::provision::exchange::GUEST;
use crate::provision::job::{environment, shell};
use crate::provision::request::split;
use crate::provision::{Error, Exchange, Fetched, Job, Network, Request, Result};

const SCRIPT: &str = include_str!("install.sh");

/// The job that changes the tree; writes the repository into the exchange directory.
pub(super) fn job(
    request: &Request,
    packages: &[Fetched],
    epoch: i64,
    exchange: &Exchange,
) -> Result<Job> {
    request.validate()?;
    let mut packages = packages.to_vec();
    let mut request = request.clone();
    for file in &request.files {
        let local = read_local(file)?;
        request.install.push(local.package.name.clone());
        packages.push(local);
    }
    Repository {
        codename: "racker",
        epoch,
        bodies: Bodies::fitting(&packages),
    }
    .write(&exchange.fresh("repo")?, &packages)?;
    let directory = exchange.fresh("install")?;
    let state = directory.join("state");
    fs::create_dir(&state).map_err(Error::io(&state))?;
    own_like(exchange, &state)?;
    for (name, content) in [
        ("apt.conf", conf(request.recommends)),
        (
            "sources.list",
            format!("deb [trusted=yes] file:{GUEST}/repo ./\n"),
        ),
        (
            "preferences",
            "Package: *\nPin: release o=racker\nPin-Priority: 1001\n".to_owned(),
        ),
        ("debconf", debconf::selections(&request.debconf)),
        ("finish.sh", request.finish.clone()),
        (
            "spared",
            request
                .spared
                .iter()
                .flat_map(|path| [path, "\n"])
                .collect(),
        ),
    ] {
        let path = directory.join(name);
        fs::write(&path, content).map_err(Error::io(&path))?;
    }
    let mut env: Vec<(&str, &str)> = request
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    env.extend([
        ("APT_LISTCHANGES_FRONTEND", "none"),
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("SYSTEMD_OFFLINE", "1"),
    ]);
    let locked = packages.iter().map(|fetched| &fetched.package);
    Ok(Job {
        argv: shell(SCRIPT, pinned(&request, locked)),
        env: environment(Some(epoch), &env),
        binds: vec![exchange.bind()],
        network: if request.network {
            Network::Host
        } else {
            Network::None
        },
    })
}

/// A package file of the recipe.
pub(super) fn read_local(file: &Path) -> Result<Fetched> {
    let control = Deb::open(file)?.control()?;
    let field = |name| {
        repository::field(&control, name).ok_or_else(|| Error::BadPackage {
            path: file.to_owned(),
            reason: format!("its control file has no {name}"),
        })
    };
    let (size, sha256) = repository::measure(file).map_err(Error::io(file))?;
    Ok(Fetched {
        package: Package {
            name: field("Package")?.to_owned(),
            version: field("Version")?.to_owned(),
            arch: field("Architecture")?.to_owned(),
            url: String::new(),
            size,
            sha256,
            signature: None,
        },
        file: file.to_owned(),
        signature: None,
    })
}

/// Gives a directory to whoever owns the exchange directory: the guest's root.
pub(crate) fn own_like(exchange: &Exchange, path: &Path) -> Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};
    let owner = fs::metadata(exchange.host()).map_err(Error::io(exchange.host()))?;
    let here = fs::metadata(path).map_err(Error::io(path))?;
    if (owner.uid(), owner.gid()) == (here.uid(), here.gid()) {
        return Ok(());
    }
    chown(path, Some(owner.uid()), Some(owner.gid())).map_err(Error::io(path))
}

/// The request's names, with the exact version of those that are locked.
pub(crate) fn pinned<'a>(
    request: &Request,
    packages: impl Iterator<Item = &'a Package>,
) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(package);
    }
    let pin = |selector: String| {
        let (full, _) = split(&selector);
        let (name, arch) = full
            .split_once(':')
            .map_or((full, None), |(n, a)| (n, Some(a)));
        let candidates = versions.get(name).map_or(&[][..], Vec::as_slice);
        let found = candidates
            .iter()
            .find(|p| arch.is_none_or(|arch| p.arch == arch));
        found
            .or(candidates.first())
            .map_or(selector.clone(), |p| format!("{full}={}", p.version))
    };
    selectors(request).into_iter().map(pin).collect()
}

fn conf(recommends: bool) -> String {
    let mut text = String::from("#clear APT::Update::Post-Invoke;\n");
    text.push_str("#clear APT::Update::Post-Invoke-Success;\n");
    let at = |name: &str| format!("{GUEST}/install/{name}");
    for (name, value) in [
        ("Dir::Etc::sourcelist", at("sources.list").as_str()),
        ("Dir::Etc::sourceparts", "/dev/null"),
        ("Dir::Etc::preferences", &at("preferences")),
        ("Dir::Etc::preferencesparts", "/dev/null"),
        ("Dir::State::lists", &at("state/lists/")),
        ("Dir::Cache", &at("state/cache/")),
        ("Dir::Cache::pkgcache", ""),
        ("Dir::Cache::srcpkgcache", ""),
        ("Acquire::Languages", "none"),
        ("APT::Get::allow-downgrades", "true"),
        (
            "APT::Install-Recommends",
            if recommends { "true" } else { "false" },
        ),
        ("APT::Install-Suggests", "false"),
        ("APT::Sandbox::User", "root"),
        ("Dpkg::Use-Pty", "false"),
        ("DPkg::Options::", "--force-unsafe-io"),
        ("DPkg::Options::", "--force-confdef"),
        ("DPkg::Options::", "--force-confold"),
    ] {
        text.push_str(&option(name, value));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requested_names_are_pinned_and_others_left_alone() {
        let locked = |name: &str, version: &str, arch: &str| Package {
            name: name.to_owned(),
            version: version.to_owned(),
            arch: arch.to_owned(),
            url: String::new(),
            size: 0,
            sha256: format!("sha256:{:064}", 0).parse().unwrap(),
            signature: None,
        };
        let packages = [
            locked("nginx", "1.22.1-9", "amd64"),
            locked("libc6", "2.36", "amd64"),
            locked("libc6", "2.36", "i386"),
        ];
        let request = Request {
            install: ["nginx=1.22*", "libc6:i386", "bash", "mail-transport-agent"]
                .map(str::to_owned)
                .into(),
            remove: vec!["nano".to_owned()],
            ..Request::default()
        };
        assert_eq!(
            pinned(&request, packages.iter()),
            [
                "nginx=1.22.1-9",
                "libc6:i386=2.36",
                "bash",
                "mail-transport-agent",
                "nano-"
            ]
        );
    }

    #[test]
    fn the_job_has_no_network_and_the_epoch() {
        let directory = tempfile::tempdir().unwrap();
        let exchange = Exchange::new(directory.path());
        let request = Request {
            debconf: [("man-db/auto-update".to_owned(), "false".to_owned())].into(),
            env: [("LC_ALL".to_owned(), "C".to_owned())].into(),
            ..Request::default()
        };
        let job = job(&request, &[], 1_700_000_000, &exchange).unwrap();
        assert_eq!(job.network, Network::None);
        assert!(
            job.env
                .contains(&("SOURCE_DATE_EPOCH".to_owned(), "1700000000".to_owned()))
        );
        assert!(job.env.contains(&("LC_ALL".to_owned(), "C".to_owned())));
        assert_eq!(
            exchange.read("install/debconf").unwrap().unwrap(),
            "man-db man-db/auto-update boolean false\n"
        );
        assert!(
            exchange
                .read("repo/Release")
                .unwrap()
                .unwrap()
                .contains("Origin: racker\n")
        );
    }
}
