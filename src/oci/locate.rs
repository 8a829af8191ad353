//! Which registry has what a name stands for.
//!
//! A name that may stand for several is asked for at one registry after the other. Only one that
//! says that it has none is passed over: registries hide what they do not have behind a refusal.
//! One that cannot be reached ends the search, or whoever cuts it off would choose the image.

use super::error::{Error, Result};
use super::options::Options;
use super::pull::{resolve, tags};
use super::reference::Reference;

/// The full name that `text` stands for. No registry is asked where there is but one.
pub fn locate(text: &str, options: &Options<'_>) -> Result<Reference> {
    let mut names = options.registries.candidates(text)?;
    if names.len() == 1 {
        return Ok(names.remove(0));
    }
    Ok(first(names, options, |name| resolve(name, options))?.0)
}

/// The full name that `text` stands for, and the tags of its repository.
pub fn locate_tags(text: &str, options: &Options<'_>) -> Result<(Reference, Vec<String>)> {
    let names = options.registries.candidates(text)?;
    first(names, options, |name| tags(name, options))
}

/// The first name that its registry has, and what that answers.
fn first<T>(
    names: Vec<Reference>,
    options: &Options<'_>,
    ask: impl Fn(&Reference) -> Result<T>,
) -> Result<(Reference, T)> {
    for (place, name) in names.iter().enumerate() {
        match (ask(name), names.get(place + 1)) {
            (Ok(answer), _) => return Ok((name.clone(), answer)),
            (Err(error), _) if names.len() == 1 || !is_absence(&error) => return Err(error),
            (Err(error), Some(next)) => {
                let text = format!("{error}; trying {next}");
                options.progress.message(&text);
            }
            (Err(_), None) => {}
        }
    }
    let hosts: Vec<&str> = names.iter().map(Reference::registry).collect();
    let first = names[0].to_string();
    Err(Error::NotFound {
        host: hosts.join(", "),
        what: first[hosts[0].len() + 1..].to_owned(),
    })
}

fn is_absence(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. } | Error::Unauthorised { .. })
}
