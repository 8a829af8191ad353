//! What of the host a container sees: mounts, volumes, devices.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::config::wrong;
use super::mounted::{self, Mounted};
use super::options::Options;
use crate::failure::Failure;
use crate::lifecycle::config::Mount;
use crate::lifecycle::volume;

/// Path and options of a file system in memory.
type Memory = (String, String);

pub(super) fn mounts(
    options: &Options,
    image: &Value,
) -> Result<(Vec<Mount>, Vec<Memory>), Failure> {
    let given = options.volume.iter();
    let mut mounts: Vec<Mount> = given.map(|(mount, _)| mount.clone()).collect();
    let mut tmpfs: Vec<Memory> = Vec::new();
    for text in &options.mount {
        match mounted::mount(text).map_err(wrong)? {
            Mounted::Bind(mount) => {
                if !mount.volume && !Path::new(&mount.source).exists() {
                    return Err(wrong(format!(
                        "bind source path does not exist: {}",
                        mount.source
                    )));
                }
                mounts.push(mount);
            }
            Mounted::Memory(path, options) => tmpfs.push((path, memory(text, &options)?)),
        }
    }
    for text in &options.tmpfs {
        let (path, options) = text.split_once(':').unwrap_or((text, ""));
        if !path.starts_with('/') {
            return Err(wrong(format!(
                "invalid --tmpfs {text:?}: the path must be absolute"
            )));
        }
        tmpfs.push((path.to_owned(), memory(text, options)?));
    }
    if let Some(size) = options.shm_size {
        tmpfs.push(("/dev/shm".into(), format!("mode=1777,size={size}")));
    }
    for mount in mounts.iter().filter(|it| it.volume && !it.anonymous) {
        volume::check_name(&mount.source)?;
    }
    // What the image wants to be a volume is one, unless something else is there.
    for (path, _) in image["Volumes"].as_object().into_iter().flatten() {
        let path = mounted::absolute(path).map_err(wrong)?;
        let taken = mounts.iter().any(|it| it.target == path);
        if !taken && tmpfs.iter().all(|(it, _)| *it != path) {
            mounts.push(Mount::anonymous(path));
        }
    }
    let mut targets: Vec<&str> = mounts.iter().map(|it| it.target.as_str()).collect();
    targets.extend(tmpfs.iter().map(|(path, _)| path.as_str()));
    targets.sort_unstable();
    let twice = targets.windows(2).find(|pair| pair[0] == pair[1]);
    if let Some([twice, _]) = twice {
        return Err(wrong(format!("duplicate mount point: {twice}")));
    }
    Ok((mounts, tmpfs))
}

/// What a file system in memory is mounted with: docker's defaults, which what is given overrides.
/// Source: docker-run(1), `tmpfs(5)`.
fn memory(text: &str, given: &str) -> Result<String, Failure> {
    const FLAGS: [&str; 15] = [
        "ro",
        "rw",
        "suid",
        "nosuid",
        "dev",
        "nodev",
        "exec",
        "noexec",
        "sync",
        "async",
        "atime",
        "noatime",
        "diratime",
        "nodiratime",
        "relatime",
    ];
    const VALUES: [&str; 5] = ["size", "mode", "nr_blocks", "nr_inodes", "mpol"];
    let mut options = String::from("mode=1777,noexec,nosuid,nodev");
    for option in given.split(',').filter(|it| !it.is_empty()) {
        let known = match option.split_once('=') {
            // It is root's in any case.
            Some(("uid" | "gid", "0")) => continue,
            Some((name @ ("uid" | "gid"), _)) => {
                let message = format!("{name} of a tmpfs is not supported: {text:?}");
                return Err(
                    wrong(message).hint("mode=1777, which is the default, lets everybody write")
                );
            }
            Some((name, value)) => VALUES.contains(&name) && !value.is_empty(),
            None => FLAGS.contains(&option),
        };
        if !known {
            return Err(wrong(format!(
                "invalid tmpfs option {option:?} in {text:?}"
            )));
        }
        options.push(',');
        options.push_str(option);
    }
    Ok(options)
}

pub(super) fn devices(options: &Options) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
    let entry = |text: &String| {
        let mut parts = text.split(':');
        let source = parts.next().unwrap_or_default();
        let target = parts
            .next()
            .filter(|it| it.starts_with('/'))
            .unwrap_or(source);
        if !Path::new(source).exists() {
            return Err(wrong(format!("no such device: {source}")));
        }
        Ok((PathBuf::from(source), PathBuf::from(target)))
    };
    options.device.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::line::parse;
    use super::*;

    #[test]
    fn one_place_is_mounted_once() {
        let options = parse(&["-v", "/a:/x", "--tmpfs", "/x"]).options;
        assert!(mounts(&options, &json!(null)).is_err());
    }

    #[test]
    fn memory_has_dockers_defaults() {
        let options = |list: &[&str]| mounts(&parse(list).options, &json!(null));
        let (_, found) = options(&["--tmpfs", "/a:exec,uid=0,size=1m"]).unwrap();
        assert_eq!(found[0].1, "mode=1777,noexec,nosuid,nodev,exec,size=1m");
        let (_, found) = options(&["--mount", "type=tmpfs,dst=/a,tmpfs-mode=700,ro"]).unwrap();
        assert_eq!(found[0].1, "mode=1777,noexec,nosuid,nodev,mode=700,ro");
        for bad in ["/a:uid=33", "/a:gid=33", "/a:x", "/a:size", "/a:size="] {
            assert!(options(&["--tmpfs", bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_images_volumes_are_anonymous() {
        let image = json!({ "Volumes": { "/a": {}, "/b/": {}, "/c": {} } });
        let options = parse(&["-v", "/host:/a", "--tmpfs", "/c"]).options;
        let (found, _) = mounts(&options, &image).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.target.as_str(), it.anonymous))
            .collect();
        assert_eq!(found, [("/a", false), ("/b", true)]);
    }
}
