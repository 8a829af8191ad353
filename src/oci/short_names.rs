//! What a name without a registry stands for.
//!
//! ```text
//! name[:tag][@digest] --[aliases]--> its target
//!          else --unqualified-search-registries--> the name on each of them, in order
//!          else --> Docker Hub's, as docker has it
//! ```
//!
//! A later file replaces aliases of the same name, and the list as a whole. `short-name-mode` is
//! not read: nobody is asked, and a list is tried in its order. Source: containers-registries.conf(5).

use std::collections::BTreeMap;

use super::error::{Error, Result};
use super::reference::Reference;

/// The part of `registries.conf` that speaks of short names.
#[derive(Clone, Debug, Default)]
pub(super) struct ShortNames {
    /// Short names, without tag, and full ones.
    aliases: BTreeMap<String, String>,
    /// Registries, with a namespace or without.
    search: Vec<String>,
}

impl ShortNames {
    /// Adds what a file says; an alias of nothing is erased. The error is the reason.
    pub(super) fn add(
        &mut self,
        aliases: BTreeMap<String, String>,
        search: Option<Vec<String>>,
    ) -> Result<(), String> {
        for (name, target) in aliases {
            if !matches!(Reference::split_short(&name), Some((_, ""))) || !is_name(&name) {
                return Err(format!("the alias `{name}` is no name without a registry"));
            }
            if target.is_empty() {
                self.aliases.remove(&name);
            } else if Reference::split_short(&target).is_none() && is_name(&target) {
                self.aliases.insert(name, target);
            } else {
                return Err(format!(
                    "the alias `{name}` stands for `{target}`, which is not of the form host[:port]/name"
                ));
            }
        }
        if let Some(search) = search {
            let wrong = |place: &&String| {
                let name = format!("{place}/x");
                Reference::split_short(&name).is_some() || !is_name(&name)
            };
            if let Some(place) = search.iter().find(wrong) {
                return Err(format!(
                    "`{place}` in unqualified-search-registries is not of the form host[:port]"
                ));
            }
            self.search = search;
        }
        Ok(())
    }

    /// What `text` may stand for, the likeliest first; never empty.
    pub(super) fn candidates(&self, text: &str) -> Result<Vec<Reference>> {
        // What breaks the grammar is shown as it was written.
        let hub = Reference::parse(text)?;
        let Some((name, suffix)) = Reference::split_short(text) else {
            return Ok(vec![hub]);
        };
        let full = |full: String| {
            Reference::parse(&full).map_err(|error| match error {
                Error::Reference { reason, .. } => Error::Reference {
                    text: text.to_owned(),
                    reason,
                },
                error => error,
            })
        };
        if let Some(target) = self.aliases.get(name) {
            return Ok(vec![full(format!("{target}{suffix}"))?]);
        }
        if self.search.is_empty() {
            return Ok(vec![hub]);
        }
        let on = |place: &String| full(format!("{place}/{text}"));
        self.search.iter().map(on).collect()
    }
}

/// Whether it is a name without tag and digest.
fn is_name(text: &str) -> bool {
    Reference::parse(&format!("{text}:x")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn aliases(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, target): &(&str, &str)| ((*name).to_owned(), (*target).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn list(places: &[&str]) -> Vec<String> {
        places.iter().map(|place| (*place).to_owned()).collect()
    }

    fn shown(names: &ShortNames, text: &str) -> Vec<String> {
        let all = names.candidates(text).unwrap();
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_alias_goes_before_the_list_and_that_before_docker() {
        let mut names = ShortNames::default();
        assert_eq!(shown(&names, "fedora"), ["docker.io/library/fedora:latest"]);
        let pairs = [
            ("fedora", "r.example:5000/os/fedora"),
            ("a/b", "docker.io/c"),
        ];
        names.add(aliases(&pairs), None).unwrap();
        assert_eq!(shown(&names, "fedora"), ["r.example:5000/os/fedora:latest"]);
        assert_eq!(shown(&names, "fedora:41"), ["r.example:5000/os/fedora:41"]);
        let pinned = format!("fedora:41@{SHA}");
        let target = format!("r.example:5000/os/{pinned}");
        assert_eq!(shown(&names, &pinned), [target]);
        assert_eq!(shown(&names, "a/b:1"), ["docker.io/library/c:1"]);
        assert_eq!(shown(&names, "b"), ["docker.io/library/b:latest"]);
        names
            .add(
                aliases(&[]),
                Some(list(&["one.example", "docker.io", "two.example/team"])),
            )
            .unwrap();
        assert_eq!(shown(&names, "fedora"), ["r.example:5000/os/fedora:latest"]);
        assert_eq!(
            shown(&names, "x:1"),
            [
                "one.example/x:1",
                "docker.io/library/x:1",
                "two.example/team/x:1"
            ]
        );
        assert_eq!(shown(&names, "x/y")[0], "one.example/x/y:latest");
    }

    #[test]
    fn a_full_name_stands_for_itself() {
        let mut names = ShortNames::default();
        let pairs = aliases(&[("fedora", "r.example/fedora")]);
        names.add(pairs, Some(list(&["one.example"]))).unwrap();
        for (text, full) in [
            ("docker.io/fedora", "docker.io/library/fedora:latest"),
            ("docker://fedora", "docker.io/library/fedora:latest"),
            ("localhost/fedora", "localhost/fedora:latest"),
            ("quay.io/fedora:1", "quay.io/fedora:1"),
        ] {
            assert_eq!(shown(&names, text), [full]);
        }
        let error = names.candidates("Fedora").unwrap_err();
        assert!(error.to_string().contains("`Fedora`"), "{error}");
    }

    #[test]
    fn later_files_replace_and_erase() {
        let mut names = ShortNames::default();
        let pairs = aliases(&[("a", "r.example/a"), ("b", "r.example/b")]);
        names.add(pairs, Some(list(&["one.example"]))).unwrap();
        let pairs = aliases(&[("a", ""), ("b", "s.example/b"), ("c", "")]);
        names.add(pairs, None).unwrap();
        assert_eq!(shown(&names, "a"), ["one.example/a:latest"]);
        assert_eq!(shown(&names, "b"), ["s.example/b:latest"]);
        names.add(aliases(&[]), Some(list(&[]))).unwrap();
        assert_eq!(shown(&names, "a"), ["docker.io/library/a:latest"]);
    }

    #[test]
    fn mistakes_are_named() {
        for (name, target) in [
            ("a:1", "r.example/a"),
            ("r.example/a", "r.example/b"),
            ("localhost/a", "r.example/b"),
            ("A", "r.example/a"),
            ("a", "b"),
            ("a", "team/b"),
            ("a", "r.example/a:1"),
            ("a", "r.example/"),
        ] {
            let added = ShortNames::default().add(aliases(&[(name, target)]), None);
            assert!(
                added.unwrap_err().contains(&format!("`{name}`")),
                "{name} {target}"
            );
        }
        for place in ["", "name", "https://r.example", "r.example/x:1"] {
            let added = ShortNames::default().add(aliases(&[]), Some(list(&[place])));
            assert!(
                added.unwrap_err().contains(&format!("`{place}`")),
                "{place}"
            );
        }
    }
}
