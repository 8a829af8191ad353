//! Checks of single values that several keys share.

use racker_store::Digest;

use super::Problem;
use super::owner::is_principal;
use crate::check::is_unit;

/// Accepts an absolute path without `.` and `..` components.
pub(super) fn absolute(path: &str) -> Result<(), Problem> {
    if !path.starts_with('/') {
        return Err(
            Problem::new(format!("`{path}` is not absolute")).hint(format!(
                "a path in the image starts with a slash: \"/{path}\""
            )),
        );
    }
    if path.split('/').any(|part| matches!(part, "." | "..")) {
        return Err(
            Problem::new(format!("`{path}` has a `.` or `..` component"))
                .hint("write the path without them"),
        );
    }
    Ok(())
}

/// Accepts an absolute path that can be a target.
pub(super) fn target(path: &str) -> Result<String, Problem> {
    absolute(path)?;
    Ok(path.to_owned())
}

/// Accepts a relative path that stays, by its text, in the directory it starts from.
pub(super) fn confined(path: &str) -> Result<String, Problem> {
    let advice = "a source lies in the recipe's directory and is named relative to it";
    if path.is_empty() {
        return Err(Problem::new("the source is empty").hint(advice));
    }
    if path.starts_with('/') {
        return Err(Problem::new(format!("the source `{path}` is absolute")).hint(advice));
    }
    let mut depth = 0_i64;
    for part in path.split('/') {
        depth += match part {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        if depth < 0 {
            return Err(
                Problem::new(format!("the source `{path}` leaves the recipe's directory"))
                    .hint(advice),
            );
        }
    }
    Ok(path.to_owned())
}

/// Accepts an http or https URL.
pub(super) fn url(text: &str) -> Result<String, Problem> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    let clean = text.bytes().all(|b| b.is_ascii_graphic());
    if host.is_some_and(|host| !host.is_empty()) && clean {
        Ok(text.to_owned())
    } else {
        Err(Problem::new(format!("`{text}` is no http or https URL")))
    }
}

/// Accepts a sha256 digest.
pub(super) fn digest(text: &str) -> Result<Digest, Problem> {
    text.parse().map_err(|_| {
        Problem::new(format!("`{text}` is no digest"))
            .hint("a digest is `sha256:` and 64 hexadecimal digits in lower case")
    })
}

/// Accepts the name of a package as some manager takes it, or the path of a package file.
pub(super) fn package(name: &str) -> Result<(), Problem> {
    const FILES: [&str; 5] = [".deb", ".rpm", ".apk", ".pkg.tar.zst", ".pkg.tar.xz"];
    if name.starts_with("./") {
        return confined(name).map(drop);
    }
    if name.contains('/') && FILES.iter().any(|end| name.ends_with(end)) || name.starts_with('/') {
        return Err(Problem::new(format!("`{name}` is no package")).hint(
            "a package file lies in the recipe's directory and is named by a path that starts with `./`",
        ));
    }
    if let Some(end) = FILES.iter().find(|end| name.ends_with(**end)) {
        return Err(
            Problem::new(format!("`{name}` is no package")).hint(format!(
                "a package file starts with `./`: \"./{name}\" is the {end} file"
            )),
        );
    }
    let strange = |c: char| c.is_whitespace() || c.is_control();
    if name.is_empty() || name.starts_with('-') || name.contains(strange) {
        let problem = Problem::new(format!("`{name}` cannot be the name of a package"));
        return Err(if name.trim().contains(strange) {
            problem.hint("write one string for each package")
        } else {
            problem
        });
    }
    Ok(())
}

/// Accepts the name of a systemd unit.
pub(super) fn unit(name: &str) -> Result<(), Problem> {
    if is_unit(name) {
        Ok(())
    } else {
        Err(
            Problem::new(format!("`{name}` cannot be the name of a unit")).hint(
                "a unit is named as systemctl names it, such as \"nginx\" or \"apt-daily.timer\"",
            ),
        )
    }
}

/// Accepts the name of a unit that a probe can start.
pub(super) fn concrete_unit(name: &str) -> Result<(), Problem> {
    unit(name)?;
    crate::check::concrete_unit(name).map_err(Problem::new)?;
    Ok(())
}

/// Accepts the name of an environment variable.
pub(super) fn variable(name: &str) -> Result<(), Problem> {
    let clean = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if clean && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) {
        Ok(())
    } else {
        Err(Problem::new(format!(
            "`{name}` cannot be the name of an environment variable"
        )))
    }
}

/// Accepts the id of a secret or the name of a rule.
pub(super) fn identifier(name: &str) -> Result<(), Problem> {
    let clean = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if clean
        && name
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric())
    {
        Ok(())
    } else {
        Err(Problem::new(format!("`{name}` is no identifier"))
            .hint("an identifier is made of letters, digits, `-`, `_` and `.`"))
    }
}

/// Accepts a user, or a user and a group.
pub(super) fn user(text: &str) -> Result<String, Problem> {
    let (user, group) = text.split_once(':').unwrap_or((text, "root"));
    if is_principal(user) && is_principal(group) {
        Ok(text.to_owned())
    } else {
        Err(Problem::new(format!("`{text}` is no user")).hint(
            "a user is a name or a number, optionally with a group: \"www-data\" or \"33:33\"",
        ))
    }
}

/// Accepts text that says something.
pub(super) fn filled(text: &str) -> Result<String, Problem> {
    if text.trim().is_empty() {
        Err(Problem::new("this is empty"))
    } else {
        Ok(text.to_owned())
    }
}
