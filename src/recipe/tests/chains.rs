use super::super::{Error, From, load, load_curated};

#[test]
fn a_chain_is_oldest_first() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).unwrap();
        directory.path().join(name)
    };
    write(
        "base.toml",
        "from = 'scratch'\n[args]\nx = '1'\n[env]\nA = 'base'\nB = 'base'\n[[step]]\nrun = 'b ${x}'\n[image]\nentrypoint = ['/e']\n",
    );
    let top = write(
        "top.toml",
        "from = './base.toml'\n[env]\nA = 'top'\n[[step]]\nrun = 't'\n[image]\ncmd = ['c']\n",
    );
    let chain = load(&top, &[("x".to_owned(), "2".to_owned())]).unwrap();
    let steps: Vec<_> = chain
        .steps()
        .map(|(recipe, place, step)| format!("{recipe}/{place} {step}"))
        .collect();
    assert_eq!(steps, ["0/1 run b 2", "1/1 run t"]);
    assert_eq!(chain.base(), &From::Scratch);
    assert_eq!(chain.recipe().name, "top");
    assert_eq!(chain.env(0)["A"], "base");
    assert_eq!(chain.env(1)["A"], "top");
    let image = chain.image();
    assert_eq!(
        (image.env["A"].as_str(), image.env["B"].as_str()),
        ("top", "base")
    );
    assert_eq!(image.entrypoint.unwrap(), ["/e"]);
}

#[test]
fn broken_chains() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).unwrap();
        directory.path().join(name)
    };
    let fails = |path: &std::path::Path| match load(path, &[]) {
        Err(Error::Invalid(found)) => found
            .to_string()
            .replace(directory.path().to_str().unwrap(), "D"),
        other => panic!("{other:?}"),
    };
    write("a.toml", "from = './b.toml'\n");
    let b = write("b.toml", "from = './a.toml'\n");
    assert_eq!(
        fails(&b),
        "\
error: this recipe builds on itself
 --> D/./a.toml:1:8
  |
1 | from = './b.toml'
  |        ^^^^^^^^^^
  |
  = help: the circle is D/b.toml -> D/./a.toml -> D/./b.toml"
    );
    let lonely = write("lonely.toml", "from = './none.toml'\n");
    let text = fails(&lonely);
    assert!(
        text.contains("lonely.toml:1:8") && text.contains("No such file"),
        "{text}"
    );
    let twin = write("debian-bookworm.toml", "from = 'debian-bookworm'\n");
    assert!(fails(&twin).contains("are both named `debian-bookworm`"));
    for place in 0..20 {
        write(
            &format!("c{place}.toml"),
            &format!("from = './c{}.toml'\n", place + 1),
        );
    }
    assert!(fails(&directory.path().join("c0.toml")).contains("more than 16 recipes"));
    let strange = write("strange.toml", "from = 'scratch'\n");
    std::fs::write(&strange, b"from = 'scratch'\n# \xff\n").unwrap();
    assert!(
        fails(&strange).contains("strange.toml:2:3"),
        "{}",
        fails(&strange)
    );
    let badly_named = write("Bad Name.toml", "from = 'scratch'\n");
    assert!(fails(&badly_named).contains("state one with `name = \"...\"`"));
    let large = write("large.toml", &"#".repeat((1 << 20) + 1));
    assert!(matches!(load(&large, &[]), Err(Error::TooLarge { .. })));
}

#[test]
fn arguments_and_labels_that_do_not_exist() {
    let set = |name: &str| [(name.to_owned(), String::new())];
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.toml");
    std::fs::write(&path, "from = 'scratch'\n[args]\ngreeting = ''\n").unwrap();
    let error = load(&path, &set("greting")).unwrap_err();
    assert_eq!(error.hints(), ["did you mean `greeting`?"]);
    let error = load_curated("debian-bookwrm", &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no curated recipe has the label `debian-bookwrm`"
    );
    assert_eq!(error.hints(), ["did you mean `debian-bookworm`?"]);
}
