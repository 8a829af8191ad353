//! What autopkgtest asks for: one line, words with percent quoting.

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// What the server can do.
    Capabilities,
    /// Start the testbed.
    Open,
    /// Undo everything.
    Revert,
    /// Reboot it, or let a test do so that waits for leave.
    Reboot { by_test: bool },
    /// End it.
    Close,
    /// Say how commands are run in it.
    PrintExecuteCommand,
    /// Copy a file, or what is in a directory.
    Copy(Copy),
    /// Show a shell in it: the directory, and variables.
    Shell(String, Vec<String>),
    /// Show what may help to find a failure's cause.
    DebugFail,
    /// End it and the server.
    Quit,
}

/// A copy between host and testbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    /// Out of the testbed.
    pub(super) up: bool,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) directory: bool,
}

/// Reads a line; none where there is nothing in it.
///
/// Errors: what is wrong with it.
pub(super) fn read(line: &str) -> Result<Option<Request>, String> {
    let words: Vec<String> = line
        .split_whitespace()
        .map(|word| unquote(word).ok_or_else(|| format!("cannot read {word:?}")))
        .collect::<Result<_, _>>()?;
    let Some((name, rest)) = words.split_first() else {
        return Ok(None);
    };
    let name = name.replace('_', "-");
    let (least, most) = match name.as_str() {
        "capabilities"
        | "open"
        | "revert"
        | "close"
        | "print-execute-command"
        | "quit"
        | "auxverb-debug-fail" => (0, 0),
        "reboot" => (0, 1),
        "copydown" | "copyup" => (2, 2),
        "shell" => (1, usize::MAX),
        _ => return Err(format!("unknown command {name:?}")),
    };
    if rest.len() < least {
        return Err(format!("too few arguments to {name:?}"));
    }
    if rest.len() > most {
        return Err(format!("too many arguments to {name:?}"));
    }
    Ok(Some(match name.as_str() {
        "capabilities" => Request::Capabilities,
        "open" => Request::Open,
        "revert" => Request::Revert,
        "reboot" => Request::Reboot {
            by_test: match rest {
                [] => false,
                [word] if word == "prepare-only" => true,
                _ => return Err(format!("unknown kind of reboot {:?}", rest[0])),
            },
        },
        "close" => Request::Close,
        "print-execute-command" => Request::PrintExecuteCommand,
        "quit" => Request::Quit,
        "auxverb-debug-fail" => Request::DebugFail,
        "shell" => Request::Shell(rest[0].clone(), rest[1..].to_vec()),
        _ => Request::Copy(copy(&name, &rest[0], &rest[1])?),
    }))
}

fn copy(name: &str, from: &str, to: &str) -> Result<Copy, String> {
    if from.is_empty() || to.is_empty() {
        return Err(format!("{name}: paths must not be empty"));
    }
    let directory = from.ends_with('/');
    if directory != to.ends_with('/') {
        return Err(format!("{name}: either both paths end in / or none"));
    }
    Ok(Copy {
        up: name == "copyup",
        from: from.to_owned(),
        to: to.to_owned(),
        directory,
    })
}

/// Words as one of a reply, which has commas between them.
pub(super) fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    quoted.join(",")
}

fn quote(word: &str) -> String {
    let mut text = String::new();
    for byte in word.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// A `%` that is followed by no number stands for itself, as everywhere in autopkgtest.
fn unquote(word: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = match rest {
            [b'%', high, low, ..] => std::str::from_utf8(&[*high, *low])
                .ok()
                .filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()))
                .and_then(|it| u8::from_str_radix(it, 16).ok()),
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Request {
        read(line).unwrap().unwrap()
    }

    #[test]
    fn lines_are_requests() {
        assert_eq!(one("capabilities\n"), Request::Capabilities);
        assert_eq!(one("print-execute-command"), Request::PrintExecuteCommand);
        assert_eq!(one("auxverb_debug_fail"), Request::DebugFail);
        assert_eq!(one("reboot"), Request::Reboot { by_test: false });
        assert_eq!(
            one("reboot prepare-only"),
            Request::Reboot { by_test: true }
        );
        assert_eq!(
            one("shell /tmp A%3D1 B"),
            Request::Shell("/tmp".into(), vec!["A=1".into(), "B".into()])
        );
        assert_eq!(
            one("copyup /a%20b/ /c/"),
            Request::Copy(Copy {
                up: true,
                from: "/a b/".into(),
                to: "/c/".into(),
                directory: true
            })
        );
        assert_eq!(read(" \n"), Ok(None));
    }

    #[test]
    fn wrong_lines_are_refused() {
        for (line, text) in [
            ("frobnicate", "unknown command \"frobnicate\""),
            ("open now", "too many arguments to \"open\""),
            ("copyup /a", "too few arguments to \"copyup\""),
            ("shell", "too few"),
            ("copydown /a/ /b", "either both paths end in / or none"),
            ("reboot later", "unknown kind of reboot"),
            ("copyup %ff /b", "cannot read"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(text), "{line}: {error}");
        }
    }

    #[test]
    fn quoting_is_undone() {
        for word in ["/plain", "a b,c%d", "ä\n", "%", "%zz", "100%25"] {
            assert_eq!(unquote(&quote(word)).as_deref(), Some(word));
        }
        assert_eq!(unquote("%zz%").as_deref(), Some("%zz%"));
        assert_eq!(list(&["/bin/x", "a,b"]), "/bin/x,a%2Cb");
    }
}
