//! What pacman leaves behind, and the keys that it makes.

use super::context::Context;
use super::identity::FirstBoot;
use crate::provision::Result;

const KEYRING: &str = "etc/pacman.d/gnupg";
const INSTALLED: &str = "var/lib/pacman/local";

const KEYS: FirstBoot<'_> = FirstBoot {
    name: "racker-pacman-key.service",
    text: "\
[Unit]
Description=Keyring of pacman on this machine
ConditionPathExists=!/etc/pacman.d/gnupg/trustdb.gpg
ConditionFileIsExecutable=/usr/bin/pacman-key

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/pacman-key --init
ExecStart=/usr/bin/pacman-key --populate
",
};

pub(super) fn log(context: &mut Context<'_>) {
    context.remove("var/log/pacman.log");
}

pub(super) fn cache(context: &mut Context<'_>) {
    context.remove_in("var/cache/pacman/pkg", |_| true);
}

pub(super) fn databases(context: &mut Context<'_>) {
    context.remove_in("var/lib/pacman/sync", |_| true);
    context.remove("var/lib/pacman/db.lck");
}

/// Every package that the step installed says that it was installed at the epoch.
pub(super) fn install_dates(context: &mut Context<'_>) -> Result<()> {
    for path in context.changed_below(INSTALLED) {
        if path.ends_with("/desc") {
            let old = context.read(&path)?;
            let new = dated(&old, context.epoch);
            if new != old {
                context.replace(&path, &new)?;
            }
        }
    }
    Ok(())
}

/// A description with another `%INSTALLDATE%`.
fn dated(description: &[u8], epoch: i64) -> Vec<u8> {
    let mut dated = Vec::with_capacity(description.len());
    let mut is_date = false;
    for line in description.split_inclusive(|byte| *byte == b'\n') {
        if is_date && !line.trim_ascii().is_empty() {
            dated.extend(format!("{epoch}\n").bytes());
        } else {
            dated.extend(line);
        }
        is_date = line == b"%INSTALLDATE%\n";
    }
    dated
}

/// The keyring goes as a whole, base image's or not: a part of it is of no use, and the secret key
/// in it, which all others hang from, must not be shared by all users of an image.
pub(super) fn keyring(context: &mut Context<'_>) -> Result<()> {
    if context.changed_below(KEYRING).is_empty() {
        return Ok(());
    }
    context.tree.remove(KEYRING.as_bytes());
    context.touched.push(KEYRING.into());
    if context.has_systemd() {
        KEYS.leave(context)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_set_and_nothing_else() {
        let old = b"%NAME%\na\n\n%INSTALLDATE%\n1764011592\n\n%SIZE%\n1764011592\n\n";
        let new = dated(old, 7);
        assert_eq!(
            new,
            b"%NAME%\na\n\n%INSTALLDATE%\n7\n\n%SIZE%\n1764011592\n\n"
        );
        assert_eq!(dated(&new, 7), new);
        assert_eq!(dated(b"%INSTALLDATE%\n\nx", 7), b"%INSTALLDATE%\n\nx");
        assert_eq!(dated(b"%INSTALLDATE%", 7), b"%INSTALLDATE%");
    }
}
