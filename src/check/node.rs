//! A document as a tree of texts with their places, whatever language it is written in.

use std::ops::Range;

/// A value and the bytes of the document where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where it stands.
    pub span: Range<usize>,
    /// It.
    pub content: Content,
}

/// What a value is. Numbers and truth values are texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing at all.
    Nothing,
    /// One word.
    Text(String),
    /// Several values.
    List(Vec<Node>),
    /// Values with names, in their order.
    Table(Vec<Entry>),
}

/// A value with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub key: String,
    /// Where the name stands.
    pub span: Range<usize>,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The word for what it is.
    pub(super) fn type_word(&self) -> &'static str {
        match self.content {
            Content::Nothing => "nothing",
            Content::Text(_) => "one value",
            Content::List(_) => "a list",
            Content::Table(_) => "a table",
        }
    }
}

/// Something that is wrong in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub span: Range<usize>,
    /// What, as a lowercase fragment.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Mistake {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}
