//! YAML text to a [`Node`]: what goss files are made of, and no more.
//!
//! One document; aliases and tags are refused, and so is a key that stands twice (goss takes the
//! last one and says nothing). Source: YAML 1.2.2.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::{Content, Entry, Mistake, Node};

/// The deepest nesting that is read.
const DEPTH: usize = 32;

/// Reads a document.
pub fn parse(text: &str) -> Result<Node, Mistake> {
    let mut offsets: Vec<usize> = text.char_indices().map(|(offset, _)| offset).collect();
    offsets.push(text.len());
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        offsets,
    };
    let mut document = Node {
        span: 0..0,
        content: Content::Nothing,
    };
    let mut seen = false;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(document),
            Event::DocumentStart(_) if seen => {
                return Err(Mistake::new(span, "a second document in one file"));
            }
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            event => {
                seen = true;
                document = reader.node(event, span, 0)?;
            }
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    /// Where each character begins: the parser counts characters.
    offsets: Vec<usize>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Range<usize>), Mistake> {
        match self.events.next_event() {
            Some(Ok((event, span))) => {
                let span = self.range(span);
                Ok((event, span))
            }
            Some(Err(error)) => {
                let at = self.offset(error.marker().index());
                Err(Mistake::new(at..at, format!("not YAML: {}", error.info())))
            }
            None => Ok((Event::StreamEnd, 0..0)),
        }
    }

    fn offset(&self, index: usize) -> usize {
        let last = self.offsets.len() - 1;
        self.offsets[index.min(last)]
    }

    fn range(&self, span: Span) -> Range<usize> {
        let start = self.offset(span.start.index());
        start..self.offset(span.end.index()).max(start)
    }

    fn node(
        &mut self,
        event: Event<'a>,
        span: Range<usize>,
        depth: usize,
    ) -> Result<Node, Mistake> {
        if depth > DEPTH {
            return Err(Mistake::new(span, format!("nested more than {DEPTH} deep")));
        }
        let content = match event {
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => {
                return Err(Mistake::new(span, "tags of YAML are not supported"));
            }
            Event::Alias(_) => {
                return Err(Mistake::new(span, "aliases of YAML are not supported"));
            }
            Event::Scalar(text, ScalarStyle::Plain, ..) if matches!(&*text, "" | "~" | "null") => {
                Content::Nothing
            }
            Event::Scalar(text, ..) => Content::Text(text.into_owned()),
            Event::SequenceStart(..) => {
                let mut list = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break Content::List(list),
                        (event, span) => list.push(self.node(event, span, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(..) => self.table(depth)?,
            _ => return Err(Mistake::new(span, "not YAML: a value is missing")),
        };
        Ok(Node { span, content })
    }

    fn table(&mut self, depth: usize) -> Result<Content, Mistake> {
        let mut table: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Content::Table(table));
            }
            let Event::Scalar(key, _, _, None) = event else {
                return Err(Mistake::new(span, "a key must be one word"));
            };
            if table.iter().any(|entry| entry.key == key) {
                return Err(Mistake::new(span, format!("`{key}` stands twice")));
            }
            let (event, place) = self.next()?;
            let value = self.node(event, place, depth + 1)?;
            table.push(Entry {
                key: key.into_owned(),
                span,
                value,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_places() {
        let text = "# ü\nfile:\n  /etc/ü:\n    mode: 0644\n    contents: [a, \"b\"]\n  x: ~\n";
        let node = parse(text).unwrap();
        let Content::Table(kinds) = &node.content else {
            panic!("{node:?}")
        };
        assert_eq!(&text[kinds[0].span.clone()], "file");
        let Content::Table(files) = &kinds[0].value.content else {
            panic!("{node:?}")
        };
        assert_eq!(&text[files[0].span.clone()], "/etc/ü");
        assert_eq!(files[1].value.content, Content::Nothing);
        let Content::Table(attributes) = &files[0].value.content else {
            panic!("{node:?}")
        };
        assert_eq!(attributes[0].value.content, Content::Text("0644".into()));
        assert_eq!(&text[attributes[0].value.span.clone()], "0644");
        assert!(matches!(&attributes[1].value.content, Content::List(list) if list.len() == 2));
    }

    #[test]
    fn what_is_not_read_is_a_mistake() {
        for (text, message, place) in [
            ("a: 1\na: 2\n", "`a` stands twice", "a"),
            ("a: &x 1\nb: *x\n", "aliases of YAML", "*x"),
            ("a: !!int 1\n", "tags of YAML", "!!int 1"),
            ("? [a]\n: 1\n", "a key must be one word", "["),
            ("a: 1\n---\nb: 1\n", "a second document", "---"),
        ] {
            let mistake = parse(text).unwrap_err();
            assert!(mistake.message.contains(message), "{mistake:?}");
            let rest = &text[mistake.span.start..];
            assert!(rest.starts_with(place), "{mistake:?} {rest}");
        }
        assert!(
            parse("a: [1\nb: 2")
                .unwrap_err()
                .message
                .contains("not YAML")
        );
        let deep = "[".repeat(2000);
        assert!(parse(&deep).is_err());
        assert_eq!(parse("").unwrap().content, Content::Nothing);
    }
}
