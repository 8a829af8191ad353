//! One package as `primary.xml` describes it, out of its header.
//!
//! All files of a package are listed here, and not only those that `createrepo_c` puts here: so no
//! `filelists.xml` is needed for packages that depend on a file.

use std::fmt::Write as _;

use quick_xml::escape::escape;

use super::primary::evr;
use crate::package::Package;
use crate::rpm::{Header, PackageFile, tag};

/// Most files of a package.
const MAX_FILES: usize = 1 << 20;
/// Longest path, as in Linux.
const MAX_PATH: usize = 4096;

const LESS: u32 = 1 << 1;
const GREATER: u32 = 1 << 2;
const EQUAL: u32 = 1 << 3;
/// `RPMSENSE_PREREQ`, `RPMSENSE_SCRIPT_PRE`, `RPMSENSE_SCRIPT_POST`.
const BEFORE: u32 = 1 << 6 | 1 << 9 | 1 << 10;
/// `RPMSENSE_RPMLIB`: what rpm itself must be able to do.
const RPMLIB: u32 = 1 << 24;
/// `RPMFILE_GHOST`: owned, and not in the package.
const GHOST: u32 = 1 << 6;
const TYPE: u16 = 0o170_000;
const DIRECTORY: u16 = 0o040_000;

/// Elements, and the tags of the name, the comparison and the version of what they list.
const RELATIONS: [(&str, [u32; 3]); 8] = [
    (
        "provides",
        [tag::PROVIDE_NAME, tag::PROVIDE_FLAGS, tag::PROVIDE_VERSION],
    ),
    (
        "requires",
        [tag::REQUIRE_NAME, tag::REQUIRE_FLAGS, tag::REQUIRE_VERSION],
    ),
    (
        "conflicts",
        [
            tag::CONFLICT_NAME,
            tag::CONFLICT_FLAGS,
            tag::CONFLICT_VERSION,
        ],
    ),
    (
        "obsoletes",
        [
            tag::OBSOLETE_NAME,
            tag::OBSOLETE_FLAGS,
            tag::OBSOLETE_VERSION,
        ],
    ),
    (
        "recommends",
        [
            tag::RECOMMEND_NAME,
            tag::RECOMMEND_FLAGS,
            tag::RECOMMEND_VERSION,
        ],
    ),
    (
        "suggests",
        [tag::SUGGEST_NAME, tag::SUGGEST_FLAGS, tag::SUGGEST_VERSION],
    ),
    (
        "supplements",
        [
            tag::SUPPLEMENT_NAME,
            tag::SUPPLEMENT_FLAGS,
            tag::SUPPLEMENT_VERSION,
        ],
    ),
    (
        "enhances",
        [tag::ENHANCE_NAME, tag::ENHANCE_FLAGS, tag::ENHANCE_VERSION],
    ),
];

/// Name, version and release with the epoch, architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) arch: String,
}

impl Identity {
    /// What a header says.
    pub(super) fn of(header: &Header<'_>) -> Result<Self, String> {
        let (epoch, version, release) = parts(header)?;
        let name = need(header, tag::NAME)?;
        let arch = need(header, tag::ARCH)?;
        for text in [&name, &version, &release, &arch] {
            let plain = |b: u8| b.is_ascii_graphic() && !b"/'\"\\`$&<>".contains(&b);
            if !text.bytes().all(plain) || text.starts_with(['-', '.']) {
                return Err(format!("its name or version is `{}`", text.escape_debug()));
            }
        }
        Ok(Self {
            name,
            version: evr(&epoch, &version, &release),
            arch,
        })
    }
}

/// The `package` element of a file that lies at `href`.
pub(super) fn element(file: &PackageFile, package: &Package, href: &str) -> Result<String, String> {
    let header = file.header()?;
    let (epoch, version, release) = parts(&header)?;
    let text = |tag| Ok::<_, String>(get(&header, tag)?.unwrap_or_default());
    let installed = match header.long(tag::LONG_SIZE)? {
        Some(size) => size,
        None => header.number(tag::SIZE)?.unwrap_or_default().into(),
    };
    let mut out = String::from("<package type=\"rpm\">\n");
    for (element, value) in [
        ("name", need(&header, tag::NAME)?),
        ("arch", need(&header, tag::ARCH)?),
        ("summary", text(tag::SUMMARY)?),
        ("description", text(tag::DESCRIPTION)?),
        ("packager", text(tag::PACKAGER)?),
        ("url", text(tag::URL)?),
    ] {
        write_element(&mut out, element, &value);
    }
    let build = header.number(tag::BUILD_TIME)?.unwrap_or_default();
    let (sha256, size) = (package.sha256.hex(), package.size);
    let _ = write!(
        out,
        "<version{}/>\n<checksum type=\"sha256\" pkgid=\"YES\">{sha256}</checksum>\n\
         <time file=\"{build}\" build=\"{build}\"/>\n\
         <size package=\"{size}\" installed=\"{installed}\" archive=\"0\"/>\n\
         <location href=\"{}\"/>\n<format>\n",
        version_attributes(&epoch, &version, &release),
        escape(href),
    );
    for (element, tag) in [
        ("rpm:license", tag::LICENSE),
        ("rpm:vendor", tag::VENDOR),
        ("rpm:group", tag::GROUP),
        ("rpm:sourcerpm", tag::SOURCE_RPM),
    ] {
        write_element(&mut out, element, &text(tag)?);
    }
    let (start, end) = file.range;
    let _ = writeln!(out, "<rpm:header-range start=\"{start}\" end=\"{end}\"/>");
    for (element, tags) in RELATIONS {
        relations(&mut out, &header, element, tags)?;
    }
    files(&mut out, &header)?;
    out.push_str("</format>\n</package>\n");
    Ok(out)
}

fn relations(
    out: &mut String,
    header: &Header<'_>,
    element: &str,
    [names, flags, versions]: [u32; 3],
) -> Result<(), String> {
    let Some(names) = header.strings(names)? else {
        return Ok(());
    };
    let flags = header.numbers(flags)?.unwrap_or_default();
    let mut versions = header.strings(versions)?.into_iter().flatten();
    let mut entries = String::new();
    for (place, name) in names.enumerate() {
        let name = clean(name?);
        let flag = flags.get(place).map_or(0, |it| u32::from_be_bytes(*it));
        let version = versions.next().transpose()?.map(clean).unwrap_or_default();
        if flag & RPMLIB != 0 || name.starts_with("rpmlib(") {
            continue;
        }
        let _ = write!(entries, "<rpm:entry name=\"{}\"", escape(&name));
        let comparison = match flag & (LESS | GREATER | EQUAL) {
            LESS => "LT",
            GREATER => "GT",
            EQUAL => "EQ",
            it if it == LESS | EQUAL => "LE",
            it if it == GREATER | EQUAL => "GE",
            _ => "",
        };
        if !comparison.is_empty() && !version.is_empty() {
            let (epoch, rest) = version.split_once(':').unwrap_or(("0", &version));
            let (version, release) = rest.rsplit_once('-').unwrap_or((rest, ""));
            let version = version_attributes(epoch, version, release);
            let _ = write!(entries, " flags=\"{comparison}\"{version}");
        }
        if element == "requires" && flag & BEFORE != 0 {
            entries.push_str(" pre=\"1\"");
        }
        entries.push_str("/>\n");
    }
    if !entries.is_empty() {
        let _ = write!(out, "<rpm:{element}>\n{entries}</rpm:{element}>\n");
    }
    Ok(())
}

fn files(out: &mut String, header: &Header<'_>) -> Result<(), String> {
    let directories: Vec<&[u8]> = match header.strings(tag::DIR_NAMES)? {
        Some(all) => all.collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    let indexes = header.numbers(tag::DIR_INDEXES)?.unwrap_or_default();
    let modes = header.shorts(tag::FILE_MODES)?.unwrap_or_default();
    let flags = header.numbers(tag::FILE_FLAGS)?.unwrap_or_default();
    let names = header.strings(tag::BASE_NAMES)?.into_iter().flatten();
    for (place, name) in names.enumerate() {
        let name = name?;
        let index = indexes.get(place).map(|it| u32::from_be_bytes(*it));
        let directory = index.and_then(|index| directories.get(index as usize));
        let directory = directory.ok_or("a file without directory")?;
        if place >= MAX_FILES || directory.len() + name.len() > MAX_PATH {
            return Err("too many files, or too long a path".to_owned());
        }
        let path = clean(directory) + &clean(name);
        let mode = modes.get(place).map_or(0, |it| u16::from_be_bytes(*it));
        let flag = flags.get(place).map_or(0, |it| u32::from_be_bytes(*it));
        let kind = if flag & GHOST != 0 {
            " type=\"ghost\""
        } else if mode & TYPE == DIRECTORY {
            " type=\"dir\""
        } else {
            ""
        };
        let _ = writeln!(out, "<file{kind}>{}</file>", escape(&path));
    }
    Ok(())
}

fn version_attributes(epoch: &str, version: &str, release: &str) -> String {
    let release = match release {
        "" => String::new(),
        release => format!(" rel=\"{}\"", escape(release)),
    };
    format!(
        " epoch=\"{}\" ver=\"{}\"{release}",
        escape(epoch),
        escape(version)
    )
}

fn write_element(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "<{name}>{}</{name}>", escape(value));
}

/// Epoch, version and release.
fn parts(header: &Header<'_>) -> Result<(String, String, String), String> {
    let epoch = header.number(tag::EPOCH)?.unwrap_or_default().to_string();
    Ok((
        epoch,
        need(header, tag::VERSION)?,
        need(header, tag::RELEASE)?,
    ))
}

fn get(header: &Header<'_>, tag: u32) -> Result<Option<String>, String> {
    Ok(header.string(tag)?.map(clean))
}

fn need(header: &Header<'_>, tag: u32) -> Result<String, String> {
    let found = get(header, tag)?.filter(|text| !text.is_empty());
    found.ok_or_else(|| format!("its header has no tag {tag}"))
}

/// Text that may stand in XML.
fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let allowed = |c: &char| !c.is_control() || matches!(c, '\t' | '\n');
    text.chars()
        .filter(allowed)
        .filter(|c| !matches!(c, '\u{fffe}' | '\u{ffff}'))
        .collect()
}
