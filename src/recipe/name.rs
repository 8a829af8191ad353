//! Names of recipes, which are names of images.

use super::Problem;

const ADVICE: &str = "a name is made of lowercase letters and digits, separated by `.`, `_`, `__` \
                      or dashes, in parts separated by `/`";

/// Checks a name by the grammar of repositories in a registry.
pub fn check_name(name: &str) -> Result<(), Problem> {
    if name.len() <= 128 && name.split('/').all(is_component) {
        Ok(())
    } else {
        Err(Problem::new(format!("`{name}` cannot be the name of an image")).hint(ADVICE))
    }
}

/// Says whether a text is one component of a repository: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
pub(super) fn is_component(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let mut rest = text.as_bytes();
    loop {
        let length = rest.iter().take_while(|b| word(**b)).count();
        if length == 0 {
            return false;
        }
        rest = &rest[length..];
        let separator = rest.iter().take_while(|b| !word(**b)).count();
        match &rest[..separator] {
            [] => return rest.is_empty(),
            [b'.' | b'_'] | [b'_', b'_'] => {}
            dashes if dashes.iter().all(|b| *b == b'-') => {}
            _ => return false,
        }
        rest = &rest[separator..];
    }
}
