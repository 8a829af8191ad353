//! Who a command runs as: `-u` and an image's `User`, looked up in the image's own files.
//!
//! The files are parsed here, never through the host's name services.

use super::Error;

/// A user of the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub uid: u32,
    /// Its primary group.
    pub gid: u32,
    /// Its further groups.
    pub groups: Vec<u32>,
    /// Its home directory.
    pub home: String,
}

impl Default for User {
    fn default() -> Self {
        Self {
            uid: 0,
            gid: 0,
            groups: Vec::new(),
            home: "/root".into(),
        }
    }
}

struct Entry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn entries(passwd: &str) -> impl Iterator<Item = Entry<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        let home = fields.nth(1)?;
        Some(Entry {
            name,
            uid,
            gid,
            home,
        })
    })
}

/// Finds `text`, which is `USER[:GROUP]` with names or numbers, in the texts of `passwd` and
/// `group`. A number needs no entry; its primary group is then 0, as docker has it.
///
/// Errors: a name without an entry.
pub fn find(text: &str, passwd: &str, group: &str) -> Result<User, Error> {
    let (name, group_name) = match text.split_once(':') {
        Some((name, group)) => (name, Some(group).filter(|g| !g.is_empty())),
        None => (text, None),
    };
    // Root needs no entry: an image of one static program has no users at all.
    let unknown = |text: &str| !entries(passwd).any(|entry| entry.name == text);
    let name = if name.is_empty() || name == "root" && unknown(name) {
        "0"
    } else {
        name
    };
    let number: Option<u32> = name.parse().ok();
    let entry = entries(passwd).find(|e| e.name == name || number == Some(e.uid));
    let (uid, gid, home, login) = match (entry, number) {
        (Some(entry), _) => (entry.uid, entry.gid, entry.home, entry.name),
        (None, Some(number)) => (number, 0, if number == 0 { "/root" } else { "/" }, ""),
        (None, None) => return Err(Error::NoUser(name.to_owned())),
    };
    let mut user = User {
        uid,
        gid,
        groups: Vec::new(),
        home: home.to_owned(),
    };
    match group_name {
        Some(wanted) => user.gid = find_group(wanted, group)?,
        None => user.groups = memberships(login, gid, group),
    }
    Ok(user)
}

fn find_group(wanted: &str, group: &str) -> Result<u32, Error> {
    if let Ok(number) = wanted.parse() {
        return Ok(number);
    }
    group
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == wanted).then(|| fields.nth(1)?.parse().ok())?
        })
        .ok_or_else(|| Error::NoGroup(wanted.to_owned()))
}

fn memberships(login: &str, primary: u32, group: &str) -> Vec<u32> {
    group
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let gid = fields.nth(2)?.parse().ok()?;
            let member = fields
                .next()?
                .split(',')
                .any(|name| !login.is_empty() && name == login);
            (member && gid != primary).then_some(gid)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:www-data\nwww-data:x:33:\nssl:x:110:a,www-data\n";

    #[test]
    fn names_numbers_and_groups() {
        let www = find("www-data", PASSWD, GROUP).unwrap();
        assert_eq!(
            (www.uid, www.gid, www.groups.as_slice()),
            (33, 33, &[4, 110][..])
        );
        assert_eq!(www.home, "/var/www");
        assert_eq!(find("33", PASSWD, GROUP).unwrap(), www);
        let other = find("www-data:adm", PASSWD, GROUP).unwrap();
        assert_eq!((other.gid, other.groups.len()), (4, 0));
        let number = find("1234:55", PASSWD, GROUP).unwrap();
        assert_eq!(
            (number.uid, number.gid, number.home.as_str()),
            (1234, 55, "/")
        );
        assert_eq!(find("", "", "").unwrap(), User::default());
        assert_eq!(find("root", "", "").unwrap(), User::default());
    }

    #[test]
    fn unknown_names_are_errors() {
        assert!(
            matches!(find("nobody", PASSWD, GROUP), Err(Error::NoUser(name)) if name == "nobody")
        );
        assert!(matches!(
            find("0:none", PASSWD, GROUP),
            Err(Error::NoGroup(_))
        ));
    }
}
