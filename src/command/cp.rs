//! `racker cp`

use std::io;
use std::path::Path;

use rustix::fs::{FileType, OFlags};

use super::Context;
use crate::container::{Root, Snapshot, Upper, on_own_thread, slot::Wish};
use crate::failure::{FAILED, Failure};
use crate::lifecycle::copy::{Owners, pack, through, unpack};
use crate::lifecycle::{Kept, Yard, exec};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Keep owners
    #[arg(short, long)]
    archive: bool,
    /// Follow a link that is the source itself
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// CONTAINER:PATH, a path of the host, or - for a tar archive on standard input
    #[arg(value_name = "SOURCE")]
    source: String,
    /// CONTAINER:PATH, a path of the host, or - for a tar archive on standard output
    #[arg(value_name = "TARGET")]
    target: String,
}

/// One side of a copy.
enum Side {
    Host(String),
    Container(String, String),
    Stream,
}

impl Side {
    fn parse(text: &str) -> Result<Self, Failure> {
        if text == "-" {
            return Ok(Self::Stream);
        }
        // A path that begins so is the host's, whatever colons it has.
        if !text.starts_with(['/', '.'])
            && let Some((name, path)) = text.split_once(':')
        {
            return Ok(Self::Container(
                name.to_owned(),
                format!("/{}", path.trim_start_matches('/')),
            ));
        }
        let path = std::path::absolute(text)
            .map_err(|error| Failure::new(FAILED, format!("{text}: {error}")))?;
        let mut path = path.display().to_string();
        // `std::path::absolute` takes these away, and they mean something.
        if text.ends_with('/') && !path.ends_with('/') {
            path.push('/');
        }
        if text.ends_with("/.") || text == "." {
            path.push_str("/.");
        }
        Ok(Self::Host(path))
    }
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    match (Side::parse(&args.source)?, Side::parse(&args.target)?) {
        (Side::Container(name, path), target) => {
            if let Side::Container(..) = target {
                return Err(Failure::new(FAILED, "copying between containers is not supported")
                    .hint("copy to the host first, or through `racker cp A:PATH - | racker cp - B:PATH`"));
            }
            in_container(context, &name, |root, base| {
                out(args, root, base, &path, &target)
            })
        }
        (source, Side::Container(name, path)) => in_container(context, &name, |root, base| {
            into(args, root, base, &source, &path)
        }),
        _ => Err(Failure::new(
            FAILED,
            "must specify at least one container source: CONTAINER:PATH",
        )),
    }?;
    Ok(0)
}

/// Does `work` with the root of a container, which runs or not, and its first id.
fn in_container(
    context: &Context,
    name: &str,
    work: impl Fn(&Root, u32) -> Result<(), Failure> + Sync,
) -> Result<(), Failure> {
    let store = context.store()?;
    let kept = Yard::of(&store).find(name)?;
    let (status, state) = kept.status()?;
    if status.runs() {
        return work(&exec::root(&state)?, state.base);
    }
    let wish = |kept: &Kept| Wish {
        base: (state.base != 0).then_some(state.base),
        identity: kept.config.host_users,
        writable: Some(kept.directory().to_owned()),
        ..Wish::default()
    };
    let _held = kept.hold()?;
    on_own_thread(|| {
        let method = context.settings.tree_mount;
        let snapshot =
            Snapshot::open_as(&store, kept.config.tree, method, Upper::Disk, wish(&kept))?;
        let base = snapshot.slot().ids().base;
        kept.owned_by(&snapshot.upper(), state.base, base)?;
        let result = snapshot
            .root()
            .map_err(Failure::from)
            .and_then(|root| work(&root, base));
        snapshot.release()?;
        result
    })
}

fn host() -> Result<Root, Failure> {
    Root::open(Path::new("/")).map_err(|error| Failure::new(FAILED, format!("open /: {error}")))
}

/// What is at a path, if anything.
fn found(root: &Root, path: &str) -> Option<FileType> {
    root.mode(path).map(FileType::from_raw_mode)
}

/// Where what is copied goes: a directory, and its name in there; an empty name for what is in the
/// source alone. Source: docker-container-cp(1).
fn place(
    source: &str,
    source_is_directory: bool,
    target: &str,
    there: Option<FileType>,
) -> Result<(String, String), String> {
    let contents = source.ends_with("/.");
    let bare = source.trim_end_matches("/.").trim_end_matches('/');
    let own = bare.rsplit('/').next().unwrap_or_default().to_owned();
    let trimmed = target.trim_end_matches('/');
    let (parent, last) = trimmed.rsplit_once('/').unwrap_or(("", trimmed));
    let parent = if parent.is_empty() { "/" } else { parent };
    match there {
        Some(FileType::Directory) if contents || own.is_empty() => {
            Ok((target.to_owned(), String::new()))
        }
        Some(FileType::Directory) => Ok((target.to_owned(), own)),
        Some(_) if source_is_directory => Err(format!("cannot copy directory to file {target}")),
        Some(_) if target.ends_with('/') => Err(format!("{target} is not a directory")),
        None if source_is_directory => Ok((target.to_owned(), String::new())),
        None if target.ends_with('/') => {
            Err(format!("destination directory {target} does not exist"))
        }
        Some(FileType::RegularFile) | None => Ok((parent.to_owned(), last.to_owned())),
        // Docker leaves devices alone, too.
        Some(_) => Err(format!("{target} is there, and is no plain file")),
    }
}

fn out(args: &Args, root: &Root, base: u32, path: &str, target: &Side) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::new(
            FAILED,
            format!("copy {path} of {}: {error}", name(&args.source)),
        )
    };
    let inside = Owners { base, kept: true };
    let source_is_directory = source_is_directory(root, path, args.follow_link).map_err(failed)?;
    match target {
        Side::Stream => {
            let last = path
                .trim_end_matches("/.")
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned();
            let last = if path.ends_with("/.") {
                String::new()
            } else {
                last
            };
            pack(
                root,
                path,
                &last,
                args.follow_link,
                inside,
                io::stdout().lock(),
            )
            .map_err(failed)
        }
        Side::Host(target) => {
            let host = host()?;
            let (at, name) = place(path, source_is_directory, target, found(&host, target))
                .map_err(|text| Failure::new(FAILED, text))?;
            // A new directory for what is in another.
            let made = if name.is_empty() {
                at.clone()
            } else {
                at.trim_end_matches('/').to_owned()
            };
            if name.is_empty() && found(&host, &at).is_none() {
                std::fs::create_dir(&made)
                    .map_err(|error| Failure::new(FAILED, format!("create {made}: {error}")))?;
            } else if found(&host, &at) != Some(FileType::Directory) {
                return Err(Failure::new(FAILED, format!("no such directory: {at}")));
            }
            let outside = Owners {
                base: 0,
                kept: args.archive,
            };
            through(
                |pipe| pack(root, path, &name, args.follow_link, inside, pipe),
                |pipe| unpack(&host, &at, outside, pipe),
            )
            .map_err(failed)
        }
        Side::Container(..) => Ok(()),
    }
}

fn into(args: &Args, root: &Root, base: u32, source: &Side, path: &str) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::new(
            FAILED,
            format!("copy to {path} of {}: {error}", name(&args.target)),
        )
    };
    let inside = Owners {
        base,
        kept: args.archive,
    };
    match source {
        Side::Stream => {
            if found(root, path) != Some(FileType::Directory) {
                return Err(Failure::new(
                    FAILED,
                    format!(
                        "destination \"{path}\" must be a directory in order to read an archive"
                    ),
                ));
            }
            let kept = Owners { base, kept: true };
            unpack(root, path, kept, io::stdin().lock()).map_err(failed)
        }
        Side::Host(source) => {
            let host = host()?;
            let source_is_directory = source_is_directory(&host, source, args.follow_link)
                .map_err(|error| Failure::new(FAILED, format!("{source}: {error}")))?;
            let (at, name) = place(source, source_is_directory, path, found(root, path))
                .map_err(|text| Failure::new(FAILED, text))?;
            if found(root, &at).is_none() {
                let parent = Path::new(&at).parent().unwrap_or(Path::new("/"));
                if found(root, &parent.to_string_lossy()) != Some(FileType::Directory)
                    || !name.is_empty()
                {
                    return Err(Failure::new(
                        FAILED,
                        format!(
                            "could not find the directory {at} in container {}",
                            self::name(&args.target)
                        ),
                    ));
                }
                root.make_directories(&at, base).map_err(failed)?;
            }
            let outside = Owners {
                base: 0,
                kept: true,
            };
            through(
                |pipe| pack(&host, source, &name, args.follow_link, outside, pipe),
                |pipe| unpack(root, &at, inside, pipe),
            )
            .map_err(failed)
        }
        Side::Container(..) => Ok(()),
    }
}

fn name(text: &str) -> &str {
    text.split(':').next().unwrap_or(text)
}

fn source_is_directory(root: &Root, path: &str, follow: bool) -> io::Result<bool> {
    let slash = path.ends_with('/') || path.ends_with("/.");
    let flags = if follow || slash {
        OFlags::PATH
    } else {
        OFlags::PATH | OFlags::NOFOLLOW
    };
    let bare = path.trim_end_matches("/.").trim_end_matches('/');
    let file = root.file(if bare.is_empty() { "/" } else { bare }, flags)?;
    let is = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) == FileType::Directory;
    if slash && !is {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(is)
}

#[cfg(test)]
mod tests {
    use rustix::fs::FileType;

    use super::place;

    #[test]
    fn places_are_dockers() {
        let at = |source, dir, target, known| place(source, dir, target, known);
        let pair = |a: &str, b: &str| Ok((a.to_owned(), b.to_owned()));
        assert_eq!(
            at("/a/f", false, "/d", Some(FileType::Directory)),
            pair("/d", "f")
        );
        assert_eq!(at("/a/f", false, "/d/g", None), pair("/d", "g"));
        assert_eq!(
            at("/a/f", false, "/d/g", Some(FileType::RegularFile)),
            pair("/d", "g")
        );
        assert!(at("/a/f", false, "/d/g/", None).is_err());
        assert!(at("/a/f", false, "/dev/null", Some(FileType::CharacterDevice)).is_err());
        assert_eq!(at("/a", true, "/d", None), pair("/d", ""));
        assert_eq!(
            at("/a", true, "/d", Some(FileType::Directory)),
            pair("/d", "a")
        );
        assert_eq!(
            at("/a/.", true, "/d", Some(FileType::Directory)),
            pair("/d", "")
        );
        assert_eq!(
            at("/a/", true, "/d", Some(FileType::Directory)),
            pair("/d", "a")
        );
        assert!(at("/a", true, "/f", Some(FileType::RegularFile)).is_err());
    }
}
