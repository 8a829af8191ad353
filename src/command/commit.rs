//! `racker commit`

use serde_json::{Map, Value, json};

use super::Context;
use crate::failure::{FAILED, Failure};
use crate::image;
use crate::lifecycle::changes::{self, Commit};
use crate::lifecycle::{Yard, events};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Who makes the image
    #[arg(short, long)]
    author: Option<String>,
    /// Why
    #[arg(short, long)]
    message: Option<String>,
    /// Instruction for the image's configuration: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL,
    /// USER, WORKDIR
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Freeze the container meanwhile
    #[arg(short, long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pause: bool,
    /// Container
    container: String,
    /// Name of the image; without, it is known by its id alone
    #[arg(value_name = "NAME[:TAG]")]
    name: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let store = context.store()?;
    let kept = Yard::of(&store).find(&args.container)?;
    let name = match &args.name {
        Some(name) => image::full_name(name)?,
        None => format!("localhost/committed-{}:latest", &kept.config.id[..12]),
    };
    let mut config = Map::new();
    for line in &args.change {
        instruction(&mut config, line).map_err(|text| Failure::new(FAILED, text))?;
    }
    let made = changes::commit(
        &store,
        &kept,
        &Commit {
            name,
            author: args.author.as_deref(),
            message: args.message.as_deref(),
            config,
            keep_running: !args.pause,
        },
    )?;
    events::put(&store, &kept.config, "commit", &[("image", &made.name)]);
    context.ui.data(made.tree.to_string())?;
    Ok(0)
}

/// Takes in one instruction as a Containerfile has them.
fn instruction(config: &mut Map<String, Value>, line: &str) -> Result<(), String> {
    let wrong = || format!("invalid --change {line:?}");
    let (word, rest) = line.trim().split_once([' ', '=']).ok_or_else(wrong)?;
    let rest = rest.trim();
    let command = || -> Value {
        match serde_json::from_str::<Vec<String>>(rest) {
            Ok(list) => json!(list),
            Err(_) => json!(["/bin/sh", "-c", rest]),
        }
    };
    let pair = || {
        let (name, value) = rest
            .split_once('=')
            .or_else(|| rest.split_once(' '))
            .ok_or_else(wrong)?;
        let value = value.trim().trim_matches('"');
        Ok::<_, String>((name.trim().to_owned(), value.to_owned()))
    };
    match word.to_ascii_uppercase().as_str() {
        "CMD" => config.insert("Cmd".into(), command()),
        "ENTRYPOINT" => config.insert("Entrypoint".into(), command()),
        "USER" => config.insert("User".into(), json!(rest)),
        "WORKDIR" => config.insert("WorkingDir".into(), json!(rest)),
        "STOPSIGNAL" => config.insert("StopSignal".into(), json!(rest)),
        "ENV" => {
            let (name, value) = pair()?;
            let entry = config.entry("Env").or_insert_with(|| json!([]));
            if let Value::Array(list) = entry {
                list.push(json!(format!("{name}={value}")));
            }
            None
        }
        "LABEL" => {
            let (name, value) = pair()?;
            let entry = config.entry("Labels").or_insert_with(|| json!({}));
            entry[name] = json!(value);
            None
        }
        "EXPOSE" => {
            let port = if rest.contains('/') {
                rest.to_owned()
            } else {
                format!("{rest}/tcp")
            };
            let entry = config.entry("ExposedPorts").or_insert_with(|| json!({}));
            entry[port] = json!({});
            None
        }
        _ => return Err(format!("{word} is no instruction of --change")),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions() {
        let mut config = Map::new();
        for line in [
            "CMD [\"a\", \"b\"]",
            "ENV A=b c",
            "LABEL x=y",
            "EXPOSE 80",
            "USER www",
        ] {
            instruction(&mut config, line).unwrap();
        }
        assert_eq!(
            Value::Object(config),
            json!({ "Cmd": ["a", "b"], "Env": ["A=b c"], "Labels": { "x": "y" },
                "ExposedPorts": { "80/tcp": {} }, "User": "www" })
        );
        assert!(instruction(&mut Map::new(), "RUN x").is_err());
    }
}
