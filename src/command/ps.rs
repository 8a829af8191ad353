//! `racker ps`

use racker_store::TreeId;
use regex::Regex;
use serde_json::Value;

use super::Context;
use crate::failure::{FAILED, Failure};
use crate::image;
use crate::lifecycle::{Kept, State, Status, Yard, changes};
use crate::ui::{Column, Wish, container_row, size};

const COLUMNS: [Column; 8] = [
    ("CONTAINER ID", "ID"),
    ("IMAGE", "Image"),
    ("COMMAND", "Command"),
    ("CREATED", "RunningFor"),
    ("STATUS", "Status"),
    ("PORTS", "Ports"),
    ("NAMES", "Names"),
    ("SIZE", "Size"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show those too that do not run
    #[arg(short, long)]
    all: bool,
    /// Show those alone that match: id, name, label, status, ancestor, exited, network, volume, health
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Show by a Go template, `table TEMPLATE`, or `json`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Show the newest so many, whether they run or not
    #[arg(short = 'n', long, value_name = "NUMBER")]
    last: Option<usize>,
    /// Show the newest one
    #[arg(short, long)]
    latest: bool,
    /// Leave nothing out
    #[arg(long)]
    no_trunc: bool,
    /// Show how much each wrote, and with its image
    #[arg(short, long)]
    size: bool,
    /// Show ids alone
    #[arg(short, long = "ids")]
    quiet: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<u8, Failure> {
    let mut filters = args
        .filter
        .iter()
        .map(|text| Filter::parse(text))
        .collect::<Result<Vec<_>, _>>()?;
    let any = args.all
        || args.latest
        || args.last.is_some()
        || filters
            .iter()
            .any(|it| matches!(it.key.as_str(), "status" | "exited"));
    let limit = if args.latest {
        1
    } else {
        args.last.unwrap_or(usize::MAX)
    };
    let mut rows: Vec<Value> = Vec::new();
    let store = context.store()?;
    for filter in filters.iter_mut().filter(|it| it.key == "ancestor") {
        let found = image::find(&store, &context.registries()?, &filter.value)?;
        filter.tree = found.map(|image| image.tree);
    }
    // Reading what all of them wrote takes a while.
    let sizes = args.size || args.format.iter().any(|it| it.contains(".Size"));
    for kept in Yard::of(&store).all()? {
        let (status, state) = kept.status()?;
        let up = matches!(
            status,
            Status::Running | Status::Paused | Status::Restarting
        );
        if (any || up) && matches(&filters, &kept, status, &state) {
            let mut row = container_row(&kept, status, &state, args.no_trunc);
            if sizes {
                let (written, whole) = changes::sizes(&store, &kept)?;
                row["Size"] = format!("{} (virtual {})", size(written), size(whole)).into();
            }
            // The method that a template has for them.
            if args.format.iter().any(|it| it.contains(".Label ")) {
                row["Label"] = serde_json::json!(kept.config.labels);
            }
            rows.push(row);
        }
        if rows.len() == limit {
            break;
        }
    }
    if args.json {
        context.ui.json(&rows)?;
        return Ok(0);
    }
    let wish = Wish {
        only: args.quiet.then_some("ID"),
        format: args.format.as_deref(),
    };
    let shown = if sizes { &COLUMNS[..] } else { &COLUMNS[..7] };
    context.ui.listing(&rows, shown, wish)?;
    Ok(0)
}

/// A condition that containers are shown under.
#[derive(Debug)]
pub(super) struct Filter {
    key: String,
    value: String,
    /// What a name matches, docker's way: anywhere, a `/` before it or not.
    pattern: Option<Regex>,
    /// The ancestor, where the store has it.
    tree: Option<TreeId>,
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        const KEYS: [&str; 9] = [
            "id", "name", "label", "status", "ancestor", "exited", "network", "volume", "health",
        ];
        match text.split_once('=') {
            Some((key, value)) if words(key).is_some_and(|it| !it.contains(&value)) => Err(
                Failure::new(FAILED, format!("invalid filter {text:?}")).hint(format!(
                    "one of {}",
                    words(key).unwrap_or_default().join(", ")
                )),
            ),
            Some(("exited", value)) if value.parse::<i32>().is_err() => Err(Failure::new(
                FAILED,
                format!("invalid filter {text:?}: not an exit code"),
            )),
            Some((key, value)) if KEYS.contains(&key) => Ok(Self {
                key: key.to_owned(),
                value: value.to_owned(),
                pattern: (key == "name").then(|| pattern(value)).transpose()?,
                tree: None,
            }),
            Some((key, _)) => Err(Failure::new(FAILED, format!("invalid filter {key:?}"))
                .hint(format!("one of {}", KEYS.join(", ")))),
            None => Err(Failure::new(
                FAILED,
                format!("invalid filter {text:?}: expected KEY=VALUE"),
            )),
        }
    }

    fn holds(&self, kept: &Kept, status: Status, state: &State) -> bool {
        let config = &kept.config;
        let value = self.value.as_str();
        match self.key.as_str() {
            "id" => config.id.starts_with(value),
            "name" => {
                let matches =
                    |name: &str| self.pattern.as_ref().is_some_and(|it| it.is_match(name));
                matches(&config.name) || matches(&format!("/{}", config.name))
            }
            "label" => match value.split_once('=') {
                Some((name, wanted)) => config.labels.get(name).is_some_and(|it| it == wanted),
                None => config.labels.contains_key(value),
            },
            "status" => status.word() == value,
            "ancestor" => self.tree == Some(config.image_id) || is_named(&config.image, value),
            "exited" => status == Status::Exited && state.exit_code.to_string() == value,
            "network" => config.network.name() == value,
            "volume" => config
                .mounts
                .iter()
                .any(|it| it.source == value || it.target == value),
            "health" => match &state.health {
                Some(report) => report.status == value,
                None => value == "none",
            },
            _ => false,
        }
    }
}

/// The values that a key can have, where these are known. docker has states that racker's containers
/// are never in.
fn words(key: &str) -> Option<&'static [&'static str]> {
    match key {
        "status" => Some(&[
            "created",
            "restarting",
            "running",
            "removing",
            "paused",
            "exited",
            "dead",
        ]),
        "health" => Some(&["none", "starting", "healthy", "unhealthy"]),
        _ => None,
    }
}

fn pattern(text: &str) -> Result<Regex, Failure> {
    Regex::new(text).map_err(|error| {
        let error = error.to_string();
        let reason = error.lines().last().unwrap_or_default();
        let reason = reason.trim_start_matches("error: ");
        Failure::new(FAILED, format!("invalid filter \"name={text}\": {reason}"))
            .hint("a regular expression, such as ^web")
    })
}

/// Whether an image that was asked for as `name` is the one that `wanted` means: in whatever form
/// either is written, with any tag where `wanted` has none.
fn is_named(name: &str, wanted: &str) -> bool {
    let (name, short) = (image::short(name), image::short(wanted));
    let bare = |text: &str| {
        let text = text.split('@').next().unwrap_or_default().to_owned();
        match text.rsplit_once(':') {
            Some((bare, tag)) if !tag.contains('/') => bare.to_owned(),
            _ => text,
        }
    };
    name == short || bare(wanted) == wanted && bare(&name) == short
}

/// Whether all conditions hold; of several with one key, any.
fn matches(filters: &[Filter], kept: &Kept, status: Status, state: &State) -> bool {
    filters.iter().all(|filter| {
        let same = filters.iter().filter(|it| it.key == filter.key);
        let mut same = same.map(|it| it.holds(kept, status, state));
        if filter.key == "label" {
            same.all(|it| it)
        } else {
            same.any(|it| it)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ancestor_has_many_names() {
        for wanted in ["web", "web:latest", "localhost/web", "localhost/web:latest"] {
            assert!(is_named("web", wanted), "{wanted}");
            assert!(is_named("localhost/web:latest", wanted), "{wanted}");
        }
        assert!(is_named("debian:12", "debian"));
        assert!(is_named("debian:12", "docker.io/library/debian:12"));
        assert!(is_named("host:5000/a/b:1", "host:5000/a/b"));
        for other in ["we", "web:1", "other/web", "localhost/web:1"] {
            assert!(!is_named("web", other), "{other}");
        }
        assert!(!is_named("debian:12", "debian:latest"));
    }

    #[test]
    fn a_value_that_none_has_is_refused() {
        for good in [
            "status=running",
            "status=dead",
            "health=none",
            "exited=0",
            "exited=-1",
        ] {
            assert!(Filter::parse(good).is_ok(), "{good}");
        }
        for bad in ["status=bogus", "status=", "health=well", "exited=x"] {
            let failure = Filter::parse(bad).unwrap_err().render();
            assert!(failure.contains(bad), "{failure}");
        }
    }

    #[test]
    fn a_wrong_expression_is_one_line() {
        let failure = Filter::parse("name=[").unwrap_err().render();
        assert!(
            failure.contains("invalid filter \"name=[\": unclosed"),
            "{failure}"
        );
    }
}
