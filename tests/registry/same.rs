//! Whatever way an image comes, and whoever unpacks it, the same files come out.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use racker::oci::{self, Client, Error, Options, Reference, Registries, Status};
use racker_store::Digest;

use crate::listing::{assert_same, of_directory, of_tree};
use crate::odd::odd_layers;
use crate::support::{Registry, layout, raw_manifest, tool, unpack};
use crate::{Log, assert_undamaged, open, pull};

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
        let kind = raw_manifest(&name);
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
    // The registry is gone: what was pulled by a tag is there by its digest, and no other is.
    let pulled = pull(&store, &pinned).unwrap();
    assert_eq!(pulled.status, Status::UpToDate);
    assert_eq!(
        (&pulled.image.name, pulled.image.tree),
        (&pinned, images[1].tree)
    );
    let (repository, _) = pinned.split_once('@').unwrap();
    let absent = format!("{repository}@{}", Digest::from_bytes([7; 32]));
    assert!(matches!(
        pull(&store, &absent),
        Err(Error::Unreachable { .. })
    ));
    assert_undamaged(&store);
}
