//! Which registry has what a name stands for.

use std::fs;

use racker::oci::{
    self, Client, Error, Options, Platform, Reference, Registries, Settings, Status,
};

use crate::odd::odd_layers;
use crate::support::{Registry, layout};
use crate::{assert_undamaged, open, pull};

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
