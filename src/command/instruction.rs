//! Instructions of a Containerfile that change an image's configuration alone: `commit --change`.
//! Source: Dockerfile reference. Variables are not expanded.

use serde_json::{Map, Value, json};

/// Takes one instruction into a configuration in docker's words.
pub(super) fn apply(config: &mut Map<String, Value>, line: &str) -> Result<(), String> {
    let wrong = || format!("invalid --change {line:?}");
    let (word, rest) = line.trim().split_once([' ', '=']).ok_or_else(wrong)?;
    let rest = rest.trim();
    let command = || list(rest).map_or_else(|| json!(["/bin/sh", "-c", rest]), |list| json!(list));
    let mut within = |key: &str, names: Vec<String>| {
        let entry = config.entry(key).or_insert_with(|| json!({}));
        for name in names {
            entry[name] = json!({});
        }
    };
    match word.to_ascii_uppercase().as_str() {
        "CMD" => drop(config.insert("Cmd".into(), command())),
        "ENTRYPOINT" => drop(config.insert("Entrypoint".into(), command())),
        "USER" => drop(config.insert("User".into(), json!(rest))),
        "WORKDIR" => drop(config.insert("WorkingDir".into(), json!(rest))),
        "STOPSIGNAL" => drop(config.insert("StopSignal".into(), json!(rest))),
        "ENV" => {
            let entry = config.entry("Env").or_insert_with(|| json!([]));
            let pairs = pairs(rest).map_err(|why| format!("{}: {why}", wrong()))?;
            if let Value::Array(list) = entry {
                list.extend(
                    pairs
                        .iter()
                        .map(|(name, value)| json!(format!("{name}={value}"))),
                );
            }
        }
        "LABEL" => {
            let entry = config.entry("Labels").or_insert_with(|| json!({}));
            for (name, value) in pairs(rest).map_err(|why| format!("{}: {why}", wrong()))? {
                entry[name] = json!(value);
            }
        }
        "EXPOSE" => {
            let ports = rest
                .split_whitespace()
                .map(ports)
                .collect::<Option<Vec<_>>>();
            let ports = ports.ok_or_else(|| format!("{}: expected PORT[/tcp|udp]", wrong()))?;
            within("ExposedPorts", ports.concat());
        }
        "VOLUME" => {
            let paths =
                list(rest).unwrap_or_else(|| words(rest).iter().map(|it| plain(it)).collect());
            if paths.is_empty() || paths.iter().any(|path| !path.starts_with('/')) {
                return Err(format!("{}: expected absolute paths", wrong()));
            }
            within("Volumes", paths);
        }
        "ONBUILD" => {
            return Err("ONBUILD is not supported: nothing is built on top by instructions".into());
        }
        _ => return Err(format!("{word} is no instruction of --change")),
    }
    Ok(())
}

/// A JSON list of texts.
fn list(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

/// `NAME=VALUE ...`, or `NAME VALUE` where the value is all the rest.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let words = words(text);
    if words.first().is_some_and(|word| !word.contains('=')) {
        let (name, value) = text
            .split_once(char::is_whitespace)
            .ok_or_else(|| format!("{text} has no value"))?;
        return Ok(vec![(plain(name), plain(value.trim()))]);
    }
    words
        .iter()
        .map(|word| match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((plain(name), plain(value))),
            _ => Err(format!("{word} must have the form NAME=VALUE")),
        })
        .collect()
}

/// Words as they are written, with quotes and backslashes.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' if quote.is_none() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            '"' | '\'' if quote.is_none() => quote = Some(letter),
            _ if quote == Some(letter) => quote = None,
            _ => {}
        }
        word.push(letter);
        if letter == '\\' && quote != Some('\'') {
            word.extend(letters.next());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// What a word stands for.
fn plain(word: &str) -> String {
    let mut plain = String::new();
    let mut quote = None;
    let mut letters = word.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('"' | '\'', None) => quote = Some(letter),
            (_, Some(open)) if letter == open => quote = None,
            ('\\', None) => plain.extend(letters.next()),
            ('\\', Some('"')) => match letters.next_if(|it| matches!(it, '"' | '$' | '\\')) {
                Some(escaped) => plain.push(escaped),
                None => plain.push('\\'),
            },
            _ => plain.push(letter),
        }
    }
    plain
}

/// `PORT[-LAST][/PROTOCOL]` as docker keeps them: `80/tcp`.
fn ports(word: &str) -> Option<Vec<String>> {
    let (range, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    let known = matches!(protocol.as_str(), "tcp" | "udp" | "sctp");
    (known && first <= last).then(|| {
        (first..=last)
            .map(|port| format!("{port}/{protocol}"))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lines: &[&str]) -> Value {
        let mut config = Map::new();
        for line in lines {
            apply(&mut config, line).unwrap();
        }
        Value::Object(config)
    }

    #[test]
    fn instructions() {
        let lines = [
            "CMD [\"a\", \"b\"]",
            "ENV A b c",
            "LABEL x=y",
            "EXPOSE 80",
            "USER www",
        ];
        assert_eq!(
            after(&lines),
            json!({ "Cmd": ["a", "b"], "Env": ["A=b c"], "Labels": { "x": "y" },
                "ExposedPorts": { "80/tcp": {} }, "User": "www" })
        );
    }

    #[test]
    fn several_values() {
        let lines = [
            "EXPOSE 80 90/udp 100-101",
            r#"LABEL a="b c" d=e 'f g'=h"#,
            r#"ENV A=1 B="two \"words\"" C=x\ y"#,
            "VOLUME /a /b",
            r#"VOLUME ["/c d"]"#,
        ];
        assert_eq!(
            after(&lines),
            json!({
                "ExposedPorts": { "80/tcp": {}, "90/udp": {}, "100/tcp": {}, "101/tcp": {} },
                "Labels": { "a": "b c", "d": "e", "f g": "h" },
                "Env": ["A=1", "B=two \"words\"", "C=x y"],
                "Volumes": { "/a": {}, "/b": {}, "/c d": {} },
            })
        );
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (line, why) in [
            ("RUN x", "RUN is no instruction"),
            ("ONBUILD RUN x", "ONBUILD is not supported"),
            ("ENV A=b c", "c must have the form NAME=VALUE"),
            ("LABEL a", "a has no value"),
            ("EXPOSE 80/x", "expected PORT"),
            ("EXPOSE 80 99999", "expected PORT"),
            ("VOLUME a", "absolute"),
            ("CMD", "invalid --change"),
        ] {
            let text = apply(&mut Map::new(), line).unwrap_err();
            assert!(text.contains(why), "{line}: {text}");
        }
    }
}
