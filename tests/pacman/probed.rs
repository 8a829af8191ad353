//! `racker pkgprobe` on pacman's packages.

use super::Bench;
use super::mirror::{Mirror, Pkg};

#[test]
fn a_service_in_a_package_file() {
    let bench = Bench::new();
    // The guest is a Debian; the first package manager that is found is taken.
    bench.recipe("[[step]]\nrun = \"rm /usr/bin/apt-get\"\n");
    bench.bake().success();
    let service = "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n";
    let file = bench.kitchen.path("web.pkg.tar.zst");
    let web = Pkg {
        name: "web",
        version: "2:1.5",
        fields: "depend = library\n",
        install: "post_install() {\n  mkdir -p /srv/web\n}\n",
        file: Some(("usr/lib/systemd/system/web.service", service)),
    };
    Mirror::build(&web, &file);
    let package = format!("--package={}", file.display());
    let arguments = [
        "pkgprobe",
        "--image=box",
        &package,
        "--check-unit=web",
        "--check-package=library",
        "--format=json",
    ];
    for more in [&[][..], &["--install=live"]] {
        let found = bench
            .racker(&[&arguments[..], more].concat())
            .success()
            .json();
        let expected = serde_json::json!([["web", "2:1.5-1"]]);
        assert_eq!(found[0]["installed"], expected, "{found:#}");
    }
    let found = bench
        .racker(&[&arguments[..], &["--purge"]].concat())
        .code(3)
        .json();
    let purge = &found[0]["checks"][2];
    let left = serde_json::json!(["/srv/web"]);
    assert_eq!(purge["evidence"][0]["lines"], left, "{found:#}");
    bench.kitchen.racker.verify();
}
