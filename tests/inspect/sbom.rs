//! `racker sbom`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::roots::{self, Rpm};
use super::support::{Kitchen, Racker, shared, temporary};
use super::{bake_root, validators};

/// Both documents of an image, found valid.
#[track_caller]
fn documents(racker: &Racker, image: &str) -> (Value, Value) {
    let spdx = racker.run(&["sbom", image]).success();
    validators::spdx(&spdx.stdout);
    let cyclonedx = racker
        .run(&["sbom", image, "--format", "cyclonedx"])
        .success();
    validators::cyclonedx(&cyclonedx.stdout);
    (spdx.json(), cyclonedx.json())
}

fn with_purpose<'a>(spdx: &'a Value, purpose: &str) -> Vec<&'a Value> {
    let packages = spdx["packages"].as_array().unwrap();
    packages
        .iter()
        .filter(|it| it["primaryPackagePurpose"] == purpose)
        .collect()
}

fn named<'a>(packages: &[&'a Value], name: &str) -> &'a Value {
    packages.iter().find(|it| it["name"] == name).unwrap()
}

fn purl(package: &Value) -> &str {
    package["externalRefs"][0]["referenceLocator"]
        .as_str()
        .unwrap()
}

#[test]
fn a_baked_system() {
    let racker = shared();
    let (spdx, cyclonedx) = documents(racker, "quickstart");
    let image = with_purpose(&spdx, "CONTAINER")[0];
    assert_eq!(image["name"], "quickstart");
    let relations = spdx["relationships"].as_array().unwrap();
    assert_eq!(relations[0]["relationshipType"], "DESCRIBES");
    assert_eq!(relations[0]["relatedSpdxElement"], image["SPDXID"]);
    assert_eq!(with_purpose(&spdx, "OPERATING-SYSTEM")[0]["name"], "debian");

    let packages = with_purpose(&spdx, "LIBRARY");
    let output = racker.run(&[
        "run",
        "quickstart",
        "dpkg-query",
        "-W",
        "-f",
        "${Package} ${Version}\\n",
    ]);
    let expected: BTreeSet<String> = output.success().text().lines().map(str::to_owned).collect();
    let word = |name: &Value, version: &Value| {
        format!("{} {}", name.as_str().unwrap(), version.as_str().unwrap())
    };
    let found: BTreeSet<String> = packages
        .iter()
        .map(|it| word(&it["name"], &it["versionInfo"]))
        .collect();
    assert_eq!(found, expected);
    // Everything was bootstrapped or installed by steps that are on record.
    assert!(
        packages
            .iter()
            .all(|it| it["checksums"][0]["algorithm"] == "SHA256")
    );
    let nginx = named(&packages, "nginx-light");
    assert!(
        purl(nginx).starts_with("pkg:deb/debian/nginx-light@1.22"),
        "{nginx}"
    );
    assert!(
        purl(nginx).ends_with("?arch=all&distro=debian-12"),
        "{nginx}"
    );
    assert_eq!(nginx["licenseDeclared"], "NOASSERTION");
    let built_from = relations
        .iter()
        .find(|it| it["spdxElementId"] == nginx["SPDXID"]);
    assert_eq!(built_from.unwrap()["relationshipType"], "GENERATED_FROM");
    let source = named(&with_purpose(&spdx, "SOURCE"), "nginx");
    assert_eq!(built_from.unwrap()["relatedSpdxElement"], source["SPDXID"]);

    let files = with_purpose(&spdx, "FILE");
    assert_eq!(files[0]["packageFileName"], "./var/www/html/index.html");
    let page = racker.run(&["run", "quickstart", "sha256sum", "/var/www/html/index.html"]);
    let page = page.success();
    let sha256 = page.text().split(' ').next().unwrap();
    assert_eq!(files[0]["checksums"][0]["checksumValue"], sha256);
    assert_eq!(
        files[0]["comment"],
        "copied by step 3 of the image, changed by a later one"
    );

    let components = cyclonedx["components"].as_array().unwrap();
    let of_kind = |kind: &str| components.iter().filter(|it| it["type"] == kind).count();
    assert_eq!(of_kind("library"), packages.len());
    assert_eq!((of_kind("operating-system"), of_kind("file")), (1, 1));
    let depends = &cyclonedx["dependencies"][0]["dependsOn"];
    assert_eq!(depends.as_array().unwrap().len(), components.len());
}

/// In another store, at another time: the same bytes.
#[test]
fn the_same_image_gives_the_same_bytes() {
    let root = temporary();
    roots::pacman(root.path(), "greet", "2-1", &[("usr/bin/greet", "hi")]);
    let kitchens = [Kitchen::new(), Kitchen::new()];
    for kitchen in &kitchens {
        bake_root(kitchen, "same", root.path());
    }
    for format in ["spdx", "cyclonedx"] {
        let of = |kitchen: &Kitchen| {
            let output = kitchen.racker.run(&["sbom", "same", "--format", format]);
            output.success().stdout
        };
        assert_eq!(of(&kitchens[0]), of(&kitchens[1]), "{format}");
    }
    let quickstart = Kitchen::with_quickstart();
    let one = shared().run(&["sbom", "quickstart"]).success().stdout;
    let other = quickstart.racker.run(&["sbom", "quickstart"]).success();
    assert_eq!(one, other.stdout);
}

#[test]
fn licences_are_expressions_or_declared() {
    let root = temporary();
    let package = |name, licence| Rpm {
        name,
        version: "1.0",
        licence,
        files: &[],
    };
    let packages = [
        package(
            "listed",
            "GPL-2.0-or-later WITH Classpath-exception-2.0 OR MIT",
        ),
        package("lower", "MIT and Zlib"),
        package("old", "GPLv2+ and (LGPLv2 or Artistic)"),
        package("own", "LicenseRef-Public-Domain AND MIT"),
    ];
    roots::rpm(root.path(), &packages);
    roots::pacman(root.path(), "greet", "1-1", &[("usr/bin/greet", "hi")]);
    roots::os_release(root.path(), "fedora", "40");
    let kitchen = Kitchen::new();
    bake_root(&kitchen, "rpm", root.path());
    let (spdx, cyclonedx) = documents(&kitchen.racker, "rpm");
    let packages = with_purpose(&spdx, "LIBRARY");
    let licence = |name| named(&packages, name)["licenseDeclared"].as_str().unwrap();
    assert_eq!(
        licence("listed"),
        "GPL-2.0-or-later WITH Classpath-exception-2.0 OR MIT"
    );
    assert_eq!(licence("lower"), "MIT AND Zlib");
    assert_eq!(licence("own"), "LicenseRef-Public-Domain AND MIT");
    assert!(licence("greet").starts_with("MIT AND LicenseRef-custom-greet-"));
    let declared = spdx["hasExtractedLicensingInfos"].as_array().unwrap();
    let old = declared.iter().find(|it| it["licenseId"] == licence("old"));
    assert_eq!(
        old.unwrap()["extractedText"],
        "GPLv2+ and (LGPLv2 or Artistic)"
    );
    let listed = named(&packages, "listed");
    assert_eq!(listed["supplier"], "Organization: Example Works");
    assert_eq!(
        purl(listed),
        "pkg:rpm/fedora/listed@1.0-1?arch=noarch&distro=fedora-40&epoch=2"
    );
    let components = cyclonedx["components"].as_array().unwrap();
    let old = components.iter().find(|it| it["name"] == "old").unwrap();
    assert_eq!(
        old["licenses"][0]["license"]["name"],
        "GPLv2+ and (LGPLv2 or Artistic)"
    );
    let own = components.iter().find(|it| it["name"] == "lower").unwrap();
    assert_eq!(own["licenses"][0]["expression"], "MIT AND Zlib");
}

/// As the documentation of apk has its database; the program itself was not at hand.
#[test]
fn apk_as_it_is_described() {
    let root = temporary();
    let database = "C:Q1p78yvTLG094tHE1+dToJGbmYzQE=\nP:musl\nV:1.2.5-r0\nA:x86_64\nS:411230\nI:663552\n\
        T:the musl c library (libc) implementation\nU:https://musl.libc.org/\nL:MIT\no:musl\n\
        m:A Body <a@example.org>\nt:1717000000\nc:abc\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\n\n";
    roots::write(root.path(), "lib/apk/db/installed", database);
    roots::write(root.path(), "lib/ld-musl-x86_64.so.1", "elf");
    roots::os_release(root.path(), "alpine", "3.20.1");
    let kitchen = Kitchen::new();
    bake_root(&kitchen, "apk", root.path());
    let (spdx, _) = documents(&kitchen.racker, "apk");
    let musl = with_purpose(&spdx, "LIBRARY")[0];
    assert_eq!(
        purl(musl),
        "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1"
    );
    assert_eq!(musl["supplier"], "Person: A Body (a@example.org)");
    assert_eq!(musl["licenseDeclared"], "MIT");
}

/// Text of an image that would break a document, or somebody's terminal.
#[test]
fn hostile_text_makes_valid_documents() {
    let root = temporary();
    let status = "Package: a\x1b[31m\"b\nStatus: install ok installed\nVersion: 1 (2)/@?\n\
        Architecture: all\nMaintainer: (((<x y@z>\nHomepage: http://a b\nSource: ..x (\n\
        Description: \u{202e}x\u{7}\n\n\
        Package: plain\nStatus: install ok installed\nVersion: 1\nMaintainer: <a@example.org>\n\
        Homepage: javascript:x\n";
    roots::write(root.path(), "var/lib/dpkg/status", status);
    roots::write(
        root.path(),
        "etc/os-release",
        "ID=\"odd id/\"\nVERSION_ID=\"#1\"\n",
    );
    let kitchen = Kitchen::new();
    bake_root(&kitchen, "hostile", root.path());
    let (spdx, _) = documents(&kitchen.racker, "hostile");
    assert_eq!(with_purpose(&spdx, "LIBRARY").len(), 2);
    let output = kitchen.racker.run(&["sbom", "hostile"]).success();
    assert!(
        !output.text().contains(['\x1b', '\x07']),
        "{}",
        output.report()
    );
}

#[test]
fn an_image_without_anything_has_a_document() {
    let root = temporary();
    roots::write(root.path(), "file", "x");
    let kitchen = Kitchen::new();
    bake_root(&kitchen, "bare", root.path());
    let (spdx, _) = documents(&kitchen.racker, "bare");
    assert_eq!(spdx["packages"].as_array().unwrap().len(), 1);
    kitchen
        .racker
        .run(&["sbom", "none"])
        .code(1)
        .says("no such image: none");
    kitchen
        .racker
        .run(&["sbom", "bare", "--format", "x"])
        .code(2);
}
