//! Names of containers.

use super::Error;

/// Whether this can be one.
pub(super) fn check(name: &str) -> Result<(), Error> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|it| it.is_ascii_alphanumeric());
    let rest = bytes.all(|it| it.is_ascii_alphanumeric() || b"_.-".contains(&it));
    if first && rest && name.len() <= 128 {
        Ok(())
    } else {
        Err(Error::BadName(name.to_owned()))
    }
}

const HOW: [&str; 32] = [
    "agile", "amber", "brave", "brisk", "calm", "civil", "clear", "cosy", "crisp", "deep", "eager",
    "early", "fair", "fine", "fresh", "gentle", "glad", "grand", "happy", "keen", "kind", "light",
    "merry", "mild", "neat", "plain", "quick", "quiet", "sound", "swift", "warm", "wise",
];
const WHAT: [&str; 32] = [
    "alder", "ash", "badger", "beech", "birch", "crane", "curlew", "elm", "falcon", "finch", "fir",
    "hare", "hazel", "heron", "jay", "juniper", "larch", "lark", "linden", "lynx", "maple",
    "marten", "oak", "otter", "owl", "pine", "poplar", "raven", "rowan", "stork", "willow", "wren",
];

/// A name made of an id, another one in every round.
pub(super) fn random(id: &str, round: u32) -> String {
    let digit = |place: usize| {
        let text = id.get(place..place + 2).unwrap_or("0");
        usize::from_str_radix(text, 16).unwrap_or(0)
    };
    let (how, what) = (HOW[digit(0) % HOW.len()], WHAT[digit(2) % WHAT.len()]);
    match round {
        0 => format!("{how}_{what}"),
        round => format!("{how}_{what}{round}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert!(check("web-1.a_b").is_ok());
        for bad in ["", "-a", "a b", "a/b", "ü"] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(check(&random("00ff", 0)).is_ok());
        assert_ne!(random("00ff", 0), random("00ff", 1));
    }
}
