//! Messages that point into a file.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// A range of bytes of a source text.
pub type Span = Range<usize>;

/// A named text that diagnostics point into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    name: String,
    text: String,
}

impl Source {
    /// Names a text; the name is shown before line and column.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
        })
    }

    /// Returns the name, usually a path as the user typed it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns line and column of a byte, both counted from one, the column in characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }
}

/// One mistake: what, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    source: Arc<Source>,
    span: Span,
    message: String,
    also: Vec<(Span, String)>,
    hints: Vec<String>,
}

impl Diagnostic {
    /// Makes a diagnostic; the message is a lowercase fragment without a full stop.
    pub fn new(source: &Arc<Source>, span: Span, message: impl Into<String>) -> Self {
        Self {
            source: Arc::clone(source),
            span,
            message: message.into(),
            also: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Adds a line of advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a line of advice where there is one.
    pub fn maybe_hint(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Points at a second place, with a word on why.
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.also.push((span, label.into()));
        self
    }

    /// Returns the message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the lines of advice.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// Returns where it points.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// Returns the text it points into.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Renders as rustc does: message, place, the offending line underlined, advice.
    pub fn render(&self, colour: bool) -> String {
        let text = self.source.text();
        let clip = |span: &Span| span.start.min(text.len())..span.end.min(text.len());
        let snippet = Snippet::source(text)
            .path(self.source.name())
            .annotation(AnnotationKind::Primary.span(clip(&self.span)))
            .annotations(self.also.iter().map(|(span, label)| {
                AnnotationKind::Context
                    .span(clip(span))
                    .label(label.as_str())
            }));
        let report = [Level::ERROR
            .primary_title(self.message.as_str())
            .element(snippet)
            .elements(
                self.hints
                    .iter()
                    .map(|hint| Level::HELP.message(hint.as_str())),
            )];
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.render(&report)
    }
}

/// All mistakes found in one file, in the order of their places; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Sorts what was found by place and drops repetitions; gives nothing where nothing was found.
    pub fn collect(mut found: Vec<Diagnostic>) -> Option<Self> {
        found.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end));
        found.dedup();
        (!found.is_empty()).then_some(Self(found))
    }

    /// Renders them, a blank line between each; more than twenty are counted only.
    pub fn render(&self, colour: bool) -> String {
        const MOST: usize = 20;
        let shown = self
            .0
            .iter()
            .take(MOST)
            .map(|diagnostic| diagnostic.render(colour));
        let mut rendered: Vec<_> = shown.collect();
        if self.0.len() > MOST {
            rendered.push(format!("and {} more", self.0.len() - MOST));
        }
        rendered.join("\n\n")
    }

    /// Goes through them in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}
