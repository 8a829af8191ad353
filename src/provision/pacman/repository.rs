//! Repositories of exactly the files that racker has, for a pacman without a network.
//!
//! ```text
//! <directory>/NAME-VERSION-ARCH.pkg.tar.zst   the files, and
//!             NAME-VERSION-ARCH.pkg.tar.zst.sig   what signs them
//!             racker-signed.db        entries of those that are signed
//!             racker-plain.db         entries of the others
//! ```
//!
//! There are two databases because pacman asks for signatures by the repository: of the first it
//! wants those that the image asked for when the lock was made, of the second none, since those
//! packages come from a database that is signed itself, or the recipe says `unsigned = true`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use base64::Engine as _;

use super::desc;
use super::pkginfo::PackageInfo;
use crate::package::Package;
use crate::provision::{Error, Fetched, Result};

/// Packages with a signature.
pub(super) const SIGNED: &str = "racker-signed";
/// Packages without one.
pub(super) const PLAIN: &str = "racker-plain";

/// The largest signature that is believed; pacman stops at 16 KiB.
const SIGNATURE_LIMIT: u64 = 16 << 10;

/// Writes both into an empty directory; what each package says of itself, in the order given.
pub(super) fn write(directory: &Path, packages: &[Fetched]) -> Result<Vec<PackageInfo>> {
    let mut infos = Vec::with_capacity(packages.len());
    let mut databases = [(SIGNED, BTreeMap::new()), (PLAIN, BTreeMap::new())];
    for fetched in packages {
        let info = PackageInfo::read(&fetched.file)?;
        check(&fetched.package, &info).map_err(|reason| Error::BadPackage {
            path: fetched.file.clone(),
            reason,
        })?;
        let name = file_name(&fetched.package);
        link(&fetched.file, &directory.join(&name))?;
        let signature = match &fetched.signature {
            Some(path) => {
                link(path, &directory.join(format!("{name}.sig")))?;
                Some(signature(path)?)
            }
            None => None,
        };
        let entry = desc::write(&fetched.package, &info, &name, signature.as_deref());
        let key = format!("{}-{}", fetched.package.name, fetched.package.version);
        databases[usize::from(signature.is_none())]
            .1
            .insert(key, entry);
        infos.push(info);
    }
    for (name, entries) in databases {
        let path = directory.join(format!("{name}.db"));
        database(&path, &entries).map_err(Error::io(&path))?;
    }
    Ok(infos)
}

/// An archive of entries, each in its directory.
fn database(path: &Path, entries: &BTreeMap<String, String>) -> std::io::Result<()> {
    let mut archive = tar::Builder::new(File::create(path)?);
    for (key, text) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{key}/desc"), text.as_bytes())?;
    }
    archive.finish()
}

/// The customary name of a package file. pacman tells the compression by the content.
pub(super) fn file_name(package: &Package) -> String {
    let Package {
        name,
        version,
        arch,
        ..
    } = package;
    format!("{name}-{version}-{arch}.pkg.tar").replace('/', "-")
}

fn signature(path: &Path) -> Result<String> {
    let size = fs::metadata(path).map_err(Error::io(path))?.len();
    if size > SIGNATURE_LIMIT {
        return Err(Error::BadPackage {
            path: path.to_owned(),
            reason: format!("its signature has {size} bytes"),
        });
    }
    let bytes = fs::read(path).map_err(Error::io(path))?;
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
}

fn link(from: &Path, to: &Path) -> Result<()> {
    fs::hard_link(from, to)
        .or_else(|_| fs::copy(from, to).map(drop))
        .map_err(Error::io(to))
}

/// Holds a package against what the lock says that it is.
fn check(package: &Package, info: &PackageInfo) -> Result<(), String> {
    for (field, expected) in [
        ("pkgname", &package.name),
        ("pkgver", &package.version),
        ("arch", &package.arch),
    ] {
        let found = info.get(field);
        if found != Some(expected) {
            let found = found.unwrap_or("missing");
            return Err(format!("its {field} is {found}, the lock has {expected}"));
        }
    }
    Ok(())
}
