//! What racker does while the power may fail.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use racker::lifecycle::{Yard, volume};

use crate::disk::{Dice, Mounted};
use crate::registry::{self, Registry};
use crate::support::{Kitchen, Output, Racker, execute};

/// What racker is asked to do, one after the other.
pub(crate) struct Works {
    pub(crate) kitchen: Kitchen,
    _registry: Registry,
    pub(crate) all: Vec<Vec<String>>,
    /// What each of them makes: names of images, `volume NAME`, `container NAME`.
    pub(crate) makes: Vec<Option<&'static str>>,
    /// What all of it leads to: trees by what they are of.
    pub(crate) expected: BTreeMap<String, String>,
}

impl Works {
    pub(crate) fn new() -> Self {
        let (kitchen, registry) = (Kitchen::new(), Registry::start());
        let mut dice = Dice(7);
        let mut fill = |directory: &str, small: usize, large: &[usize]| {
            let directory = kitchen.path(directory);
            fs::create_dir(&directory).unwrap();
            let sizes = (0..small)
                .map(|number| number * 97)
                .chain(large.iter().copied());
            for (number, size) in sizes.enumerate() {
                let bytes: Vec<u8> = (0..size).map(|_| dice.below(256) as u8).collect();
                fs::write(directory.join(format!("f{number}")), bytes).unwrap();
            }
        };
        fill("site", 60, &[1 << 20, 3_000_000]);
        fill("more", 20, &[700_000]);
        fill("pulled", 40, &[2_500_000, 100_000]);
        fill("imported", 30, &[1_500_000]);
        for name in ["pulled", "imported"] {
            execute(
                Command::new("tar")
                    .args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "-C"])
                    .arg(kitchen.path(name))
                    .arg("-cf")
                    .arg(kitchen.path(&format!("{name}.tar")))
                    .arg("."),
            );
        }
        let layers = [kitchen.path("pulled.tar"), kitchen.path("imported.tar")];
        let layout = registry::layout(&kitchen.path("layout"), &[&layers[0], &layers[1]]);
        registry.push(&layout, "pulled:1", &[]);
        let manifest = registry::tool(
            "skopeo",
            &[
                "inspect",
                "--raw",
                "--tls-verify=false",
                &format!("docker://{}/pulled:1", registry.host),
            ],
        );
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        let blob = manifest["layers"][0]["digest"].as_str().unwrap();
        let url = format!("http://{}/v2/pulled/blobs/{blob}", registry.host);
        // The machine is another one after it was started again.
        kitchen.write("boot", "31415926-5358-4979-8323-846264338327\n");
        kitchen.write(
            "small.toml",
            &format!(
                "name = \"small\"\nfrom = \"scratch\"\n\
                 [[step]]\ncopy = {{ from = \"site\", to = \"/site\" }}\n\
                 [[step]]\nfetch = {{ url = \"{url}\", to = \"/fetched\" }}\n\
                 [[step]]\ncopy = {{ from = \"small.toml\", to = \"/small.toml\" }}\n"
            ),
        );
        kitchen.write(
            "other.toml",
            "name = \"other\"\nfrom = \"scratch\"\n\
             [[step]]\ncopy = { from = \"more\", to = \"/more\" }\n",
        );
        let pulled = format!("{}/pulled:1", registry.host);
        let all: [(&[&str], Option<&str>); 11] = [
            (&["bake", "small.toml", "--lock", LOCK], Some("small")),
            (&["pull", &pulled], Some("pulled")),
            (&["bake", "other.toml"], None),
            (&["rmi", "other"], None),
            (&["import", "imported.tar", "imported"], Some("imported")),
            (&["tag", "small", "tagged"], Some("tagged")),
            (&["volume", "create", "kept"], Some("volume kept")),
            (&["rm", "--force", "made", "renamed"], None),
            (
                &["create", "--name", "made", "small", "/f1"],
                Some(CONTAINER),
            ),
            (&["rename", "made", "renamed"], Some("container renamed")),
            (&["store", "gc", "--older-than", "0"], None),
        ];
        let mut works = Self {
            all: all
                .iter()
                .map(|(arguments, _)| arguments.iter().map(|&it| it.to_owned()).collect())
                .collect(),
            makes: all.iter().map(|(_, makes)| *makes).collect(),
            expected: BTreeMap::new(),
            _registry: registry,
            kitchen,
        };
        works.all_of(&works.kitchen.racker);
        works.expected = trees(&works.kitchen.racker);
        works
    }

    /// Does one of them.
    pub(crate) fn work(&self, racker: &Racker, number: usize) -> Output {
        let lock = lock(racker);
        let arguments = self.all[number].iter().map(|it| match &**it {
            LOCK => lock.to_str().unwrap(),
            it => it,
        });
        racker.run(&arguments.collect::<Vec<_>>())
    }

    fn all_of(&self, racker: &Racker) {
        for number in 0..self.all.len() {
            self.work(racker, number).success();
        }
    }

    /// racker with a store on a file system.
    pub(crate) fn racker(&self, mounted: &Mounted) -> Racker {
        Racker::new(&mounted.0.join("store")).at(&self.kitchen.path(""))
    }
}

/// A container, by whichever of its two names.
const CONTAINER: &str = "container";

/// Stands for the path of the recipe's lock, which lies beside the store.
const LOCK: &str = "LOCK";

/// The recipe's lock.
pub(crate) fn lock(racker: &Racker) -> PathBuf {
    racker.store().with_file_name("small.lock")
}

/// Trees of all images, by the last part of their names, and of containers; volumes have none.
pub(crate) fn trees(racker: &Racker) -> BTreeMap<String, String> {
    let store = racker.open();
    let yard = Yard::of(&store);
    let mut trees = BTreeMap::new();
    for name in ["made", "renamed"] {
        if let Ok(kept) = yard.find(name) {
            kept.status().unwrap();
            let tree = kept.config.tree.to_string();
            trees.insert(CONTAINER.to_owned(), tree.clone());
            trees.insert(format!("container {name}"), tree);
        }
    }
    trees.remove("container made");
    for volume in volume::all(&store).unwrap() {
        trees.insert(format!("volume {}", volume.name), String::new());
    }
    let images = store.images().unwrap();
    let short = |name: &str| {
        let name = name.rsplit('/').next().unwrap_or_default();
        name.split(':').next().unwrap_or_default().to_owned()
    };
    trees.extend(
        images
            .iter()
            .map(|image| (short(&image.name), image.tree.to_string())),
    );
    trees
}
