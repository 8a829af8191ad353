//! Names, addresses and home pages as databases have them, as documents want them.

/// Words in the name of a maintainer that is no single person.
const GROUPS: [&str; 7] = [
    "team",
    "maintainers",
    "developers",
    "group",
    "project",
    "packagers",
    "inc",
];

/// Who supplies a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contact {
    pub(super) name: String,
    pub(super) email: Option<String>,
    pub(super) is_person: bool,
}

impl Contact {
    /// Takes `Name <address>` apart. That a name is a person's is a guess from its words.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, address) = text.split_once('<').unwrap_or((text, ""));
        let email = address.split('>').next().unwrap_or_default().trim();
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '(' | ')' | '<');
        let email = (email.contains('@') && email.chars().all(plain)).then(|| email.to_owned());
        // Brackets hold the address in SPDX and cannot be in a name.
        let name = name.replace(['(', ')'], " ");
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = if name.is_empty() {
            email.clone()?
        } else {
            name
        };
        let is_person = !name.split(' ').any(|word| {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            GROUPS.iter().any(|group| word.eq_ignore_ascii_case(group))
        });
        Some(Self {
            name,
            email,
            is_person,
        })
    }

    /// A body that distributes packages.
    pub(super) fn organisation(name: &str) -> Option<Self> {
        Some(Self {
            is_person: false,
            ..Self::parse(name)?
        })
    }
}

/// A home page, if it is a web address that stands for itself.
pub(super) fn web_address(text: &str) -> Option<&str> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    let fits = |byte: u8| byte.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&byte);
    (!rest.is_empty() && rest.bytes().all(fits)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maintainers_are_taken_apart() {
        let body = Contact::parse("A (the) Body <a@example.org>").unwrap();
        assert_eq!(body.name, "A the Body");
        assert_eq!(body.email.as_deref(), Some("a@example.org"));
        assert!(body.is_person);
        let team = Contact::parse("Debian systemd Maintainers").unwrap();
        assert!(!team.is_person);
        assert_eq!(team.email, None);
        assert_eq!(
            Contact::parse("<a@example.org>").unwrap().name,
            "a@example.org"
        );
        assert_eq!(Contact::parse("x <a b@c>").unwrap().email, None);
        assert_eq!(Contact::parse(" <> "), None);
        assert!(!Contact::organisation("Fedora").unwrap().is_person);
    }

    #[test]
    fn home_pages_are_web_addresses() {
        assert!(web_address("https://example.org/a?b#c").is_some());
        for odd in [
            "",
            "https://",
            "example.org",
            "http://a b",
            "javascript:x",
            "http://ä",
        ] {
            assert_eq!(web_address(odd), None, "{odd}");
        }
    }
}
