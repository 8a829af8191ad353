//! Debian's `docker-registry` on loopback, and the tools that fill it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A registry of its own, ended on drop.
pub(crate) struct Registry {
    child: Child,
    directory: TempDir,
    /// Host and port.
    pub(crate) host: String,
}

/// Further configuration of a registry, in YAML.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra {
    /// Below `http`, indented by two.
    pub(crate) http: String,
    /// Below `storage`, indented by two.
    pub(crate) storage: String,
    /// At the top.
    pub(crate) top: String,
}

impl Registry {
    /// Starts a registry on a free port and waits until it answers.
    pub(crate) fn start() -> Self {
        Self::start_with(&Extra::default())
    }

    /// The same, with more configuration.
    pub(crate) fn start_with(extra: &Extra) -> Self {
        loop {
            if let Some(registry) = Self::try_start(extra) {
                return registry;
            }
        }
    }

    /// `None` if somebody else took the port in the meantime.
    fn try_start(extra: &Extra) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let host = format!("127.0.0.1:{}", free_port());
        let config = directory.path().join("config.yml");
        let storage = directory.path().join("storage");
        let text = format!(
            "version: 0.1\nlog:\n  level: error\n\
             storage:\n  filesystem: {{rootdirectory: {}}}\n{}http:\n  addr: {host}\n{}{}",
            storage.display(),
            extra.storage,
            extra.http,
            extra.top
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new("docker-registry");
        command
            .arg("serve")
            .arg(config)
            .stdout(File::create(directory.path().join("access.log")).unwrap())
            .stderr(Stdio::null());
        let child = command
            .spawn()
            .unwrap_or_else(|error| missing("docker-registry", &error));
        let mut registry = Self {
            child,
            directory,
            host,
        };
        registry.answers().then_some(registry)
    }

    fn answers(&mut self) -> bool {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect(&self.host).is_ok() {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("docker-registry does not answer");
    }

    /// Copies an image into the registry; `options` go to `skopeo copy`.
    pub(crate) fn push(&self, source: &str, name: &str, options: &[&str]) {
        let target = format!("docker://{}/{name}", self.host);
        let mut arguments = vec!["copy", "--quiet", "--dest-tls-verify=false"];
        arguments.extend(options);
        arguments.extend([source, &target]);
        tool("skopeo", &arguments);
    }

    /// Ends the registry; nobody answers any more.
    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The directory in which the registry keeps everything.
    pub(crate) fn storage(&self) -> PathBuf {
        self.directory.path().join("storage")
    }

    /// The file in which the registry keeps a blob.
    pub(crate) fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let blobs = self
            .directory
            .path()
            .join("storage/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }

    /// All requests so far, such as `GET /v2/`, with the status of the answer behind them.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(self.directory.path().join("access.log")).unwrap();
        let line = |line: &str| {
            let (_, rest) = line.split_once('"')?;
            let (request, rest) = rest.split_once(" HTTP/")?;
            let status = rest.split(' ').nth(1)?;
            Some(format!("{request} {status}"))
        };
        log.lines().filter_map(line).collect()
    }

    /// The versions of HTTP that were spoken so far.
    pub(crate) fn versions(&self) -> BTreeSet<String> {
        let log = fs::read_to_string(self.directory.path().join("access.log")).unwrap();
        let version = |line: &str| {
            let (_, rest) = line.split_once(" HTTP/")?;
            Some(rest.split_once('"')?.0.to_owned())
        };
        log.lines().filter_map(version).collect()
    }

    /// The requests that sent bytes of blobs, after the first `count` requests.
    pub(crate) fn uploads(&self, count: usize) -> Vec<String> {
        let mut all = self.requests().split_off(count);
        all.retain(|it| it.contains("/blobs/uploads/"));
        all.retain(|it| it.starts_with("PATCH ") || it.starts_with("PUT "));
        all
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a tool that must be there and must succeed; gives its output.
#[track_caller]
pub(crate) fn tool<S: AsRef<OsStr>>(name: &str, arguments: &[S]) -> String {
    let result = Command::new(name).args(arguments).output();
    let output = result.unwrap_or_else(|error| missing(name, &error));
    let error = String::from_utf8_lossy(&output.stderr);
    let shown: Vec<_> = arguments
        .iter()
        .map(|a| a.as_ref().to_string_lossy())
        .collect();
    assert!(
        output.status.success(),
        "{name} {}: {error}",
        shown.join(" ")
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The manifest that a registry has, by its name there, as skopeo shows it.
pub(crate) fn raw_manifest(name: &str) -> String {
    let name = format!("docker://{name}");
    tool("skopeo", &["inspect", "--raw", "--tls-verify=false", &name])
}

/// An OCI layout made by umoci with one layer per tar file; the image is `DIR:test`.
pub(crate) fn layout(directory: &Path, layers: &[&Path]) -> String {
    let shown = directory.to_str().unwrap();
    let image = format!("{shown}:test");
    tool("umoci", &["init", "--layout", shown]);
    tool("umoci", &["new", "--image", &image]);
    for layer in layers {
        tool(
            "umoci",
            &[
                "raw",
                "add-layer",
                "--image",
                &image,
                layer.to_str().unwrap(),
            ],
        );
    }
    tool(
        "umoci",
        &[
            "config",
            "--image",
            &image,
            "--config.cmd",
            "/bin/sh",
            "--config.env",
            "A=b",
        ],
    );
    format!("oci:{image}")
}

/// The root file system that umoci makes of an image.
pub(crate) fn unpack(layout: &str, bundle: &Path) -> PathBuf {
    let image = layout.strip_prefix("oci:").unwrap();
    tool(
        "umoci",
        &["unpack", "--image", image, bundle.to_str().unwrap()],
    );
    bundle.join("rootfs")
}

/// A port of 127.0.0.1 that nobody has.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn missing(tool: &str, error: &std::io::Error) -> ! {
    panic!("this test needs {tool} from the Debian package `{tool}`: {error}");
}
