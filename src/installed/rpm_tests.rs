use super::*;
use crate::rpm::{Value, build};

fn of(fields: &[(u32, Value<'_>)]) -> Vec<u8> {
    build(fields)
}

fn names(blob: &[u8]) -> Result<Vec<String>, String> {
    let header = Header::parse(blob)?;
    let all = paths(&header)?.collect::<Result<Vec<_>, _>>()?;
    Ok(all
        .into_iter()
        .map(|path| String::from_utf8(path).unwrap())
        .collect())
}

#[test]
fn a_header_is_a_package() {
    let blob = of(&[
        (NAME, Value::Strings(&["bash"])),
        (VERSION, Value::Strings(&["5.2"])),
        (RELEASE, Value::Strings(&["3.fc40"])),
        (EPOCH, Value::Int32(&[2])),
        (SUMMARY, Value::Strings(&["A shell"])),
        (SIZE, Value::Int32(&[99])),
        (LICENSE, Value::Strings(&["GPL-3.0-or-later"])),
        (VENDOR, Value::Strings(&["(none)"])),
        (ARCH, Value::Strings(&["x86_64"])),
        (SOURCE_RPM, Value::Strings(&["bash-all-5.2-3.fc40.src.rpm"])),
    ]);
    let package = package(&Header::parse(&blob).unwrap()).unwrap();
    assert_eq!(package.version, "2:5.2-3.fc40");
    assert_eq!(package.installed_size, Some(99));
    assert_eq!(package.vendor, None);
    let source = package.source.unwrap();
    assert_eq!(
        (&*source.name, &*source.version),
        ("bash-all", "5.2-3.fc40")
    );
}

#[test]
fn without_name_or_version_it_is_damaged() {
    let blob = of(&[(NAME, Value::Strings(&["bash"]))]);
    assert!(package(&Header::parse(&blob).unwrap()).is_err());
    let blob = of(&[(NAME, Value::Int32(&[1]))]);
    assert!(package(&Header::parse(&blob).unwrap()).is_err());
}

#[test]
fn files_are_put_together() {
    let blob = of(&[
        (DIR_NAMES, Value::Strings(&["/usr/bin/", "/etc/"])),
        (DIR_INDEXES, Value::Int32(&[1, 0, 0])),
        (BASE_NAMES, Value::Strings(&["x.conf", "x", "gone"])),
        (FILE_STATES, Value::Chars(&[0, 0, 1])),
    ]);
    assert_eq!(names(&blob).unwrap(), ["/etc/x.conf", "/usr/bin/x"]);
    assert_eq!(names(&of(&[])).unwrap(), Vec::<String>::new());
}

#[test]
fn directories_that_are_not_there_are_errors() {
    let base = || (BASE_NAMES, Value::Strings(&["a"]));
    assert!(names(&of(&[base()])).is_err());
    let blob = of(&[
        base(),
        (DIR_NAMES, Value::Strings(&["/"])),
        (DIR_INDEXES, Value::Int32(&[u32::MAX])),
    ]);
    assert!(names(&blob).is_err());
}

#[test]
fn an_overlong_path_is_an_error() {
    let long = "d/".repeat(MAX_PATH);
    let blob = of(&[
        (BASE_NAMES, Value::Strings(&["a"])),
        (DIR_NAMES, Value::Strings(&[&long])),
        (DIR_INDEXES, Value::Int32(&[0])),
    ]);
    assert!(names(&blob).unwrap_err().contains("overlong"));
}

#[test]
fn names_of_source_packages_are_taken_apart() {
    assert_eq!(source("a-b-1.0-2.src.rpm").unwrap().name, "a-b");
    assert_eq!(source("a-1-2.nosrc.rpm").unwrap().version, "1-2");
    for odd in ["", "a", "a-1.src.rpm", "a-1-2.rpm"] {
        assert_eq!(source(odd), None, "{odd}");
    }
}
