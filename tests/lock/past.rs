//! The step of `debian-stretch` for an archive whose keys have expired.

use std::fs;

use racker::recipe::{Step, load_curated};

use super::Bench;

#[test]
fn an_expired_key_is_taken_and_a_changed_archive_is_not() {
    let bench = Bench::new();
    bench.archive.publish_in_the_past();
    bench.kitchen.write("key.asc", &bench.archive.key());
    let app = "[[step]]\npackages = [\"app\"]\n";
    bench.recipe(app);
    bench.bake().code(100).says("signature does not hold");

    let stretch = load_curated("debian-stretch", &[]).unwrap();
    let Step::Run(step) = &stretch.recipe().steps[0] else {
        panic!("its first step is another one");
    };
    let own = "[[step]]\ncopy = { from = \"sources.list\", to = \"/etc/apt/sources.list\" }\n";
    bench.recipe(&format!(
        "[[step]]\nrun = '''\n{}'''\n{own}{app}",
        step.script
    ));
    bench.bake().success();
    assert_eq!(bench.sh("cat /usr/share/app/version"), "1\n");

    let signed = bench.archive.path("dists/test/InRelease");
    let text = fs::read_to_string(&signed).unwrap();
    fs::write(&signed, text.replace("Suite: test", "Suite: best")).unwrap();
    bench
        .racker(&["lock", "box.toml", "--update"])
        .code(100)
        .says("signature does not hold");
}
