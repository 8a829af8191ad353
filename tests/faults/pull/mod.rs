//! Faults while an image is pulled.

mod access;
mod bodies;
mod connections;
mod documents;

use std::sync::Arc;

use racker::oci::{self, Options, Reference, Registries, Settings};
use serde_json::{Value, json};

use crate::picture::{Picture, architecture, tar};
use crate::wire::{Answer, Asked, Wire};
use crate::{Outcome, Row, check, client, compare, open, try_all};

type Handler = Arc<dyn Fn(&Asked, &Picture, &str) -> Option<Answer> + Send + Sync>;

/// A fault, and what the registry has.
pub(crate) struct Fault {
    pub(crate) row: Row,
    picture: Picture,
    /// What it answers instead of the truth; gets the host of another server too.
    handler: Handler,
}

fn fault(
    name: &'static str,
    outcome: Outcome,
    picture: Picture,
    handler: impl Fn(&Asked, &Picture, &str) -> Option<Answer> + Send + Sync + 'static,
) -> Fault {
    Fault {
        row: Row { name, outcome },
        picture,
        handler: Arc::new(handler),
    }
}

/// A registry that tells the truth about a strange image.
fn strange(name: &'static str, outcome: Outcome, picture: Picture) -> Fault {
    fault(name, outcome, picture, |_, _, _| None)
}

/// A fault in the answers for the manifest.
fn manifests(
    name: &'static str,
    outcome: Outcome,
    answer: impl Fn(&Asked, &[u8]) -> Option<Answer> + Send + Sync + 'static,
) -> Fault {
    fault(name, outcome, Picture::new(), move |asked, picture, _| {
        let own = picture.manifest.to_string();
        Picture::is_manifest(asked)
            .then(|| answer(asked, own.as_bytes()))
            .flatten()
    })
}

/// A fault in the answers for the large layer.
fn layers(
    name: &'static str,
    outcome: Outcome,
    answer: impl Fn(&Asked, &[u8]) -> Option<Answer> + Send + Sync + 'static,
) -> Fault {
    fault(name, outcome, Picture::new(), move |asked, picture, _| {
        let layer = picture.layer(1);
        let own = asked.path.ends_with(&layer);
        own.then(|| answer(asked, &picture.blobs[&layer])).flatten()
    })
}

fn changed(change: impl FnOnce(&mut Picture)) -> Picture {
    let mut picture = Picture::new();
    change(&mut picture);
    picture
}

fn platform() -> Value {
    json!({ "os": "linux", "architecture": architecture() })
}

pub(crate) fn faults() -> Vec<Fault> {
    let mut all = access::access();
    all.extend(connections::connections());
    all.extend(documents::documents());
    all.extend(bodies::bodies());
    all
}

#[test]
fn every_fault_ends_well() {
    let all = faults();
    try_all(all.len(), |index| {
        let Fault {
            row,
            picture,
            handler,
        } = &all[index];
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path());
        let before = Picture::of(&[tar(&[("before", b"1")])]);
        let earlier = {
            let wire = Wire::start(move |asked| before.answer(asked));
            let earlier = pull(
                &store,
                &format!("{}/before", wire.host),
                &Registries::default(),
            );
            earlier.unwrap().image.name
        };
        let honest = picture.clone();
        let other = Wire::start(move |asked| honest.answer(asked));
        let (handler, picture, elsewhere) =
            (Arc::clone(handler), picture.clone(), other.host.clone());
        let wire = Wire::start(move |asked| {
            handler(asked, &picture, &elsewhere).unwrap_or_else(|| picture.answer(asked))
        });
        let result = pull(
            &store,
            &format!("{}/a/b", wire.host),
            &Registries::default(),
        );
        compare(row, &result)?;
        let mut images = vec![earlier];
        images.extend(result.ok().map(|pulled| pulled.image.name));
        images.sort();
        // Nobody else is told what the registry was told.
        if other
            .asked()
            .iter()
            .any(|it| it.header("authorization").is_some())
        {
            return Err(format!("{}: another host got credentials", row.name));
        }
        check(&store, &images).map_err(|reason| format!("{}: {reason}", row.name))
    });
}

fn pull(
    store: &racker_store::Store,
    name: &str,
    registries: &Registries,
) -> oci::Result<oci::Pulled> {
    let client = client();
    let reference = Reference::parse(name).unwrap();
    oci::pull(store, &reference, &Options::new(&client, registries))
}

/// A mirror that is broken is passed over; what it said does not count.
#[test]
fn mirrors_that_fail_are_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let picture = Picture::new();
    let good = Wire::start(move |asked| picture.answer(asked));
    let bad = Wire::start(|_| Answer::new("200 OK", b"<html>"));
    let file = directory.path().join("registries.conf");
    std::fs::write(
        &file,
        format!(
            "[[registry]]\nlocation = \"{}\"\n[[registry.mirror]]\nlocation = \"{}\"\n",
            good.host, bad.host
        ),
    )
    .unwrap();
    let registries = Registries::load(&Settings {
        file: Some(file),
        ..Settings::default()
    })
    .unwrap();
    pull(&store, &format!("{}/a/b", good.host), &registries).unwrap();
    assert!(!bad.asked().is_empty());
}
