//! Volumes, and files of the host.

use std::fs;

use rustix::process::{Signal, kill_process};

use crate::support::{shared, temporary, wait_for};
use crate::{BOTH, Container, LONG, supervisor};

#[test]
fn volumes_outlive_containers() {
    let racker = shared();
    let volume = format!("volume{}", std::process::id());
    let option = format!("{volume}:/etc/apt");
    for way in BOTH {
        let script = "test -e /etc/apt/sources.list -o -e /etc/apt/sources.list.d; chown 33:44 /etc/apt/apt.conf.d; \
                      echo $(stat -c %u:%g /etc/apt /etc/apt/apt.conf.d)";
        let arguments = [
            &["run", "--rm"],
            way,
            &["-v", &option, "quickstart", "sh", "-ec", script],
        ]
        .concat();
        let output = racker.run(&arguments).success();
        assert_eq!(output.text(), "0:0 33:44\n");
    }
    let container = Container::start(
        "volume",
        &["-v", &option, "--systemd=false"],
        &["sleep", "1000"],
    );
    racker
        .run(&["volume", "create", "a b"])
        .code(1)
        .says("invalid volume name");
    for source in ["a+b", "vol/ü"] {
        let option = format!("{source}:/x");
        let name = format!("none-{}", std::process::id());
        let run = ["run", "--name", &name, "-v", &option, "quickstart", "true"];
        let output = racker.run(&run).code(125).says("invalid volume name");
        if source.contains('/') {
            output.says("hint: a path of the host is absolute or begins with ./, such as ./vol/ü");
        }
        // Nothing was made.
        racker.run(&["inspect", &name]).code(1);
    }
    racker
        .run(&["volume", "rm", &volume])
        .code(1)
        .says("in use by container");
    drop(container);
    assert!(
        racker
            .run(&["volume", "ls", "-q"])
            .success()
            .into_text()
            .contains(&volume)
    );
    racker.run(&["volume", "rm", &volume]).success();
}

/// The volumes of a container: name and place.
fn volumes_of(name: &str) -> Vec<(String, String)> {
    let template = "{{range .Mounts}}{{.Name}} {{.Destination}}\n{{end}}";
    let shown = shared().run(&["inspect", "--format", template, name]);
    let text = shown.success().into_text();
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    let mut all: Vec<_> = pairs.map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    all.sort_by(|a, b| a.1.cmp(&b.1));
    all
}

/// Which of these volumes there are.
fn are_there(volumes: &[(String, String)]) -> Vec<bool> {
    let text = shared().run(&["volume", "ls", "-q"]).success().into_text();
    let there = |name: &str| text.lines().any(|line| line == name);
    volumes.iter().map(|(name, _)| there(name)).collect()
}

#[test]
fn volumes_that_an_image_wants() {
    let image = "test-volumes";
    let wanted = "[image]\nvolumes = [\"/data\", \"/var/www/html\"]\n";
    crate::support::bake_on_quickstart(image, wanted);
    let racker = shared();
    let name = format!("wants-{}", std::process::id());
    let named = format!("named-{name}");
    for way in BOTH {
        let script = "echo $(grep -c hello /var/www/html/index.html; stat -c %u:%a /var/www/html); \
                      echo x >>/data/x; echo x >>/extra/x; cat /data/x /extra/x";
        let create = ["create", "--name", &name, "-v", "/extra"];
        racker
            .run(&[&create, way, &[image, "sh", "-c", script]].concat())
            .success();
        // They are there before anything runs.
        let volumes = volumes_of(&name);
        let places: Vec<&str> = volumes.iter().map(|(_, place)| place.as_str()).collect();
        assert_eq!(places, ["/data", "/extra", "/var/www/html"]);
        assert!(
            volumes.iter().all(|(name, _)| name.len() == 64),
            "{volumes:?}"
        );
        assert_eq!(are_there(&volumes), [true; 3]);
        for written in ["x\nx\n", "x\nx\nx\nx\n"] {
            let output = racker.run(&["start", "-a", &name]).success();
            assert_eq!(output.text(), format!("1 0:755\n{written}"));
        }
        racker
            .run(&["volume", "rm", &volumes[0].0])
            .code(1)
            .says("in use by container");
        // What is in them is no change of the container.
        let diff = racker.run(&["diff", &name]).success();
        assert!(!diff.text().contains("/x"), "{}", diff.report());
        racker.run(&["rm", &name]).success();
        assert_eq!(are_there(&volumes), [true; 3]);
        for (volume, _) in &volumes {
            racker.run(&["volume", "rm", volume]).success();
        }
        racker
            .run(&[&create, way, &[image, "true"]].concat())
            .success();
        let volumes = volumes_of(&name);
        racker.run(&["rm", "--volumes", &name]).success();
        assert_eq!(are_there(&volumes), [false; 3]);
        // A volume with a name takes the place of one, and stays.
        let option = format!("{named}:/data");
        let run = ["run", "-d", "--rm", "--name", &name, "-v", &option];
        racker
            .run(&[&run, way, &[image, "sleep", "1000"]].concat())
            .success();
        let volumes = volumes_of(&name);
        assert_eq!((volumes.len(), volumes[0].0.as_str()), (2, named.as_str()));
        if way.is_empty() {
            racker.run(&["stop", &name]).success();
        } else {
            kill_process(supervisor(&name), Signal::KILL).unwrap();
        }
        wait_for(LONG, "its own volume is gone", || {
            (are_there(&volumes) == [true, false]).then_some(())
        });
    }
    racker.run(&["volume", "rm", &named]).success();
}

#[test]
fn a_volume_that_another_container_was_given_stays() {
    let racker = shared();
    for (number, way) in BOTH.iter().enumerate() {
        let name = format!("lends{number}-{}", std::process::id());
        let other = format!("borrows{number}-{}", std::process::id());
        let run = [
            "run", "-d", "--rm", "--name", &name, "-v", "/lent", "-v", "/own",
        ];
        racker
            .run(&[&run, *way, &["quickstart", "sleep", "1000"]].concat())
            .success();
        racker
            .run(&["exec", &name, "sh", "-c", "echo lent >/lent/x"])
            .success();
        let volumes = volumes_of(&name);
        // It need not run.
        let option = format!("{}:/borrowed", volumes[0].0);
        let create = ["create", "--name", &other, "-v", &option];
        racker
            .run(&[&create, *way, &["quickstart", "cat", "/borrowed/x"]].concat())
            .success();
        if number == 0 {
            racker.run(&["stop", "-t", "0", &name]).success();
        } else {
            kill_process(supervisor(&name), Signal::KILL).unwrap();
        }
        wait_for(LONG, "what nobody else uses is gone", || {
            (are_there(&volumes) == [true, false]).then_some(())
        });
        let output = racker.run(&["start", "-a", &other]).success();
        assert_eq!(output.text(), "lent\n");
        racker
            .run(&["volume", "rm", &volumes[0].0])
            .code(1)
            .says("in use by container");
        // It goes with nobody; its last user's end makes it one that can be taken away.
        racker.run(&["rm", "-v", &other]).success();
        assert_eq!(are_there(&volumes), [true, false]);
        racker.run(&["volume", "rm", &volumes[0].0]).success();
    }
}

#[test]
fn files_of_the_host_have_their_owners() {
    let place = temporary();
    let source = place.path().join("shared");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("of-root"), "x").unwrap();
    let bind = format!("{}:/data/deep", source.display());
    // A path with what separates the fields is quoted.
    let odd = place.path().join("a,\"b");
    fs::create_dir(&odd).unwrap();
    fs::write(odd.join("x"), "found").unwrap();
    let field = format!("source={}", odd.display()).replace('"', "\"\"");
    let mount = format!("type=bind,\"{field}\",target=/m");
    let run = ["run", "--rm", "--systemd=false", "--mount", &mount];
    let output = shared().run(&[&run[..], &["quickstart", "cat", "/m/x"]].concat());
    assert_eq!(output.success().text(), "found");
    for way in BOTH {
        let script =
            "stat -c %u /data/deep/of-root; touch /data/deep/made; chown 1000 /data/deep/made";
        let arguments = [
            &["run", "--rm"],
            way,
            &["-v", &bind, "quickstart", "sh", "-ec", script],
        ]
        .concat();
        assert_eq!(shared().run(&arguments).success().into_text(), "0\n");
        let made = fs::metadata(source.join("made")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), 1000);
        fs::remove_file(source.join("made")).unwrap();
        let read_only = format!("{bind}:ro");
        let arguments = [
            &["run", "--rm"],
            way,
            &["-v", &read_only, "quickstart", "touch", "/data/deep/x"],
        ]
        .concat();
        shared()
            .run(&arguments)
            .code(1)
            .says("Read-only file system");
        let file = format!(
            "type=bind,source={},target=/one,readonly",
            source.join("of-root").display()
        );
        let arguments = [
            &["run", "--rm"],
            way,
            &["--mount", &file, "quickstart", "cat", "/one"],
        ]
        .concat();
        assert_eq!(shared().run(&arguments).success().into_text(), "x");
    }
    let missing = format!(
        "type=bind,source={},target=/x",
        place.path().join("no").display()
    );
    let arguments = ["run", "--rm", "--mount", &missing, "quickstart", "true"];
    shared().run(&arguments).code(125).says("does not exist");
}
