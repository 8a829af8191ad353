//! A repository of rpm packages of the test's own, made and signed by rpm's tools.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use tempfile::TempDir;

use super::support::files::Files;
use super::support::{execute, scratch, temporary, tool};

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// The one that the image has.
    Own,
    /// One that it does not have.
    Foreign,
    /// Nobody.
    None,
}

/// What a package is made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rpm<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    /// Further lines of its spec, before the description.
    pub(crate) fields: &'a str,
    /// Its script after the installation.
    pub(crate) post: &'a str,
    pub(crate) key: Key,
}

impl<'a> Rpm<'a> {
    pub(crate) fn new(name: &'a str, version: &'a str) -> Self {
        Self {
            name,
            version,
            fields: "",
            post: "",
            key: Key::Own,
        }
    }
}

/// Keys, and packages that were built before: both take their time, and tests share them.
struct Forge {
    directory: PathBuf,
    built: Mutex<BTreeMap<String, PathBuf>>,
}

fn forge() -> &'static Forge {
    static FORGE: OnceLock<Forge> = OnceLock::new();
    FORGE.get_or_init(|| {
        for (program, package) in [
            ("rpmbuild", "rpm"),
            ("rpmsign", "rpm"),
            ("createrepo_c", "createrepo-c"),
            ("gpg", "gnupg"),
        ] {
            tool(program, package);
        }
        let directory = scratch().join(format!("forge-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        for key in [Key::Own, Key::Foreign] {
            use std::os::unix::fs::DirBuilderExt;
            let home = home(&directory, key);
            fs::DirBuilder::new().mode(0o700).create(&home).unwrap();
            let user = "archive@racker.test";
            let mut make = gpg(&home);
            execute(make.args(["--quick-generate-key", user, "rsa2048", "sign", "never"]));
        }
        Forge {
            directory,
            built: Mutex::default(),
        }
    })
}

fn home(directory: &Path, key: Key) -> PathBuf {
    directory.join(if key == Key::Own { "own" } else { "foreign" })
}

fn gpg(home: &Path) -> Command {
    let mut gpg = Command::new("gpg");
    gpg.arg("--homedir").arg(home);
    gpg.args([
        "--batch",
        "--quiet",
        "--pinentry-mode=loopback",
        "--passphrase=",
    ]);
    gpg
}

/// A public key.
pub(crate) fn public(key: Key) -> String {
    let home = home(&forge().directory, key);
    String::from_utf8(execute(gpg(&home).args(["--armor", "--export"]))).unwrap()
}

/// Builds a package, or finds it built.
pub(crate) fn build(rpm: &Rpm<'_>) -> PathBuf {
    let forge = forge();
    let mut built = forge.built.lock().unwrap();
    let id = format!("{rpm:?}");
    if let Some(path) = built.get(&id) {
        return path.clone();
    }
    let top = forge.directory.join(format!("build-{}", built.len()));
    fs::create_dir(&top).unwrap();
    let (name, version) = (rpm.name, rpm.version);
    let (epoch, version) = version.split_once(':').unwrap_or(("0", version));
    let post = if rpm.post.is_empty() {
        String::new()
    } else {
        format!("%post\n{}\n", rpm.post)
    };
    let spec = format!(
        "Name: {name}\nEpoch: {epoch}\nVersion: {version}\nRelease: 1\nSummary: a package\n\
         License: MIT\nVendor: racker\nBuildArch: noarch\n{}\n%description\n<A> & package.\n\
         %install\nmkdir -p %{{buildroot}}/usr/share/{name}\n\
         echo {version} >%{{buildroot}}/usr/share/{name}/version\n{post}\
         %files\n/usr/share/{name}\n",
        rpm.fields
    );
    let path = top.join("package.spec");
    fs::write(&path, spec).unwrap();
    let define = |name: &str, value: &str| [String::from("--define"), format!("{name} {value}")];
    let mut build = Command::new("rpmbuild");
    build.args(["--quiet", "-bb"]);
    build.args(define("_topdir", top.to_str().unwrap()));
    build.args(define("_rpmdir", top.to_str().unwrap()));
    build.args(define(
        "_rpmfilename",
        "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm",
    ));
    execute(build.arg(path));
    let package = top.join(format!("{name}-{version}-1.noarch.rpm"));
    if rpm.key != Key::None {
        let mut sign = Command::new("rpmsign");
        sign.args(define("_gpg_name", "archive@racker.test"));
        sign.args(define(
            "_gpg_path",
            home(&forge.directory, rpm.key).to_str().unwrap(),
        ));
        sign.args(define(
            "__gpg_sign_cmd",
            "/usr/bin/gpg gpg --no-armor --batch --pinentry-mode=loopback --passphrase= \
             --no-secmem-warning -u %{_gpg_name} -sbo %{__signature_filename} \
             %{__plaintext_filename}",
        ));
        execute(sign.arg("--addsign").arg(&package));
    }
    built.insert(id, package.clone());
    package
}

/// A repository, served over HTTP.
pub(crate) struct Archive {
    directory: TempDir,
    pub(crate) files: Files,
}

impl Archive {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let directory = temporary();
        let files = Files::serve(directory.path());
        Self { directory, files }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts a package there, in place of its other versions.
    pub(crate) fn add(&self, rpm: &Rpm<'_>) {
        for entry in fs::read_dir(self.directory.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let rest = name.strip_prefix(rpm.name);
            if rest.is_some_and(|rest| rest.starts_with('-')) {
                fs::remove_file(path).unwrap();
            }
        }
        self.add_beside(rpm);
    }

    /// Puts a package there, beside its other versions.
    pub(crate) fn add_beside(&self, rpm: &Rpm<'_>) {
        let package = build(rpm);
        let target = self.path(package.file_name().unwrap().to_str().unwrap());
        fs::copy(package, target).unwrap();
    }

    /// Writes the metadata, and signs it.
    pub(crate) fn publish(&self, key: Key, options: &[&str]) {
        let _ = fs::remove_dir_all(self.path("repodata"));
        let mut create = Command::new("createrepo_c");
        create.arg("--quiet").args(options);
        execute(create.arg(self.directory.path()));
        if key != Key::None {
            let mut sign = gpg(&home(&forge().directory, key));
            sign.args(["--yes", "--armor", "--detach-sign"]);
            execute(sign.arg(self.path("repodata/repomd.xml")));
            // zypper asks for it, and must not believe it.
            fs::write(self.path("repodata/repomd.xml.key"), public(key)).unwrap();
        }
    }
}
