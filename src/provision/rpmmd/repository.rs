//! A repository of exactly the locked files, for an installation without a network.
//!
//! ```text
//! <directory>/NAME-VERSION-RELEASE.ARCH.rpm ...
//!             repodata/repomd.xml
//!                      primary.xml.gz
//! ```
//!
//! There is no metadata of modules in it and none of advisories: what is locked is what is
//! installed, and nothing else is there to be chosen.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use racker_store::Digest;

use super::describe::{Identity, element};
use super::selection::file_name;
use crate::provision::{Error, Fetched, Result};
use crate::rpm::PackageFile;

/// A repository to be written.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Repository {
    /// Its date, in seconds since 1970.
    pub(in super::super) epoch: i64,
}

impl Repository {
    /// Writes the repositories of an installation into an empty directory: packages with a signature
    /// in them, packages without, and package files of the recipe, which no package manager wants
    /// to see signed. Which of them are checked, the image's configuration says, and only the guest
    /// reads that.
    pub(in super::super) fn write_parts(
        self,
        directory: &Path,
        packages: &[Fetched],
        local: &[Fetched],
    ) -> Result<()> {
        let mut parts = [
            ("signed", Vec::new()),
            ("bare", Vec::new()),
            ("local", local.to_vec()),
        ];
        for fetched in packages {
            let part = usize::from(!open(fetched)?.signed);
            parts[part].1.push(fetched.clone());
        }
        for (name, packages) in parts {
            let directory = directory.join(name);
            fs::create_dir(&directory).map_err(Error::io(&directory))?;
            self.write(&directory, &packages)?;
        }
        Ok(())
    }

    /// Writes a repository into an empty directory.
    pub(in super::super) fn write(self, directory: &Path, packages: &[Fetched]) -> Result<()> {
        let mut elements = Vec::with_capacity(packages.len());
        for fetched in packages {
            elements.push(add(directory, fetched)?);
        }
        elements.sort();
        elements.dedup();
        let primary = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
             xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"{}\">\n{}</metadata>\n",
            elements.len(),
            elements.concat()
        );
        let packed = pack(primary.as_bytes());
        let repomd = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <repomd xmlns=\"http://linux.duke.edu/metadata/repo\">\n\
             <revision>{0}</revision>\n<data type=\"primary\">\n\
             <checksum type=\"sha256\">{1}</checksum>\n\
             <open-checksum type=\"sha256\">{2}</open-checksum>\n\
             <location href=\"repodata/primary.xml.gz\"/>\n<timestamp>{0}</timestamp>\n\
             <size>{3}</size>\n<open-size>{4}</open-size>\n</data>\n</repomd>\n",
            self.epoch,
            Digest::of(&packed).hex(),
            Digest::of(primary.as_bytes()).hex(),
            packed.len(),
            primary.len()
        );
        let repodata = directory.join("repodata");
        fs::create_dir(&repodata).map_err(Error::io(&repodata))?;
        for (name, bytes) in [
            ("primary.xml.gz", &*packed),
            ("repomd.xml", repomd.as_bytes()),
        ] {
            let path = repodata.join(name);
            fs::write(&path, bytes).map_err(Error::io(&path))?;
        }
        Ok(())
    }
}

/// Puts one package there and returns its element.
fn add(directory: &Path, fetched: &Fetched) -> Result<String> {
    let file = open(fetched)?;
    let bad = |reason: String| Error::BadPackage {
        path: fetched.file.clone(),
        reason,
    };
    let found = file
        .header()
        .and_then(|it| Identity::of(&it))
        .map_err(bad)?;
    let package = &fetched.package;
    for (what, found, locked) in [
        ("name", &found.name, &package.name),
        ("version", &found.version, &package.version),
        ("architecture", &found.arch, &package.arch),
    ] {
        if found != locked {
            return Err(bad(format!("its {what} is {found}, the lock has {locked}")));
        }
    }
    let name = file_name(package);
    let path = directory.join(&name);
    fs::hard_link(&fetched.file, &path)
        .or_else(|_| fs::copy(&fetched.file, &path).map(drop))
        .map_err(Error::io(&path))?;
    element(&file, package, &name).map_err(bad)
}

fn open(fetched: &Fetched) -> Result<PackageFile> {
    PackageFile::open(&fetched.file).map_err(|error| Error::BadPackage {
        path: fetched.file.clone(),
        reason: error.to_string(),
    })
}

fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
