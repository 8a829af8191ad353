//! What an installation does to an image.

use super::Bench;
use super::mirror::{Mirror, Pkg};

#[test]
fn versions_groups_and_removal() {
    let bench = Bench::new();
    bench.archive.add(&Pkg {
        name: "older",
        version: "1:1.5",
        ..Pkg::default()
    });
    bench.archive.publish();
    bench.recipe(
        "[[step]]\npacman = [\"tools\", \"older=1:1.*\"]\n\
         [[step]]\npacman = { install = [\"older=1:1.5\"], remove = [\"app\", \"library\"] }\n",
    );
    bench.bake().success();
    let script =
        "ls -d /usr/share/app/version /usr/share/library 2>/dev/null; pacman -Q; pacman -Qqe";
    assert_eq!(bench.sh(script), "extra 1-1\nolder 1:1.5-1\nextra\nolder\n");
    for (steps, says) in [
        ("[\"older=2*\"]", "package `older` has no version `2*`"),
        ("[\"nosuch=1\"]", "unknown package `nosuch`"),
        ("[\"nosuch\"]", "unknown package `nosuch`"),
        ("{ remove = [\"extra\"] }", "unknown package `extra`"),
        (
            "{ install = [\"app\"], recommends = true }",
            "pacman has no recommendations",
        ),
    ] {
        bench.recipe(&format!("[[step]]\npacman = {steps}\n"));
        bench.bake().code(100).one_message().says(says);
    }
    bench.kitchen.racker.verify();
}

#[test]
fn what_others_need_is_not_removed_and_what_conflicts_not_installed() {
    let bench = Bench::new();
    bench.archive.add(&Pkg {
        name: "rival",
        version: "1",
        fields: "conflict = extra\nprovides = extra\n",
        ..Pkg::default()
    });
    bench.archive.add(&Pkg {
        name: "broken",
        version: "1",
        fields: "depend = nothing>=2\n",
        ..Pkg::default()
    });
    bench.archive.publish();
    for (second, says) in [
        (
            "{ remove = [\"library\"] }",
            "breaks dependency 'library' required by app",
        ),
        ("[\"rival\"]", "rival and extra are in conflict"),
        (
            "[\"broken\"]",
            "unable to satisfy dependency 'nothing>=2' required by broken",
        ),
    ] {
        bench.recipe(&format!(
            "[[step]]\npacman = [\"app\", \"extra\"]\n[[step]]\npacman = {second}\n"
        ));
        bench
            .bake()
            .code(100)
            .one_message()
            .says("cannot be installed together")
            .says(says);
    }
    // Removed first, then it can be.
    bench.recipe(
        "[[step]]\npacman = [\"app\", \"extra\"]\n\
         [[step]]\npacman = { install = [\"rival\"], remove = [\"extra\"] }\n",
    );
    bench.bake().success();
    assert_eq!(bench.sh("pacman -Qq"), "app\nlibrary\nrival\n");
}

#[test]
fn a_package_file_of_the_recipe() {
    let bench = Bench::new();
    let package = |version| Pkg {
        name: "mine",
        version,
        fields: "depend = library\n",
        ..Pkg::default()
    };
    let file = bench.kitchen.path("mine.pkg.tar.zst");
    Mirror::build(&package("1.0"), &file);
    bench.recipe("[[step]]\npacman = [\"./mine.pkg.tar.zst\"]\n");
    bench.bake().success();
    let script = "cat /usr/share/mine/version; pacman -Qqe; pacman -Qqd";
    assert_eq!(bench.sh(script), "1.0\nmine\nlibrary\n");
    assert!(!bench.lock().contains("name = \"mine\""));
    assert!(bench.bake().success().made().is_empty());
    // Another file is another step, though its name is the same.
    Mirror::build(&package("1.1"), &file);
    let output = bench.bake().success();
    assert_eq!(output.made(), ["box/2"], "{}", output.report());
    assert!(bench.sh(script).starts_with("1.1\n"));
    std::fs::write(&file, "no package").unwrap();
    bench
        .bake()
        .code(100)
        .one_message()
        .says("not a usable package");
}

#[test]
fn hooks_and_scripts_run() {
    let bench = Bench::new();
    let hook = |when: &str, what: &str| {
        format!(
            "[Trigger]\nOperation = Install\nType = Package\nTarget = *\n\
             [Action]\nWhen = {when}\n{what}\n"
        )
    };
    let noting = hook(
        "PostTransaction",
        "NeedsTargets\nExec = /bin/sh -c 'sort > /var/lib/noted; env | grep SOURCE_DATE >> /var/lib/noted'",
    );
    bench.archive.add(&Pkg {
        name: "hooked",
        version: "1",
        file: Some(("usr/share/libalpm/hooks/noting.hook", &noting)),
        ..Pkg::default()
    });
    let refusing = hook("PreTransaction", "Exec = /bin/false\nAbortOnFail");
    bench.archive.add(&Pkg {
        name: "refusing",
        version: "1",
        file: Some(("usr/share/libalpm/hooks/refusing.hook", &refusing)),
        // Of a script that fails pacman says so, and goes on.
        install: "post_install() {\n  echo not that bad >&2; false\n}\n",
        ..Pkg::default()
    });
    bench.archive.publish();
    bench.recipe("[[step]]\npacman = [\"hooked\", \"app\"]\n");
    bench.bake().success();
    let noted = bench.sh("cat /var/lib/noted");
    assert!(
        noted.starts_with("app\nhooked\nlibrary\nSOURCE_DATE_EPOCH="),
        "{noted}"
    );
    // Nothing of the installation is left but the packages.
    let script = "ls -A /var/lib/pacman /var/cache/pacman/pkg /var/log/pacman.log /etc/pacman.d 2>/dev/null || :";
    assert_eq!(
        bench.sh(script),
        "/var/cache/pacman/pkg:\n\n/var/lib/pacman:\nlocal\n"
    );
    bench.racker(&["bake", "--check", "box.toml"]).success();
    bench.recipe("[[step]]\npacman = [\"refusing\"]\n[[step]]\npacman = [\"app\"]\n");
    bench
        .bake()
        .code(100)
        .one_message()
        .says("failed to run transaction hooks");
    let log = bench.racker(&["log", "box/2"]).success();
    assert!(log.text().contains("not that bad"), "{}", log.report());
}
