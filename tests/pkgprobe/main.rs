//! `racker pkgprobe`, on packages that the tests make.

mod claims;
#[path = "../support/mod.rs"]
mod support;
mod testinfra;
mod whole;

use std::fs;

use serde_json::Value;
use support::deb::{Deb, build};
use support::files::Files;
use support::{Kitchen, Output, tool};

/// A store with quickstart, and a directory for packages.
pub(crate) fn bench() -> Kitchen {
    Kitchen::with_quickstart()
}

/// Builds `NAME.deb` in the kitchen's directory.
pub(crate) fn deb(kitchen: &Kitchen, deb: Deb<'_>) -> String {
    let path = kitchen.path(&format!("{}_{}_all.deb", deb.name, deb.version));
    build(&deb, &path);
    path.to_str().unwrap().to_owned()
}

pub(crate) fn probe(kitchen: &Kitchen, arguments: &[&str]) -> Output {
    let all = ["pkgprobe", "--image=quickstart"];
    kitchen.racker.run(&[&all[..], arguments].concat())
}

/// The report on the only probe, which ended with this exit code.
#[track_caller]
pub(crate) fn report(kitchen: &Kitchen, code: i32, arguments: &[&str]) -> Value {
    let output = probe(kitchen, &[arguments, &["--format=json"]].concat()).code(code);
    let mut all = output.json();
    assert_eq!(all.as_array().unwrap().len(), 1);
    all[0].take()
}

#[track_caller]
pub(crate) fn message(report: &Value, check: usize) -> String {
    report["checks"][check]["message"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A service that answers every HTTP request with this status, without any program that Debian's
/// smallest system lacks: perl is essential.
pub(crate) fn http(status: &str) -> String {
    format!(
        "ExecStart=/usr/bin/perl -MIO::Socket::INET -e '$$s = IO::Socket::INET->new(Listen => 5, \
         LocalPort => 8080, ReuseAddr => 1); while ($$c = $$s->accept) {{ $$c->recv($$b, 4096); \
         print $$c \"HTTP/1.0 {status} it\\r\\n\\r\\n\"; close $$c }}'"
    )
}

#[test]
fn what_the_image_has() {
    let kitchen = bench();
    let found = report(
        &kitchen,
        0,
        &[
            "--check-unit=systemd-journald",
            "--check-unit=nginx.service",
            "--check-network=http://localhost",
            "--check-network=tcp://127.0.0.1:80",
            "--check-network=http://[::1]:80/",
            "--check-file=/etc/nginx/nginx.conf",
            "--check-command=test \"$(hostname)\" && getent hosts localhost",
        ],
    );
    assert_eq!(found["checks"].as_array().unwrap().len(), 7);
    assert_eq!(message(&found, 2), "answers 200 OK");
    assert_eq!(found["failed_units"].as_array().unwrap().len(), 0);
    // Those of a recipe, which is baked first.
    let recipe = ["pkgprobe", "--image=quickstart.toml", "--format=json"];
    let found = kitchen.racker.run(&recipe).success().json();
    assert_eq!(message(&found[0], 1), "answers 200 OK");
    let text = probe(&kitchen, &["--check-unit=nginx"]).success();
    assert!(
        text.text()
            .contains("ok    unit nginx.service: active after")
    );
    kitchen.racker.verify();
}

#[test]
fn a_package_is_installed_once() {
    let kitchen = bench();
    let service = http("200");
    let package = Deb {
        name: "good",
        version: "1.0",
        service: &service,
        ..Deb::default()
    };
    let file = deb(&kitchen, package);
    let arguments = [
        &format!("--package={file}"),
        "--check-unit=good",
        "--check-network=http://localhost:8080",
    ];
    let first = report(&kitchen, 0, &arguments);
    assert_eq!(first["installed"], serde_json::json!([["good", "1.0"]]));
    assert_eq!(message(&first, 1), "answers 200 OK");
    let before = support::snapshot(&kitchen.path("store/realisations"));
    let again = report(&kitchen, 0, &arguments);
    assert_eq!(again["tree"], first["tree"]);
    let after = support::snapshot(&kitchen.path("store/realisations"));
    assert_eq!(before.len(), after.len());
    // The same name, another file.
    let package = Deb {
        version: "1.0",
        postinst: "touch /second",
        ..package
    };
    deb(&kitchen, package);
    let other = [&arguments[..], &["--check-file=/second"]].concat();
    report(&kitchen, 0, &other);
    // From a server, once.
    let files = Files::serve(&kitchen.path("."));
    let url = format!("--package={}/good_1.0_all.deb", files.url);
    let remote = [&url, "--check-unit=good", "--check-file=/second"];
    report(&kitchen, 0, &remote);
    report(&kitchen, 0, &remote);
    assert_eq!(files.requests(), 1);
    kitchen.racker.verify();
}

#[test]
fn services_that_do_not_work() {
    let kitchen = bench();
    let cases = [
        (
            "ends",
            "ExecStart=/bin/sh -c 'echo no luck; exit 7'\nType=exec",
            "exit code 7",
        ),
        (
            "forks",
            "ExecStart=/bin/false\nType=forking",
            "start failed",
        ),
        ("gone", "ExecStart=/usr/bin/not-there", "exit code 203"),
        (
            "bad",
            // What is no UTF-8 cannot be told over D-Bus.
            "ExecStart=/bin/sh -c '\\xfe'",
            "failed",
        ),
        (
            "cored",
            "ExecStart=/bin/sh -c 'kill -SEGV $$$$'",
            "signal 11",
        ),
        (
            "again",
            // Seen while it runs, or between two runs.
            "ExecStart=/bin/sleep 0.02\nRestart=always\nRestartSec=0",
            "activ",
        ),
    ];
    for (name, service, expected) in cases {
        let file = deb(
            &kitchen,
            Deb {
                name,
                version: "1",
                service,
                ..Deb::default()
            },
        );
        let package = format!("--package={file}");
        let unit = format!("--check-unit={name}");
        let found = report(&kitchen, 3, &[&package, &unit, "--settle=0.3"]);
        assert!(message(&found, 0).contains(expected), "{name}: {found:#}");
        let evidence = found["checks"][0]["evidence"].to_string();
        assert!(evidence.contains(&format!("state of {name}")), "{evidence}");
        if name == "ends" {
            assert!(evidence.contains("no luck"), "{evidence}");
        }
    }
    // It crashes while it settles.
    let service = "ExecStart=/bin/sh -c 'sleep 2; exit 9'";
    let file = deb(
        &kitchen,
        Deb {
            name: "late",
            version: "1",
            service,
            ..Deb::default()
        },
    );
    let package = format!("--package={file}");
    // A unit that is new is watched for long enough by itself.
    let found = report(&kitchen, 3, &[&package, "--check-unit=late"]);
    assert!(message(&found, 0).contains("exit code 9"), "{found:#}");
    let found = report(&kitchen, 0, &[&package, "--check-unit=late", "--settle=0"]);
    assert!(message(&found, 0).starts_with("active after"), "{found:#}");
    let found = report(&kitchen, 3, &[&package, "--check-unit=late"]);
    assert!(message(&found, 0).contains("exit code 9"), "{found:#}");
    // Its port never opens; another one answers with an error.
    let arguments = [
        &package,
        "--check-network=tcp://localhost:8080",
        "--network-timeout=0.5",
    ];
    let found = report(&kitchen, 3, &arguments);
    assert!(
        message(&found, 0).contains("connection refused"),
        "{found:#}"
    );
    let evidence = found["checks"][0]["evidence"].to_string();
    assert!(evidence.contains("0.0.0.0:80"), "{evidence}");
    let service = http("503");
    let file = deb(
        &kitchen,
        Deb {
            name: "sick",
            version: "1",
            service: &service,
            ..Deb::default()
        },
    );
    let package = format!("--package={file}");
    let arguments = [
        &package,
        "--check-unit=sick",
        "--check-network=http://localhost:8080",
        "--network-timeout=0.5",
    ];
    let found = report(&kitchen, 3, &arguments);
    assert!(message(&found, 1).contains("503"), "{found:#}");
    let found = report(&kitchen, 3, &["--check-unit=nothing"]);
    assert_eq!(message(&found, 0), "there is no such unit");
    kitchen.racker.verify();
}

#[test]
fn packages_that_cannot_be_installed() {
    let kitchen = bench();
    let broken = deb(
        &kitchen,
        Deb {
            name: "broken",
            version: "1",
            postinst: "echo out of luck; exit 3",
            ..Deb::default()
        },
    );
    let foreign = deb(
        &kitchen,
        Deb {
            name: "foreign",
            version: "1",
            architecture: "s390x",
            ..Deb::default()
        },
    );
    let needy = deb(
        &kitchen,
        Deb {
            name: "needy",
            version: "1",
            fields: "Depends: nobody-has-this\n",
            ..Deb::default()
        },
    );
    for (package, cause) in [
        (&*broken, "out of luck"),
        (&foreign, "s390x"),
        (&needy, "nobody-has-this"),
        ("no-such-package", "no-such-package"),
        ("/no/such/file.deb", "No such file"),
    ] {
        let argument = format!("--package={package}");
        let found = report(&kitchen, 1, &[&argument, "--check-unit=nginx"]);
        let error = found["error"].as_str().unwrap();
        assert!(error.contains(cause), "{package}: {error}");
    }
    // One that asks questions gets the answers that it has itself.
    let asks = deb(
        &kitchen,
        Deb {
            name: "asks",
            version: "1",
            postinst: "test ! -t 0; read answer || true; echo \"$DEBIAN_FRONTEND\" > /frontend",
            ..Deb::default()
        },
    );
    let argument = format!("--package={asks}");
    let command = "--check-command=grep -qx noninteractive /frontend";
    report(&kitchen, 0, &[&argument, command]);
    kitchen.racker.verify();
}

#[test]
fn many_at_once() {
    let kitchen = bench();
    let second = "from = \"./quickstart.toml\"\n[[step]]\nrun = \"touch /second\"\n";
    kitchen.write("second.toml", second);
    fs::copy(kitchen.path("quickstart.lock"), kitchen.path("second.lock")).unwrap();
    kitchen.racker.run(&["bake", "second.toml"]).success();
    let images = "--image=quickstart,second,nothing/at:all";
    let arguments = [
        "pkgprobe",
        images,
        "--offline",
        "--check-network=http://localhost:80",
    ];
    for (format, expected) in [
        ("human", "2 of 3 probes hold"),
        (
            "tap",
            "1..3\nok 1 - quickstart: network http://localhost:80: answers 200 OK\nok 2",
        ),
        (
            "junit",
            "<testcase classname=\"second\" name=\"network http://localhost:80\"",
        ),
    ] {
        let format = format!("--format={format}");
        let output = kitchen
            .racker
            .run(&[&arguments[..], &[&format]].concat())
            .code(1);
        assert!(output.text().contains(expected), "{}", output.report());
        if format.ends_with("junit") {
            kitchen.write("junit.xml", output.text());
            let mut lint = std::process::Command::new(tool("xmllint", "libxml2-utils"));
            support::execute(lint.arg("--noout").arg(kitchen.path("junit.xml")));
        }
    }
    let mut names = Vec::new();
    for shard in ["--shard=1/2", "--shard=2/2"] {
        let json = [&arguments[..], &["--format=json", shard]].concat();
        for probe in kitchen.racker.run(&json).json().as_array().unwrap() {
            names.push(probe["image"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(names, ["quickstart", "nothing/at:all", "second"]);
    // Sixteen on one port.
    let same = format!("--image={}", ["quickstart"; 16].join(","));
    let output = kitchen
        .racker
        .run(&["pkgprobe", &same, "--check-network=http://localhost:80"]);
    assert!(output.success().text().ends_with("16 of 16 probes hold\n"));
    kitchen.racker.verify();
}

#[test]
fn mistakes_in_the_command_line() {
    let kitchen = Kitchen::new();
    for (arguments, said) in [
        (
            &["--check-network=localhost:80"][..],
            "starts with none of tcp://",
        ),
        (&["--check-network=tcp://localhost"], "names no port"),
        (&["--check-file=relative"], "no absolute path"),
        (&["--network-timeout=soon"], "expected a number of seconds"),
        (&["--check-unit=tmpl@"], "`tmpl@` is a template"),
        (&["--check-unit=a b"], "cannot be the name of a unit"),
        (&["--check-service=tmpl@.service"], "is a template"),
        (&["--package=Bad Name"], "package"),
        (&["--package=g*"], "patterns are not allowed"),
        (&["--each"], "--each goes with --package"),
        (&["--purge"], "--purge goes with --package"),
        (&["--install=live"], "--install=live goes with --package"),
        (&["--check-port=http"], "`http` is no port"),
        (&["--check-http=tcp://a:1"], "no http or https URL"),
        (
            &["--goss=/no/such.yaml"],
            "read /no/such.yaml: No such file",
        ),
        (&["--shard=3/2"], "expected K/N"),
    ] {
        probe(&kitchen, arguments).code(2).says(said);
    }
    kitchen.racker.run(&["pkgprobe"]).code(2).says("--image");
    let lonely = ["pkgprobe", "--image=hello", "--offline"];
    let output = kitchen.racker.run(&lonely).code(1);
    assert!(
        output.text().contains("no image hello"),
        "{}",
        output.report()
    );
}
