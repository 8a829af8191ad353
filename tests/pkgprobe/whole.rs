//! What is found besides the checks, and other ways to install.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::support::deb::Deb;
use super::support::{self, names, tool};
use super::{bench, deb, http, message, report};

#[test]
fn what_the_package_is_not_to_blame_for() {
    let kitchen = bench();
    let recipe = "from = \"./quickstart.toml\"\n[[step]]\nrun = '''\n\
        printf '[Service]\\nType=oneshot\\nExecStart=/bin/false\\n[Install]\\n\
        WantedBy=multi-user.target\\n' >/etc/systemd/system/old.service\n\
        systemctl enable old\n'''\n";
    kitchen.write("old.toml", recipe);
    fs::copy(kitchen.path("quickstart.lock"), kitchen.path("old.lock")).unwrap();
    kitchen.bake("old.toml").success();
    let file = deb(
        &kitchen,
        Deb {
            name: "own",
            version: "1",
            service: "Type=oneshot\nExecStart=/bin/false",
            postinst: "systemctl enable own; cp /bin/true /usr/bin/mighty; \
                       chmod 4755 /usr/bin/mighty; cp /bin/true /usr/bin/shared; \
                       chgrp www-data /usr/bin/shared; chmod 2755 /usr/bin/shared",
            ..Deb::default()
        },
    );
    let package = format!("--package={file}");
    let arguments = ["pkgprobe", "--image=old", &package, "--format=json"];
    for _ in 0..2 {
        let found = kitchen.racker.run(&arguments).success().json();
        assert_eq!(found[0]["failed_units"], serde_json::json!(["own.service"]));
        assert_eq!(
            found[0]["image_failed_units"],
            serde_json::json!(["old.service"])
        );
        let expected = serde_json::json!([
            {"path": "/usr/bin/mighty", "mode": "4755", "owner": "0:0"},
            {"path": "/usr/bin/shared", "mode": "2755", "owner": "0:33"},
        ]);
        assert_eq!(found[0]["privileged_files"], expected);
    }
    // The image alone was booted once for that.
    let image = kitchen.racker.run(&["inspect", "old"]).success().json();
    let known = format!("{}.json", image[0]["tree_id"].as_str().unwrap());
    assert!(names(&kitchen.path("store/probes")).contains(&known));
    kitchen.racker.verify();
}

#[test]
fn services_that_signals_end() {
    let kitchen = bench();
    let file = deb(
        &kitchen,
        Deb {
            name: "shot",
            version: "1",
            service: "ExecStart=/bin/sh -c 'kill -SEGV $$$$'",
            postinst: "systemctl enable shot",
            ..Deb::default()
        },
    );
    let package = format!("--package={file}");
    let found = report(&kitchen, 0, &[&package, "--check-unit=nginx"]);
    let ended = &found["ended_units"];
    assert_eq!(ended.as_array().unwrap().len(), 1, "{found:#}");
    assert_eq!(ended[0]["unit"], "shot.service");
    assert!(
        matches!(ended[0]["result"].as_str().unwrap(), "signal" | "core-dump"),
        "{found:#}"
    );
    // One that comes back every time is no failed unit, and still found.
    let file = deb(
        &kitchen,
        Deb {
            name: "again",
            version: "1",
            service: "ExecStart=/bin/sh -c 'test -e /run/once && exec sleep 1000; \
                      touch /run/once; kill -KILL $$$$'\nRestart=always\nRestartSec=0",
            postinst: "systemctl enable again",
            ..Deb::default()
        },
    );
    let package = format!("--package={file}");
    let found = report(&kitchen, 0, &[&package]);
    assert_eq!(
        found["ended_units"][0]["unit"], "again.service",
        "{found:#}"
    );
    assert_eq!(found["failed_units"].as_array().unwrap().len(), 0);
}

#[test]
fn what_stays_after_a_purge() {
    let kitchen = bench();
    let service = http("200");
    let clean = deb(
        &kitchen,
        Deb {
            name: "clean",
            version: "1",
            service: &service,
            ..Deb::default()
        },
    );
    let package = format!("--package={clean}");
    let found = report(&kitchen, 0, &[&package, "--check-unit=clean", "--purge"]);
    assert_eq!(message(&found, 1), "nothing is left", "{found:#}");
    let messy = deb(
        &kitchen,
        Deb {
            name: "messy",
            version: "1",
            service: "ExecStart=/bin/sh -c 'mkdir -p /var/lib/messy; echo x >/var/lib/messy/state; \
                      exec sleep 1000'",
            postinst: "mkdir -p /srv/messy/empty",
            ..Deb::default()
        },
    );
    let package = format!("--package={messy}");
    let arguments = [
        &*package,
        "--check-unit=messy",
        "--check-file=/var/lib/messy/state",
        "--purge",
    ];
    let found = report(&kitchen, 3, &arguments);
    assert_eq!(message(&found, 2), "2 paths are left", "{found:#}");
    let evidence = &found["checks"][2]["evidence"][0]["lines"];
    let expected = serde_json::json!(["/srv/messy/empty", "/var/lib/messy/state"]);
    assert_eq!(*evidence, expected);
    let stuck = deb(
        &kitchen,
        Deb {
            name: "stuck",
            version: "1",
            fields: "Essential: yes\n",
            ..Deb::default()
        },
    );
    let package = format!("--package={stuck}");
    let found = report(&kitchen, 3, &[&package, "--purge"]);
    assert!(message(&found, 0).contains("cannot remove"), "{found:#}");
    kitchen.racker.verify();
}

#[test]
fn installed_in_the_booted_system() {
    let kitchen = bench();
    let service = http("200");
    let file = deb(
        &kitchen,
        Deb {
            name: "good",
            version: "1.0",
            service: &service,
            postinst: "systemctl start good; cp /bin/true /usr/bin/mighty; chmod 4755 /usr/bin/mighty",
            ..Deb::default()
        },
    );
    let package = format!("--package={file}");
    let before = support::snapshot(&kitchen.path("store/realisations"));
    let arguments = [
        &*package,
        "--install=live",
        "--check-service=good",
        "--check-package=good",
        "--check-unit=good",
        "--check-http=http://localhost:8080",
    ];
    // The unit is started by the package itself, but not enabled.
    let found = report(&kitchen, 0, &arguments);
    assert_eq!(found["installed"], serde_json::json!([["good", "1.0"]]));
    assert_eq!(found["privileged_files"][0]["path"], "/usr/bin/mighty");
    let image = kitchen
        .racker
        .run(&["inspect", "quickstart"])
        .success()
        .json();
    assert_eq!(found["tree"], image[0]["tree_id"]);
    let after = support::snapshot(&kitchen.path("store/realisations"));
    assert_eq!(before, after);
    let purged = report(&kitchen, 3, &[&*package, "--install=live", "--purge"]);
    let left = &purged["checks"][0]["evidence"][0]["lines"];
    assert_eq!(*left, serde_json::json!(["/usr/bin/mighty"]), "{purged:#}");
    let broken = deb(
        &kitchen,
        Deb {
            name: "broken",
            version: "1",
            postinst: "echo out of luck; exit 3",
            ..Deb::default()
        },
    );
    let package = format!("--package={broken}");
    let found = report(&kitchen, 1, &[&*package, "--install=live"]);
    let error = found["error"].as_str().unwrap();
    assert!(error.contains("out of luck"), "{error}");
    kitchen.racker.verify();
}

#[test]
fn a_page_of_it() {
    let kitchen = bench();
    let images = "--image=quickstart,nothing/at:all";
    let arguments = [
        "pkgprobe",
        images,
        "--offline",
        "--check-port=80",
        "--check-command=echo '<b>&' >&2; false",
        "--format=html",
    ];
    let output = kitchen.racker.run(&arguments).code(1);
    let page = output.text();
    assert!(page.contains("0 of 2 probes hold"), "{page}");
    assert!(
        page.contains("&lt;b&gt;&amp;") && !page.contains("<b>"),
        "{page}"
    );
    kitchen.write("page.html", page);
    // Its parser is older than <section>; everything else must be in order.
    let mut lint = Command::new(tool("xmllint", "libxml2-utils"));
    lint.args(["--html", "--noout"])
        .arg(kitchen.path("page.html"));
    let said = lint.output().unwrap().stderr;
    let said = String::from_utf8_lossy(&said);
    let errors: Vec<_> = said.lines().filter(|line| line.contains("error")).collect();
    assert!(
        errors
            .iter()
            .all(|line| line.contains("Tag section invalid")),
        "{said}"
    );
}

#[test]
fn racker_is_killed_while_it_installs() {
    let kitchen = bench();
    let file = deb(
        &kitchen,
        Deb {
            name: "slow",
            version: "1",
            postinst: "touch /begun; sleep 4711",
            ..Deb::default()
        },
    );
    let package = format!("--package={file}");
    let arguments = ["pkgprobe", "--image=quickstart", &package, "--install=live"];
    let mut racker = kitchen.racker.command(&arguments).spawn().unwrap();
    let stage = kitchen.path("store/stage");
    let begun = || {
        let mut all = names(&stage).into_iter();
        all.find(|name| stage.join(name).join("upper/begun").exists())
    };
    support::wait_for(Duration::from_secs(60), "the package's script", begun);
    racker.kill().unwrap();
    racker.wait().unwrap();
    let gone = || names(&stage).is_empty().then_some(());
    support::wait_for(Duration::from_secs(10), "an empty stage", gone);
    let sleeping = |name: &String| {
        let line = fs::read(format!("/proc/{name}/cmdline")).unwrap_or_default();
        line == *b"sleep\x004711\0"
    };
    assert_eq!(
        names(Path::new("/proc")).iter().find(|it| sleeping(it)),
        None
    );
    kitchen.racker.verify();
}
