//! Compiles the container's own pid 1 (`src/sys/init`) as a static program, which the
//! racker binary then carries inside.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/sys/init");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let rustc = std::env::var_os("RUSTC").expect("cargo sets RUSTC");
    let target = std::env::var("TARGET").expect("cargo sets TARGET");
    let status = Command::new(rustc)
        .args([
            "--edition=2024",
            "--crate-name=init",
            "--crate-type=bin",
            "--target",
            &target,
        ])
        .args([
            "-Copt-level=s",
            "-Cpanic=abort",
            "-Cstrip=symbols",
            "-Clto=fat",
        ])
        .args(["-Ctarget-feature=+crt-static", "-Crelocation-model=static"])
        .arg("src/sys/init/main.rs")
        .arg("-o")
        .arg(out.join("init"))
        .status()
        .expect("rustc runs");
    assert!(
        status.success(),
        "the container's init does not compile: needs a static libc (libc6-dev)"
    );
}
