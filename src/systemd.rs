//! systemd on the fly: an image of an operating system without an init gets one before it is run.
//!
//! The stock images of distributions have a package manager and a shell, and nothing to boot. What a
//! curated recipe would add to boot well is added as a layer, once for each state of an image.

use racker_store::{Image, Store, Tree, TreeId};
use serde_json::Value;

use crate::addition;
use crate::container::root::is_library_of_init;
use crate::failure::Failure;
use crate::package::Manager;
use crate::provision::{has_systemd, manager_of};
use crate::realise::{Addition, Event, Workshop};

/// Shells that a stock image names as its command.
const SHELLS: [&str; 6] = [
    "sh",
    "bash",
    "/bin/sh",
    "/bin/bash",
    "/usr/bin/bash",
    "/usr/bin/sh",
];

/// Whether an image is that of an operating system and of no program: no entrypoint, and a shell or
/// nothing as its command.
pub fn is_stock(config: &Value) -> bool {
    let list = |key: &str| config[key].as_array().cloned().unwrap_or_default();
    let command = list("Cmd");
    let shell = match command.as_slice() {
        [] => true,
        [only] => only.as_str().is_some_and(|it| SHELLS.contains(&it)),
        _ => false,
    };
    shell && list("Entrypoint").is_empty()
}

/// The image's tree with systemd; none where its package manager has none, or there is none.
pub fn tree(shop: Workshop<'_>, image: &Image) -> Result<Option<TreeId>, Failure> {
    let tree = shop.store.tree(image.tree)?;
    let Some(packages) = packages(&tree) else {
        return Ok(None);
    };
    let addition = Addition {
        name: "systemd",
        packages: &packages,
        recommends: Some(false),
    };
    if !addition::is_known(shop.store, image, &addition) {
        let message = format!(
            "{} has no init: adding {} as a layer, this once",
            crate::image::short(&image.name),
            packages.join(", ")
        );
        shop.reporter.event(Event::Message(&message));
    }
    let added = addition::added(shop, image, &addition, false);
    added.map(|it| Some(it.tree)).map_err(|failure| {
        failure.hint("--systemd=false runs the command without systemd, in the image as it is")
    })
}

/// Whether a tree has a systemd that can be booted and takes commands.
pub fn is_in(store: &Store, tree: TreeId) -> Result<bool, Failure> {
    let library = |path: &[u8]| {
        let name = path.rsplit(|byte| *byte == b'/').next();
        let name = name.and_then(|it| std::str::from_utf8(it).ok());
        name.is_some_and(is_library_of_init)
    };
    let boots = |tree: &Tree| has_systemd(tree) && tree.entries().any(|(path, _)| library(&path));
    Ok(store.fact(tree, "systemd", boots)?)
}

/// The image as it is, or with systemd if it has none and can have it.
pub fn bootable(shop: Workshop<'_>, mut image: Image) -> Result<Image, Failure> {
    if !is_in(shop.store, image.tree)?
        && let Some(tree) = self::tree(shop, &image)?
    {
        image.tree = tree;
    }
    Ok(image)
}

/// What makes a tree boot, by its package manager.
fn packages(tree: &Tree) -> Option<Vec<String>> {
    let exists = |path: &str| tree.lookup(path.as_bytes()).is_ok();
    let release = ["etc/os-release", "usr/lib/os-release"];
    if !release.iter().any(|path| exists(path)) {
        return None;
    }
    let names: &[&str] = match manager_of(tree, None).ok()? {
        Manager::Apt => &["systemd", "systemd-sysv", "dbus"],
        Manager::Dnf | Manager::Zypper | Manager::Pacman => &["systemd"],
        // Alpine has OpenRC.
        Manager::Apk => return None,
    };
    Some(names.iter().map(|&name| name.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn images_of_programs_are_no_stock_images() {
        assert!(is_stock(&json!({})));
        assert!(is_stock(&json!({"Cmd": ["bash"], "Entrypoint": null})));
        assert!(!is_stock(&json!({"Cmd": ["bash", "-c", "x"]})));
        assert!(!is_stock(&json!({"Cmd": ["nginx"]})));
        assert!(!is_stock(
            &json!({"Entrypoint": ["/entry"], "Cmd": ["bash"]})
        ));
    }
}
