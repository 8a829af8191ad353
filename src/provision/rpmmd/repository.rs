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

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::package::Package;
    use crate::rpm::{Value, file, tag};

    fn fetched(directory: &Path, name: &str, version: &str) -> Fetched {
        let bytes = file(
            &[(tag::SIGNATURES[0], Value::Chars(b"x"))],
            &[
                (tag::NAME, Value::Strings(&[name])),
                (tag::VERSION, Value::Strings(&["1~rc"])),
                (tag::RELEASE, Value::Strings(&["2"])),
                (tag::EPOCH, Value::Int32(&[3])),
                (tag::ARCH, Value::Strings(&["noarch"])),
                (tag::SUMMARY, Value::Strings(&["a & b\u{7}"])),
                (
                    tag::REQUIRE_NAME,
                    Value::Strings(&["rpmlib(X)", "/bin/sh", "lib<x>"]),
                ),
                (
                    tag::REQUIRE_FLAGS,
                    Value::Int32(&[1 << 24 | 0xa, 1 << 9, 0xc]),
                ),
                (tag::REQUIRE_VERSION, Value::Strings(&["1-1", "", "2:3-4"])),
                (tag::BASE_NAMES, Value::Strings(&["tool"])),
                (tag::DIR_NAMES, Value::Strings(&["/usr/bin/"])),
                (tag::DIR_INDEXES, Value::Int32(&[0])),
            ],
        );
        let path = directory.join(format!("{}.blob", name.len()));
        fs::write(&path, &bytes).unwrap();
        Fetched {
            package: Package {
                name: name.to_owned(),
                version: version.to_owned(),
                arch: "noarch".to_owned(),
                url: String::new(),
                size: bytes.len() as u64,
                sha256: Digest::of(&bytes),
                signature: None,
            },
            file: path,
            signature: None,
        }
    }

    #[test]
    fn packages_are_described() {
        let directory = tempfile::tempdir().unwrap();
        let packages = [fetched(directory.path(), "a", "3:1~rc-2")];
        let repository = Repository { epoch: 7 };
        let root = directory.path().join("repo");
        fs::create_dir(&root).unwrap();
        repository.write_parts(&root, &packages, &[]).unwrap();
        assert!(root.join("signed/a-1~rc-2.noarch.rpm").exists());
        let packed = fs::File::open(root.join("signed/repodata/primary.xml.gz")).unwrap();
        let mut text = String::new();
        let mut reader = flate2::read::GzDecoder::new(packed);
        reader.read_to_string(&mut text).unwrap();
        for part in [
            "packages=\"1\"",
            "<version epoch=\"3\" ver=\"1~rc\" rel=\"2\"/>",
            "<summary>a &amp; b</summary>",
            "<rpm:entry name=\"/bin/sh\" pre=\"1\"/>",
            "<rpm:entry name=\"lib&lt;x&gt;\" flags=\"GE\" epoch=\"2\" ver=\"3\" rel=\"4\"/>",
            "<file>/usr/bin/tool</file>",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("rpmlib"));
        let repomd = fs::read(root.join("bare/repodata/repomd.xml")).unwrap();
        assert!(String::from_utf8_lossy(&repomd).contains("<timestamp>7</timestamp>"));
    }

    #[test]
    fn another_package_under_the_digest_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for (name, version, said) in [
            ("a", "2-1", "its version is 3:1~rc-2, the lock has 2-1"),
            ("../a", "3:1~rc-2", "its name or version is `../a`"),
        ] {
            let packages = [fetched(directory.path(), name, version)];
            let written = Repository { epoch: 0 }.write(directory.path(), &packages);
            let error = written.unwrap_err();
            assert!(error.to_string().ends_with(said), "{error}");
        }
    }
}
