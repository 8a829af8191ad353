//! Go templates, which docker's `--format` takes.

use std::collections::HashMap;

use gtmpl::{Context, FuncError, Template, Value};
use serde_json::Value as Json;

use crate::failure::{FAILED, Failure};

/// A template that was understood.
pub struct Format {
    template: Template,
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Format").finish_non_exhaustive()
    }
}

impl Format {
    /// Understands a template.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let mut template = Template::default();
        template.add_func("json", json);
        template.add_func("join", join);
        template.add_func("upper", |args| text_of(args, str::to_uppercase));
        template.add_func("lower", |args| text_of(args, str::to_lowercase));
        // On a shell's command line these are two characters.
        let text = text.replace("\\t", "\t").replace("\\n", "\n");
        template.parse(text).map_err(|error| {
            Failure::new(FAILED, format!("template parsing error: {error}"))
                .hint("such as '{{.ID}} {{json .Names}}'")
        })?;
        Ok(Self { template })
    }

    /// Fills it in.
    pub fn render(&self, document: &Json) -> Result<String, Failure> {
        let context = Context::from(value(document));
        self.template
            .render(&context)
            .map_err(|error| Failure::new(FAILED, format!("template error: {error}")))
    }
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(it) => (*it).into(),
        Json::Number(it) => match (it.as_i64(), it.as_u64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => it.as_f64().unwrap_or(0.0).into(),
        },
        Json::String(it) => it.clone().into(),
        Json::Array(list) => Value::Array(list.iter().map(value).collect()),
        Json::Object(map) => {
            let map: HashMap<String, Value> = map
                .iter()
                .map(|(key, it)| (key.clone(), value(it)))
                .collect();
            Value::Map(map)
        }
    }
}

fn back(value: &Value) -> Json {
    match value {
        Value::Bool(it) => (*it).into(),
        Value::String(it) => it.clone().into(),
        Value::Number(it) => match (it.as_i64(), it.as_f64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => Json::Null,
        },
        Value::Array(list) => list.iter().map(back).collect(),
        Value::Object(map) | Value::Map(map) => {
            let sorted: std::collections::BTreeMap<_, _> = map.iter().collect();
            let pairs = sorted.into_iter().map(|(key, it)| (key.clone(), back(it)));
            Json::Object(pairs.collect())
        }
        _ => Json::Null,
    }
}

fn json(args: &[Value]) -> Result<Value, FuncError> {
    let first = args.first().ok_or_else(|| too_few("json", 1))?;
    Ok(back(first).to_string().into())
}

fn join(args: &[Value]) -> Result<Value, FuncError> {
    let [Value::Array(list), Value::String(between)] = args else {
        return Err(too_few("join", 2));
    };
    let words: Vec<String> = list
        .iter()
        .map(|it| match back(it) {
            Json::String(text) => text,
            other => other.to_string(),
        })
        .collect();
    Ok(words.join(between).into())
}

fn text_of(args: &[Value], change: impl Fn(&str) -> String) -> Result<Value, FuncError> {
    match args.first() {
        Some(Value::String(text)) => Ok(change(text).into()),
        _ => Err(too_few("upper and lower", 1)),
    }
}

fn too_few(name: &str, count: usize) -> FuncError {
    FuncError::AtLeastXArgs(name.to_owned(), count)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(template: &str) -> String {
        let document = json!({ "ID": "abc", "State": { "Running": true, "ExitCode": 3 },
            "Labels": { "a.b": "c" }, "List": ["x", "y"], "Nets": { "n": { "IP": "1.2.3.4" } } });
        Format::parse(template).unwrap().render(&document).unwrap()
    }

    #[test]
    fn fields_functions_and_loops() {
        assert_eq!(render("{{.ID}}-{{.State.ExitCode}}"), "abc-3");
        assert_eq!(render("{{json .List}}"), r#"["x","y"]"#);
        assert_eq!(
            render("{{json .State}}"),
            r#"{"ExitCode":3,"Running":true}"#
        );
        assert_eq!(render(r#"{{index .Labels "a.b"}}"#), "c");
        assert_eq!(render(r#"{{join .List ","}}"#), "x,y");
        assert_eq!(render("{{range .Nets}}{{.IP}}{{end}}"), "1.2.3.4");
        assert_eq!(render("{{if .State.Running}}up{{else}}down{{end}}"), "up");
        assert_eq!(render(r"{{upper .ID}}\t{{.ID}}"), "ABC\tabc");
    }

    #[test]
    fn mistakes_are_told() {
        assert!(Format::parse("{{.ID").is_err());
    }
}
