//! Reading zypper's XML: its repositories, and what it would install.

use crate::provision::rpmmd::{Seen, attribute, walk};

/// A repository that is switched on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Repository {
    pub(super) alias: String,
    /// Its address.
    pub(super) url: String,
    /// The smaller, the better.
    pub(super) priority: u32,
    /// Whether anything of it is checked.
    pub(super) checked: bool,
}

/// Reads `zypper --xmlout repos -E -u`; the best first.
pub(super) fn repositories(text: &str) -> Result<Vec<Repository>, String> {
    let mut all: Vec<Repository> = Vec::new();
    walk(text.as_bytes(), |seen| {
        match seen {
            Seen::Start(it) if it.name().as_ref() == "repo" => {
                let on = |name| Ok::<_, String>(attribute(it, name)?.as_deref() == Some("1"));
                all.push(Repository {
                    alias: attribute(it, "alias")?.unwrap_or_default(),
                    url: String::new(),
                    priority: attribute(it, "priority")?
                        .and_then(|it| it.parse().ok())
                        .unwrap_or(99),
                    checked: on("gpgcheck")? || on("repo_gpgcheck")? || on("pkg_gpgcheck")?,
                });
            }
            Seen::End("url", url) => {
                if let Some(last) = all.last_mut().filter(|it| it.url.is_empty()) {
                    url.trim().clone_into(&mut last.url);
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    all.sort_by(|a, b| (a.priority, &a.alias).cmp(&(b.priority, &b.alias)));
    Ok(all)
}

/// Name, edition and architecture of each package that comes.
pub(super) type Coming = (String, String, String);

/// Reads `zypper --xmlout install --dry-run`. Packages that go are in a list of their own there.
pub(super) fn coming(text: &str) -> Result<Vec<Coming>, String> {
    let mut all = Vec::new();
    let (mut summary, mut leaving) = (false, false);
    walk(text.as_bytes(), |seen| {
        match seen {
            Seen::Start(it) => match it.name().as_ref() {
                "install-summary" => summary = true,
                "to-remove" => leaving = true,
                "solvable" if summary && !leaving => {
                    let get = |name| Ok::<_, String>(attribute(it, name)?.unwrap_or_default());
                    if get("type")? == "package" {
                        all.push((get("name")?, get("edition")?, get("arch")?));
                    }
                }
                _ => {}
            },
            Seen::End("install-summary", _) => summary = false,
            Seen::End("to-remove", _) => leaving = false,
            Seen::End(..) => {}
        }
        Ok(())
    })?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_and_their_order() {
        let all = repositories(
            "<?xml version='1.0'?>\n<stream>\n<message type=\"info\">x</message>\n<repo-list>\n\
             <repo alias=\"a\" name=\"a\" priority=\"99\" enabled=\"1\" gpgcheck=\"0\">\n\
             <url>http://m.test/a/</url>\n<url>http://n.test/a/</url>\n</repo>\n\
             <repo alias=\"z\" priority=\"90\" gpgcheck=\"1\"><url>http://m.test/z</url></repo>\n\
             </repo-list>\n</stream>\n",
        )
        .unwrap();
        assert_eq!(all[0].alias, "z");
        assert!(all[0].checked && !all[1].checked);
        assert_eq!(all[1].url, "http://m.test/a/");
    }

    #[test]
    fn what_comes_and_what_goes() {
        let all = coming(
            "<?xml version='1.0'?>\n<stream>\n<install-summary packages-to-change=\"3\">\n\
             <to-upgrade>\n<solvable type=\"package\" name=\"a\" edition=\"1:2-3\" \
             edition-old=\"1-1\" arch=\"noarch\" summary=\"x\">\n<description>d</description>\
             </solvable>\n</to-upgrade>\n<to-install>\n\
             <solvable type=\"patch\" name=\"p\" edition=\"1\" arch=\"noarch\"/>\n</to-install>\n\
             <to-remove>\n<solvable type=\"package\" name=\"b\" edition=\"1-1\" arch=\"noarch\"/>\n\
             </to-remove>\n</install-summary>\n<prompt id=\"0\">\n</prompt></stream>\n",
        )
        .unwrap();
        assert_eq!(
            all,
            [("a".to_owned(), "1:2-3".to_owned(), "noarch".to_owned())]
        );
        assert!(coming("<stream></stream>").unwrap().is_empty());
    }
}
