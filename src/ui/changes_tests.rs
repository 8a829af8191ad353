use super::*;

fn state() -> State {
    State {
        kind: Kind::File,
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: Time::seconds(1_700_000_000),
        size: Some(839),
        blake3: None,
        target: None,
        device: None,
        links: 1,
        package: None,
    }
}

fn change(before: Option<State>, after: Option<State>, differs: &[Difference]) -> FileChange {
    FileChange {
        path: "/x".into(),
        change: match (&before, &after) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            _ => Change::Changed,
        },
        differs: differs.to_vec(),
        xattrs: vec!["user.a".into(), "user.b".into()],
        before,
        after,
    }
}

#[test]
fn one_side_shows_what_there_is() {
    assert_eq!(file_line(&change(None, Some(state()), &[])), "+ /x 839B");
    let link = State {
        kind: Kind::Symlink,
        size: None,
        target: Some("a/b".into()),
        package: Some("p".into()),
        ..state()
    };
    assert_eq!(file_line(&change(Some(link), None, &[])), "- /x -> a/b [p]");
    let directory = State {
        kind: Kind::Directory,
        size: None,
        ..state()
    };
    assert_eq!(
        file_line(&change(None, Some(directory), &[])),
        "+ /x directory"
    );
}

#[test]
fn two_sides_show_what_differs() {
    use Difference as D;
    let after = State {
        mode: 0o4755,
        gid: 33,
        size: Some(1500),
        mtime: Time {
            seconds: 1_700_000_000,
            nanoseconds: 5,
        },
        links: 2,
        ..state()
    };
    let all = [
        D::Bytes,
        D::Size,
        D::Mode,
        D::Owner,
        D::Mtime,
        D::Xattrs,
        D::Links,
    ];
    assert_eq!(
        file_line(&change(Some(state()), Some(after), &all)),
        "~ /x bytes, size 839B -> 1.50kB, mode 0644 -> 4755, owner 0:0 -> 0:33, \
         mtime 2023-11-14T22:13:20Z -> 2023-11-14T22:13:20.000000005Z, \
         xattrs user.a user.b, links 1 -> 2"
    );
}

#[test]
fn a_time_beyond_the_calendar_is_a_number() {
    assert_eq!(time(Time::seconds(i64::MAX)), format!("@{}", i64::MAX));
}

#[test]
fn totals_have_signs() {
    let sum = |number, before, after| Sum {
        number,
        before,
        after,
    };
    let sums = Sums {
        added: sum(2, 0, 1500),
        removed: sum(1, 10, 0),
        changed: sum(3, 7, 7),
    };
    assert_eq!(
        total_line("files", &sums),
        "files: 2 added (+1.50kB), 1 removed (-10B), 3 changed (+0B)"
    );
}
