//! pacman 7, of Debian 13, which downloads as another user in a sandbox of its own.

use std::fs;

use super::mirror::Mirror;
use super::support::{Racker, scratch, temporary};
use super::{Bench, KEYS};

#[test]
#[ignore = "downloads a whole Debian; tests/full runs it"]
fn pacman_seven() {
    let racker = Racker::new(&scratch().join("guests"));
    let mirror = Mirror::new();
    Bench::fill(&mirror);
    mirror.sign(&mirror.path("test/test.db"));
    let directory = temporary();
    let path = |name: &str| directory.path().join(name);
    mirror.keyring(&path(KEYS), "test");
    fs::create_dir_all(path("root/etc")).unwrap();
    let configuration = format!(
        "[options]\nArchitecture = auto\nSigLevel = Required\nDownloadUser = nobody\nCheckSpace\n{}",
        mirror.section()
    );
    fs::write(path("root/etc/pacman.conf"), configuration).unwrap();
    let recipe = "from = \"debian-trixie\"\n\
        [[step]]\napt = [\"pacman-package-manager\", \"gnupg\", \"makepkg\"]\n\
        [[step]]\nrun = \"rm /usr/share/keyrings/*\"\n\
        [[step]]\ncopy = { from = \"root\", to = \"/\" }\n\
        [[step]]\npacman = [\"app=1*\"]\n";
    fs::write(path("seven.toml"), recipe).unwrap();
    let racker = racker.at(directory.path());
    racker.run(&["bake", "seven.toml"]).success();
    let script = "pacman --version | grep -o 'Pacman v7'; pacman -Qqe; pacman -Qqd; \
                  pacman -Qi app | grep Validated; ls /var/lib/pacman /etc/pacman.d 2>/dev/null || :";
    let output = racker.run(&["run", "--systemd=false", "seven", "sh", "-c", script]);
    assert_eq!(
        output.success().text(),
        "Pacman v7\napp\nlibrary\nValidated By    : Signature\n/var/lib/pacman:\nlocal\n"
    );
    racker
        .run(&["bake", "--locked", "--offline", "--check", "seven.toml"])
        .success();
}
