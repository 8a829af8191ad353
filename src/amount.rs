//! Sizes and ages as people write them.

use std::time::Duration;

/// Reads a number of bytes: `500M`, `20G`, `1.5T` in powers of 1000; `GiB` and so on in powers of
/// 1024.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size; write 500M, 20G or 20GiB");
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let unit = unit.to_ascii_lowercase();
    let (letter, base) = match unit.strip_suffix("ib") {
        Some(letter) => (letter, 1024_f64),
        None => (unit.strip_suffix('b').unwrap_or(&unit), 1000.0),
    };
    let power = ["", "k", "m", "g", "t"]
        .iter()
        .position(|it| *it == letter)
        .ok_or_else(wrong)?;
    Ok((number * base.powi(power as i32)) as u64)
}

/// Reads an age: a number with `s`, `m`, `h`, `d` or `w`; `0` is no time at all.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no age; write 12h, 30d or 2w");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        'w' => 7 * 24 * 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text
        .strip_suffix(unit)
        .and_then(|it| it.parse().ok())
        .ok_or_else(wrong)?;
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        assert_eq!(bytes("0"), Ok(0));
        assert_eq!(bytes("1.5G"), Ok(1_500_000_000));
        assert_eq!(bytes("2GiB"), Ok(2 << 30));
        assert_eq!(bytes("7kb"), Ok(7000));
        for text in ["", "G", "1X", "-1G", "1 G", "."] {
            bytes(text).unwrap_err();
        }
        assert_eq!(age("0"), Ok(Duration::ZERO));
        assert_eq!(age("2w"), Ok(Duration::from_secs(14 * 86400)));
        for text in ["", "d", "3", "1.5h", "9999999999999999w", "3ä"] {
            age(text).unwrap_err();
        }
    }
}
