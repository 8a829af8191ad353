use super::*;

fn is(word: &str) -> Expected {
    Expected::Is(word.into())
}

#[test]
fn matchers() {
    let text = Seen::from("one\ntwo 42\n");
    let many = Seen::Many(["a", "b", "b"].map(str::to_owned).into());
    let element = |it: Expected| Expected::Element(Box::new(it));
    for (expected, seen, holds) in [
        (is("a"), &many, true),
        (is("c"), &many, false),
        (Expected::All(vec![is("b"), is("b")]), &many, true),
        (Expected::All(vec![is("a"), is("a")]), &many, false),
        (Expected::ConsistOf(vec![is("b"), is("a")]), &many, false),
        (
            Expected::ConsistOf(vec![is("b"), is("a"), is("b")]),
            &many,
            true,
        ),
        (
            Expected::Exactly(["a", "b", "b"].map(str::to_owned).into()),
            &many,
            true,
        ),
        (
            Expected::Exactly(["b", "a", "b"].map(str::to_owned).into()),
            &many,
            false,
        ),
        (Expected::Length(3), &many, true),
        (Expected::Prefix("one".into()), &text, true),
        (Expected::Suffix("42".into()), &text, true),
        (Expected::Substring("e\nt".into()), &text, true),
        (Expected::Regexp("(?m)^two \\d+$".into()), &text, true),
        (element(is("one")), &text, true),
        (element(Expected::Prefix("wo".into())), &text, false),
        (Expected::Not(Box::new(is("one"))), &text, true),
        (Expected::Number(Relation::Gt, 41), &"42".into(), true),
        (Expected::Number(Relation::Le, 41), &"42".into(), false),
        (Expected::Number(Relation::Le, 41), &"x".into(), false),
        (Expected::Or(vec![is("x"), is("42")]), &"42".into(), true),
        (Expected::And(vec![is("x"), is("42")]), &"42".into(), false),
    ] {
        assert_eq!(expected.holds(seen), holds, "{expected:?}");
    }
}

#[test]
fn patterns() {
    let text = Seen::from("Listen 80\n!odd\n");
    for (pattern, holds) in [
        ("Listen", true),
        ("!Listen", false),
        ("/^Listen \\d+$/", true),
        ("!/^Listen \\d+$/", false),
        ("\\!odd", true),
        ("!even", true),
        ("/", false),
    ] {
        assert_eq!(
            Pattern::parse(pattern).unwrap().holds(&text),
            holds,
            "{pattern}"
        );
    }
    assert!(Pattern::parse("/(/").is_err());
    let all = ["Listen", "gone", "!80"].map(|it| Pattern::parse(it).unwrap());
    let missing = Expected::Lines(all.into()).missing(&text);
    assert_eq!(missing, "`gone`, no `80`");
    assert!(Expected::Lines(Vec::new()).holds(&text));
}
