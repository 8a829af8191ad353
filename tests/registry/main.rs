//! Pulls from a real registry, and what `umoci unpack` makes of the same images.
//!
//! Needs root and the Debian packages `docker-registry`, `skopeo`, `umoci` and `mmdebstrap`.

mod damage;
mod listing;
mod many;
mod names;
mod odd;
mod same;
#[path = "../support/registry.rs"]
#[allow(dead_code, reason = "another test uses the rest of it")]
mod support;

use std::path::Path;
use std::sync::Mutex;

use racker::oci::{self, Client, Options, Progress, Reference, Registries};
use racker_store::{Access, Store};

fn open(directory: &Path) -> Store {
    Store::open(&directory.join("store"), Access::ReadWrite).unwrap()
}

fn pull(store: &Store, name: &str) -> oci::Result<oci::Pulled> {
    let (client, registries) = (Client::new(), Registries::default());
    let reference = Reference::parse(name).unwrap();
    oci::pull(store, &reference, &Options::new(&client, &registries))
}

fn assert_undamaged(store: &Store) {
    let damage = store.verify().unwrap();
    assert!(damage.is_empty(), "{damage:?}");
}

/// What was fetched, and what was there.
#[derive(Default)]
pub(crate) struct Log {
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
