//! Names of the normaliser's rules, which recipes switch off by name. What they do:
//! [`RULES`](crate::provision::normalise::RULES).

/// Every name, in the order in which the rules are applied.
pub const NAMES: [&str; 19] = [
    "mtime-clamp",
    "overlay-attributes",
    "python-bytecode",
    "package-logs",
    "ldconfig-cache",
    "apt-cache",
    "apt-lists",
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
    "update-stamps",
];
