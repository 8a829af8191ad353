//! Users and groups of a guest, as its own files have them. Source: `passwd(5)`, `group(5)`.

use super::observed::Observed;
use super::view::View;

/// The line of a file whose first field, or field at `place`, is this.
fn line<'a>(text: &'a str, place: usize, wanted: &str) -> Option<Vec<&'a str>> {
    let fields = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut fields = fields.filter(|it| it.len() >= 3);
    fields.find(|it| it.get(place) == Some(&wanted))
}

/// The name of a user; the number where it has none.
pub(super) fn user_name(view: &View<'_>, id: u32) -> String {
    name(&view.text("/etc/passwd"), id)
}

/// The name of a group; the number where it has none.
pub(super) fn group_name(view: &View<'_>, id: u32) -> String {
    name(&view.text("/etc/group"), id)
}

fn name(text: &str, id: u32) -> String {
    let id = id.to_string();
    line(text, 2, &id).map_or(id.clone(), |fields| fields[0].to_owned())
}

/// Looks for a user.
pub(super) fn user(view: &View<'_>, name: &str) -> Observed {
    user_in(&view.text("/etc/passwd"), &view.text("/etc/group"), name)
}

fn user_in(passwd: &str, group: &str, name: &str) -> Observed {
    let Some(fields) = line(passwd, 0, name) else {
        return Observed::new("exists", false, "is no user");
    };
    let mut groups = Vec::new();
    let members = group
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    for fields_of_group in members {
        let [group, _, gid, ..] = fields_of_group.as_slice() else {
            continue;
        };
        let primary = fields.get(3) == Some(gid);
        let members = fields_of_group.get(3).copied().unwrap_or_default();
        if primary || members.split(',').any(|it| it == name) {
            groups.push((*group).to_owned());
        }
    }
    let mut seen = Observed::new("exists", true, "is a user").with("groups", groups);
    for (place, property) in [(2, "uid"), (3, "gid"), (5, "home"), (6, "shell")] {
        let value = fields.get(place).copied().unwrap_or_default();
        seen = seen.with(property, value);
    }
    seen
}

/// Looks for a group.
pub(super) fn group(view: &View<'_>, name: &str) -> Observed {
    match line(&view.text("/etc/group"), 0, name) {
        Some(fields) => Observed::new("exists", true, "is a group").with("gid", fields[2]),
        None => Observed::new("exists", false, "is no group"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Seen;

    #[test]
    fn users_and_their_groups() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nwww:x:33:33::/var/www:/bin/sh\n";
        let group = "root:x:0:\nadm:x:4:a,www\nwww:x:33:\nodd\n";
        let seen = user_in(passwd, group, "www");
        let is = |property: &str| seen.properties[property].clone();
        assert_eq!(is("uid"), Seen::from("33"));
        assert_eq!(is("home"), Seen::from("/var/www"));
        assert_eq!(is("groups"), Seen::Many(vec!["adm".into(), "www".into()]));
        assert_eq!(user_in(passwd, group, "ww").properties.len(), 1);
        assert_eq!(name(passwd, 33), "www");
        assert_eq!(name(passwd, 34), "34");
    }
}
