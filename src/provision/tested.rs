//! What a package file is, in the words of the database of those that are installed.

use std::path::Path;

use super::apk::ApkFile;
use super::apt::Deb;
use super::pacman::PackageInfo;
use super::{Error, Result};
use crate::installed::{Database, Package, rpm_package};
use crate::provision::apt::field;
use crate::rpm::PackageFile;

/// A package file that is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The file's name.
    pub file: String,
    /// The database that it will be in.
    pub database: Database,
    /// Its name.
    pub name: String,
    /// Its version with epoch and release, as that database has it.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
}

impl Tested {
    /// Whether an installed package is this very one.
    pub fn is(&self, package: &Package) -> bool {
        // apk's database has another word for packages of every architecture.
        let architecture =
            self.database == Database::Apk || self.architecture == package.architecture;
        (self.database, &self.name, &self.version)
            == (package.database, &package.name, &package.version)
            && architecture
    }
}

/// Reads what a package file says it is. Its ending says which kind it is, a `.deb` if nothing else.
pub fn tested(path: &Path) -> Result<Tested> {
    let bad = |reason: String| Error::BadPackage {
        path: path.to_owned(),
        reason,
    };
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let (database, [name, version, architecture]) = if file.ends_with(".rpm") {
        let package = PackageFile::open(path).map_err(|error| bad(error.to_string()))?;
        let header = package.header().map_err(bad)?;
        let it = rpm_package(&header).map_err(bad)?;
        (Database::Rpm, [it.name, it.version, it.architecture])
    } else if file.ends_with(".apk") || file.contains(".pkg.tar") {
        let (database, info) = if file.ends_with(".apk") {
            (Database::Apk, ApkFile::read(path)?.info)
        } else {
            (Database::Pacman, PackageInfo::read(path)?)
        };
        let get = |name: &str| {
            let value = info.get(name).map(str::to_owned);
            value.ok_or_else(|| bad(format!("its .PKGINFO has no {name}")))
        };
        (database, [get("pkgname")?, get("pkgver")?, get("arch")?])
    } else {
        let control = Deb::open(path)?.control()?;
        let get = |name: &str| {
            let value = field(&control, name).map(str::to_owned);
            value.ok_or_else(|| bad(format!("its control file has no {name}")))
        };
        let words = [get("Package")?, get("Version")?, get("Architecture")?];
        (Database::Dpkg, words)
    };
    Ok(Tested {
        file: file.into_owned(),
        database,
        name,
        version,
        architecture,
    })
}
