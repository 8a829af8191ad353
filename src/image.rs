//! What an image's name on the command line stands for.
//!
//! A baked or tagged image first, then a curated label, then a reference to a registry. What a name
//! without a registry stands for there, registries.conf says.

use racker_store::{Image, Store};

use crate::failure::{FAILED, Failure, USAGE};
use crate::oci::{self, Reference, Registries};
use crate::plan::lock::Lock;
use crate::realise::{self, Event, Workshop};
use crate::recipe;

/// The image of this name in the store, under any of the forms a name can have.
pub fn find(store: &Store, registries: &Registries, name: &str) -> Result<Option<Image>, Failure> {
    Ok(all(store, registries, name)?.into_iter().next())
}

/// The image of this name in the store, or all that have this id, at least 12 digits of it.
pub fn all(store: &Store, registries: &Registries, name: &str) -> Result<Vec<Image>, Failure> {
    for candidate in candidates(registries, name) {
        let image = match Reference::parse(&candidate) {
            Ok(reference) => oci::pinned::find(store, &reference)?,
            Err(_) => store.image(&candidate)?,
        };
        if let Some(image) = image {
            return Ok(vec![image]);
        }
    }
    let mut all = Vec::new();
    if name.len() >= 12 && name.bytes().all(|b| b.is_ascii_hexdigit()) {
        all = store.images()?;
        all.retain(|image| image.tree.to_string().starts_with(name));
    }
    Ok(all)
}

/// The names under which an image may be kept, the likeliest first.
fn candidates(registries: &Registries, name: &str) -> Vec<String> {
    let mut all = Vec::new();
    if !name.contains('/') {
        let tag = if name.contains(':') { "" } else { ":latest" };
        all.push(format!("localhost/{name}{tag}"));
    }
    // A curated label goes before what registries have.
    if recipe::curated(name).is_none() {
        let full = registries.candidates(name);
        all.extend(full.iter().flatten().map(ToString::to_string));
    }
    // A name as it is shown.
    if let Ok(reference) = Reference::parse(name) {
        all.push(reference.to_string());
    }
    all.dedup();
    all
}

/// The full name of an image that is to be called `name`: a bare one is of this machine, as baked
/// images are.
pub fn full_name(name: &str) -> Result<String, Failure> {
    let wrong =
        |reason: &str| Failure::new(USAGE, format!("no name for an image: {name}: {reason}"));
    let full = if name.contains('/') {
        name.to_owned()
    } else {
        format!("localhost/{name}")
    };
    let reference = Reference::parse(&full)?;
    if reference.digest().is_some() {
        return Err(wrong("a digest cannot be given").hint("leave out what begins with @"));
    }
    Ok(reference.to_string())
}

/// The name as it is shown: without what stands there by default.
pub fn short(name: &str) -> String {
    let name = name.strip_prefix("localhost/").map_or_else(
        || Reference::parse(name).map_or_else(|_| name.to_owned(), |it| it.familiar()),
        str::to_owned,
    );
    name.strip_suffix(":latest").unwrap_or(&name).to_owned()
}

/// The image of this name, baked or pulled now where the store has none.
pub fn obtain(shop: Workshop<'_>, name: &str) -> Result<Image, Failure> {
    if let Some(image) = find(shop.store, shop.registries, name)? {
        return Ok(image);
    }
    if recipe::curated(name).is_some() {
        let message = format!("{name} is a curated recipe; baking it");
        shop.reporter.event(Event::Message(&message));
        let chain = recipe::load_curated(name, &[]).map_err(crate::failure::from_recipe)?;
        let path = Lock::path_of(&chain)
            .unwrap_or_else(|| crate::command::curated_lock(shop.store, &chain.recipe().name));
        return Ok(
            crate::command::bake_chain(shop, &chain, &path, &realise::Options::default())?.image,
        );
    }
    // A mistake in the name is told first.
    Reference::parse(name)?;
    if shop.settings.offline {
        return Err(
            Failure::new(FAILED, format!("no image {name} in the store"))
                .hint("racker may not use the network; run it once without --offline"),
        );
    }
    let options = shop.oci_options();
    let reference = oci::locate(name, &options)?;
    let message = format!(
        "no image {name} here; pulling {reference} from {}",
        reference.registry()
    );
    shop.reporter.event(Event::Message(&message));
    Ok(oci::pull(shop.store, &reference, &options)?.image)
}

/// The image, or the error that it is not there.
pub fn need(store: &Store, registries: &Registries, name: &str) -> Result<Image, Failure> {
    find(store, registries, name)?.ok_or_else(|| missing(name))
}

/// The error that there is no image of this name.
pub fn missing(name: &str) -> Failure {
    Failure::new(FAILED, format!("no such image: {name}")).hint("racker images lists them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_looked_for_here_first() {
        let none = Registries::default();
        assert_eq!(
            candidates(&none, "web"),
            ["localhost/web:latest", "docker.io/library/web:latest"]
        );
        assert_eq!(
            candidates(&none, "web:1"),
            ["localhost/web:1", "docker.io/library/web:1"]
        );
        assert_eq!(candidates(&none, "a.b/c"), ["a.b/c:latest"]);
        let mut some = Registries::default();
        some.add("aliases = { web = 'a.b/web' }", "test").unwrap();
        assert_eq!(
            candidates(&some, "web:1"),
            ["localhost/web:1", "a.b/web:1", "docker.io/library/web:1"]
        );
        some.add("aliases = { debian-12 = 'a.b/debian' }", "test")
            .unwrap();
        assert!(!candidates(&some, "debian-12").contains(&"a.b/debian:latest".to_owned()));
    }

    #[test]
    fn new_names_are_of_this_machine() {
        assert_eq!(full_name("web").unwrap(), "localhost/web:latest");
        assert_eq!(full_name("web:1").unwrap(), "localhost/web:1");
        assert_eq!(full_name("a.b/c:1").unwrap(), "a.b/c:1");
        assert_eq!(full_name("team/web").unwrap(), "docker.io/team/web:latest");
        for bad in ["", "Web", "web@sha256:1", "a b"] {
            assert!(full_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shown_names_are_short() {
        assert_eq!(short("localhost/web:latest"), "web");
        assert_eq!(short("localhost/web:1"), "web:1");
        assert_eq!(short("docker.io/library/debian:12"), "debian:12");
    }
}
