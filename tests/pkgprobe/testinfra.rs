//! The recipe for testinfra in docs/pkgprobe.md, with the real testinfra.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use racker::container::process::PATH;

use super::bench;

const PYTEST: &str = "/usr/local/lib/racker-tests/bin/py.test";

const TESTS: &str = "\
def test_web(host):
    nginx = host.service('nginx')
    assert nginx.is_running and nginx.is_enabled
    assert host.package('nginx-light').is_installed
    assert host.file('/etc/nginx/nginx.conf').user == 'root'
    assert host.user('www-data').uid == 33
    assert host.run('echo a b; exit 3').rc == 3
    assert host.check_output('echo %s', 'a  b') == 'a  b'


def test_wrong(host):
    assert host.service('apache2').is_running
";

#[test]
fn a_real_systemd_for_testinfra() {
    let pytest = Path::new(PYTEST);
    assert!(
        pytest.exists(),
        "testinfra is missing; run tests/setup --all"
    );
    let kitchen = bench();
    let racker = &kitchen.racker;
    kitchen.write("test_web.py", TESTS);
    fs::create_dir(kitchen.path("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_racker"), kitchen.path("bin/docker")).unwrap();
    let started = racker.run(&["run", "-d", "quickstart", "sleep", "infinity"]);
    let id = started.success().text().trim().to_owned();
    let mut command = racker.surround(pytest);
    let path = format!("{}:{PATH}", kitchen.path("bin").display());
    command
        .env("PATH", path)
        .args(["-q", "-p", "no:cacheprovider", "test_web.py"])
        .arg(format!("--hosts=docker://{id}"));
    let output = racker.finish(command);
    racker.run(&["rm", "-f", &id]).success();
    let output = output.code(1);
    assert!(
        output.text().contains("1 failed, 1 passed"),
        "{}",
        output.report()
    );
    kitchen.racker.verify();
}
