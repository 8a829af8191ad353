//! Packages taken out of a running system again, with what came along, without a network.

use super::job::{Job, Network, environment, shell};
use crate::package::Manager;

/// The job that removes these packages and all that is theirs to remove.
pub fn removal(manager: Manager, names: &[String]) -> Job {
    let script = match manager {
        Manager::Apt => "apt-get -q -y -o Dpkg::Use-Pty=false purge --auto-remove -- \"$@\"",
        // The repositories, which cannot be reached, have no say.
        Manager::Dnf => {
            "for dnf in dnf dnf5 microdnf; do ! command -v $dnf >/dev/null || break; done
             \"$dnf\" -y --disablerepo='*' remove \"$@\""
        }
        Manager::Zypper => "zypper --non-interactive --no-refresh remove --clean-deps -- \"$@\"",
        Manager::Pacman => "pacman -Rns --noconfirm -- \"$@\"",
        Manager::Apk => "apk del --no-network -- \"$@\"",
    };
    Job {
        argv: shell(script, names.iter().cloned()),
        env: environment(None, &[("DEBIAN_FRONTEND", "noninteractive")]),
        binds: Vec::new(),
        network: Network::None,
    }
}
