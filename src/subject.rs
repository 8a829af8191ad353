//! What a name on the command line stands for where any tree will do: an image, a tree, a step.
//!
//! 1. an image, under any name it has ([`image::find`]);
//! 2. the id of a tree, or the first twelve digits or more of one that some image has in it;
//! 3. a step as `plan` names it, `web/2` or `debian-bookworm/bootstrap`: its newest result.

use racker_store::{Store, TreeId};

use crate::failure::{FAILED, Failure};
use crate::image;
use crate::oci::Registries;

/// Fewest digits of a tree's id that stand for it.
const DIGITS: usize = 12;

/// A tree and what it was called.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The name, such as `quickstart` or `web/2`.
    pub name: String,
    /// The tree.
    pub tree: TreeId,
}

/// Finds out what a name stands for; an error where it stands for nothing.
pub fn find(store: &Store, registries: &Registries, name: &str) -> Result<Subject, Failure> {
    if let Some(image) = image::find(store, registries, name)? {
        return Ok(Subject {
            name: image::short(&image.name),
            tree: image.tree,
        });
    }
    let found = match tree(store, name)? {
        Some(tree) => Some(tree),
        None => step(store, name)?,
    };
    let Some(tree) = found else {
        return Err(
            Failure::new(FAILED, format!("no image, tree or step: {name}"))
                .hint("racker images lists images, racker history IMAGE their trees")
                .hint("racker plan RECIPE names steps; one that was never built has no tree"),
        );
    };
    Ok(Subject {
        name: name.to_owned(),
        tree,
    })
}

fn tree(store: &Store, name: &str) -> Result<Option<TreeId>, Failure> {
    if let Ok(tree) = name.parse()
        && store.has_tree(tree)
    {
        return Ok(Some(tree));
    }
    if name.len() < DIGITS || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let images = store.images()?;
    let layers = images.iter().flat_map(|image| &image.layers);
    let mut trees = layers.map(|layer| layer.tree);
    Ok(trees.find(|tree| tree.hex().starts_with(name)))
}

fn step(store: &Store, name: &str) -> Result<Option<TreeId>, Failure> {
    let Some((recipe, place)) = parse_step(name) else {
        return Ok(None);
    };
    let mut trees = store.recent(recipe, place)?.into_iter().map(|it| it.tree);
    Ok(trees.find(|tree| store.has_tree(*tree)))
}

/// Takes a step's name apart: the recipe's name and the place in it, zero for its bootstrap.
pub fn parse_step(name: &str) -> Option<(&str, usize)> {
    let (recipe, place) = name.rsplit_once('/')?;
    match place {
        "bootstrap" => Some((recipe, 0)),
        number => Some((recipe, number.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_a_recipe_and_a_place() {
        assert_eq!(parse_step("web/2"), Some(("web", 2)));
        assert_eq!(parse_step("team/web/bootstrap"), Some(("team/web", 0)));
        assert_eq!(parse_step("web"), None);
        assert_eq!(parse_step("web/x"), None);
    }
}
