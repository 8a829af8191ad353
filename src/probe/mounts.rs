//! Mount points of a guest. Source: `proc_pid_mountinfo(5)`.

use super::observed::Observed;
use super::view::View;

/// Looks for a mount point.
pub(super) fn look(view: &View<'_>, path: &str) -> Observed {
    look_in(&view.kernel("mountinfo"), path)
}

fn look_in(table: &str, path: &str) -> Observed {
    let path = match path.trim_end_matches('/') {
        "" => "/",
        path => path,
    };
    // What was mounted last lies on top.
    let found = table.lines().filter_map(fields).rfind(|it| it.at == path);
    let Some(mount) = found else {
        return Observed::new("exists", false, "is not mounted");
    };
    let words = |text: &str| -> Vec<String> { text.split(',').map(str::to_owned).collect() };
    let summary = format!("is mounted, {}", mount.filesystem);
    Observed::new("exists", true, summary)
        .with("opts", words(mount.options))
        .with("vfs-opts", words(mount.superblock))
        .with("source", unescape(mount.source))
        .with("filesystem", mount.filesystem)
}

struct Mount<'a> {
    at: String,
    options: &'a str,
    filesystem: &'a str,
    source: &'a str,
    superblock: &'a str,
}

fn fields(line: &str) -> Option<Mount<'_>> {
    // Before the dash stands a varying number of fields.
    let (front, back) = line.split_once(" - ")?;
    let mut front = front.split(' ').skip(4);
    let mut back = back.split(' ');
    Some(Mount {
        at: unescape(front.next()?),
        options: front.next()?,
        filesystem: back.next()?,
        source: back.next()?,
        superblock: back.next()?,
    })
}

/// Undoes what the kernel writes for blanks and the like: `\` and three octal digits.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let digits = tail.get(..3).and_then(|it| std::str::from_utf8(it).ok());
        match digits.and_then(|it| u8::from_str_radix(it, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Seen;

    const TABLE: &str = "22 1 0:20 / / rw,relatime - overlay overlay rw,volatile\n\
        30 22 0:30 / /a\\040b rw,nosuid shared:3 master:1 - tmpfs first rw\n\
        31 22 0:31 / /a\\040b ro,nosuid - tmpfs second rw,size=4k\n";

    #[test]
    fn the_last_mount_counts() {
        let seen = look_in(TABLE, "/a b/");
        assert_eq!(seen.properties["source"], Seen::from("second"));
        let options = Seen::Many(vec!["ro".into(), "nosuid".into()]);
        assert_eq!(seen.properties["opts"], options);
        assert_eq!(look_in(TABLE, "/").summary, "is mounted, overlay");
        assert_eq!(look_in(TABLE, "/a").properties["exists"], Seen::from(false));
    }
}
