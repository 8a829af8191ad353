use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::{Bootstrap, Distribution, From, Location, Mode, Step, parse_duration};
use super::{read, step};
use crate::package::Manager;

const WHOLE: &str = r#"
name = "team/web"
from = "debian:bookworm"
normalise = { journal = false, apt-lists = true }
[args]
greeting = "hello"
[env]
LANG = "C.UTF-8"
[[step]]
packages = ["systemd", "curl"]
[[step]]
apt = { install = ["nginx"], remove = ["nano"], recommends = true, debconf = { "tzdata/Areas" = "select Europe", "x y/z" = true } }
[[step]]
copy = { from = "site/", to = "/var/www/html/", mode = "0644", owner = "www-data:0" }
[[step]]
fetch = { url = "https://example.org/a/tool.tar.gz?x", to = "/opt/" }
[[step]]
run = { script = "echo ${greeting} $${HOME} $x", timeout = "1h30m", env = { A = "${greeting}" }, secrets = ["token"], cache = ["/var/cache/x"] }
[[step]]
units = { enable = ["nginx"], mask = ["apt-daily.timer"] }
[image]
cmd = "echo ${greeting}"
ports = [80, "53/udp"]
[probe]
units = ["nginx"]
timeout = "30s"
"#;

#[test]
fn reads_a_whole_recipe() {
    let recipe = read(WHOLE).unwrap();
    assert_eq!(recipe.name, "team/web");
    assert_eq!(recipe.switched_off(), ["journal"]);
    assert_eq!(
        recipe.image.cmd.as_deref().unwrap(),
        ["/bin/sh", "-c", "echo hello"]
    );
    assert_eq!(recipe.image.ports, ["53/udp", "80/tcp"]);
    let shown: Vec<_> = recipe.steps.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "packages systemd curl",
            "apt nginx -nano",
            "copy site/ to /var/www/html/",
            "fetch https://example.org/a/tool.tar.gz?x to /opt/",
            "run echo hello ${HOME} $x",
            "units enable nginx mask apt-daily.timer",
        ]
    );
    let Step::Packages(apt) = &recipe.steps[1] else {
        panic!("not packages")
    };
    assert_eq!(apt.manager, Some(Manager::Apt));
    let lines: Vec<_> = apt.debconf.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        ["tzdata tzdata/Areas select Europe", "x y/z boolean true"]
    );
    let Step::Fetch(fetch) = &recipe.steps[3] else {
        panic!("not fetch")
    };
    assert_eq!(fetch.target(), "/opt/tool.tar.gz");
    let Step::Run(run) = &recipe.steps[4] else {
        panic!("not run")
    };
    assert_eq!(run.timeout, Some(Duration::from_secs(5400)));
    assert_eq!(
        (run.workdir.as_str(), run.user.as_str(), run.network),
        ("/", "root", false)
    );
}

#[test]
fn decides_what_a_base_is_by_its_form() {
    let directory = Path::new("/r");
    let parse = |text: &str| From::parse(text, directory).unwrap();
    let path = |text: &str| PathBuf::from(text);
    assert_eq!(parse("scratch"), From::Scratch);
    assert_eq!(parse("./base.toml"), From::Recipe(path("/r/./base.toml")));
    assert_eq!(parse("/base.toml"), From::Recipe(path("/base.toml")));
    assert_eq!(
        parse("oci:dir"),
        From::Layout {
            path: path("/r/dir"),
            tag: None
        }
    );
    assert_eq!(
        parse("oci:a:b/dir:v1"),
        From::Layout {
            path: path("/r/a:b/dir"),
            tag: Some("v1".to_owned())
        }
    );
    assert_eq!(
        parse("oci-archive:x.tar:v1"),
        From::OciArchive {
            path: path("/r/x.tar"),
            tag: Some("v1".to_owned())
        }
    );
    assert_eq!(
        parse("oci-archive:x.tar:v1").to_string(),
        "oci-archive:/r/x.tar:v1"
    );
    assert_eq!(
        parse("docker-archive:x.tar"),
        From::DockerArchive(path("/r/x.tar"))
    );
    assert_eq!(
        parse("https://example.org/rootfs"),
        From::Rootfs {
            location: Location::Url("https://example.org/rootfs".into()),
            digest: None
        }
    );
    assert_eq!(
        parse("rootfs.tar.xz"),
        From::Rootfs {
            location: Location::Path(path("/r/rootfs.tar.xz")),
            digest: None
        }
    );
    assert_eq!(
        parse("debian-12"),
        From::Curated("debian-bookworm".to_owned())
    );
    for reference in [
        "debian",
        "debian:12",
        "localhost:5000/a/b_c:T",
        "ghcr.io/a/b",
    ] {
        assert_eq!(parse(reference), From::Reference(reference.to_owned()));
    }
    let pinned = format!("debian@sha256:{}", "0a".repeat(32));
    assert_eq!(parse(&pinned), From::Reference(pinned));
}

#[test]
fn reads_tables_as_bases() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let from = format!("from = {{ rootfs = \"https://h/r.tar\", digest = \"{digest}\" }}");
    let From::Rootfs {
        digest: Some(read_digest),
        ..
    } = read(&from).unwrap().from
    else {
        panic!("not a rootfs")
    };
    assert_eq!(read_digest.to_string(), digest);
    let from = "from = { bootstrap = \"debian\", suite = \"sid\", include = [\"ssh\"] }";
    let bootstrap = Bootstrap {
        distribution: Distribution::Debian,
        suite: "sid".to_owned(),
        include: vec!["ssh".to_owned()],
        variant: "minbase".to_owned(),
        mirror: None,
    };
    assert_eq!(read(from).unwrap().from, From::Bootstrap(bootstrap));
}

#[test]
fn values_have_their_grammar() {
    assert_eq!(parse_duration("2m5s"), Ok(Duration::from_secs(125)));
    for wrong in [
        "",
        "5",
        "s",
        "0s",
        "5s2m",
        "1.5h",
        "-1s",
        "99999999999999999999h",
    ] {
        assert!(parse_duration(wrong).is_err(), "{wrong}");
    }
    let directory = |text: &str| text.parse::<Mode>().unwrap().for_directory().to_string();
    assert_eq!(directory("0640"), "0750");
    assert_eq!(directory("4755"), "0755");
    for name in ["a", "a/b", "a-b", "a--b", "a__b.c", "0"] {
        assert!(super::super::check_name(name).is_ok(), "{name}");
    }
    for name in ["", "A", "a/", "-a", "a___b", "a..b", "a._b"] {
        assert!(super::super::check_name(name).is_err(), "{name}");
    }
}

/// Whatever is cut off or put in, the parser answers and its answer can be shown.
#[test]
fn damaged_text_is_answered() {
    let whole = format!("{WHOLE}# \u{e4}\u{1f600}\r\n\ttab = \"\"\" \n\n");
    let deep = format!("from = {}", "[".repeat(100_000));
    assert!(read(&deep).is_err());
    for (at, _) in whole.char_indices().step_by(13) {
        for middle in ["", "\"", "\n", "[", "\u{fe0f}", "${"] {
            for rest in ["", &whole[at..]] {
                if let Err(found) = read(&format!("{}{middle}{rest}", &whole[..at])) {
                    assert!(!found.render(true).is_empty());
                }
            }
        }
    }
}

#[test]
fn a_shell_dollar_is_no_argument() {
    assert!(step("run = 'echo $HOME $(id -u) $$'").is_ok());
}
