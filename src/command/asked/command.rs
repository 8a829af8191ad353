//! What runs in a container: command and environment; and what is said of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::config::wrong;
use super::options::Options;
use super::values;
use crate::failure::Failure;
use crate::settings::caller_variable;

/// Entrypoint and command, as docker combines them: an entrypoint given as an option takes the
/// image's command away, a command given takes the image's place.
pub(super) fn argv(
    options: &Options,
    config: &Value,
    command: &[String],
) -> Result<(Vec<String>, usize), Failure> {
    let mut argv = match &options.entrypoint {
        Some(command) if command.is_empty() => Vec::new(),
        Some(command) => vec![command.clone()],
        None => strings(&config["Entrypoint"]),
    };
    let entrypoint = argv.len();
    if !command.is_empty() {
        argv.extend(command.iter().cloned());
    } else if options.entrypoint.is_none() {
        argv.extend(strings(&config["Cmd"]));
    }
    if argv.is_empty() {
        return Err(
            wrong("no command specified").hint("the image names none; give one behind the image")
        );
    }
    Ok((argv, entrypoint))
}

pub(super) fn env(
    options: &Options,
    config: &Value,
    tty: bool,
) -> Result<Vec<(String, String)>, String> {
    let pair = |line: &str| {
        line.split_once('=')
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let mut env: Vec<(String, String)> = strings(&config["Env"])
        .iter()
        .filter_map(|line| pair(line))
        .collect();
    if tty {
        let term = caller_variable("TERM").unwrap_or_else(|| "xterm".into());
        env.push(("TERM".into(), term));
    }
    let mut given = Vec::new();
    for file in &options.env_file {
        given.extend(values::lines(file)?);
    }
    given.extend(options.env.iter().cloned());
    for line in &given {
        match pair(line) {
            Some((name, _)) if name.is_empty() => {
                return Err(format!("invalid environment variable: {line:?}"));
            }
            Some(pair) => env.push(pair),
            None => env.extend(caller_variable(line).map(|value| (line.clone(), value))),
        }
    }
    Ok(env)
}

pub(super) fn labels(
    options: &Options,
    config: &Value,
) -> Result<BTreeMap<String, String>, String> {
    let mut all = BTreeMap::new();
    for (name, value) in config["Labels"].as_object().into_iter().flatten() {
        all.insert(name.clone(), value.as_str().unwrap_or_default().to_owned());
    }
    let mut given = Vec::new();
    for file in &options.label_file {
        given.extend(values::lines(file)?);
    }
    given.extend(options.label.iter().cloned());
    for line in &given {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        all.insert(name.to_owned(), value.to_owned());
    }
    Ok(all)
}

pub(super) fn strings(value: &Value) -> Vec<String> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::line::parse;
    use super::*;

    fn argv_of(line: &[&str], config: &Value) -> Vec<String> {
        let line = parse(line);
        argv(&line.options, config, &line.command).unwrap().0
    }

    #[test]
    fn entrypoint_and_command_combine_like_dockers() {
        let config = json!({ "Entrypoint": ["/entry", "-x"], "Cmd": ["serve"] });
        assert_eq!(argv_of(&[], &config), ["/entry", "-x", "serve"]);
        assert_eq!(
            argv_of(&["sh", "-c", "a b"], &config),
            ["/entry", "-x", "sh", "-c", "a b"]
        );
        assert_eq!(argv_of(&["--entrypoint", "ls"], &config), ["ls"]);
        assert_eq!(
            argv_of(&["--entrypoint", "ls", "-l", "a", "x"], &config),
            ["ls", "x"]
        );
        assert_eq!(argv_of(&["--entrypoint", "", "sh"], &config), ["sh"]);
    }
}
