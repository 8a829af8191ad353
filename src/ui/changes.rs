//! Lines about what differs between two trees.
//!
//! ```text
//! + /etc/nginx/nginx.conf 1.45kB [nginx-common]
//! - /etc/motd 286B
//! ~ /etc/passwd bytes, size 839B -> 869B, mode 0644 -> 0600 [base-passwd]
//! ```

use racker_store::Time;

use super::size;
use crate::compare::{
    Change, Difference, FileChange, Kind, PackageChange, PackageState, State, Sum, Sums,
};

/// A row of a table: mark, package, architecture, version before, version after, size.
pub fn package_row(package: &PackageChange) -> [String; 6] {
    let version = |state: &Option<PackageState>| {
        let version = state.as_ref().map(|it| it.version.clone());
        version.unwrap_or_else(|| "-".into())
    };
    let bytes = |state: &Option<PackageState>| state.as_ref().and_then(|it| it.size).unwrap_or(0);
    [
        mark(package.change).into(),
        package.name.clone(),
        package.architecture.clone(),
        version(&package.before),
        version(&package.after),
        growth(bytes(&package.before), bytes(&package.after)),
    ]
}

/// A line about a path.
pub fn file_line(file: &FileChange) -> String {
    let what = match (&file.before, &file.after) {
        (Some(before), Some(after)) => {
            let words = file.differs.iter().map(|it| word(*it, file, before, after));
            words.collect::<Vec<_>>().join(", ")
        }
        (Some(state), None) | (None, Some(state)) => thing(state),
        (None, None) => String::new(),
    };
    let owner = match file.package() {
        Some(package) => format!(" [{package}]"),
        None => String::new(),
    };
    format!("{} {} {what}{owner}", mark(file.change), file.path)
}

/// A line that sums up.
pub fn total_line(what: &str, sums: &Sums) -> String {
    let part = |word: &str, sum: &Sum| match sum.number {
        0 => format!("0 {word}"),
        number => format!("{number} {word} ({})", growth(sum.before, sum.after)),
    };
    format!(
        "{what}: {}, {}, {}",
        part("added", &sums.added),
        part("removed", &sums.removed),
        part("changed", &sums.changed)
    )
}

fn mark(change: Change) -> &'static str {
    match change {
        Change::Added => "+",
        Change::Removed => "-",
        Change::Changed => "~",
    }
}

fn growth(before: u64, after: u64) -> String {
    if after >= before {
        format!("+{}", size(after - before))
    } else {
        format!("-{}", size(before - after))
    }
}

/// What there is of something that is on one side only.
fn thing(state: &State) -> String {
    match (state.kind, &state.target, state.size) {
        (_, Some(target), _) => format!("-> {target}"),
        (_, _, Some(bytes)) => size(bytes),
        (kind, ..) => kind_word(kind).to_owned(),
    }
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Directory => "directory",
        Kind::File => "file",
        Kind::Symlink => "symbolic link",
        Kind::CharDevice => "character device",
        Kind::BlockDevice => "block device",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
    }
}

fn word(differs: Difference, file: &FileChange, before: &State, after: &State) -> String {
    let of = |show: &dyn Fn(&State) -> String| {
        format!("{} {} -> {}", differs.as_str(), show(before), show(after))
    };
    let device = |state: &State| {
        let (major, minor) = state.device.unwrap_or_default();
        format!("{major}:{minor}")
    };
    match differs {
        Difference::Bytes => "bytes".to_owned(),
        Difference::Kind => of(&|it| kind_word(it.kind).to_owned()),
        Difference::Size => of(&|it| size(it.size.unwrap_or(0))),
        Difference::Mode => of(&|it| format!("{:04o}", it.mode)),
        Difference::Owner => of(&|it| format!("{}:{}", it.uid, it.gid)),
        Difference::Mtime => of(&|it| time(it.mtime)),
        Difference::Xattrs => format!("xattrs {}", file.xattrs.join(" ")),
        Difference::Target => of(&|it| it.target.clone().unwrap_or_default()),
        Difference::Device => of(&device),
        Difference::Links => of(&|it| it.links.to_string()),
    }
}

fn time(time: Time) -> String {
    let at = i32::try_from(time.nanoseconds)
        .ok()
        .and_then(|nanoseconds| jiff::Timestamp::new(time.seconds, nanoseconds).ok());
    at.map_or_else(|| format!("@{}", time.seconds), |at| at.to_string())
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
