//! A repository of rpm packages of the test's own, made and signed by rpm's tools.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use super::support::files::Files;
use super::support::{execute, once, scratch, temporary, tool};

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
    /// Its script before the installation.
    pub(crate) pre: &'a str,
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
            pre: "",
            post: "",
            key: Key::Own,
        }
    }
}

/// Where keys and built packages are: both take their time, so they are made once per machine.
fn forge() -> &'static Path {
    static FORGE: OnceLock<PathBuf> = OnceLock::new();
    FORGE.get_or_init(|| {
        for (program, package) in [
            ("rpmbuild", "rpm"),
            ("rpmsign", "rpm"),
            ("createrepo_c", "createrepo-c"),
            ("gpg", "gnupg"),
        ] {
            tool(program, package);
        }
        let directory = scratch().join("rpm-forge");
        let _turn = once("rpm-forge");
        for key in [Key::Own, Key::Foreign] {
            let home = directory.join(key.name());
            if !home.join("public.asc").exists() {
                let _ = fs::remove_dir_all(&home);
                fs::create_dir_all(&home).unwrap();
                fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
                let user = "archive@racker.test";
                let make = ["--quick-generate-key", user, "rsa2048", "sign", "never"];
                gpg(&home, &make);
                let public = gpg(&home, &["--armor", "--export"]);
                fs::write(home.join("public.asc"), public).unwrap();
            }
        }
        directory
    })
}

impl Key {
    fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Foreign => "foreign",
            Self::None => "none",
        }
    }

    fn home(self) -> PathBuf {
        forge().join(self.name())
    }
}

/// Runs gpg, and ends the agent that it leaves behind.
fn gpg(home: &Path, arguments: &[&str]) -> Vec<u8> {
    let mut gpg = Command::new("gpg");
    gpg.arg("--homedir").arg(home);
    gpg.args([
        "--batch",
        "--quiet",
        "--pinentry-mode=loopback",
        "--passphrase=",
    ]);
    let said = execute(gpg.args(arguments));
    end_agent(home);
    said
}

fn end_agent(home: &Path) {
    let mut end = Command::new("gpgconf");
    execute(end.arg("--homedir").arg(home).args(["--kill", "gpg-agent"]));
}

/// A public key.
pub(crate) fn public(key: Key) -> String {
    fs::read_to_string(key.home().join("public.asc")).unwrap()
}

/// Builds a package, or finds it built.
pub(crate) fn build(rpm: &Rpm<'_>) -> PathBuf {
    let forge = forge();
    let id = blake3::hash(format!("{rpm:?}").as_bytes()).to_hex();
    let place = forge.join(&id[..16]);
    let _turn = once("rpm-forge");
    let bare = rpm.version.rsplit(':').next().unwrap_or_default();
    let file = format!("{}-{bare}-1.noarch.rpm", rpm.name);
    if place.exists() {
        return place.join(file);
    }
    let unfinished = temporary();
    let top = unfinished.path().join("top");
    fs::create_dir(&top).unwrap();
    let (name, version) = (rpm.name, rpm.version);
    let (epoch, version) = version.split_once(':').unwrap_or(("0", version));
    let script = |name: &str, text: &str| match text {
        "" => String::new(),
        text => format!("%{name}\n{text}\n"),
    };
    let scripts = script("pre", rpm.pre) + &script("post", rpm.post);
    let spec = format!(
        "Name: {name}\nEpoch: {epoch}\nVersion: {version}\nRelease: 1\nSummary: a package\n\
         License: MIT\nVendor: racker\nBuildArch: noarch\n{}\n%description\n<A> & package.\n\
         %install\nmkdir -p %{{buildroot}}/usr/share/{name}\n\
         echo {version} >%{{buildroot}}/usr/share/{name}/version\n{scripts}\
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
    let package = top.join(&file);
    if rpm.key != Key::None {
        let mut sign = Command::new("rpmsign");
        sign.args(define("_gpg_name", "archive@racker.test"));
        sign.args(define("_gpg_path", rpm.key.home().to_str().unwrap()));
        sign.args(define(
            "__gpg_sign_cmd",
            "/usr/bin/gpg gpg --no-armor --batch --pinentry-mode=loopback --passphrase= \
             --no-secmem-warning -u %{_gpg_name} -sbo %{__signature_filename} \
             %{__plaintext_filename}",
        ));
        execute(sign.arg("--addsign").arg(&package));
        end_agent(&rpm.key.home());
    }
    fs::rename(top, &place).unwrap();
    place.join(file)
}

/// A repository, served over HTTP.
pub(crate) struct Archive {
    /// Who installs from it: `dnf`, `dnf5` or `zypper`.
    pub(crate) manager: &'static str,
    directory: TempDir,
    pub(crate) files: Files,
}

impl Archive {
    /// An empty one.
    pub(crate) fn new(manager: &'static str) -> Self {
        let directory = temporary();
        let files = Files::serve(directory.path());
        Self {
            manager,
            directory,
            files,
        }
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
            let repomd = self.path("repodata/repomd.xml");
            let sign = [
                "--yes",
                "--armor",
                "--detach-sign",
                repomd.to_str().unwrap(),
            ];
            let _turn = once("rpm-forge");
            gpg(&key.home(), &sign);
            // zypper asks for it, and must not believe it.
            fs::write(self.path("repodata/repomd.xml.key"), public(key)).unwrap();
        }
    }
}
