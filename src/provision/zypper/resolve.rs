//! The resolve phase: the image's own zypper says what it would install.

use super::{arguments, explain, summary};
use crate::provision::job::{environment, shell};
use crate::provision::rpmmd::{
    Kept, Place, Wanted, local, restore, selectors, write_hold, write_local,
};
use crate::provision::{Error, Exchange, Found, Job, Network, Request, Resolution, Result};

const SCRIPT: &str = include_str!("resolve.sh");
const TOOL: &str = "zypper";

/// The job that fills `result/` and `metadata/` of the exchange directory.
pub(super) fn job(request: &Request, exchange: &Exchange) -> Result<Job> {
    request.validate()?;
    write_hold(request, exchange)?;
    let files = write_local(request, exchange)?;
    let directory = exchange.fresh("resolve")?.join("repos.d");
    std::fs::create_dir(&directory).map_err(Error::io(&directory))?;
    // What is held outranks everything else.
    for (name, priority, wanted) in [
        ("hold", 1, !request.hold.is_empty()),
        ("local", 99, !files.is_empty()),
    ] {
        if wanted {
            let path = directory.join(format!("{name}.repo"));
            let text = format!(
                "[racker-{name}]\nbaseurl=dir://{}\ntype=rpm-md\nenabled=1\nautorefresh=0\n\
                 priority={priority}\ngpgcheck=0\nrepo_gpgcheck=0\npkg_gpgcheck=0\n",
                Exchange::guest(name)
            );
            std::fs::write(&path, text).map_err(Error::io(&path))?;
        }
    }
    let mut install = selectors(request);
    install.extend(files);
    Ok(Job {
        argv: shell(SCRIPT, arguments(request, install)),
        env: environment(None, &[]),
        binds: vec![exchange.bind()],
        network: Network::Host,
    })
}

/// Reads what the job found out, or why it failed.
pub(super) fn resolution(request: &Request, exchange: &Exchange) -> Result<Resolution> {
    let unclear = |reason: String| Error::Output {
        tool: TOOL,
        line: reason,
    };
    let list = exchange.read("result/repos.xml")?.unwrap_or_default();
    let repositories = summary::repositories(&list).unwrap_or_default();
    if repositories.is_empty() {
        return Err(Error::NoSources);
    }
    let bare = repositories.iter().find(|it| !it.checked);
    if let Some(bare) = bare.filter(|_| !request.unsigned) {
        let which = bare.alias.clone();
        return Err(Error::Untrusted { which });
    }
    let Some(solution) = exchange.read("result/solution.xml")? else {
        let said = exchange.read("result/errors")?.unwrap_or_default();
        return Err(explain::explain(&said));
    };
    let kept = Kept::read(exchange)?;
    let places: Vec<Place> = repositories
        .into_iter()
        .map(|it| Place {
            repository: it.alias,
            base: it.url,
        })
        .collect();
    let files = request.files.iter().map(|it| local(it));
    let files = files.collect::<Result<Vec<_>>>()?;
    let (mut packages, mut wanted) = (Vec::new(), Vec::new());
    for (name, version, arch) in summary::coming(&solution).map_err(unclear)? {
        // The recipe's own files are at hand already.
        if restore(&files, &name, &version, &arch).is_some() {
            continue;
        }
        match restore(&request.hold, &name, &version, &arch) {
            Some(held) => packages.push(held),
            None => wanted.push(Wanted {
                places: places.clone(),
                name,
                version,
                arch,
            }),
        }
    }
    let found: Vec<Found> = kept.find(&wanted, TOOL, exchange)?;
    packages.extend(found);
    packages.sort();
    Ok(Resolution {
        packages,
        date: kept.date().ok_or(Error::NoSources)?,
        metadata: kept.digest(),
    })
}
