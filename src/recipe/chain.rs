//! A recipe and the recipes it builds on.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::parse::{Context, parse};
use super::{
    Diagnostics, Error, From, ImageConfig, Origin, Recipe, Source, Step, curated, suggest,
};

/// The largest recipe file accepted, in bytes.
pub const MAX_SIZE: u64 = 1 << 20;

/// The longest chain of recipes accepted.
pub const MAX_DEPTH: usize = 16;

/// Recipes that build on each other, oldest first; the last one is the one asked for.
#[derive(Clone, Debug)]
pub struct Chain {
    recipes: Vec<Recipe>,
}

/// Loads a recipe file and everything it builds on.
///
/// A value of `sets` reaches every recipe of the chain that declares the argument; an argument that
/// none declares is an error.
pub fn load(path: &Path, sets: &[(String, String)]) -> Result<Chain, Error> {
    let text = read(path)?;
    Loader::new(sets).load(Place::File(path.to_owned()), text)
}

/// Loads a curated recipe by label or alias.
pub fn load_curated(name: &str, sets: &[(String, String)]) -> Result<Chain, Error> {
    let Some(found) = curated::curated(name) else {
        let known = curated::all().flat_map(|it| std::iter::once(it.label).chain(it.alias));
        return Err(Error::UnknownLabel {
            label: name.to_owned(),
            advice: suggest::similar(name, known).map(|near| format!("did you mean `{near}`?")),
        });
    };
    Loader::new(sets).load(Place::Label(found.label.to_owned()), found.text.to_owned())
}

impl Chain {
    /// Goes through the recipes, oldest first.
    pub fn recipes(&self) -> &[Recipe] {
        &self.recipes
    }

    /// Returns the recipe that was asked for.
    pub fn recipe(&self) -> &Recipe {
        self.recipes.last().expect("a chain is never empty")
    }

    /// Returns what the oldest recipe builds on: anything but a recipe.
    pub fn base(&self) -> &From {
        &self.recipes[0].from
    }

    /// Goes through all steps in order, each with its recipe's index and its place there from one.
    pub fn steps(&self) -> impl Iterator<Item = (usize, usize, &Step)> {
        self.recipes.iter().enumerate().flat_map(|(index, recipe)| {
            recipe
                .steps
                .iter()
                .enumerate()
                .map(move |(step, it)| (index, step + 1, it))
        })
    }

    /// Returns the variables that the steps of a recipe see: its own over those below it.
    pub fn env(&self, index: usize) -> BTreeMap<String, String> {
        let below = self.recipes.iter().take(index + 1);
        below.flat_map(|recipe| recipe.env.clone()).collect()
    }

    /// Returns the configuration of the finished image, `[env]` of all recipes included.
    pub fn image(&self) -> ImageConfig {
        let mut image = ImageConfig::default();
        for recipe in &self.recipes {
            image.env.extend(recipe.env.clone());
            image.overlay(&recipe.image);
        }
        image
    }
}

/// Where a recipe of the chain is found.
#[derive(Clone, Debug)]
enum Place {
    File(PathBuf),
    Label(String),
}

impl Place {
    fn show(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Label(label) => label.clone(),
        }
    }

    /// Returns what two names of the same recipe have in common.
    fn identity(&self) -> PathBuf {
        match self {
            Self::File(path) => path.canonicalize().unwrap_or_else(|_| path.clone()),
            Self::Label(label) => PathBuf::from(format!("curated:{label}")),
        }
    }

    fn parse(self, text: String, sets: &[(String, String)]) -> Result<Recipe, Diagnostics> {
        let (source, directory, default_name, origin);
        match self {
            Self::File(path) => {
                source = Source::new(path.display().to_string(), text);
                directory = match path.parent() {
                    Some(parent) if parent != Path::new("") => parent.to_owned(),
                    _ => PathBuf::from("."),
                };
                default_name = path
                    .file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                origin = Origin::Path(path);
            }
            Self::Label(label) => {
                source = Source::new(format!("recipes/{label}.toml"), text);
                directory = PathBuf::new();
                default_name = label.clone();
                origin = Origin::Curated(label);
            }
        }
        parse(
            &source,
            Context {
                origin,
                directory,
                default_name: &default_name,
                sets,
            },
        )
    }
}

/// Walks from the recipe asked for down to the base.
#[derive(Debug)]
struct Loader<'a> {
    sets: &'a [(String, String)],
    /// Newest first.
    recipes: Vec<Recipe>,
    seen: Vec<(PathBuf, String)>,
}

impl<'a> Loader<'a> {
    fn new(sets: &'a [(String, String)]) -> Self {
        Self {
            sets,
            recipes: Vec::new(),
            seen: Vec::new(),
        }
    }

    fn load(mut self, place: Place, text: String) -> Result<Chain, Error> {
        self.add(place, text)?;
        while let Some(next) = self.next_place() {
            self.check_cycle(&next)?;
            let text = self.read_base(&next)?;
            self.add(next, text)?;
        }
        self.check_sets()?;
        self.recipes.reverse();
        Ok(Chain {
            recipes: self.recipes,
        })
    }

    fn add(&mut self, place: Place, text: String) -> Result<(), Error> {
        self.seen.push((place.identity(), place.show()));
        let recipe = place.parse(text, self.sets)?;
        if let Some(other) = self.recipes.iter().find(|other| other.name == recipe.name) {
            let other_place = other.source.name();
            let diagnostic = self.at_from(format!(
                "this recipe and the one it builds on are both named `{}`",
                recipe.name
            ));
            let hint = format!("give {other_place} another `name`");
            return Err(Diagnostics::from(diagnostic.hint(hint)).into());
        }
        self.recipes.push(recipe);
        Ok(())
    }

    fn next_place(&self) -> Option<Place> {
        match &self.recipes.last()?.from {
            From::Recipe(path) => Some(Place::File(path.clone())),
            From::Curated(label) => Some(Place::Label(label.clone())),
            _ => None,
        }
    }

    fn at_from(&self, message: String) -> super::Diagnostic {
        self.recipes
            .last()
            .expect("a base is looked for after a recipe")
            .at_from(message)
    }

    fn check_cycle(&self, next: &Place) -> Result<(), Error> {
        let identity = next.identity();
        let diagnostic = if let Some(start) = self.seen.iter().position(|(id, _)| *id == identity) {
            let mut way: Vec<_> = self.seen[start..]
                .iter()
                .map(|(_, shown)| shown.clone())
                .collect();
            way.push(next.show());
            let diagnostic = self.at_from("this recipe builds on itself".to_owned());
            diagnostic.hint(format!("the circle is {}", way.join(" -> ")))
        } else if self.recipes.len() >= MAX_DEPTH {
            self.at_from(format!("more than {MAX_DEPTH} recipes build on each other"))
        } else {
            return Ok(());
        };
        Err(Diagnostics::from(diagnostic).into())
    }

    fn read_base(&self, place: &Place) -> Result<String, Error> {
        let result = match place {
            Place::Label(label) => {
                return Ok(curated::curated(label).map_or("", |it| it.text).to_owned());
            }
            Place::File(path) => read(path),
        };
        result.map_err(|error| match error {
            Error::Invalid(found) => Error::Invalid(found),
            error => Diagnostics::from(self.at_from(error.to_string())).into(),
        })
    }

    fn check_sets(&self) -> Result<(), Error> {
        for (name, _) in self.sets {
            if self
                .recipes
                .iter()
                .any(|recipe| recipe.args.contains_key(name))
            {
                continue;
            }
            let known: Vec<&str> = self
                .recipes
                .iter()
                .flat_map(|recipe| recipe.args.keys().map(String::as_str))
                .collect();
            let advice = suggest::advice(name, known.iter().copied());
            return Err(Error::UnknownArgument {
                name: name.clone(),
                recipe: self.recipes[0].source.name().to_owned(),
                advice: advice.or_else(|| Some("the recipe has no `[args]`".to_owned())),
            });
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, Error> {
    let failed = |source: io::Error| Error::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_SIZE + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            limit: MAX_SIZE,
        });
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let source = Source::new(path.display().to_string(), valid);
        let end = source.text().len();
        let diagnostic: super::Diagnostic = at_end(&source, end);
        Diagnostics::from(diagnostic).into()
    })
}

fn at_end(source: &Arc<Source>, end: usize) -> super::Diagnostic {
    super::Diagnostic::new(source, end..end, "the text is not UTF-8 from here on")
}
