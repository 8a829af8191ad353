//! The kinds of things that claims are about.
//!
//! Source: goss's documentation, "Available tests"; what is left out of it is left out here.

use serde::Serialize;

use super::Expected;

/// A kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Where something listens, from inside.
    Addr,
    /// A shell command.
    Command,
    /// A name.
    Dns,
    /// A path.
    File,
    /// A group.
    Group,
    /// An address that is asked by HTTP.
    Http,
    /// A mount point.
    Mount,
    /// A package.
    Package,
    /// A port of the guest's own.
    Port,
    /// The name of a program.
    Process,
    /// A unit, looked at and not started.
    Service,
    /// A user.
    User,
}

/// What values a property or setting has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// True or false.
    Flag,
    /// A whole number.
    Number,
    /// A time in milliseconds.
    Milliseconds,
    /// One word.
    Text,
    /// Permission bits, octal.
    Mode,
    /// Several words.
    Texts,
    /// Lines of text, of which patterns are found or not.
    Lines,
}

/// Something that can be said of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property {
    /// Its name in files.
    pub name: &'static str,
    /// What it is.
    pub form: Form,
}

/// Something that says how a thing is looked at.
pub type Setting = Property;

const fn of(name: &'static str, form: Form) -> Property {
    Property { name, form }
}

impl Kind {
    /// All of them, by name.
    pub const ALL: [Self; 12] = [
        Self::Addr,
        Self::Command,
        Self::Dns,
        Self::File,
        Self::Group,
        Self::Http,
        Self::Mount,
        Self::Package,
        Self::Port,
        Self::Process,
        Self::Service,
        Self::User,
    ];

    /// The kind of this name.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Its name in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Addr => "addr",
            Self::Command => "command",
            Self::Dns => "dns",
            Self::File => "file",
            Self::Group => "group",
            Self::Http => "http",
            Self::Mount => "mount",
            Self::Package => "package",
            Self::Port => "port",
            Self::Process => "process",
            Self::Service => "service",
            Self::User => "user",
        }
    }

    /// What can be said of it; first what is said where nothing else is.
    pub const fn properties(self) -> &'static [Property] {
        use Form::{Flag, Lines, Mode, Number, Text, Texts};
        match self {
            Self::Addr => const { &[of("reachable", Flag)] },
            Self::Command => {
                const {
                    &[
                        of("exit-status", Number),
                        of("stdout", Lines),
                        of("stderr", Lines),
                    ]
                }
            }
            Self::Dns => const { &[of("resolvable", Flag), of("addrs", Texts)] },
            Self::File => {
                const {
                    &[
                        of("exists", Flag),
                        of("mode", Mode),
                        of("owner", Text),
                        of("group", Text),
                        of("filetype", Text),
                        of("linked-to", Text),
                        of("size", Number),
                        of("contents", Lines),
                        of("contains", Lines),
                        of("sha256", Text),
                        of("sha512", Text),
                    ]
                }
            }
            Self::Group => const { &[of("exists", Flag), of("gid", Number)] },
            Self::Http => {
                const {
                    &[
                        of("status", Number),
                        of("headers", Lines),
                        of("body", Lines),
                    ]
                }
            }
            Self::Mount => {
                const {
                    &[
                        of("exists", Flag),
                        of("opts", Texts),
                        of("vfs-opts", Texts),
                        of("source", Text),
                        of("filesystem", Text),
                    ]
                }
            }
            Self::Package => const { &[of("installed", Flag), of("versions", Texts)] },
            Self::Port => const { &[of("listening", Flag), of("ip", Texts)] },
            Self::Process => const { &[of("running", Flag)] },
            Self::Service => const { &[of("running", Flag), of("enabled", Flag)] },
            Self::User => {
                const {
                    &[
                        of("exists", Flag),
                        of("uid", Number),
                        of("gid", Number),
                        of("groups", Texts),
                        of("home", Text),
                        of("shell", Text),
                    ]
                }
            }
        }
    }

    /// How it can be looked at; first what says which thing is meant where its name does not.
    pub const fn settings(self) -> &'static [Setting] {
        use Form::{Flag, Milliseconds, Text, Texts};
        match self {
            Self::Addr => const { &[of("address", Text), of("timeout", Milliseconds)] },
            Self::Command => const { &[of("exec", Text), of("timeout", Milliseconds)] },
            Self::Dns => {
                const {
                    &[
                        of("resolve", Text),
                        of("server", Text),
                        of("timeout", Milliseconds),
                    ]
                }
            }
            Self::File => const { &[of("path", Text)] },
            Self::Group => const { &[of("groupname", Text)] },
            Self::Http => {
                const {
                    &[
                        of("url", Text),
                        of("method", Text),
                        of("request-headers", Texts),
                        of("request-body", Text),
                        of("username", Text),
                        of("password", Text),
                        of("no-follow-redirects", Flag),
                        of("allow-insecure", Flag),
                        of("ca-file", Text),
                        of("timeout", Milliseconds),
                    ]
                }
            }
            Self::Mount => const { &[of("mountpoint", Text), of("timeout", Milliseconds)] },
            Self::Port => const { &[of("port", Text)] },
            Self::Process => const { &[of("comm", Text)] },
            Self::Package | Self::Service => const { &[of("name", Text)] },
            Self::User => const { &[of("username", Text)] },
        }
    }

    /// The name of the setting that says which thing is meant.
    pub const fn subject(self) -> &'static str {
        self.settings()[0].name
    }

    /// The property that is claimed where nothing else is.
    pub const fn main(self) -> Property {
        self.properties()[0]
    }

    /// What is claimed where nothing else is.
    pub fn default(self) -> (&'static str, Expected) {
        let value = match self {
            Self::Command => "0",
            Self::Http => "200",
            _ => "true",
        };
        (self.main().name, Expected::Is(value.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_their_kinds() {
        let mut words: Vec<_> = Kind::ALL.iter().map(|kind| kind.word()).collect();
        assert!(words.is_sorted());
        words.dedup();
        assert_eq!(words.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(Kind::of(kind.word()), Some(kind));
            // A key must mean one thing.
            let names = kind.properties().iter().chain(kind.settings());
            let mut names: Vec<_> = names.map(|it| it.name).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{kind:?}");
        }
    }
}
