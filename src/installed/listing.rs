//! All databases of a tree together.

use std::collections::HashMap;

use racker_store::{PathBytes, Store, Tree};

use super::files::Files;
use super::owners::Owners;
use super::{Error, Package, apk, dpkg, pacman, rpm};

/// What a package takes in memory at most, roughly; its text is limited for itself.
const PACKAGE: u64 = 1 << 10;
/// What a path takes besides its bytes.
const PATH: u64 = 64;

/// Takes what the databases list, within the limits of [`Files`].
#[derive(Debug)]
pub(super) struct Listing<'a> {
    files: &'a Files<'a>,
    all: Vec<(Package, Vec<PathBytes>)>,
}

impl<'a> Listing<'a> {
    pub(super) fn new(files: &'a Files<'a>) -> Self {
        Self {
            files,
            all: Vec::new(),
        }
    }

    /// Takes a package of the database at `source`; the paths that follow are its.
    pub(super) fn package(&mut self, source: &str, package: Package) -> Result<(), Error> {
        self.files.charge(source, PACKAGE)?;
        self.all.push((package, Vec::new()));
        Ok(())
    }

    /// Takes a path of the package that was taken last.
    pub(super) fn path(&mut self, source: &str, path: PathBytes) -> Result<(), Error> {
        self.files.charge(source, path.len() as u64 + PATH)?;
        if let Some((_, paths)) = self.all.last_mut() {
            paths.push(path);
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Installed, Error> {
        self.all
            .sort_by(|(one, _), (other, _)| one.order().cmp(&other.order()));
        let mut owners = Owners::new(self.files.tree);
        let mut packages = Vec::with_capacity(self.all.len());
        for (package, paths) in self.all {
            for path in paths {
                let kept = owners.add(packages.len() as u32, &path);
                self.files.charge(&package.name, kept as u64 + PATH)?;
            }
            packages.push(package);
        }
        Ok(Installed {
            packages,
            owners: owners.finish(),
        })
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> &[(Package, Vec<PathBytes>)] {
        &self.all
    }
}

/// The packages of a tree and what they own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    packages: Vec<Package>,
    owners: HashMap<PathBytes, u32>,
}

impl Installed {
    /// Reads every database of the tree; without one there are no packages.
    ///
    /// Errors: a database in a format that racker does not read, or a damaged one.
    pub fn read(store: &Store, tree: &Tree) -> Result<Self, Error> {
        let files = Files::new(store, tree);
        let mut listing = Listing::new(&files);
        dpkg::read(&files, &mut listing)?;
        rpm::read(&files, &mut listing)?;
        pacman::read(&files, &mut listing)?;
        apk::read(&files, &mut listing)?;
        listing.finish()
    }

    /// These packages, which own nothing.
    #[cfg(test)]
    pub(crate) fn of(packages: Vec<Package>) -> Self {
        Self {
            packages,
            owners: HashMap::new(),
        }
    }

    /// The packages, sorted by database, name, architecture and version.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The package that owns what lies at this path of the tree. A directory that several
    /// packages have is nobody's, and so is what no package brought.
    pub fn owner(&self, path: &[u8]) -> Option<&Package> {
        self.packages.get(*self.owners.get(path)? as usize)
    }
}
