//! What of the host a container is to see, as docker writes it.
//!
//! Of the host is what begins with `/` or `.`; everything else is the name of a volume.

use super::values::bytes;
use crate::lifecycle::config::Mount;

/// `SOURCE:TARGET[:OPTIONS]` or `TARGET` alone.
pub(crate) fn volume(text: &str) -> Result<(Mount, bool), String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts[..] {
        [target] => return absolute(target).map(|it| (Mount::anonymous(it), false)),
        [source, target] => (source, target, ""),
        [source, target, options] => (source, target, options),
        _ => return Err(format!("invalid volume specification: {text:?}")),
    };
    if source.is_empty() {
        return Err(format!("invalid volume specification: {text:?}"));
    }
    let mut mount = Mount {
        source: source.to_owned(),
        volume: !source.starts_with(['/', '.']),
        target: absolute(target)?,
        read_only: false,
        anonymous: false,
    };
    if !mount.volume {
        mount.source = on_host(source)?;
    }
    for option in options.split(',').filter(|it| !it.is_empty()) {
        match option {
            "ro" => mount.read_only = true,
            // SELinux labels, how a volume is filled and consistency: nothing to do here.
            "rw" | "z" | "Z" | "nocopy" | "consistent" | "cached" | "delegated" | "private"
            | "rprivate" | "exec" | "dev" | "suid" => {}
            _ => return Err(format!("invalid mode {option:?} in volume {text:?}")),
        }
    }
    // docker makes a directory for `-v` and none for `--mount`.
    let make = !mount.volume;
    Ok((mount, make))
}

/// A place to mount on.
pub(crate) fn absolute(target: &str) -> Result<String, String> {
    match target {
        "/" => Err("invalid volume: the destination can't be '/'".into()),
        path if path.starts_with('/') => Ok(path.trim_end_matches('/').to_owned()),
        path => Err(format!("invalid mount path {path:?}: it must be absolute")),
    }
}

/// What `--mount` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mounted {
    /// Something of the host, or a volume.
    Bind(Mount),
    /// A file system in memory.
    Memory(String, String),
}

/// `type=bind,source=/a,target=/b,readonly`: a line of CSV, so that a value with a comma is written
/// `"source=/a,b"`.
pub(crate) fn mount(text: &str) -> Result<Mounted, String> {
    let (mut kind, mut source, mut target, mut read_only) = ("volume", "", "", false);
    let mut options: Vec<String> = Vec::new();
    let fields = fields(text).map_err(|why| format!("{why} in --mount {text:?}"))?;
    for field in &fields {
        let (name, value) = field.split_once('=').unwrap_or((field.as_str(), "true"));
        match name {
            "type" => kind = value,
            "source" | "src" => source = value,
            "target" | "destination" | "dst" => target = value,
            "readonly" | "ro" => read_only = !matches!(value, "false" | "0"),
            "tmpfs-size" => options.push(format!("size={}", bytes(value)?)),
            "tmpfs-mode" => options.push(format!("mode={value}")),
            "bind-propagation" | "consistency" | "volume-nocopy" | "relabel" => {}
            _ => return Err(format!("unknown field {name:?} in --mount {text:?}")),
        }
    }
    let target = absolute(target)?;
    match kind {
        "tmpfs" => {
            options.extend(read_only.then(|| "ro".to_owned()));
            Ok(Mounted::Memory(target, options.join(",")))
        }
        "bind" if source.starts_with(['/', '.']) => Ok(Mounted::Bind(Mount {
            source: on_host(source)?,
            volume: false,
            target,
            read_only,
            anonymous: false,
        })),
        "bind" => Err(format!(
            "the source of --mount {text:?} must be absolute, or begin with ./"
        )),
        "volume" => Ok(Mounted::Bind(Mount {
            source: source.to_owned(),
            read_only,
            anonymous: source.is_empty(),
            ..Mount::anonymous(target)
        })),
        _ => Err(format!(
            "mount type {kind:?} is not known: bind, volume or tmpfs"
        )),
    }
}

/// A path of the host, made absolute.
fn on_host(source: &str) -> Result<String, String> {
    let path = std::path::absolute(source).map_err(|error| format!("{source}: {error}"))?;
    Ok(path.display().to_string())
}

/// The fields of a line of CSV. Source: RFC 4180, section 2.
fn fields(line: &str) -> Result<Vec<String>, &'static str> {
    let mut all = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let (field, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                if field.contains('"') {
                    return Err("a quote within a field (a field is quoted as a whole)");
                }
                (field.to_owned(), after)
            }
        };
        all.push(field);
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(all),
            None => return Err("text behind a quoted field"),
        }
    }
}

/// What stands up to the closing quote, where two quotes stand for one, and what follows.
fn quoted_field(mut rest: &str) -> Result<(String, &str), &'static str> {
    let mut field = String::new();
    loop {
        let (text, after) = rest.split_once('"').ok_or("a quote without its end")?;
        field.push_str(text);
        match after.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None => return Ok((field, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes() {
        let (mount, make) = volume("/a:/b:ro,z").unwrap();
        assert!(mount.read_only && !mount.volume && make);
        assert_eq!((mount.source.as_str(), mount.target.as_str()), ("/a", "/b"));
        let (mount, make) = volume("data:/var/lib/x/").unwrap();
        assert!(mount.volume && !mount.anonymous && !make);
        assert_eq!(mount.target, "/var/lib/x");
        assert!(volume("/var/lib/x").unwrap().0.anonymous);
        for bad in ["/a:b", "/a:/", ":/b", "/a:/b:xx", "a:b:c:d"] {
            assert!(volume(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn mounts() {
        let bind = mount("type=bind,source=/a,target=/b,readonly").unwrap();
        assert!(matches!(bind, Mounted::Bind(it) if it.read_only && !it.volume));
        let memory = mount("type=tmpfs,destination=/t,tmpfs-size=1m").unwrap();
        assert_eq!(memory, Mounted::Memory("/t".into(), "size=1048576".into()));
        assert!(matches!(mount("src=v,dst=/v").unwrap(), Mounted::Bind(it) if it.volume));
        for bad in [
            "type=bind,target=/b",
            "type=nfs,target=/b",
            "wrong=1",
            "target=/",
        ] {
            assert!(mount(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fields_are_quoted_as_a_whole() {
        let bind = mount(r#"type=bind,"source=/a,""b""",target=/b"#).unwrap();
        assert!(matches!(bind, Mounted::Bind(it) if it.source == r#"/a,"b""#));
        for bad in [
            r#"source="/a,b",target=/b"#,
            r#""target=/b"#,
            r#""target=/b"x"#,
        ] {
            assert!(mount(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_begin_with_a_slash_or_a_dot() {
        assert!(volume("a/b:/c").unwrap().0.volume);
        for path in ["./b", "..", ".b/c"] {
            let (mount, make) = volume(&format!("{path}:/c")).unwrap();
            assert!(
                !mount.volume && make && mount.source.starts_with('/'),
                "{path}"
            );
        }
        let bind = mount("type=bind,source=./a,target=/b").unwrap();
        assert!(
            matches!(bind, Mounted::Bind(it) if it.source.ends_with("/a") && it.source.starts_with('/'))
        );
    }
}
