//! Go templates, which docker's `--format` takes.

use std::collections::HashMap;

use gtmpl::error::ExecError;
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
        template.add_func("label", label);
        template.add_func(SHOW, |args| {
            Ok(args.first().map(shown).unwrap_or_default().into())
        });
        template.add_func("join", join);
        template.add_func("upper", |args| text_of(args, str::to_uppercase));
        template.add_func("lower", |args| text_of(args, str::to_lowercase));
        // On a shell's command line these are two characters.
        let text = text.replace("\\t", "\t").replace("\\n", "\n");
        template.parse(as_go(&text)).map_err(|error| {
            Failure::new(FAILED, format!("template parsing error: {error}"))
                .hint("such as '{{.ID}} {{json .Names}}'")
        })?;
        Ok(Self { template })
    }

    /// Fills it in.
    ///
    /// Errors: the document has no such field.
    pub fn render(&self, document: &Json) -> Result<String, Failure> {
        self.template
            .render(&Context::from(value(document, true)))
            .map_err(|error| {
                let message = match error {
                    ExecError::NoFiledFor(field, _) => {
                        format!("template error: can't evaluate field {field}")
                    }
                    error => format!("template error: {error}"),
                };
                Failure::new(FAILED, message).hint("--format json shows all fields")
            })
    }
}

/// What is put behind every value that is printed.
const SHOW: &str = "show";

/// A template whose values are printed as Go prints them, and docker's one method, `.Label NAME`,
/// is a function.
fn as_go(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, inner)) = rest.split_once("{{") {
        let (inner, after) = inner.split_at(end(inner));
        let (inner, trim) = match inner.strip_suffix("-").filter(|it| it.ends_with(' ')) {
            Some(inner) => (inner, "-"),
            None => (inner, ""),
        };
        let inner = inner
            .replace(".Label \"", "label . \"")
            .replace(".Label `", "label . `");
        let bare = inner.strip_prefix("- ").unwrap_or(&inner).trim();
        let word = bare.split([' ', '(']).next().unwrap_or_default();
        let silent = [
            "", "if", "else", "end", "range", "with", "define", "template", "block",
        ]
        .contains(&word)
            || bare.starts_with("/*")
            || bare.starts_with('$') && bare.contains(":=");
        let shown = if silent || after.is_empty() {
            String::new()
        } else {
            format!(" | {SHOW} ")
        };
        out.extend([before, "{{", &inner, &shown, trim]);
        rest = match after.strip_prefix("}}") {
            Some(rest) => {
                out.push_str("}}");
                rest
            }
            None => after,
        };
    }
    out + rest
}

/// Where an action ends: at `}}` that is in no text.
fn end(inner: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (at, letter) in inner.char_indices() {
        match quote {
            None if inner[at..].starts_with("}}") => return at,
            None if matches!(letter, '"' | '`') => quote = Some(letter),
            Some('"') if !escaped && letter == '\\' => {
                escaped = true;
                continue;
            }
            Some(open) if letter == open && !escaped => quote = None,
            _ => {}
        }
        escaped = false;
    }
    inner.len()
}

/// A value as Go prints it: `[a b]`, `map[a:b]`.
fn shown(value: &Value) -> String {
    match value {
        Value::Nil => "<nil>".into(),
        Value::Array(list) => {
            let all: Vec<String> = list.iter().map(shown).collect();
            format!("[{}]", all.join(" "))
        }
        Value::Object(map) | Value::Map(map) => {
            let sorted: std::collections::BTreeMap<_, _> = map.iter().collect();
            let all = sorted.into_iter();
            let all: Vec<String> = all
                .map(|(key, it)| format!("{key}:{}", shown(it)))
                .collect();
            format!("map[{}]", all.join(" "))
        }
        other => other.to_string(),
    }
}

/// The value of one label; nothing where there is none.
fn label(args: &[Value]) -> Result<Value, FuncError> {
    let [Value::Object(row) | Value::Map(row), Value::String(name)] = args else {
        return Err(too_few("label", 2));
    };
    match row.get("Label") {
        Some(Value::Map(labels)) => Ok(labels.get(name).cloned().unwrap_or_else(|| "".into())),
        _ => Ok("".into()),
    }
}

/// What has names of the user's, or of an image's maker, in place of fields: what such a thing does not
/// have is nothing, as in Go.
const NAMED: [&str; 7] = [
    "Attributes",
    "Label",
    "Labels",
    "Networks",
    "PortBindings",
    "Ports",
    "config",
];

/// A document for a template; `strict` where its objects have fields, of which each is there.
fn value(json: &Json, strict: bool) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(it) => (*it).into(),
        Json::Number(it) => match (it.as_i64(), it.as_u64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => it.as_f64().unwrap_or(0.0).into(),
        },
        Json::String(it) => it.clone().into(),
        Json::Array(list) => Value::Array(list.iter().map(|it| value(it, strict)).collect()),
        Json::Object(map) => {
            let map: HashMap<String, Value> = map
                .iter()
                .map(|(key, it)| {
                    let strict = strict && !NAMED.contains(&key.as_str());
                    (key.clone(), value(it, strict))
                })
                .collect();
            if strict {
                Value::Object(map)
            } else {
                Value::Map(map)
            }
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
    fn values_are_printed_as_go_prints_them() {
        assert_eq!(render("{{.List}}"), "[x y]");
        assert_eq!(render("{{ .Labels -}} !"), "map[a.b:c]!");
        assert_eq!(render("{{.Nets}}"), "map[n:map[IP:1.2.3.4]]");
        assert_eq!(render("{{.Labels.none}}"), "<no value>");
        assert_eq!(
            render(r#"{{"}}"}}{{$x := .ID}}{{$x}}{{/* no */}}"#),
            "}}abc"
        );
        assert_eq!(render("{{with .State}}{{.ExitCode}}{{end}}"), "3");
    }

    #[test]
    fn a_label_by_its_name() {
        let row = json!({ "ID": "abc", "Label": { "x": "1" } });
        let format = Format::parse(r#"{{.ID}} {{.Label "x"}} {{.Label "y"}}"#).unwrap();
        assert_eq!(format.render(&row).unwrap(), "abc 1 ");
    }

    #[test]
    fn mistakes_are_told() {
        assert!(Format::parse("{{.ID").is_err());
        assert!(Format::parse("{{").is_err());
        let row = json!({ "ID": "abc", "State": { "Pid": 1 } });
        for (template, field) in [("{{.Id}}", "Id"), ("{{.State.Nonsense}}", "Nonsense")] {
            let failure = Format::parse(template).unwrap().render(&row).unwrap_err();
            let message = format!("can't evaluate field {field}");
            assert!(failure.render().contains(&message));
        }
    }
}
