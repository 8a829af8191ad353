//! Debian packages of the tests' own, made by Debian's tools.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{execute, temporary};

/// What a package is made of.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Deb<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    /// `all` where it is empty.
    pub(crate) architecture: &'a str,
    /// Further fields of its control file, a line each.
    pub(crate) fields: &'a str,
    /// Its postinst, without the first line.
    pub(crate) postinst: &'a str,
    /// The questions that it has debconf ask.
    pub(crate) templates: &'a str,
    /// The `[Service]` of a unit of the package's name.
    pub(crate) service: &'a str,
}

/// Builds a package file at `to`.
pub(crate) fn build(deb: &Deb<'_>, to: &Path) {
    let root = temporary();
    let control = root.path().join("DEBIAN");
    fs::create_dir(&control).unwrap();
    let architecture = match deb.architecture {
        "" => "all",
        other => other,
    };
    let text = format!(
        "Package: {}\nVersion: {}\nArchitecture: {architecture}\n\
         Maintainer: test <t@racker.test>\nDescription: a package\n{}",
        deb.name, deb.version, deb.fields
    );
    fs::write(control.join("control"), text).unwrap();
    if !deb.postinst.is_empty() {
        let path = control.join("postinst");
        fs::write(&path, format!("#!/bin/sh\nset -e\n{}\n", deb.postinst)).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    if !deb.templates.is_empty() {
        fs::write(control.join("templates"), deb.templates).unwrap();
    }
    let share = root.path().join("usr/share").join(deb.name);
    fs::create_dir_all(&share).unwrap();
    fs::write(share.join("version"), format!("{}\n", deb.version)).unwrap();
    if !deb.service.is_empty() {
        let units = root.path().join("usr/lib/systemd/system");
        fs::create_dir_all(&units).unwrap();
        let text = format!(
            "[Unit]\nDescription=a service\n[Service]\n{}\n\
             [Install]\nWantedBy=multi-user.target\n",
            deb.service
        );
        fs::write(units.join(format!("{}.service", deb.name)), text).unwrap();
    }
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "--build"]);
    execute(build.arg(root.path()).arg(to));
}
