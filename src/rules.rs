//! Names of the normaliser's rules, which recipes switch off by name. What they do:
//! [`RULES`](crate::provision::normalise::RULES).

/// Rules that cannot be switched off: a tree with marks of an overlay in it would be taken for
/// instructions wherever it lies below one.
pub const ALWAYS: [&str; 1] = ["overlay-attributes"];

/// Every name, in the order in which the rules are applied.
pub const NAMES: [&str; 34] = [
    "mtime-clamp",
    "overlay-attributes",
    "python-bytecode",
    "package-logs",
    "ldconfig-cache",
    "apt-cache",
    "apt-lists",
    "pacman-log",
    "pacman-cache",
    "pacman-databases",
    "pacman-install-dates",
    "pacman-keyring",
    "apk-log",
    "apk-cache",
    "rpm-database",
    "dnf-history",
    "dnf-cache",
    "zypper-state",
    "font-identifiers",
    "man-index",
    "home-caches",
    "login-records",
    "journal",
    "host-files",
    "machine-id",
    "random-seed",
    "ssh-host-keys",
    "snakeoil-certificate",
    "postgresql-cluster",
    "mariadb-data",
    "service-secrets",
    "mail-aliases",
    "java-certificates",
    "update-stamps",
];
