//! What the host's apt knows about its mirror and the way there.

use std::process::{Command, Stdio};

/// Options of the host's apt that a guest needs to reach the same mirrors.
///
/// They decide how metadata is fetched, never what is in it, so they enter no key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(Vec<(String, String)>);

/// The options passed on; proxies of single hosts lie below the two last.
const PASSED_ON: [&str; 4] = [
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
];

impl Settings {
    /// Asks the host's `apt-config`; nothing when the host has none.
    pub fn of_this_host() -> Settings {
        let output = Command::new("apt-config")
            .arg("dump")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        output
            .map(|o| Settings::parse(&String::from_utf8_lossy(&o.stdout)))
            .unwrap_or_default()
    }

    /// Picks the options out of `apt-config dump`.
    pub fn parse(dump: &str) -> Settings {
        let wanted = |name: &str| {
            PASSED_ON.iter().any(|option| {
                name.strip_prefix(option)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            })
        };
        Settings(
            dump.lines()
                .filter_map(|line| line.trim_end().strip_suffix("\";")?.split_once(" \""))
                .filter(|(name, value)| wanted(name) && !value.is_empty())
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// The options in the language of `apt.conf`.
    pub fn to_conf(&self) -> String {
        self.0
            .iter()
            .map(|(name, value)| option(name, value))
            .collect()
    }
}

/// One line of `apt.conf`.
pub(crate) fn option(name: &str, value: &str) -> String {
    format!("{name} \"{value}\";\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_concerns_the_way_is_passed_on() {
        let settings = Settings::parse(
            "Acquire \"\";\nAcquire::Check-Valid-Until \"false\";\nAcquire::Languages \"none\";\n\
             Acquire::http::Proxy \"http://proxy.test:3128\";\n\
             Acquire::http::Proxy::mirror.test \"DIRECT\";\nAcquire::https::Proxy \"\";\n\
             Acquire::http::Proxy-Auto-Detect \"x\";\nDPkg::Post-Invoke:: \"rm -f x\";\n",
        );
        assert_eq!(
            settings.to_conf(),
            "Acquire::Check-Valid-Until \"false\";\n\
             Acquire::http::Proxy \"http://proxy.test:3128\";\n\
             Acquire::http::Proxy::mirror.test \"DIRECT\";\n"
        );
        assert_eq!(Settings::parse(""), Settings::default());
    }
}
