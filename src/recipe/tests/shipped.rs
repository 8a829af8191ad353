use std::path::Path;

use serde_json::Value;

use super::super::{From, Step, all, curated, load, load_curated, schema};
use crate::plan::Plan;

const QUICKSTART: &str = include_str!("../../../recipes/quickstart.toml");

#[test]
fn curated_recipes_are_complete() {
    const TITLE: &str = "org.opencontainers.image.title";
    for it in all() {
        let chain = load_curated(it.label, &[]).unwrap_or_else(|error| panic!("{error}"));
        let recipe = chain.recipe();
        assert_eq!(recipe.name, it.label);
        assert!(
            !recipe
                .steps
                .iter()
                .any(|step| matches!(step, Step::Copy(_)))
        );
        assert!(recipe.image.labels.contains_key(TITLE), "{}", it.label);
        let reason = it.text.contains("\n# No probe: ");
        assert!(recipe.probe.is_some() != reason, "{}", it.label);
        let plan = Plan::new(&chain);
        assert_eq!(plan.recipe, it.label);
        assert!(plan.steps.iter().all(|step| !step.impure), "{}", it.label);
        let bootstrap = usize::from(matches!(plan.base, From::Bootstrap(_)));
        assert_eq!(plan.steps.len(), bootstrap + recipe.steps.len());
    }
}

#[test]
fn every_name_of_a_curated_recipe_is_its_alone() {
    let names: Vec<_> = all()
        .flat_map(|it| std::iter::once(it.label).chain(it.alias))
        .collect();
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
    for it in all() {
        for name in std::iter::once(it.label).chain(it.alias) {
            assert_eq!(curated(name), Some(it));
            let from = From::parse(name, Path::new("")).unwrap();
            assert_eq!(from, From::Curated(it.label.to_owned()));
        }
    }
    assert!(curated("quickstart").is_none());
}

#[test]
fn every_recipe_in_the_directory_is_shipped() {
    let mut files: Vec<String> = std::fs::read_dir(repository().join("recipes"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
        .filter(|name| name != "quickstart")
        .collect();
    files.sort();
    let mut labels: Vec<_> = all().map(|it| it.label).collect();
    labels.sort_unstable();
    assert_eq!(files, labels);
}

/// `docs/images.md` has a row for each label, in order, with its alias, what it is made of,
/// and whether that was tried: Debian's mirrors could be reached, and no registry.
#[test]
fn the_page_of_images_tells_the_truth() {
    let page = include_str!("../../../docs/images.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), all().count());
    for (row, it) in rows.iter().zip(all()) {
        let chain = load_curated(it.label, &[]).unwrap();
        let base = match chain.base() {
            From::Bootstrap(it) => format!("bootstrap `{}`", it.suite),
            base => format!("`{base}`"),
        };
        let alias = it.alias.map(|alias| format!("`{alias}`"));
        let label = format!("`{}`", it.label);
        assert_eq!(row[1..4], [label, alias.unwrap_or_default(), base]);
        let reachable = matches!(chain.base(), From::Bootstrap(_));
        assert_eq!(row[5], if reachable { "yes" } else { "**no**" });
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn quickstart_builds_on_bookworm() {
    let chain = load(&repository().join("recipes/quickstart.toml"), &[]).unwrap();
    let names: Vec<_> = chain
        .recipes()
        .iter()
        .map(|recipe| recipe.name.as_str())
        .collect();
    assert_eq!(names, ["debian-bookworm", "quickstart"]);
}

#[test]
fn the_schema_is_the_shipped_one() {
    let shipped = include_str!("../../../docs/recipe.schema.json");
    let printed = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    assert!(
        serde_json::from_str::<Value>(shipped).is_ok_and(|shipped| shipped == schema()),
        "docs/recipe.schema.json is to be:\n{printed}"
    );
}

#[test]
fn the_schema_accepts_the_shipped_recipes() {
    let curated = all().map(|it| (it.label, it.text));
    for (name, text) in curated.chain([("quickstart", QUICKSTART)]) {
        let value: Value = toml::from_str(text).unwrap();
        accept(&schema(), &value).unwrap_or_else(|place| panic!("{name}: {place}"));
    }
    let wrong = serde_json::json!({ "from": "x", "step": [{ "run": "a", "copy": {} }] });
    assert!(accept(&schema(), &wrong).is_err());
}

#[test]
fn the_parser_knows_every_key_of_the_schema() {
    let schema = schema();
    let mut texts = Vec::new();
    for key in schema["properties"].as_object().unwrap().keys() {
        texts.push(format!("{key} = 2026-01-01\n"));
    }
    for (step, form) in schema["properties"]["step"]["items"]["properties"]
        .as_object()
        .unwrap()
    {
        let object = form
            .get("properties")
            .or_else(|| form["oneOf"][1].get("properties"));
        for key in object.unwrap().as_object().unwrap().keys() {
            texts.push(format!("[[step]]\n{step} = {{ {key} = 2026-01-01 }}\n"));
        }
    }
    for table in ["image", "probe"] {
        for key in schema["properties"][table]["properties"]
            .as_object()
            .unwrap()
            .keys()
        {
            texts.push(format!("[{table}]\n{key} = 2026-01-01\n"));
        }
    }
    assert!(texts.len() > 60);
    for text in texts {
        let found = super::mistakes(&text);
        assert!(
            !found.contains("unknown key") && !found.contains("no step"),
            "{text}{found}"
        );
    }
}

#[test]
fn the_reference_tells_the_truth() {
    let page = include_str!("../../../docs/recipe.md");
    let block = |start: &str| {
        page.split(start)
            .nth(1)
            .unwrap()
            .split("\n```")
            .next()
            .unwrap()
    };
    let example = block("```toml\n");
    assert!(super::read(example).is_ok());
    let mistaken = example.replace("'${greeting}'", "'${greting}'");
    assert_eq!(super::mistakes(&mistaken), block("```text\n"));
}

/// Checks a value against the few words of JSON Schema that the schema uses.
fn accept(schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(forms) = schema.get("oneOf").and_then(Value::as_array) {
        let fitting = forms
            .iter()
            .filter(|form| accept(form, value).is_ok())
            .count();
        return if fitting == 1 {
            Ok(())
        } else {
            Err(format!("{fitting} forms fit {value}"))
        };
    }
    if let Some(choice) = schema.get("enum").and_then(Value::as_array) {
        return if choice.contains(value) {
            Ok(())
        } else {
            Err(value.to_string())
        };
    }
    let kind = match value {
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::Array(_) => "array",
        _ => "object",
    };
    let allowed = &schema["type"];
    if *allowed != kind
        && !allowed
            .as_array()
            .is_some_and(|kinds| kinds.contains(&kind.into()))
    {
        return Err(format!("{value} is no {allowed}"));
    }
    for item in value.as_array().into_iter().flatten() {
        accept(&schema["items"], item)?;
    }
    let Some(object) = value.as_object() else {
        return Ok(());
    };
    let count = object.len() as u64;
    if schema["maxProperties"]
        .as_u64()
        .is_some_and(|most| count > most)
    {
        return Err(format!("{value} has too many keys"));
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if !object.contains_key(required.as_str().unwrap()) {
            return Err(format!("{value} lacks {required}"));
        }
    }
    for (key, value) in object {
        match schema["properties"]
            .get(key)
            .unwrap_or(&schema["additionalProperties"])
        {
            Value::Bool(false) => return Err(format!("unknown {key}")),
            schema => accept(schema, value)?,
        }
    }
    Ok(())
}
