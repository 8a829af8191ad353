//! `racker pkgprobe` on rpm packages.

use super::archive::{Rpm, build};
use super::{Bench, each};

each!(a_service_in_an_rpm);

fn a_service_in_an_rpm(manager: &'static str) {
    let bench = Bench::new(manager);
    // The guest has every package manager; the first that is found is taken.
    let others = match manager {
        "dnf" | "dnf5" => "/usr/bin/apt-get -f /usr/bin/zypper",
        _ => "/usr/bin/apt-get",
    };
    // zypper cannot do with a database that has nothing left in it.
    bench.recipe(&format!(
        "[[step]]\nPM = [\"extra\"]\n[[step]]\nrun = \"rm {others}\"\n"
    ));
    bench.bake().success();
    let rpm = build(&Rpm {
        fields: "Requires: library",
        post: "printf '[Service]\\nExecStart=/bin/sleep 1000\\n[Install]\\n\
               WantedBy=multi-user.target\\n' >/usr/lib/systemd/system/web.service",
        ..Rpm::new("web", "3:2.0")
    });
    let package = format!("--package={}", rpm.display());
    let arguments = [
        "pkgprobe",
        "--image=box",
        &package,
        "--check-unit=web",
        "--check-package=library",
        "--check-file=/usr/share/web/version",
        "--format=json",
    ];
    for more in [&[][..], &["--install=live"]] {
        let found = bench
            .racker(&[&arguments[..], more].concat())
            .success()
            .json();
        // Epoch, version and release of the very file.
        let expected = serde_json::json!([["web", "3:2.0-1"]]);
        assert_eq!(found[0]["installed"], expected, "{found:#}");
    }
    let found = bench
        .racker(&[&arguments[..], &["--purge"]].concat())
        .code(3)
        .json();
    let purge = &found[0]["checks"][3];
    let left = serde_json::json!(["/usr/lib/systemd/system/web.service"]);
    assert_eq!(purge["evidence"][0]["lines"], left, "{found:#}");
    bench.kitchen.racker.verify();
}
