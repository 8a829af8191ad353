//! Giving each of some its own of some others.

/// Whether every one of `left` can have one of `right` for itself that fits. Found by augmenting
/// paths.
pub(super) fn all_apart<L, R>(left: &[L], right: &[R], fits: impl Fn(&L, &R) -> bool) -> bool {
    let mut taken: Vec<Option<usize>> = vec![None; right.len()];
    (0..left.len()).all(|place| {
        let mut tried = vec![false; right.len()];
        seat(place, left, right, &fits, &mut taken, &mut tried)
    })
}

fn seat<L, R>(
    place: usize,
    left: &[L],
    right: &[R],
    fits: &impl Fn(&L, &R) -> bool,
    taken: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for other in 0..right.len() {
        if tried[other] || !fits(&left[place], &right[other]) {
            continue;
        }
        tried[other] = true;
        let free = match taken[other] {
            None => true,
            Some(holder) => seat(holder, left, right, fits, taken, tried),
        };
        if free {
            taken[other] = Some(place);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_may_have_to_move() {
        let fits = |left: &&str, right: &&str| right.starts_with(left);
        // The first would take what alone fits the second.
        assert!(all_apart(&["a", "ab"], &["ab", "ac"], fits));
        assert!(!all_apart(&["ab", "ab"], &["ab", "ac"], fits));
        assert!(all_apart::<&str, &str>(&[], &[], fits));
    }
}
