use super::super::{Seen, parse_yaml};
use super::*;

/// What stands in a goss file, and the mistakes as the texts they point to.
fn read(text: &str) -> (Vec<Claim>, Vec<String>) {
    let mut mistakes = Vec::new();
    let claims = goss(&parse_yaml(text).unwrap(), &mut mistakes);
    let shown = mistakes.iter().map(|it| {
        let at = &text[it.span.clone()];
        let hint = it.hint.as_deref().unwrap_or_default();
        format!("{at}: {} {hint}", it.message)
    });
    (claims, shown.collect())
}

#[test]
fn a_goss_file() {
    let text = r#"
file:
  /etc/passwd:
    exists: true
    mode: "0644"
    contents: ["root", "!nobody:0", "/^root:/"]
  /none:
    exists: false
    contents: []
port:
  tcp:22: {listening: true, ip: [0.0.0.0]}
  "80": {}
user:
  www:
    uid: {lt: 1000}
    groups: {consist-of: [www, have-prefix: ad]}
http:
  https://localhost:
    title: the front page
    status: 200
    timeout: 250
    allow-insecure: true
    headers: "Content-Type: text/html"
command:
  check it:
    exec: test -e /x
    exit-status: 0
    stdout: {not: {contain-substring: no}}
service:
  nginx: {enabled: true, skip: true}
"#;
    let text = text.replace("have-prefix: ad", "{have-prefix: ad}");
    let (claims, mistakes) = read(&text);
    assert_eq!(mistakes, Vec::<String>::new());
    let names: Vec<_> = claims
        .iter()
        .map(|it| (it.kind.word(), it.name.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            ("file", "/etc/passwd"),
            ("file", "/none"),
            ("port", "tcp:22"),
            ("port", "80"),
            ("user", "www"),
            ("http", "the front page"),
            ("command", "check it"),
        ]
    );
    assert!(claims[1].denies());
    assert_eq!(claims[1].expected.len(), 1);
    let (name, mode) = &claims[0].expected[1];
    assert_eq!((*name, mode.holds(&"0644".into())), ("mode", true));
    // What is not said is the main thing.
    assert_eq!(
        claims[3].expected,
        [("listening", Expected::Is("true".into()))]
    );
    assert_eq!(claims[4].expected[0].0, "exists");
    let groups = Seen::Many(vec!["adm".into(), "www".into()]);
    assert!(claims[4].expected[2].1.holds(&groups));
    let http = &claims[5];
    assert_eq!(http.subject(), "https://localhost");
    assert_eq!(http.timeout().unwrap().as_millis(), 250);
    assert!(http.flag("allow-insecure") && !http.flag("no-follow-redirects"));
    assert_eq!(claims[6].subject(), "test -e /x");
}

#[test]
fn mistakes_have_their_places() {
    for (text, expected) in [
        (
            "fil: {}",
            "fil: unknown kind of thing `fil` did you mean `file`?",
        ),
        (
            "interface: {}",
            "interface: unknown kind of thing `interface`",
        ),
        (
            "file: {/x: {mod: 1}}",
            "mod: unknown key `mod` of a file did you mean `mode`?",
        ),
        ("file: {/x: {mode: 9}}", "9: `9` is no octal mode"),
        ("file: {x: {}}", "x: `x` is no absolute path"),
        (
            "file: {/x: {exists: maybe}}",
            "maybe: `maybe` is no truth value",
        ),
        ("file: {/x: [a]}", "[: `/x` must be a table, not a list"),
        (
            "file: {/x: {owner: [a]}}",
            "[: this must be one value, not a list",
        ),
        ("port: {sctp:1: {}}", "sctp:1: `sctp:1` is no port"),
        (
            "user: {a: {uid: {lt: x}}}",
            "x: `lt` must be a whole number",
        ),
        (
            "user: {a: {uid: {smaller: 1}}}",
            "smaller: unknown matcher `smaller`",
        ),
        (
            "user: {a: {groups: {and: [], or: []}}}",
            "a matcher has one name",
        ),
        (
            "command: {a: {stdout: '/(/'}}",
            "no regular expression: unclosed group",
        ),
        (
            "command: {a: {timeout: 1s}}",
            "1s: `1s` is no number of milliseconds",
        ),
        ("http: {tcp://a:1: {}}", "no http or https URL"),
        ("addr: {udp://a:1: {}}", "whether UDP is answered"),
        ("addr: {a: {}}", "it names no port"),
        ("package: {'': {}}", "a package without a name"),
        ("[]", "a goss file is a table"),
    ] {
        let (_, mistakes) = read(text);
        assert_eq!(mistakes.len(), 1, "{text}: {mistakes:?}");
        assert!(mistakes[0].contains(expected), "{text}: {}", mistakes[0]);
    }
    let (claims, mistakes) = read("a: 1\nb: 2\nfile: {/ok: {}, /bad: {x: 1}}\n");
    assert_eq!((claims.len(), mistakes.len()), (1, 3));
}
