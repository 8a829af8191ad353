//! "Did you mean".

/// Returns the known word nearest to a mistyped one, where one is near enough.
pub(crate) fn similar<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// Returns the advice for an unknown word: the nearest known one, else all of them.
pub(crate) fn advice<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    if let Some(nearest) = similar(word, known.clone()) {
        return Some(format!("did you mean `{nearest}`?"));
    }
    let all: Vec<_> = known
        .into_iter()
        .map(|candidate| format!("`{candidate}`"))
        .collect();
    (!all.is_empty()).then(|| format!("expected one of {}", all.join(", ")))
}
