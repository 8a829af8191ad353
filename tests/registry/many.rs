//! Many files at once.

use std::path::{Path, PathBuf};

use racker::oci::{Client, Download, Error};

use crate::odd::odd_layers;
use crate::support::{Registry, layout, raw_manifest};
use crate::{Log, open};

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
    let raw = raw_manifest(&format!("{}/odd:1", registry.host));
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
