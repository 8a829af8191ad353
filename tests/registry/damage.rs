//! Bytes that are not what they were said to be.

use std::fs;

use racker::oci::{self, Client, Error, Options, Registries, Status};
use racker_store::Digest;
use sha2::Digest as _;

use crate::odd::odd_layers;
use crate::support::{Registry, layout, raw_manifest};
use crate::{assert_undamaged, open, pull};

#[test]
fn damage_on_the_way_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let layers = odd_layers(directory.path());
    let registry = Registry::start();
    let source = layout(&directory.path().join("layout"), &[&layers[0], &layers[1]]);
    registry.push(&source, "odd:1", &[]);
    let name = format!("{}/odd:1", registry.host);
    let manifest: serde_json::Value = serde_json::from_str(&raw_manifest(&name)).unwrap();
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
