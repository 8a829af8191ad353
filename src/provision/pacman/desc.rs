//! An entry of a repository's database, `NAME-VERSION/desc`: `%FIELD%`, its values one a line, a
//! blank line. Source: what `repo-add(8)` writes.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::pkginfo::PackageInfo;
use crate::package::Package;

/// What stands where in a `.PKGINFO` and in an entry.
const FIELDS: [(&str, &str); 17] = [
    ("pkgname", "NAME"),
    ("pkgbase", "BASE"),
    ("pkgver", "VERSION"),
    ("pkgdesc", "DESC"),
    ("group", "GROUPS"),
    ("size", "ISIZE"),
    ("url", "URL"),
    ("license", "LICENSE"),
    ("arch", "ARCH"),
    ("builddate", "BUILDDATE"),
    ("packager", "PACKAGER"),
    ("replaces", "REPLACES"),
    ("conflict", "CONFLICTS"),
    ("provides", "PROVIDES"),
    ("depend", "DEPENDS"),
    ("optdepend", "OPTDEPENDS"),
    ("xdata", "XDATA"),
];

/// The first value of every field.
pub(super) fn parse(text: &str) -> HashMap<&str, &str> {
    let mut fields = HashMap::new();
    let mut lines = text.lines().map(str::trim_end);
    while let Some(line) = lines.next() {
        let field = line.strip_prefix('%').and_then(|it| it.strip_suffix('%'));
        let Some(field) = field.filter(|it| !it.is_empty()) else {
            continue;
        };
        if let Some(value) = lines.next().filter(|it| !it.is_empty()) {
            fields.entry(field).or_insert(value);
        }
    }
    fields
}

/// The entry of a package file; `signature` in base64.
pub(super) fn write(
    package: &Package,
    info: &PackageInfo,
    file: &str,
    signature: Option<&str>,
) -> String {
    let mut text = String::new();
    let mut field = |name: &str, values: &[&str]| {
        if !values.is_empty() {
            let _ = write!(text, "%{name}%\n{}\n\n", values.join("\n"));
        }
    };
    field("FILENAME", &[file]);
    for (name, heading) in FIELDS {
        let mut values: Vec<&str> = info.all(name).filter(|it| !it.is_empty()).collect();
        // pacman 6 looks for unknown keys by the packager, and dies where there is none.
        if values.is_empty() && name == "packager" {
            values.push("Unknown Packager");
        }
        field(heading, &values);
    }
    field("CSIZE", &[&package.size.to_string()]);
    field("SHA256SUM", &[&package.sha256.hex()]);
    field("PGPSIG", signature.as_slice());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let info = PackageInfo::parse(
            "pkgname = a\npkgver = 1-1\npkgdesc =\narch = any\ndepend = b\ndepend = c>1\n",
        );
        let package = Package {
            name: "a".to_owned(),
            version: "1-1".to_owned(),
            arch: "any".to_owned(),
            url: String::new(),
            size: 7,
            sha256: format!("sha256:{:064}", 1).parse().unwrap(),
            signature: None,
        };
        let text = write(&package, &info, "a-1-1-any.pkg.tar.zst", Some("c2ln"));
        assert!(text.contains("%DEPENDS%\nb\nc>1\n\n"), "{text}");
        assert!(!text.contains("%DESC%"));
        let fields = parse(&text);
        assert_eq!(fields["FILENAME"], "a-1-1-any.pkg.tar.zst");
        assert_eq!((fields["CSIZE"], fields["PGPSIG"]), ("7", "c2ln"));
        assert_eq!(fields["SHA256SUM"].len(), 64);
    }

    #[test]
    fn a_field_without_a_value_is_none() {
        let fields = parse("%NAME%\n\n%VERSION%\n1\n%NAME%\nx\n%ARCH%");
        assert_eq!(fields.get("VERSION"), Some(&"1"));
        assert_eq!(fields.get("NAME"), Some(&"x"));
        assert_eq!(fields.get("ARCH"), None);
    }
}
