//! The JSON Schema of a recipe, by which editors complete and check.
//!
//! It is looser than the parser where JSON Schema cannot say what the parser checks.

use serde_json::{Value, json};

use super::from::Bootstrap;
use crate::check::{Form, Kind};
use crate::package::Manager;

/// Returns the schema; `docs/recipe.schema.json` is this, printed.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "racker recipe",
        "type": "object",
        "additionalProperties": false,
        "required": ["from"],
        "properties": {
            "name": string("The image's name; the file's name without `.toml` if not given."),
            "from": from(),
            "args": map("Values for `${name}` in strings; `--set name=value` puts others over them."),
            "env": map("Variables of the steps and of the image."),
            "step": {
                "description": "What is done, in order; each step has one key, its name.",
                "type": "array",
                "items": step(),
            },
            "image": image(),
            "probe": probe(),
            "normalise": {
                "description": "Rules of the normaliser; false switches one off.",
                "type": "object",
                "additionalProperties": { "type": "boolean" },
            },
        },
    })
}

fn string(description: &str) -> Value {
    json!({ "description": description, "type": "string" })
}

fn boolean(description: &str) -> Value {
    json!({ "description": description, "type": "boolean", "default": false })
}

fn strings(description: &str) -> Value {
    json!({ "description": description, "type": "array", "items": { "type": "string" } })
}

fn map(description: &str) -> Value {
    json!({
        "description": description,
        "type": "object",
        "additionalProperties": { "type": "string" },
    })
}

fn object(required: &[&str], properties: Value) -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

fn from() -> Value {
    json!({
        "description": "What the image builds on.",
        "oneOf": [
            string(
                "A curated label, `./other.toml`, an image in a registry, `oci:DIR[:TAG]`, \
                 `oci-archive:FILE[:TAG]`, `docker-archive:FILE`, a root filesystem's path or URL, or `scratch`.",
            ),
            object(&["rootfs"], json!({
                "rootfs": string("Path or URL of a tar archive, compressed or not."),
                "digest": digest(),
            })),
            object(&["bootstrap", "suite"], json!({
                "bootstrap": { "description": "The distribution.", "enum": ["debian"] },
                "suite": string("The release, such as `trixie`."),
                "include": strings("Packages besides those of the variant."),
                "variant": {
                    "description": "Which set of packages to start from.",
                    "enum": Bootstrap::VARIANTS,
                    "default": Bootstrap::DEFAULT_VARIANT,
                },
                "mirror": string("Where to take packages from."),
            })),
        ],
    })
}

fn digest() -> Value {
    json!({
        "description": "What it must be.",
        "type": "string",
        "pattern": "^(sha256:[0-9a-f]{64}|.*\\$\\{.*)$",
    })
}

fn step() -> Value {
    let mut properties = json!({
        "packages": packages("Packages, by the image's own package manager."),
        "run": run(),
        "copy": object(&["from", "to"], json!({
            "from": string("File or directory, relative to the recipe."),
            "to": string("Where to; ends in a slash if it is a directory."),
            "mode": string("Mode of files, octal, such as \"0644\"."),
            "owner": string("Owner, such as \"root:root\" or \"0:0\"."),
        })),
        "fetch": object(&["url", "to"], json!({
            "url": string("Where it is."),
            "to": string("Where to; ends in a slash if it is a directory."),
            "digest": digest(),
            "mode": string("Mode of the file, octal, such as \"0755\"."),
            "owner": string("Owner, such as \"root:root\" or \"0:0\"."),
        })),
        "units": object(&[], json!({
            "enable": strings("Units to enable."),
            "disable": strings("Units to disable."),
            "mask": strings("Units to mask."),
        })),
    });
    for manager in Manager::ALL {
        properties[manager.as_str()] = packages(&format!("Packages, by {manager}."));
    }
    json!({
        "type": "object",
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
        "properties": properties,
    })
}

fn packages(description: &str) -> Value {
    json!({
        "description": description,
        "oneOf": [
            { "type": "array", "items": { "type": "string" } },
            object(&[], json!({
                "install": strings("Packages to install: names, or files as `./package.deb`."),
                "remove": strings("Packages to remove."),
                "recommends": boolean("Install weak dependencies as well."),
                "debconf": {
                    "description": "Answers by question, such as \"tzdata/Areas\" = \"select Europe\".",
                    "type": "object",
                    "additionalProperties": { "type": ["string", "boolean"] },
                },
                "unsigned": boolean("Accept repositories without a valid signature."),
                "network": boolean("Give the packages' scripts the network; the step is impure."),
            })),
        ],
    })
}

fn run() -> Value {
    json!({
        "description": "A script for `/bin/sh -e`.",
        "oneOf": [
            { "type": "string" },
            object(&["script"], json!({
                "script": string("What to run."),
                "network": boolean("Give the script the network; the step is impure."),
                "timeout": string("After how long it has failed, such as \"5m\"."),
                "workdir": string("Where it starts; `/` if not given."),
                "user": string("Who runs it; root if not given."),
                "env": map("Variables for this script."),
                "secrets": strings("Secrets it may read, by id."),
                "cache": strings("Directories kept between builds and out of the image."),
            })),
        ],
    })
}

fn command(description: &str) -> Value {
    json!({
        "description": description,
        "oneOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
    })
}

fn image() -> Value {
    let mut image = object(
        &[],
        json!({
            "cmd": command("The default command."),
            "entrypoint": command("What the command is given to."),
            "env": map("Variables of the image alone."),
            "workdir": string("Where the command starts."),
            "user": string("Who runs it."),
            "labels": map("Labels."),
            "volumes": strings("Directories that hold data."),
            "ports": {
                "description": "Ports that are listened on.",
                "type": "array",
                "items": { "type": ["integer", "string"] },
            },
        }),
    );
    image["description"] = json!("What the image says about itself.");
    image
}

fn probe() -> Value {
    let mut probe = object(
        &[],
        json!({
            "units": strings("Units that must be active."),
            "network": strings("URLs that must answer."),
            "run": strings("Shell commands that must succeed."),
            "files": strings("Paths that must exist."),
            "timeout": string("How long all of it may take, such as \"30s\"."),
        }),
    );
    probe["description"] = json!("What must hold in a booted snapshot.");
    for kind in Kind::ALL {
        probe["properties"][kind.word()] = claims(kind);
    }
    probe
}

/// Claims about one kind of thing: names, and what must hold.
fn claims(kind: Kind) -> Value {
    let matcher = json!({ "type": "object" });
    let mut keys = serde_json::Map::new();
    for property in kind.properties() {
        let form = form(property.form);
        keys.insert(property.name.into(), json!({ "oneOf": [form, matcher] }));
    }
    for setting in kind.settings() {
        keys.insert(setting.name.into(), form(setting.form));
    }
    keys.insert("title".into(), json!({ "type": "string" }));
    keys.insert("skip".into(), json!({ "type": "boolean" }));
    keys.insert("meta".into(), matcher);
    json!({
        "description": format!("What must hold of each {}, by its name.", kind.word()),
        "type": "object",
        "additionalProperties": object(&[], Value::Object(keys)),
    })
}

fn form(form: Form) -> Value {
    match form {
        Form::Flag => json!({ "type": "boolean" }),
        Form::Number => json!({ "type": ["integer", "string"] }),
        Form::Milliseconds => json!({ "type": "integer", "minimum": 0 }),
        Form::Text | Form::Mode => json!({ "type": "string" }),
        Form::Texts | Form::Lines => json!({
            "type": ["array", "string"],
            "items": { "type": ["string", "object"] },
        }),
    }
}
