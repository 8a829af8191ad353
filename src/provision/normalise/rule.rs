//! The table of rules.

use serde::Serialize;

use super::context::Context;
use super::{boot, caches, databases, identity, leftovers, pacman, rpm};
use crate::provision::Result;

/// One rule of the normaliser.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rule {
    /// Its name in recipes.
    pub name: &'static str,
    /// Raised whenever it does something else; part of the step's key.
    pub version: u32,
    /// What it removes or rewrites.
    pub does: &'static str,
    /// Which source of differences it is for.
    pub because: &'static str,
    /// When it is carried out.
    pub stage: Stage,
    /// After which steps.
    pub after: &'static [After],
    /// Files that need not even be made.
    #[serde(skip)]
    pub spare: Option<Spare>,
    /// What the step runs at its end.
    #[serde(skip)]
    pub(super) script: Option<&'static str>,
    #[serde(skip)]
    pub(super) action: Action,
}

/// Files that a package's scripts make, at some cost, and that the rule removes: where there is a
/// file already, the scripts leave it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spare {
    /// The package.
    pub package: &'static str,
    /// Absolute paths.
    pub paths: &'static [&'static str],
}

/// How a rule is carried out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// By the capture.
    Elsewhere,
    /// By taking something away.
    Remove(fn(&mut Context<'_>)),
    /// By writing something.
    Rewrite(fn(&mut Context<'_>) -> Result<()>),
}

/// When a rule is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// While the changed files are taken in.
    Capture,
    /// On the tree that came of it.
    Tree,
    /// By what the step runs, at its end.
    Step,
}

/// The kind of step that a tree comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum After {
    /// A new root out of packages.
    Bootstrap,
    /// An installation or removal of packages.
    Packages,
    /// A script of the recipe.
    Run,
}

const ALL: &[After] = &[After::Bootstrap, After::Packages, After::Run];
const MACHINERY: &[After] = &[After::Bootstrap, After::Packages];

/// A rule on the tree, version 1.
const fn tree(
    name: &'static str,
    does: &'static str,
    because: &'static str,
    action: Action,
) -> Rule {
    Rule {
        name,
        version: 1,
        does,
        because,
        stage: Stage::Tree,
        after: ALL,
        spare: None,
        script: None,
        action,
    }
}

/// A rule that is carried out elsewhere.
const fn capture(name: &'static str, does: &'static str, because: &'static str) -> Rule {
    let stage = Stage::Capture;
    Rule {
        name,
        version: 1,
        does,
        because,
        stage,
        after: ALL,
        spare: None,
        script: None,
        action: Action::Elsewhere,
    }
}

/// Every rule, in the order in which they are applied.
pub const RULES: &[Rule] = &[
    capture(
        "mtime-clamp",
        "times of modification later than the epoch become the epoch",
        "files made by scripts carry the time of the build",
    ),
    capture(
        "overlay-attributes",
        "removes trusted.overlay.* and opaque marks that hide nothing",
        "overlayfs leaves random identifiers and origins in its upper directory",
    ),
    Rule {
        stage: Stage::Step,
        after: &[After::Packages],
        script: Some(include_str!("bytecode.sh")),
        ..capture(
            "python-bytecode",
            "compiles what Python before 3.11 compiled again, with a fixed hash seed",
            "the order of sets is random there, and written into the bytecode",
        )
    },
    Rule {
        version: 3,
        ..tree(
            "package-logs",
            "removes /var/log/{dpkg.log,alternatives.log,bootstrap.log,fontconfig.log,apt/*,dnf*.log,\
             hawkey.log,yum.log,zypper.log,zypp/history}",
            "their lines have times, or the order of a directory",
            Action::Remove(leftovers::package_logs),
        )
    },
    tree(
        "ldconfig-cache",
        "removes /var/cache/ldconfig/aux-cache",
        "it holds inode numbers and times of every library",
        Action::Remove(leftovers::ldconfig_cache),
    ),
    tree(
        "apt-cache",
        "removes apt's binary caches and package files in /var/cache/apt",
        "the caches hold times and addresses in memory",
        Action::Remove(leftovers::apt_cache),
    ),
    tree(
        "apt-lists",
        "removes what apt downloaded into /var/lib/apt/lists, and /var/lib/apt/periodic",
        "it is the state of a mirror at some moment",
        Action::Remove(leftovers::apt_lists),
    ),
    tree(
        "pacman-log",
        "removes /var/log/pacman.log",
        "every line of it has a time",
        Action::Remove(pacman::log),
    ),
    tree(
        "pacman-cache",
        "removes what pacman downloaded into /var/cache/pacman/pkg",
        "package files are installed already",
        Action::Remove(pacman::cache),
    ),
    tree(
        "pacman-databases",
        "removes what pacman downloaded into /var/lib/pacman/sync",
        "it is the state of a mirror at some moment",
        Action::Remove(pacman::databases),
    ),
    tree(
        "pacman-install-dates",
        "writes the epoch as time of installation into /var/lib/pacman/local/*/desc",
        "pacman writes the time of the build",
        Action::Rewrite(pacman::install_dates),
    ),
    tree(
        "pacman-keyring",
        "removes /etc/pacman.d/gnupg; racker-pacman-key.service makes it at boot",
        "its master key is random, and must not be shared by all users of an image",
        Action::Rewrite(pacman::keyring),
    ),
    tree(
        "apk-log",
        "removes /var/log/apk.log",
        "it holds what was done, and when",
        Action::Remove(leftovers::apk_log),
    ),
    tree(
        "apk-cache",
        "removes what apk downloaded into /var/cache/apk and /etc/apk/cache",
        "it is the state of a mirror at some moment",
        Action::Remove(leftovers::apk_cache),
    ),
    tree(
        "rpm-database",
        "writes rpm's database anew if it is one of SQLite, with its WAL in it; times of installation \
         later than the epoch become the epoch",
        "the order of pages and what free ones hold differ; rpm before 4.17 takes the clock",
        Action::Rewrite(rpm::database),
    ),
    tree(
        "dnf-history",
        "writes the history of dnf 4 and 5 anew, with its WAL in it; times of transactions later \
         than the epoch become the epoch",
        "it has times of transactions, and pages in any order; what was asked for stays marked",
        Action::Rewrite(rpm::history),
    ),
    tree(
        "dnf-cache",
        "removes what dnf downloaded into /var/cache/{dnf,yum,libdnf5}, and /var/lib/dnf/repos",
        "it is the state of a mirror at some moment, and counts weeks",
        Action::Remove(rpm::dnf_cache),
    ),
    tree(
        "zypper-state",
        "removes /var/cache/zypp/*, /var/lib/zypp/AnonymousUniqueId and /var/lib/YaST2/cookies; takes \
         the time out of /var/lib/zypp/AutoInstalled",
        "they hold random numbers, times and the state of a mirror",
        Action::Rewrite(rpm::zypper_state),
    ),
    tree(
        "font-identifiers",
        "makes the identifiers of font directories (.uuid) out of their paths",
        "fontconfig 2.13 makes random ones and names its caches by them",
        Action::Rewrite(caches::font_identifiers),
    ),
    tree(
        "man-index",
        "removes the index of man-db before 2.10, /var/cache/man/**/index.db",
        "it has the pages in the order of their inode numbers",
        Action::Rewrite(caches::man_index),
    ),
    Rule {
        after: &[After::Run],
        ..tree(
            "home-caches",
            "removes /root/{.cache,.wget-hsts,.npm/_logs,.npm/_cacache}",
            "downloading tools note there what they did, and when",
            Action::Remove(leftovers::home_caches),
        )
    },
    tree(
        "login-records",
        "empties /var/log/{wtmp,btmp,lastlog,faillog}",
        "they hold times of logins and boots",
        Action::Rewrite(leftovers::login_records),
    ),
    tree(
        "journal",
        "removes /var/log/journal/MACHINE-ID",
        "the machine's identity is in its name, times in its content",
        Action::Remove(leftovers::journal),
    ),
    Rule {
        after: MACHINERY,
        ..tree(
            "host-files",
            "puts /etc/{resolv.conf,hostname} back to what they were",
            "tools copy them from the machine that builds",
            Action::Rewrite(leftovers::host_files),
        )
    },
    tree(
        "machine-id",
        "empties /etc/machine-id, makes it where systemd is installed, removes D-Bus's copy",
        "it is random; an empty one is filled at boot without a first-boot run of presets",
        Action::Rewrite(identity::machine_id),
    ),
    tree(
        "random-seed",
        "removes /var/lib/systemd/{random-seed,credential.secret}, /var/lib/urandom/random-seed",
        "they are random, and secret",
        Action::Remove(identity::random_seed),
    ),
    Rule {
        spare: Some(identity::SSH_HOST_KEYS),
        ..tree(
            "ssh-host-keys",
            "removes /etc/ssh/ssh_host_*; racker-ssh-host-keys.service makes them at boot",
            "they are random, and must not be shared by all users of an image",
            Action::Rewrite(identity::ssh_host_keys),
        )
    },
    tree(
        "snakeoil-certificate",
        "removes the certificate of ssl-cert; racker-snakeoil.service makes it at boot",
        "it is random, and must not be shared by all users of an image",
        Action::Rewrite(identity::snakeoil),
    ),
    Rule {
        after: MACHINERY,
        ..tree(
            "postgresql-cluster",
            "removes the data of new clusters in /var/lib/postgresql; \
             racker-postgresql-VERSION-NAME.service makes them at boot",
            "a cluster has a random identity, which must not be shared by all users of an image",
            Action::Rewrite(databases::postgresql),
        )
    },
    Rule {
        after: MACHINERY,
        ..tree(
            "mariadb-data",
            "removes MariaDB's new data in /var/lib/mysql; racker-mariadb.service makes it at boot",
            "it has identities and times, and must not be shared by all users of an image",
            Action::Rewrite(databases::mariadb),
        )
    },
    Rule {
        after: MACHINERY,
        ..tree(
            "service-secrets",
            "removes /etc/bind/rndc.key, /etc/varnish/secret and /var/lib/rabbitmq/.erlang.cookie; \
             racker-SERVICE-secret.service makes them at boot, rabbitmq its own",
            "they are random, and must not be shared by all users of an image",
            Action::Rewrite(identity::service_secrets),
        )
    },
    tree(
        "mail-aliases",
        "removes /etc/aliases.db; racker-aliases.service makes it at boot",
        "it has the host's name and the time in it, and a random identifier",
        Action::Rewrite(databases::aliases),
    ),
    tree(
        "java-certificates",
        "writes Java's store of certificates in order, with the epoch as date",
        "it has the time at which each was added",
        Action::Rewrite(caches::java_certificates),
    ),
    tree(
        "update-stamps",
        "writes /etc/.updated and /var/.updated where systemd is installed",
        "without them systemd rebuilds caches at every first boot; with them as systemd writes \
         them they hold the time of the build",
        Action::Rewrite(boot::update_stamps),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_read_by_machines() {
        let names: std::collections::BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), RULES.len());
        let json = serde_json::to_value(RULES).unwrap();
        assert_eq!(json[0]["name"], "mtime-clamp");
        assert_eq!(json[0]["stage"], "capture");
        assert_eq!(json[3]["after"][0], "bootstrap");
        let all: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(all, crate::rules::NAMES);
    }
}
