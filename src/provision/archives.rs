//! Where else a package file may be: the other archives that an image is configured with.
//!
//! ```text
//! configuration files of the image -> addresses, up to their first variable
//! locked address - its archive's address + another archive's address = another place to ask
//! ```
//!
//! A file is what the lock says by its digest, wherever it comes from.

/// Files that name archives, and directories of such files, below the root. Sources:
/// `sources.list(5)`, `apt-transport-mirror(1)`, `dnf.conf(5)`, `zypper(8)`, `pacman.conf(5)`,
/// `apk-repositories(5)`.
pub const FILES: [&str; 4] = [
    "etc/apt/sources.list",
    "etc/apt/mirrors.list",
    "etc/pacman.d/mirrorlist",
    "etc/apk/repositories",
];
/// See [`FILES`].
pub const DIRECTORIES: [&str; 6] = [
    "etc/apt/sources.list.d",
    "etc/apt/mirrors",
    "etc/yum.repos.d",
    "etc/dnf/repos.d",
    "etc/zypp/repos.d",
    "etc/apk/repositories.d",
];

/// Keys whose addresses are no archives.
const NOT: [&str; 6] = [
    "gpgkey",
    "mirrorlist",
    "metalink",
    "signed-by",
    "proxy",
    "changelogs",
];

/// The archives that a configuration file names, each with a slash at its end.
pub fn archives(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for line in text.lines().map(str::trim_start) {
        let key = line.split(['=', ':', ' ', '\t']).next().unwrap_or_default();
        if line.starts_with(['#', ';']) || NOT.iter().any(|it| key.eq_ignore_ascii_case(it)) {
            continue;
        }
        for word in line.split([' ', '\t', '=', ',']) {
            if !word.starts_with("http://") && !word.starts_with("https://") {
                continue;
            }
            let fixed = word.split('$').next().unwrap_or_default();
            let archive = format!("{}/", fixed.trim_end_matches('/'));
            if !all.contains(&archive) {
                all.push(archive);
            }
        }
    }
    all
}

/// The same file in the other archives.
pub fn elsewhere(url: &str, archives: &[String]) -> Vec<String> {
    let own = archives
        .iter()
        .filter(|archive| url.starts_with(archive.as_str()))
        .max_by_key(|archive| archive.len());
    let rest = match own {
        Some(own) => &url[own.len()..],
        // The image is configured otherwise than where the lock was made. Below an archive of
        // Debian's form all packages lie in a directory of this name.
        None => match url.find("/pool/") {
            Some(place) => &url[place + 1..],
            None => return Vec::new(),
        },
    };
    let others = archives.iter().filter(|archive| Some(*archive) != own);
    others.map(|archive| format!("{archive}{rest}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_configuration() {
        let all = archives(
            "deb [arch=amd64 signed-by=/a.gpg] http://one.test/debian bookworm main\n\
             # deb http://not.test/debian bookworm main\n\
             URIs: https://two.test/debian/ https://three.test/debian\n\
             mirrorlist=https://not.test/list?x\n\
             baseurl=https://four.test/rocky/$releasever/BaseOS/$basearch/os/\n\
             \x20       https://five.test/rocky/$releasever/BaseOS\n\
             gpgkey=https://not.test/key\n\
             Server = https://six.test/$repo/os/$arch\n\
             http://seven.test/alpine/v3.20/main\n\
             mirror+file:/etc/apt/mirrors.list x\n\
             http://one.test/debian\tpriority:1\n",
        );
        assert_eq!(
            all,
            [
                "http://one.test/debian/",
                "https://two.test/debian/",
                "https://three.test/debian/",
                "https://four.test/rocky/",
                "https://five.test/rocky/",
                "https://six.test/",
                "http://seven.test/alpine/v3.20/main/",
            ]
        );
    }

    #[test]
    fn the_same_file_in_another_archive() {
        let all = [
            "http://a.test/debian/",
            "http://a.test/",
            "http://b.test/x/",
        ]
        .map(Into::into);
        assert_eq!(
            elsewhere("http://a.test/debian/pool/d.deb", &all),
            ["http://a.test/pool/d.deb", "http://b.test/x/pool/d.deb"]
        );
        assert_eq!(
            elsewhere("http://old.test/debian/pool/d.deb", &all[2..]),
            ["http://b.test/x/pool/d.deb"]
        );
        assert!(elsewhere("http://old.test/d.rpm", &all).is_empty());
        assert!(elsewhere("http://b.test/x/d.rpm", &all[2..]).is_empty());
    }
}
