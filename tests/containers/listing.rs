//! How containers are named, described and listed, and what is refused.

use std::fs;

use crate::support::{shared, temporary, wait_for};
use crate::{BOTH, Container, LONG};

#[test]
fn names() {
    let container = Container::start("named", BOTH[1], &["sleep", "1000"]);
    let taken = ["create", "--name", &container.name, "quickstart", "true"];
    shared()
        .run(&taken)
        .code(125)
        .says("is already in use by container");
    let bad = ["create", "--name", "no/name", "quickstart", "true"];
    shared().run(&bad).code(125).says("invalid container name");
    let id = container.inspect("{{.Id}}");
    shared().run(&["exec", &id[..8], "true"]).success();
    let other = format!("other-{}", container.name);
    container.run(&["rename"], &[&other]).success();
    shared().run(&["exec", &other, "true"]).success();
    container.exec(&["true"]).code(1).says("no such container");
    shared().run(&["rename", &other, &container.name]).success();
    // One without a name gets one.
    let racker = shared();
    let id = racker
        .run(&["create", "--label", "mine=1", "quickstart", "true"])
        .success()
        .into_text();
    let filter = [
        "ps",
        "-a",
        "--filter",
        "label=mine",
        "--format",
        "{{.Names}}",
    ];
    let name = racker.run(&filter).success().into_text();
    assert!(name.contains('_'), "{name}");
    racker.run(&["rm", id.trim()]).success();
    // Not every name is one of a host.
    for (name, host) in [("a_name".to_owned(), "a-name"), ("n".repeat(99), "")] {
        let run = [
            "run",
            "--rm",
            "--systemd=false",
            "--name",
            &name,
            "quickstart",
            "hostname",
        ];
        let output = racker.run(&run).success();
        assert!(output.text().starts_with(host), "{}", output.report());
    }
    // A name is free again with its container's end, and what somebody killed left of one is none.
    let link = shared()
        .store()
        .join("containers")
        .join(format!("{other}.name"));
    std::os::unix::fs::symlink("0123456789ab", &link).unwrap();
    let start = ["run", "-d", "--rm", "--systemd=false", "--name", &other];
    let start = [&start[..], &["quickstart", "sleep", "1000"]].concat();
    let id = racker.run(&start).success().into_text();
    racker.run(&start).code(125).says(id.trim());
    let third = format!("third-{other}");
    racker.run(&["rename", &other, &third]).success();
    assert!(link.symlink_metadata().is_err());
    racker.run(&["rename", &third, &other]).success();
    racker.run(&["kill", &other]).success();
    wait_for(LONG, "the name is free", || {
        link.symlink_metadata().is_err().then_some(())
    });
    racker.run(&start).success();
    racker.run(&["rm", "-f", &other]).success();
    assert!(link.symlink_metadata().is_err());
}

#[test]
fn listing() {
    let container = Container::start(
        "list",
        &["--systemd=false", "--label", "a=b"],
        &["sleep", "99"],
    );
    let filter = format!("name={}", container.name);
    let ps = |options: &[&str]| {
        let head = ["ps", "--filter", &filter];
        shared()
            .run(&[&head, options].concat())
            .success()
            .into_text()
    };
    let table = ps(&[]);
    let heading = "CONTAINER ID   IMAGE        COMMAND      CREATED";
    assert!(table.starts_with(heading), "{table}");
    assert!(table.contains("\"sleep 99\""), "{table}");
    assert_eq!(ps(&["--ids"]).trim().len(), 12);
    assert_eq!(ps(&["-q", "--no-trunc"]).trim().len(), 64);
    let table = ps(&["--format", "table {{.Names}}\t{{.Image}}"]);
    assert_eq!(
        table
            .lines()
            .next()
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>(),
        ["NAMES", "IMAGE"]
    );
    let document: serde_json::Value = serde_json::from_str(&ps(&["--format", "json"])).unwrap();
    assert!(
        document["Labels"].as_str().unwrap().contains("a=b"),
        "{document}"
    );
    assert_eq!(ps(&["--filter", "status=exited"]), table_heading());
    assert_eq!(ps(&["-q", "--filter", "label=a=c"]), "");
    let found = |filter: &str| {
        let arguments = ["ps", "--filter", filter, "--format", "{{.Names}}"];
        let text = shared().run(&arguments).success().into_text();
        text.lines().any(|it| it == container.name)
    };
    let label = ["--format", r#"{{.Label "a"}}-{{.Label "none"}}"#];
    assert_eq!(ps(&label), "b-\n");
    shared()
        .run(&["ps", "--format", "{{.Nothing}}"])
        .code(1)
        .says("can't evaluate field Nothing");
    assert_eq!(container.inspect("{{.Args}}"), "[99]");
    assert_eq!(container.inspect("{{.Config.Cmd}}"), "[sleep 99]");
    let labels = container.inspect("{{.Config.Labels}}");
    assert!(labels.starts_with("map[a:b "), "{labels}");
    assert_eq!(container.inspect("{{.State.OOMKilled}}"), "false");
    let name = &container.name;
    for pattern in [
        format!("^{name}$"),
        format!("/{name}"),
        format!("^/{name}$"),
        "^li.t-[0-9]+$".into(),
        "ist".into(),
    ] {
        assert!(found(&format!("name={pattern}")), "{pattern}");
    }
    assert!(!found("name=^ist"));
    shared()
        .run(&["ps", "--filter", "name=["])
        .code(1)
        .says("invalid filter \"name=[\": unclosed character class");
    let nonsense = ["inspect", "--format", "{{.State.Nonsense}}"];
    shared()
        .run(&[&nonsense[..], &[&container.name]].concat())
        .code(1)
        .says("can't evaluate field Nonsense");
    let id = shared()
        .run(&["inspect", "--format", "{{.tree_id}}", "quickstart"])
        .success()
        .into_text();
    for image in [
        "quickstart",
        "quickstart:latest",
        "localhost/quickstart",
        "localhost/quickstart:latest",
        &id[..12],
        id.trim_end(),
    ] {
        assert!(found(&format!("ancestor={image}")), "{image}");
    }
    assert!(!found("ancestor=quick") && !found("ancestor=quickstart:1"));
    container.sh("head -c 3000000 /dev/zero >/big; ln /big /again; rm /again");
    let filter = format!("name={}", container.name);
    let table = shared()
        .run(&["ps", "--size", "--filter", &filter])
        .success();
    let lines: Vec<&str> = table.text().lines().collect();
    assert!(lines[0].ends_with("   SIZE"), "{}", table.report());
    assert!(
        lines[1].contains("   3.00MB (virtual "),
        "{}",
        table.report()
    );
    shared()
        .run(&["ps", "--filter", "status=bogus"])
        .code(1)
        .says("invalid filter \"status=bogus\"")
        .says("hint: one of created");
    shared()
        .run(&["ps", "--filter", "x=y"])
        .code(1)
        .says("invalid filter");
    shared()
        .run(&["ps", "--format", "{{.Names"])
        .code(1)
        .says("template");
    assert!(
        shared()
            .run(&["container", "ls"])
            .success()
            .into_text()
            .contains(&container.name)
    );
}

fn table_heading() -> String {
    "CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES\n".into()
}

#[test]
fn files_of_variables_labels_and_ids() {
    let place = temporary();
    fs::write(
        place.path().join("env"),
        "\u{feff}# comment\nA=one\n\nB=two words\n",
    )
    .unwrap();
    let racker = shared().clone().at(place.path()).env("C", "three");
    let options = [
        "run",
        "--rm",
        "--systemd=false",
        "--env-file",
        "env",
        "-e",
        "C",
        "--cidfile",
        "id",
    ];
    let output = racker.run(&[&options[..], &["quickstart", "sh", "-c", "echo $A $B $C"]].concat());
    assert_eq!(output.success().into_text(), "one two words three\n");
    assert_eq!(
        fs::read_to_string(place.path().join("id")).unwrap().len(),
        64
    );
    let output = racker.run(&[&options[..], &["quickstart", "true"]].concat());
    output.code(125).says("exists");
}

#[test]
fn images_are_removed_by_name_and_id() {
    let racker = shared();
    let container = Container::start("several", BOTH[1], &["sleep", "1000"]);
    container.sh("cat /proc/sys/kernel/random/uuid >/srv/own");
    let [one, two] = ["one", "two"].map(|it| format!("{it}-{}", std::process::id()));
    let id = container.run(&["commit"], &[&one]).success().into_text();
    let id = id.trim();
    racker.run(&["tag", &one, &two]).success();
    racker
        .run(&["rmi", &id[..12]])
        .code(1)
        .says("must be forced");
    // Each is tried.
    let output = racker.run(&["rmi", "no-such", &two]).code(1);
    assert!(output.text().contains(&two), "{}", output.report());
    output.says("no such image: no-such");
    racker.run(&["tag", &one, &two]).success();
    let output = racker.run(&["rmi", "-f", &id[..12], "no-such"]).success();
    assert_eq!(output.text().lines().count(), 2, "{}", output.report());
    for name in [&one, &two] {
        racker.run(&["rmi", name]).code(1).says("no such image");
    }
}

#[test]
fn events_tell_what_happened() {
    let container = Container::start("event", BOTH[1], &["true"]);
    container.run(&["wait"], &[]).success();
    let filter = format!("container={}", container.name);
    let output = wait_for(LONG, "the end", || {
        let arguments = [
            "events",
            "--since",
            "10m",
            "--until",
            "0s",
            "--filter",
            &filter,
            "--format",
            "{{.Action}}",
        ];
        let text = shared().run(&arguments).success().into_text();
        text.contains("die").then_some(text)
    });
    assert_eq!(output, "create\nstart\ndie\n");
}

#[test]
fn what_is_not_supported_is_refused() {
    let racker = shared();
    for option in [
        &["--gpus", "all"][..],
        &["--ipc=host"],
        &["--pid=host"],
        &["--log-opt", "a=b"],
    ] {
        let arguments = [&["run", "--rm"], option, &["quickstart", "true"]].concat();
        racker.run(&arguments).code(125).says("is not supported: ");
    }
    racker
        .run(&["run", "-p", "x", "quickstart", "true"])
        .code(125)
        .says("invalid port");
    racker
        .run(&["run", "-v", "a:b", "quickstart", "true"])
        .code(125)
        .says("must be absolute");
    racker
        .run(&["run", "--rm", "--restart=always", "quickstart", "true"])
        .code(125)
        .says("conflicting options");
}
