//! Aligned columns.

/// Rows below a heading.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column names.
    pub fn new<const N: usize>(heading: [&str; N]) -> Self {
        Self {
            rows: vec![heading.map(str::to_owned).to_vec()],
        }
    }

    /// Adds a row of any length.
    pub fn line(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    /// The lines: columns three spaces apart, nothing behind the last.
    pub fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|r| r.get(column))
                .map(|c| c.chars().count())
                .max()
        };
        let widths: Vec<usize> = (0..columns)
            .map(|column| width(column).unwrap_or(0))
            .collect();
        let line = |row: &Vec<String>| {
            let cells = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

/// A number of bytes as people read it, in powers of 1000 like docker's.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        return format!("{bytes}B");
    }
    let digits = precision(value);
    format!("{value:.digits$}{}", UNITS[unit])
}

/// Three significant digits.
fn precision(value: f64) -> usize {
    if value < 10.0 {
        2
    } else {
        usize::from(value < 100.0)
    }
}

/// How long ago `then` was, in seconds since 1970, as docker says it.
pub fn ago(then: i64) -> String {
    format!("{} ago", span(now() - then))
}

/// So many seconds, as docker says it.
pub fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (count, unit) = match seconds {
        0 => return "Less than a second".into(),
        1..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86400 => (seconds / 3600, "hour"),
        86400..1_209_600 => (seconds / 86400, "day"),
        1_209_600..5_184_000 => (seconds / 604_800, "week"),
        5_184_000..63_072_000 => (seconds / 2_592_000, "month"),
        _ => (seconds / 31_536_000, "year"),
    };
    let plural = if count == 1 { "" } else { "s" };
    match (count, unit) {
        (1, "minute") => "About a minute".into(),
        (1, "hour") => "About an hour".into(),
        _ => format!("{count} {unit}{plural}"),
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    std::time::UNIX_EPOCH
        .elapsed()
        .map_or(0, |d| d.as_secs() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["NAME", "SIZE"]);
        table.row(["a-long-name".into(), "1B".into()]);
        assert_eq!(table.lines(), ["NAME          SIZE", "a-long-name   1B"]);
    }

    #[test]
    fn sizes_have_three_digits() {
        let all = [0, 999, 1500, 12_345_678, 205_000_000].map(size);
        assert_eq!(all, ["0B", "999B", "1.50kB", "12.3MB", "205MB"]);
    }
}
