//! Pulls from a real registry, and what `umoci unpack` makes of the same images.
//!
//! Needs root and the Debian packages `docker-registry`, `skopeo`, `umoci` and `mmdebstrap`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use racker::oci::{
    self, Client, Download, Error, Options, Platform, Progress, Reference, Registries, Settings,
    Status,
};
use racker_store::{Access, Content, Digest, Image, NodeRef, Store};
use sha2::Digest as _;

#[path = "support/registry.rs"]
#[allow(dead_code, reason = "another test uses the rest of it")]
mod support;

use support::{Registry, layout, tool, unpack};

/// Everything that a comparison looks at, as one line per path.
type Listing = BTreeMap<Vec<u8>, String>;

fn open(directory: &Path) -> Store {
    Store::open(&directory.join("store"), Access::ReadWrite).unwrap()
}

fn pull(store: &Store, name: &str) -> oci::Result<oci::Pulled> {
    let (client, registries) = (Client::new(), Registries::default());
    let reference = Reference::parse(name).unwrap();
    oci::pull(store, &reference, &Options::new(&client, &registries))
}

/// The store's tree as a listing.
fn of_tree(store: &Store, image: &Image) -> Listing {
    let tree = store.tree(image.tree).unwrap();
    let entries: Vec<_> = tree.entries().collect();
    let mut names: BTreeMap<_, Vec<&[u8]>> = BTreeMap::new();
    for (path, node) in &entries {
        if let NodeRef::Inode(id, _) = node {
            names.entry(*id).or_default().push(path);
        }
    }
    let mut listing = Listing::new();
    for (path, node) in &entries {
        let metadata = node.metadata();
        let (kind, links) = match node {
            NodeRef::Directory(_) => ("directory".to_owned(), String::new()),
            NodeRef::Inode(id, inode) => (content(store, &inode.content), show_links(&names[id])),
        };
        let mut mode = metadata.mode;
        let mut time = format!(
            "{}.{:09}",
            metadata.mtime.seconds, metadata.mtime.nanoseconds
        );
        match node {
            NodeRef::Directory(_) => time = String::new(),
            NodeRef::Inode(_, inode) if matches!(inode.content, Content::Symlink(_)) => {
                mode = 0o777;
            }
            NodeRef::Inode(..) => {}
        }
        let xattrs = metadata
            .xattrs
            .iter()
            .map(|(k, v)| (k.to_vec(), v.to_vec()))
            .collect();
        listing.insert(
            path.clone(),
            line(
                &kind,
                mode,
                metadata.uid,
                metadata.gid,
                &time,
                &xattrs,
                &links,
            ),
        );
    }
    listing
}

fn content(store: &Store, content: &Content) -> String {
    match content {
        Content::File { object, size } => {
            let mut bytes = Vec::new();
            if let Some(object) = object {
                store
                    .open_object(*object)
                    .unwrap()
                    .read_to_end(&mut bytes)
                    .unwrap();
            }
            assert_eq!(bytes.len() as u64, *size);
            file(&bytes)
        }
        Content::Symlink(target) => format!("link {}", target.escape_ascii()),
        Content::CharDevice { major, minor } => format!("char {major}:{minor}"),
        Content::BlockDevice { major, minor } => format!("block {major}:{minor}"),
        Content::Fifo => "fifo".to_owned(),
        Content::Socket => "socket".to_owned(),
    }
}

fn file(bytes: &[u8]) -> String {
    let digest = Digest::from_bytes(sha2::Sha256::digest(bytes).into());
    format!("file {} {digest}", bytes.len())
}

fn line(
    kind: &str,
    mode: u32,
    uid: u32,
    gid: u32,
    time: &str,
    xattrs: &BTreeMap<Vec<u8>, Vec<u8>>,
    links: &str,
) -> String {
    let xattrs: Vec<String> = xattrs
        .iter()
        .map(|(name, value)| format!("{}={}", name.escape_ascii(), value.escape_ascii()))
        .collect();
    format!(
        "{kind} {mode:o} {uid}:{gid} {time} [{}] {links}",
        xattrs.join(" ")
    )
}

fn show_links(names: &[&[u8]]) -> String {
    let shown: Vec<String> = names
        .iter()
        .map(|name| name.escape_ascii().to_string())
        .collect();
    format!("{} {}", names.len(), shown.join(" = "))
}

/// A directory on disk as a listing.
fn of_directory(root: &Path) -> Listing {
    let mut paths = Vec::new();
    walk(root, &mut paths);
    let mut names: BTreeMap<u64, Vec<Vec<u8>>> = BTreeMap::new();
    let relative = |path: &Path| {
        path.strip_prefix(root)
            .unwrap()
            .as_os_str()
            .as_bytes()
            .to_vec()
    };
    for path in &paths {
        let inode = path.symlink_metadata().unwrap().ino();
        names.entry(inode).or_default().push(relative(path));
    }
    let mut listing = Listing::new();
    for path in &paths {
        let metadata = path.symlink_metadata().unwrap();
        let kind = metadata.file_type();
        let (major, minor) = (
            rustix::fs::major(metadata.rdev()),
            rustix::fs::minor(metadata.rdev()),
        );
        let shown = if kind.is_dir() {
            "directory".to_owned()
        } else if kind.is_symlink() {
            let target = fs::read_link(path).unwrap();
            format!("link {}", target.as_os_str().as_bytes().escape_ascii())
        } else if kind.is_file() {
            file(&fs::read(path).unwrap())
        } else if kind.is_char_device() {
            format!("char {major}:{minor}")
        } else if kind.is_block_device() {
            format!("block {major}:{minor}")
        } else {
            "fifo".to_owned()
        };
        let mut links = String::new();
        let mut time = String::new();
        if !kind.is_dir() {
            let mut all: Vec<&[u8]> = names[&metadata.ino()].iter().map(Vec::as_slice).collect();
            all.sort_unstable();
            assert_eq!(all.len() as u64, metadata.nlink(), "{}", path.display());
            links = show_links(&all);
            time = format!("{}.{:09}", metadata.mtime(), metadata.mtime_nsec());
        }
        let mode = metadata.mode() & 0o7777;
        listing.insert(
            relative(path),
            line(
                &shown,
                mode,
                metadata.uid(),
                metadata.gid(),
                &time,
                &xattrs(path),
                &links,
            ),
        );
    }
    listing
}

fn walk(path: &Path, paths: &mut Vec<PathBuf>) {
    paths.push(path.to_owned());
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            walk(&entry.unwrap().path(), paths);
        }
    }
}

fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0; 65536];
    let length = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    let names = names[..length]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty());
    let mut found = BTreeMap::new();
    for name in names {
        let mut value = vec![0; 65536];
        let length = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
        value.truncate(length);
        found.insert(name.to_vec(), value);
    }
    found
}

fn assert_same(ours: &Listing, theirs: &Listing) {
    let mut differences = Vec::new();
    for path in ours
        .keys()
        .chain(theirs.keys())
        .collect::<std::collections::BTreeSet<_>>()
    {
        let (one, other) = (ours.get(path), theirs.get(path));
        if one != other {
            differences.push(format!(
                "{}\n  racker {one:?}\n  umoci  {other:?}",
                path.escape_ascii()
            ));
        }
    }
    let count = differences.len();
    differences.truncate(20);
    assert!(
        differences.is_empty(),
        "{count} differences:\n{}",
        differences.join("\n")
    );
}

fn assert_undamaged(store: &Store) {
    let damage = store.verify().unwrap();
    assert!(damage.is_empty(), "{damage:?}");
}

/// A root file system of Debian, made once per build directory.
fn debian() -> PathBuf {
    static LOCK: Mutex<()> = Mutex::new(());
    let _guard = LOCK.lock();
    if let Some(given) = std::env::var_os("RACKER_TEST_DEBIAN_TAR") {
        return given.into();
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bookworm.tar");
    if !path.exists() {
        let part = path.with_extension("part.tar");
        let arguments = [
            "--quiet",
            "--variant=minbase",
            "bookworm",
            part.to_str().unwrap(),
        ];
        tool("mmdebstrap", &arguments);
        fs::rename(part, &path).unwrap();
    }
    path
}

struct Maker(tar::Builder<fs::File>);

impl Maker {
    fn new(path: &Path) -> Self {
        Self(tar::Builder::new(fs::File::create(path).unwrap()))
    }

    fn add(&mut self, kind: u8, path: &[u8], mode: u32, body: &[u8], target: &str) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::new(kind));
        header.as_mut_bytes()[..path.len()].copy_from_slice(path);
        header.set_mode(mode);
        header.set_uid(if path.starts_with(b"home") { 1000 } else { 0 });
        header.set_gid(if path.starts_with(b"home") {
            3_000_000
        } else {
            0
        });
        header.set_mtime(1_600_000_000 + path.len() as u64);
        header.set_size(body.len() as u64);
        if !target.is_empty() {
            header.set_link_name(target).unwrap();
        }
        if matches!(kind, b'3' | b'4') {
            header.set_device_major(7).unwrap();
            header.set_device_minor(300).unwrap();
        }
        header.set_cksum();
        self.0.append(&header, body).unwrap();
    }

    fn xattr(&mut self, name: &str, value: &[u8]) {
        let key = format!("SCHILY.xattr.{name}");
        self.0
            .append_pax_extensions([(key.as_str(), value)])
            .unwrap();
    }

    fn finish(self) {
        self.0.into_inner().unwrap().flush().unwrap();
    }
}

/// Three layers with everything that a layer can say.
fn odd_layers(directory: &Path) -> Vec<PathBuf> {
    let paths: Vec<PathBuf> = (1..4)
        .map(|n| directory.join(format!("layer{n}.tar")))
        .collect();
    let mut one = Maker::new(&paths[0]);
    one.add(b'5', b"bin/", 0o755, b"", "");
    one.xattr(
        "security.capability",
        &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    one.add(b'0', b"bin/ping", 0o755, b"ping", "");
    one.add(b'0', b"bin/su", 0o4755, &vec![7; 70_000], "");
    one.add(b'1', b"bin/su2", 0o4755, b"", "bin/su");
    one.add(b'2', b"sbin", 0o777, b"", "bin");
    one.add(b'5', b"tmp/", 0o1777, b"", "");
    one.add(b'5', b"home/me/", 0o2750, b"", "");
    one.xattr("user.note", b"a\0b");
    one.add(b'0', b"home/me/caf\xe9", 0o600, b"latin", "");
    one.add(b'3', b"dev/loop", 0o660, b"", "");
    one.add(b'6', b"dev/pipe", 0o600, b"", "");
    one.add(b'5', b"opaque/", 0o755, b"", "");
    one.add(b'0', b"opaque/old", 0o644, b"old", "");
    one.add(b'5', b"gone/", 0o755, b"", "");
    one.add(b'0', b"gone/deep/file", 0o644, b"gone", "");
    one.add(b'0', b"swap", 0o644, b"file", "");
    one.add(b'5', b"paws/", 0o755, b"", "");
    one.add(b'0', b"paws/x", 0o644, b"x", "");
    one.add(b'0', b"empty", 0o000, b"", "");
    one.finish();
    let mut two = Maker::new(&paths[1]);
    two.add(b'0', b".wh.gone", 0o644, b"", "");
    two.add(b'5', b"opaque/", 0o700, b"", "");
    two.add(b'0', b"opaque/new", 0o644, b"new", "");
    two.add(b'0', b"opaque/.wh..wh..opq", 0o644, b"", "");
    two.add(b'5', b"swap/", 0o755, b"", "");
    two.add(b'0', b"swap/inner", 0o644, b"inner", "");
    two.add(b'0', b"paws", 0o644, b"now a file", "");
    two.add(b'1', b"bin/su3", 0o4755, b"", "bin/su");
    two.add(b'0', b"bin/ping", 0o711, b"pong", "");
    two.finish();
    let mut three = Maker::new(&paths[2]);
    three.add(b'5', b"gone/", 0o711, b"", "");
    three.add(b'0', b"gone/again", 0o644, b"again", "");
    three.add(b'0', b"bin/.wh.su2", 0o644, b"", "");
    three.finish();
    paths
}

#[derive(Default)]
struct Log {
    started: Mutex<Vec<String>>,
    present: Mutex<Vec<String>>,
}

impl Progress for Log {
    fn started(&self, item: &str, _: Option<u64>) {
        self.started.lock().unwrap().push(item.to_owned());
    }

    fn present(&self, item: &str) {
        self.present.lock().unwrap().push(item.to_owned());
    }
}

#[test]
fn a_debian_image_is_the_same_by_every_way() {
    let directory = tempfile::tempdir().unwrap();
    let tar = debian();
    let source = layout(&directory.path().join("layout"), &[&tar]);
    let plain = format!("dir:{}", directory.path().join("plain").display());
    tool(
        "skopeo",
        &["copy", "--quiet", "--dest-decompress", &source, &plain],
    );
    let zstd = format!("oci:{}:test", directory.path().join("zstd").display());
    tool(
        "skopeo",
        &[
            "copy",
            "--quiet",
            "--dest-compress-format",
            "zstd",
            &plain,
            &zstd,
        ],
    );
    let reference = of_directory(&unpack(&source, &directory.path().join("bundle")));
    let mut trees = Vec::new();
    for (from, options) in [
        (&source, &[][..]),
        (&source, &["--format", "v2s2"]),
        (&zstd, &["--format", "oci"]),
    ] {
        let registry = Registry::start();
        registry.push(from, "test/debian:12", options);
        let name = format!("{}/test/debian:12", registry.host);
        let kind = tool(
            "skopeo",
            &[
                "inspect",
                "--raw",
                "--tls-verify=false",
                &format!("docker://{name}"),
            ],
        );
        assert_eq!(from == &zstd, kind.contains("tar+zstd"), "{kind}");
        assert_eq!(
            options.contains(&"v2s2"),
            kind.contains("vnd.docker"),
            "{kind}"
        );
        let place = tempfile::tempdir().unwrap();
        let store = open(place.path());
        let pulled = pull(&store, &name).unwrap();
        assert_eq!(pulled.status, Status::Downloaded);
        assert_eq!(pulled.image.config["config"]["Cmd"][0], "/bin/sh");
        assert_eq!(pulled.image.layers.len(), 1);
        assert_same(&of_tree(&store, &pulled.image), &reference);
        assert_undamaged(&store);
        assert_eq!(pull(&store, &name).unwrap().status, Status::UpToDate);
        trees.push(pulled.image.tree);
    }
    let (client, registries) = (Client::new(), Registries::default());
    let options = Options::new(&client, &registries);
    let store = open(directory.path());
    let image = oci::layout::import(
        &store,
        &directory.path().join("zstd"),
        Some("test"),
        "from-layout",
        &options,
    );
    trees.push(image.unwrap().tree);
    let archive = directory.path().join("archive.tar");
    let target = format!("docker-archive:{}:some/name:tag", archive.display());
    tool("skopeo", &["copy", "--quiet", &source, &target]);
    let other = tempfile::tempdir().unwrap();
    let other = open(other.path());
    let image = oci::archive::import(&other, &archive, None, "from-archive", &options).unwrap();
    trees.push(image.tree);
    for compressor in ["xz -0 -T0 -c", "zstd -1 -q -c", "gzip -1 -c", "cat"] {
        let packed = directory.path().join("packed");
        let script = format!("{compressor} < {} > {}", tar.display(), packed.display());
        tool("sh", &["-c", &script]);
        let reader = fs::File::open(&packed).unwrap();
        let image = oci::rootfs::import(&store, compressor, reader, "from-tar", &options).unwrap();
        trees.push(image.tree);
    }
    trees.dedup();
    assert_eq!(trees.len(), 1, "{trees:?}");
    assert_undamaged(&store);
}

#[test]
fn layers_are_applied_as_umoci_does_and_shared() {
    let directory = tempfile::tempdir().unwrap();
    let layers = odd_layers(directory.path());
    let layers: Vec<&Path> = layers.iter().map(PathBuf::as_path).collect();
    let registry = Registry::start();
    let store = open(directory.path());
    let (client, registries) = (Client::new(), Registries::default());
    let mut images = Vec::new();
    for count in [2, 3] {
        let source = layout(
            &directory.path().join(format!("layout{count}")),
            &layers[..count],
        );
        registry.push(&source, &format!("odd:{count}"), &[]);
        let log = Log::default();
        let options = Options {
            progress: &log,
            ..Options::new(&client, &registries)
        };
        let name = format!("{}/odd:{count}", registry.host);
        let reference = Reference::parse(&name).unwrap();
        let resolved = oci::resolve(&reference, &options).unwrap();
        let image = oci::pull(&store, &reference, &options).unwrap().image;
        assert_eq!(image.digest, Some(resolved.manifest));
        assert_eq!(image.name, name);
        assert_eq!(image.layers.len(), count);
        let (started, present) = (
            log.started.into_inner().unwrap(),
            log.present.into_inner().unwrap(),
        );
        assert_eq!(
            (started.len(), present.len()),
            if count == 2 { (2, 0) } else { (1, 2) }
        );
        let theirs = unpack(&source, &directory.path().join(format!("bundle{count}")));
        assert_same(&of_tree(&store, &image), &of_directory(&theirs));
        images.push(image);
    }
    assert_eq!(images[0].layers[1].tree, images[1].layers[1].tree);
    let pinned = images[1].source.clone().unwrap();
    assert!(pinned.contains("@sha256:"));
    drop(registry);
    // Pinned to another name, it is not in the store; the registry is gone.
    assert!(matches!(
        pull(&store, &pinned),
        Err(Error::Unreachable { .. })
    ));
    assert_undamaged(&store);
}

#[test]
fn damage_on_the_way_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let layers = odd_layers(directory.path());
    let registry = Registry::start();
    let source = layout(&directory.path().join("layout"), &[&layers[0], &layers[1]]);
    registry.push(&source, "odd:1", &[]);
    let name = format!("{}/odd:1", registry.host);
    let raw = tool(
        "skopeo",
        &[
            "inspect",
            "--raw",
            "--tls-verify=false",
            &format!("docker://{name}"),
        ],
    );
    let manifest: serde_json::Value = serde_json::from_str(&raw).unwrap();
    for (blob, cut) in [
        (&manifest["layers"][0]["digest"], false),
        (&manifest["layers"][1]["digest"], true),
        (&manifest["config"]["digest"], false),
    ] {
        let path = registry.blob(blob.as_str().unwrap());
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        if cut {
            bad.truncate(good.len() - 7);
        } else {
            bad[good.len() / 2] ^= 0x20;
        }
        fs::write(&path, bad).unwrap();
        let place = tempfile::tempdir().unwrap();
        let store = open(place.path());
        let error = pull(&store, &name).unwrap_err();
        assert!(error.is_digest_mismatch(), "{error}");
        assert!(store.images().unwrap().is_empty());
        assert_undamaged(&store);
        fs::write(&path, good).unwrap();
        assert_eq!(pull(&store, &name).unwrap().status, Status::Downloaded);
        assert_undamaged(&store);
    }
}

#[test]
fn a_wrong_diff_id_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let layers = odd_layers(directory.path());
    let root = directory.path().join("layout");
    layout(&root, &[&layers[0]]);
    let blobs = root.join("blobs/sha256");
    let put = |bytes: &[u8]| {
        let digest = Digest::from_bytes(sha2::Sha256::digest(bytes).into());
        fs::write(blobs.join(digest.hex()), bytes).unwrap();
        (digest.to_string(), bytes.len())
    };
    let read = |digest: &serde_json::Value| -> serde_json::Value {
        let hex = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
        serde_json::from_slice(&fs::read(blobs.join(hex)).unwrap()).unwrap()
    };
    let mut index: serde_json::Value =
        serde_json::from_slice(&fs::read(root.join("index.json")).unwrap()).unwrap();
    let mut manifest = read(&index["manifests"][0]["digest"]);
    let mut config = read(&manifest["config"]["digest"]);
    config["rootfs"]["diff_ids"][0] = manifest["config"]["digest"].clone();
    let (digest, size) = put(config.to_string().as_bytes());
    manifest["config"]["digest"] = digest.into();
    manifest["config"]["size"] = size.into();
    let (digest, size) = put(manifest.to_string().as_bytes());
    index["manifests"][0]["digest"] = digest.into();
    index["manifests"][0]["size"] = size.into();
    fs::write(root.join("index.json"), index.to_string()).unwrap();
    let store = open(directory.path());
    let (client, registries) = (Client::new(), Registries::default());
    let options = Options::new(&client, &registries);
    let error = oci::layout::import(&store, &root, None, "x", &options).unwrap_err();
    assert!(matches!(error, Error::DigestMismatch { .. }), "{error}");
    assert!(store.images().unwrap().is_empty());
    assert_undamaged(&store);
    let error = oci::layout::import(&store, &root, Some("none"), "x", &options).unwrap_err();
    assert!(error.to_string().contains("`none`"), "{error}");
}

#[test]
fn mirrors_platforms_and_absence() {
    let directory = tempfile::tempdir().unwrap();
    let layers = odd_layers(directory.path());
    let registry = Registry::start();
    let source = layout(&directory.path().join("layout"), &[&layers[0]]);
    registry.push(&source, "hub/library/thing:1", &[]);
    let store = open(directory.path());
    let client = Client::new();
    let file = directory.path().join("registries.conf");
    fs::write(&file, "").unwrap();
    let settings = Settings {
        file: Some(file),
        user: None,
        mirrors: Some(format!("docker.io={}/hub", registry.host)),
        ..Settings::default()
    };
    let registries = Registries::load(&settings).unwrap();
    let options = Options::new(&client, &registries);
    let thing = Reference::parse("thing:1").unwrap();
    let image = oci::pull(&store, &thing, &options).unwrap().image;
    assert_eq!(image.name, "docker.io/library/thing:1");

    let platform = Some(Platform::new("linux", "s390x", None));
    let foreign = Options {
        platform,
        ..options.clone()
    };
    let other = tempfile::tempdir().unwrap();
    let error = oci::pull(&open(other.path()), &thing, &foreign).unwrap_err();
    assert!(matches!(error, Error::NoPlatform { .. }), "{error}");

    let offline = Options {
        offline: true,
        ..options
    };
    let kept = oci::pull(&store, &thing, &offline).unwrap();
    assert_eq!(kept.status, Status::UpToDate);
    assert_eq!(kept.image.tree, image.tree);
    let absent = Reference::parse("thing:2").unwrap();
    let error = oci::pull(&store, &absent, &offline).unwrap_err();
    assert!(matches!(error, Error::Offline(_)), "{error}");

    let absent = format!("{}/hub/library/thing:2", registry.host);
    assert!(matches!(pull(&store, &absent), Err(Error::NotFound { .. })));
    drop(registry);
    let error = pull(&store, &absent).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(!error.hints().is_empty());
    assert_undamaged(&store);
}

#[test]
fn short_names_are_looked_for_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let layers = odd_layers(directory.path());
    let (mut one, two) = (Registry::start(), Registry::start());
    let source = layout(&directory.path().join("layout"), &[&layers[0]]);
    let other = layout(&directory.path().join("other"), &[&layers[1]]);
    one.push(&source, "team/both:1", &[]);
    two.push(&other, "team/both:1", &[]);
    two.push(&source, "thing:1", &[]);
    two.push(&source, "thing:2", &[]);
    let file = directory.path().join("registries.conf");
    let list = format!("[\"{}\", \"{}\"]", one.host, two.host);
    let text =
        format!("unqualified-search-registries = {list}\n[aliases]\nshort = 'gone.example/x'");
    fs::write(&file, text).unwrap();
    let user = directory.path().join("user");
    fs::create_dir_all(user.join("registries.conf.d")).unwrap();
    let drop_in = user.join("registries.conf.d/000-shortnames.conf");
    fs::write(drop_in, format!("[aliases]\nshort = '{}/thing'", two.host)).unwrap();
    let settings = Settings {
        file: Some(file),
        user: Some(user),
        ..Settings::default()
    };
    let registries = Registries::load(&settings).unwrap();
    let (client, store) = (Client::new(), open(directory.path()));
    let options = Options::new(&client, &registries);
    let locate = |text: &str| oci::locate(text, &options).map(|name| name.to_string());

    // An alias needs nobody's word.
    let before = (one.requests(), two.requests());
    assert_eq!(locate("short:1").unwrap(), format!("{}/thing:1", two.host));
    assert_eq!((one.requests(), two.requests()), before);
    // The first that has it.
    assert_eq!(locate("thing:1").unwrap(), format!("{}/thing:1", two.host));
    let asked = "GET /v2/thing/manifests/1 404".to_owned();
    assert!(one.requests().contains(&asked), "{:?}", one.requests());
    let both = oci::locate("team/both:1", &options).unwrap();
    let image = oci::pull(&store, &both, &options).unwrap().image;
    assert_eq!(image.name, format!("{}/team/both:1", one.host));
    let thing = pull(&store, &format!("{}/thing:1", two.host)).unwrap();
    assert_eq!(image.tree, thing.image.tree);
    // By digest.
    let pinned = format!("thing@{}", thing.image.digest.unwrap());
    assert_eq!(locate(&pinned).unwrap(), format!("{}/{pinned}", two.host));
    let (name, tags) = oci::locate_tags("thing", &options).unwrap();
    assert_eq!(
        (name.registry(), tags),
        (&*two.host, vec!["1".to_owned(), "2".to_owned()])
    );
    // None has it.
    let error = locate("thing:3").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("thing:3 not found on {}, {}", one.host, two.host)
    );
    // What cannot be asked is not passed over.
    one.stop();
    let error = locate("thing:1").unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&one.host), "{error}");
    assert_undamaged(&store);
}

#[test]
fn many_files_are_fetched_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let layers = odd_layers(directory.path());
    let registry = Registry::start();
    let layers: Vec<&Path> = layers.iter().map(PathBuf::as_path).collect();
    registry.push(
        &layout(&directory.path().join("layout"), &layers),
        "odd:1",
        &[],
    );
    let name = format!("docker://{}/odd:1", registry.host);
    let raw = tool("skopeo", &["inspect", "--raw", "--tls-verify=false", &name]);
    let manifest: serde_json::Value = serde_json::from_str(&raw).unwrap();
    let list: Vec<Download> = manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| {
            let digest = layer["digest"].as_str().unwrap();
            let url = format!("http://{}/v2/odd/blobs/{digest}", registry.host);
            Download {
                // A mirror that lost it is passed over.
                mirrors: vec![format!("http://{}/v2/odd/gone/{digest}", registry.host)],
                others: Vec::new(),
                url,
                digest: Some(digest.parse().unwrap()),
                size: layer["size"].as_u64(),
            }
        })
        .collect();
    let store = open(directory.path());
    let (client, log) = (Client::new(), Log::default());
    let digests = client.download_all(&store, &list, 8, &log).unwrap();
    assert_eq!(
        digests,
        list.iter()
            .map(|file| file.digest.unwrap())
            .collect::<Vec<_>>()
    );
    assert!(digests.iter().all(|digest| store.blob(digest).is_some()));
    client.download_all(&store, &list, 8, &log).unwrap();
    assert_eq!(
        (
            log.started.lock().unwrap().len(),
            log.present.lock().unwrap().len()
        ),
        (3, 3)
    );
    let wrong = Download {
        digest: Some(digests[0]),
        size: None,
        url: list[1].url.clone(),
        mirrors: Vec::new(),
        others: Vec::new(),
    };
    let other = tempfile::tempdir().unwrap();
    let (place, error) = client
        .download_all(&open(other.path()), &[wrong], 1, &log)
        .unwrap_err();
    assert_eq!(place, 0);
    assert!(matches!(error, Error::DigestMismatch { .. }), "{error}");
}
