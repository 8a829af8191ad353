use super::{mistakes, step};

/// Asserts message, line and column, underlined text and advice of the first mistake of a step.
#[track_caller]
fn wrong(text: &str, message: &str, underlined: &str, advice: &str) {
    let found = step(text).expect_err("the step has a mistake");
    let first = found.iter().next().unwrap();
    assert_eq!(first.message(), message);
    assert_eq!(&first.source().text()[first.span()], underlined);
    assert_eq!(first.hints().join("; "), advice);
}

#[test]
fn renders_as_rustc_does() {
    assert_eq!(
        mistakes("from = \"scratch\"\nnmae = \"x\"\n\n[[step]]\ncoppy = { from = \"a\" }\n"),
        "\
error: unknown key `nmae` in the recipe
 --> web.toml:2:1
  |
2 | nmae = \"x\"
  | ^^^^
  |
  = help: did you mean `name`?

error: no step is called `coppy`
 --> web.toml:5:1
  |
5 | coppy = { from = \"a\" }
  | ^^^^^
  |
  = help: did you mean `copy`?"
    );
}

#[test]
fn points_inside_a_string() {
    assert_eq!(
        mistakes(
            "from = \"scratch\"\n[args]\ngreeting = \"x\"\n[[step]]\nrun = \"echo ${greting}\"\n"
        ),
        "\
error: no argument `greting`
 --> web.toml:5:13
  |
5 | run = \"echo ${greting}\"
  |             ^^^^^^^^^^
  |
  = help: did you mean `greeting`?
  = help: arguments are declared in `[args]`; write `$${` for the shell's own `${`"
    );
}

#[test]
fn shows_both_places() {
    assert_eq!(
        mistakes("from = \"scratch\"\n[[step]]\napt = [\"a\", \"b\", \"a\"]\n"),
        "\
error: `a` stands twice in `packages`
 --> web.toml:3:18
  |
3 | apt = [\"a\", \"b\", \"a\"]
  |        ---       ^^^
  |        |
  |        first here"
    );
}

#[test]
fn syntax() {
    let text = mistakes("from = \"scratch\"\nname = \n");
    assert!(
        text.starts_with("error: ") && text.contains("web.toml:2:"),
        "{text}"
    );
    let text = mistakes("from = \"a\"\nfrom = \"b\"\n");
    assert!(
        text.contains("duplicate key") && text.contains("web.toml:2:1"),
        "{text}"
    );
}

#[test]
fn a_recipe_needs_a_base() {
    assert!(mistakes("name = \"x\"\n").contains("the recipe needs `from`"));
    assert!(mistakes("").contains("the recipe needs `from`"));
}

#[test]
fn bases() {
    let of = |from: &str| mistakes(&format!("from = {from}\n"));
    assert!(of("\"Debian\"").contains("is no reference to an image"));
    assert!(of("\"debian:\"").contains("the tag has characters"));
    assert!(of("\"debian@sha256:12\"").contains("64 hexadecimal digits"));
    assert!(
        of("\"base.toml\"")
            .contains("= help: another recipe is named by its path: \"./base.toml\"")
    );
    assert!(of("\"./dir\"").contains("is neither a recipe nor an archive"));
    assert!(of("\"oci:\"").contains("lacks a directory"));
    assert!(of("\"docker-archive:\"").contains("names no file"));
    assert!(of("\"https:///x\"").contains("is no http or https URL"));
    assert!(of("{ bootstrap = \"debian\" }").contains("`from` needs `suite`"));
    assert!(of("{ bootstrap = \"gentoo\", suite = \"x\" }").contains("cannot bootstrap `gentoo`"));
    assert!(
        of("{ bootstrap = \"debian\", suite = \"sid\", variant = \"minbas\" }")
            .contains("did you mean `minbase`?")
    );
    assert!(
        of("{ bootstrap = \"debian\", suite = \"sid\", inclide = [] }")
            .contains("did you mean `include`?")
    );
    assert!(of("{ rootfs = \"x.tar\", digest = \"sha256:zz\" }").contains("is no digest"));
    let neither = of("{ bootstarp = \"debian\" }");
    assert!(neither.contains("needs `bootstrap` or `rootfs`"));
    assert!(neither.contains("did you mean `bootstrap`?"));
    assert!(of("7").contains("`from` must be a string or a table, not an integer"));
}

#[test]
fn many_mistakes_are_counted() {
    let keys: Vec<_> = (0..30).map(|number| format!("k{number} = 1\n")).collect();
    let text = mistakes(&format!("from = \"scratch\"\n{}", keys.concat()));
    assert_eq!(text.matches("error: ").count(), 20);
    assert!(text.ends_with("and 10 more"), "{text}");
}

#[test]
fn names() {
    let text = mistakes("name = \"Web\"\nfrom = \"scratch\"\n");
    assert!(
        text.contains("`Web` cannot be the name of an image"),
        "{text}"
    );
}

#[test]
fn steps() {
    let names =
        "`packages`, `apt`, `dnf`, `zypper`, `pacman`, `apk`, `run`, `copy`, `fetch`, `units`";
    wrong(
        "",
        "this step does nothing",
        "[[step]]",
        &format!("name it by {names}"),
    );
    wrong(
        "run = 'x'\ntimeout = '5m'",
        "a step has one key, this one has `timeout` as well",
        "timeout",
        "options of a step stand inside it: run = { ... }",
    );
    wrong(
        "run = 'x'\napt = ['y']",
        "a step has one key, this one has `apt` as well",
        "apt",
        "start another step with `[[step]]`",
    );
    wrong(
        "xyz = 1",
        "no step is called `xyz`",
        "xyz",
        &format!("expected one of {names}"),
    );
    let text = mistakes("from = \"scratch\"\n[step]\nrun = \"x\"\n");
    assert!(text.contains("write each step under `[[step]]`"), "{text}");
}

#[test]
fn package_steps() {
    let sentence = "`packages` must be an array of packages or a table, not a string";
    wrong("packages = 'nginx'", sentence, "'nginx'", "");
    wrong("apt = []", "this step names no package", "[]", "");
    wrong(
        "apt = { install = ['a'], remove = ['a'] }",
        "`a` is both installed and removed",
        "'a'",
        "",
    );
    wrong(
        "apt = ['a b']",
        "`a b` cannot be the name of a package",
        "'a b'",
        "write one string for each package",
    );
    wrong(
        "apt = ['-y']",
        "`-y` cannot be the name of a package",
        "'-y'",
        "",
    );
    wrong(
        "apt = ['a', 7]",
        "`packages` must be a string, not an integer",
        "7",
        "put it in quotes",
    );
    wrong(
        "apt = { instal = ['a'], install = ['b'] }",
        "unknown key `instal` in the package step",
        "instal",
        "did you mean `install`?",
    );
    wrong(
        "apt = { install = ['b'], recommends = 'no' }",
        "`recommends` must be true or false, not a string",
        "'no'",
        "",
    );
    wrong(
        "apt = { install = ['b'], debconf = { tzdata = 'select x' } }",
        "`tzdata` is no debconf question",
        "tzdata",
        "a question is `package/name`, or `owner package/name` if its owner is another",
    );
    wrong(
        "apt = { install = ['b'], debconf = { 'a/b' = 'Europe' } }",
        "`Europe` is no debconf answer",
        "'Europe'",
        "an answer is its type and its value: \"select Europe\"",
    );
    wrong(
        "dnf = { install = ['b'], debconf = { 'a/b' = true } }",
        "`debconf` means nothing to dnf",
        "{ 'a/b' = true }",
        "",
    );
}

#[test]
fn run_steps() {
    let time = "write hours, minutes and seconds, such as \"30s\", \"5m\" or \"1h30m\"";
    wrong(
        "run = { network = true }",
        "`run` needs `script`",
        "{ network = true }",
        "",
    );
    wrong("run = ' '", "the script is empty", "' '", "");
    wrong(
        "run = { script = 'x', timeout = '5' }",
        "`5` is no span of time",
        "'5'",
        time,
    );
    wrong(
        "run = { script = 'x', timeout = 5 }",
        "`timeout` must be a string, not an integer",
        "5",
        "put it in quotes",
    );
    wrong(
        "run = { script = 'x', workdir = 'srv' }",
        "`srv` is not absolute",
        "'srv'",
        "a path in the image starts with a slash: \"/srv\"",
    );
    wrong(
        "run = { script = 'x', env = { 'A-B' = '' } }",
        "`A-B` cannot be the name of an environment variable",
        "'A-B'",
        "",
    );
    wrong(
        "run = { script = 'x', user = 'a b' }",
        "`a b` is no user",
        "'a b'",
        "a user is a name or a number, optionally with a group: \"www-data\" or \"33:33\"",
    );
    wrong(
        "run = 'echo ${HOME:-x}'",
        "`${HOME:-x}` names no argument",
        "${HOME:-x}",
        "arguments are declared in `[args]`; write `$${` for the shell's own `${`",
    );
}

#[test]
fn copies_and_fetches() {
    let source = "a source lies in the recipe's directory and is named relative to it";
    wrong(
        "copy = { from = 'a' }",
        "`copy` needs `to`",
        "{ from = 'a' }",
        "",
    );
    wrong(
        "copy = { from = '/a', to = '/a' }",
        "the source `/a` is absolute",
        "'/a'",
        source,
    );
    wrong(
        "copy = { from = 'b/../../a', to = '/a' }",
        "the source `b/../../a` leaves the recipe's directory",
        "'b/../../a'",
        source,
    );
    wrong(
        "copy = { from = 'a', to = '/x/../a' }",
        "`/x/../a` has a `.` or `..` component",
        "'/x/../a'",
        "write the path without them",
    );
    let mode = "a mode is an octal string such as \"0644\"";
    wrong(
        "copy = { from = 'a', to = '/a', mode = '0888' }",
        "`0888` is no file mode",
        "'0888'",
        mode,
    );
    wrong(
        "copy = { from = 'a', to = '/a', mode = 0o644 }",
        "`mode` must be a string, not an integer",
        "0o644",
        "put it in quotes",
    );
    wrong(
        "copy = { from = 'a', to = '/a', owner = 'root' }",
        "`root` is no owner",
        "'root'",
        "an owner is `user:group`, names or numbers, such as \"root:root\"",
    );
    wrong(
        "fetch = { url = 'ftp://h/x', to = '/x' }",
        "`ftp://h/x` is no http or https URL",
        "'ftp://h/x'",
        "",
    );
    wrong(
        "fetch = { url = 'https://h/', to = '/opt/' }",
        "`https://h/` names no file to put into `/opt/`",
        "{ url = 'https://h/', to = '/opt/' }",
        "state the file's name in `to`",
    );
    wrong(
        "fetch = { url = 'https://h/x', to = '/x', digest = 'md5:1' }",
        "`md5:1` is no digest",
        "'md5:1'",
        "a digest is `sha256:` and 64 hexadecimal digits in lower case",
    );
}

#[test]
fn unit_steps() {
    wrong("units = {}", "this step names no unit", "{}", "");
    wrong(
        "units = { enable = ['a/b'] }",
        "`a/b` cannot be the name of a unit",
        "'a/b'",
        "a unit is named as systemctl names it, such as \"nginx\" or \"apt-daily.timer\"",
    );
    wrong(
        "units = { enable = ['a'], mask = ['a'] }",
        "`a` is both enabled and disabled or masked",
        "'a'",
        "",
    );
}

#[test]
fn the_other_tables() {
    let of = |text: &str| mistakes(&format!("from = \"scratch\"\n{text}\n"));
    assert!(of("[args]\n\"a b\" = \"x\"").contains("`a b` cannot be the name of an argument"));
    let text = of("[args]\nport = 80\n[[step]]\nrun = \"echo ${port}\"");
    assert_eq!(text.matches("error: ").count(), 1, "{text}");
    assert!(of("[image]\ncommand = []").contains("unknown key `command` in `image`"));
    assert!(of("[image]\ncmd = 1").contains("`cmd` must be an array of strings or a string"));
    assert!(of("[image]\nports = [70000]").contains("`70000` is no port"));
    assert!(of("[image]\nports = [\"80/icmp\"]").contains("`80/icmp` is no port"));
    assert!(of("[probe]\nnetwork = [\"localhost\"]").contains("is no http or https URL"));
    assert!(of("[env]\n1A = \"x\"").contains("cannot be the name of an environment variable"));
    assert!(of("normalise = { journal = \"no\" }").contains("`journal` must be true or false"));
    let text = of("normalise = { overlay-attributes = false }");
    assert!(text.contains("cannot be switched off"), "{text}");
    let text = of("normalise = { jornal = false }");
    assert!(
        text.contains("no rule `jornal`") && text.contains("did you mean `journal`?"),
        "{text}"
    );
}
