//! `racker events`

use std::io::{BufRead, BufReader};
use std::time::Duration;

use serde_json::{Value, json};

use super::Context;
use super::logs::moment;
use crate::failure::{FAILED, Failure};
use crate::lifecycle::events::{self, Event};
use crate::ui::Format;

/// How often it is looked for more.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show what happened since: a moment, or so long ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Show what happens until: a moment, or so long ago; then end
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Show those alone that match: container, event, image, label, type
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Show by a Go template, or `json`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let store = context.store()?;
    let path = events::path(&store);
    let bound = |text: &Option<String>| text.as_deref().map(moment).transpose();
    let since = bound(&args.since)?.unwrap_or_else(jiff::Timestamp::now);
    let until = bound(&args.until)?;
    let failed = |error: std::io::Error| Failure::new(FAILED, format!("read the events: {error}"));
    let format = match args.format.as_deref() {
        None | Some("json") => None,
        Some(text) => Some(Format::parse(text)?),
    };
    let filters = args.filter.iter().map(|text| {
        text.split_once('=').ok_or_else(|| {
            Failure::new(
                FAILED,
                format!("invalid filter {text:?}: expected KEY=VALUE"),
            )
        })
    });
    let filters: Vec<(&str, &str)> = filters.collect::<Result<_, _>>()?;
    let mut reader: Option<BufReader<std::fs::File>> = None;
    let mut line = String::new();
    loop {
        if reader.is_none()
            && let Ok(file) = std::fs::File::open(&path)
        {
            reader = Some(BufReader::new(file));
        }
        let mut any = false;
        if let Some(reader) = &mut reader {
            reader.read_line(&mut line).map_err(failed)?;
            if line.ends_with('\n') {
                any = true;
                if let Ok(event) = serde_json::from_str::<Event>(&line) {
                    let time = jiff::Timestamp::from_nanosecond(i128::from(event.time));
                    let time = time.unwrap_or_default();
                    if until.is_some_and(|it| time > it) {
                        return Ok(0);
                    }
                    if time >= since && filters.iter().all(|it| holds(*it, &event)) {
                        context.ui.data(shown(
                            &event,
                            time,
                            args.format.as_deref(),
                            format.as_ref(),
                        )?)?;
                    }
                }
                line.clear();
            }
        }
        if !any {
            if until.is_some_and(|it| jiff::Timestamp::now() > it) {
                return Ok(0);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

fn holds((key, value): (&str, &str), event: &Event) -> bool {
    match key {
        "container" => event.name == value || event.id.starts_with(value),
        "event" => event.action == value,
        "image" => event.image == value,
        "type" => value == "container",
        _ => event.attributes.get(key).is_some_and(|it| it == value),
    }
}

fn shown(
    event: &Event,
    time: jiff::Timestamp,
    text: Option<&str>,
    format: Option<&Format>,
) -> Result<String, Failure> {
    let mut attributes: serde_json::Map<String, Value> = event
        .attributes
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    attributes.insert("image".into(), json!(event.image));
    attributes.insert("name".into(), json!(event.name));
    let document = json!({
        "Type": "container",
        "Action": event.action,
        "status": event.action,
        "id": event.id,
        "ID": event.id,
        "from": event.image,
        "Actor": { "ID": event.id, "Attributes": attributes },
        "time": event.time / 1_000_000_000,
        "timeNano": event.time,
    });
    if let Some(format) = format {
        return format.render(&document);
    }
    if text == Some("json") {
        return Ok(document.to_string());
    }
    let words: Vec<String> = attributes
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    Ok(format!(
        "{time:.9} container {} {} ({})",
        event.action,
        event.id,
        words.join(", ")
    ))
}
