//! One page with everything: a matrix of images and packages, then each probe.
//!
//! It holds no script and needs nothing from elsewhere, so that it can be kept as an artefact. All that
//! is not this file's own is escaped.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{details, escape, findings, seconds, short, title};
use crate::probe::Probed;

const STYLE: &str = include_str!("page.css");

/// The page.
pub(super) fn html(all: &[Probed]) -> String {
    let good = all.iter().filter(|it| it.holds()).count();
    let headline = format!("{good} of {} probes hold", all.len());
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{headline}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{headline}</h1>\n"
    );
    page.push_str(&matrix(all));
    for (place, probed) in all.iter().enumerate() {
        page.push_str(&section(place, probed));
    }
    page.push_str("</body>\n</html>\n");
    page
}

/// A class and a word for how a probe went.
fn verdict(probed: &Probed) -> (&'static str, &'static str) {
    match (&probed.error, probed.holds()) {
        (Some(_), _) => ("error", "could not be tried"),
        (None, true) => ("good", "ok"),
        (None, false) => ("bad", "failed"),
    }
}

/// Images down, packages across, in the order in which they come.
fn matrix(all: &[Probed]) -> String {
    let mut images: Vec<&str> = Vec::new();
    let mut columns: Vec<String> = Vec::new();
    let mut cells: BTreeMap<(usize, usize), String> = BTreeMap::new();
    for (place, probed) in all.iter().enumerate() {
        let row = find_or_add(&mut images, probed.image.as_str());
        let packages: Vec<&str> = probed.packages.iter().map(|it| short(it)).collect();
        let column = find_or_add(&mut columns, packages.join(" + "));
        let (class, word) = verdict(probed);
        let (number, time) = (place + 1, seconds(probed.milliseconds));
        let cell = cells.entry((row, column)).or_default();
        let _ = write!(
            cell,
            "<a class=\"{class}\" href=\"#probe-{number}\">{word}</a> <small>{time} s</small> "
        );
    }
    let mut table = String::from("<table class=\"matrix\">\n<tr><th></th>");
    for column in &columns {
        let name = match column.as_str() {
            "" => "the image alone",
            column => column,
        };
        let _ = write!(table, "<th>{}</th>", escape(name));
    }
    table.push_str("</tr>\n");
    for (row, image) in images.iter().enumerate() {
        let _ = write!(table, "<tr><th>{}</th>", escape(image));
        for column in 0..columns.len() {
            let cell = cells.get(&(row, column)).map_or("", String::as_str);
            let _ = write!(table, "<td>{}</td>", cell.trim_end());
        }
        table.push_str("</tr>\n");
    }
    table.push_str("</table>\n");
    table
}

fn find_or_add<T: PartialEq>(all: &mut Vec<T>, one: T) -> usize {
    match all.iter().position(|it| *it == one) {
        Some(place) => place,
        None => {
            all.push(one);
            all.len() - 1
        }
    }
}

fn section(place: usize, probed: &Probed) -> String {
    let (class, word) = verdict(probed);
    let (name, number) = (escape(&title(probed)), place + 1);
    let mut text = format!(
        "<section id=\"probe-{number}\">\n<h2 class=\"{class}\">{name}: {word}</h2>\n<p>{} s, \
         PID 1 answered after {} s",
        seconds(probed.milliseconds),
        seconds(probed.boot_milliseconds)
    );
    for (name, version) in &probed.installed {
        let _ = write!(text, ", {} {}", escape(name), escape(version));
    }
    if let Some(tree) = &probed.tree {
        let _ = write!(text, ", tree <code>{}</code>", escape(tree));
    }
    text.push_str("</p>\n");
    if let Some(error) = &probed.error {
        let _ = writeln!(text, "<pre>{}</pre>", escape(error));
    }
    if !probed.checks.is_empty() {
        text.push_str("<table>\n");
    }
    for outcome in &probed.checks {
        let (class, word) = if outcome.ok {
            ("good", "ok")
        } else {
            ("bad", "failed")
        };
        let _ = write!(
            text,
            "<tr><td class=\"{class}\">{word}</td><td>{}</td><td>{}</td><td>{} s</td><td>{}",
            outcome.kind,
            escape(&outcome.check),
            seconds(outcome.milliseconds),
            escape(&outcome.message)
        );
        let details = details(outcome);
        if !details.is_empty() {
            let _ = write!(text, "<pre>{}</pre>", escape(&details.join("\n")));
        }
        text.push_str("</td></tr>\n");
    }
    if !probed.checks.is_empty() {
        text.push_str("</table>\n");
    }
    let findings = findings(probed);
    if !findings.is_empty() {
        text.push_str("<ul>\n");
        for finding in findings {
            let _ = writeln!(text, "<li>{}</li>", escape(&finding));
        }
        text.push_str("</ul>\n");
    }
    text.push_str("</section>\n");
    text
}
