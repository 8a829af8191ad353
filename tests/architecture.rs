//! The rules of `docs/architecture.md` about what knows what, held against the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// Every source file below `directory`, with its text up to its tests.
fn sources(directory: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text
                    .split("#[cfg(test)]\nmod tests {")
                    .next()
                    .unwrap_or_default();
                found.push((path, code.to_owned()));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// Fails for every file below `directory` that has one of `words` in it, but for the files named.
#[track_caller]
fn forbid(directory: &str, words: &[&str], but: &[&str]) {
    let wrong: Vec<String> = sources(directory)
        .into_iter()
        .filter(|(path, _)| !but.iter().any(|part| path.to_string_lossy().contains(part)))
        .flat_map(|(path, text)| {
            words
                .iter()
                .filter(|word| {
                    text.lines()
                        .any(|l| !l.trim_start().starts_with("//") && l.contains(**word))
                })
                .map(|word| format!("{} has `{word}`", path.display()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_store_knows_nothing_of_its_users() {
    forbid(
        "store/src",
        &["racker::", "oci_spec", "reqwest", "clap", "std::env"],
        &[],
    );
}

#[test]
fn recipes_and_plans_are_pure() {
    let words = [
        "crate::container",
        "crate::oci",
        "crate::realise",
        "crate::provision",
        "Command::new",
    ];
    forbid("src/recipe", &words, &[]);
    forbid("src/plan", &words, &[]);
    forbid("src/check", &words, &[]);
    forbid("src/check", &["crate::recipe", "std::fs"], &[]);
}

#[test]
fn probes_know_neither_steps_nor_reports() {
    let words = ["crate::realise", "crate::command", "crate::ui"];
    forbid("src/probe", &words, &[]);
}

#[test]
fn network_and_kernel_do_not_meet() {
    forbid(
        "src/oci",
        &["crate::container", "crate::sys", "crate::realise"],
        &[],
    );
    forbid(
        "src/container",
        &["crate::oci", "crate::realise", "crate::provision"],
        &[],
    );
    forbid(
        "src/provision",
        &["crate::oci", "crate::container", "crate::realise"],
        &[],
    );
}

#[test]
fn a_shared_cache_knows_no_steps() {
    let words = [
        "crate::container",
        "crate::plan",
        "crate::provision",
        "crate::realise",
        "crate::recipe",
        "crate::settings",
        "crate::ui",
    ];
    forbid("src/cache", &words, &[]);
}

#[test]
fn what_describes_images_is_pure() {
    let words = [
        "crate::oci",
        "crate::container",
        "crate::provision",
        "crate::ui",
        "crate::command",
        "crate::settings",
        "Command::new",
        "std::net",
    ];
    for directory in ["installed", "compare", "record", "sbom", "provenance"] {
        forbid(&format!("src/{directory}"), &words, &[]);
    }
    for directory in ["installed", "compare", "record", "sbom"] {
        forbid(&format!("src/{directory}"), &["crate::realise"], &[]);
    }
    // A comparison is of values; reading them is somebody else's.
    forbid("src/compare", &["Store", "std::fs", "std::io"], &[]);
}

#[test]
fn only_commands_and_ui_know_the_terminal() {
    let but = ["src/command/", "src/ui/"];
    forbid(
        "src",
        &["clap::", "indicatif::", "println!", "eprintln!"],
        &[but[0], but[1], "sys/init/"],
    );
}

#[test]
fn one_file_reads_the_environment_and_one_runs_nspawn() {
    forbid(
        "src",
        &["env::var", "env::vars"],
        &["src/settings.rs", "sys/init/"],
    );
    forbid("src", &["\"systemd-nspawn\""], &["src/container/nspawn.rs"]);
}

#[test]
fn unsafe_code_stays_in_sys() {
    forbid(
        "src",
        &["unsafe {", "unsafe fn", "unsafe extern"],
        &["src/sys/"],
    );
    forbid("store/src", &["unsafe"], &[]);
}
