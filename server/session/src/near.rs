//! Names that may have been meant.

/// How many names are offered.
pub(crate) const MOST: usize = 3;

/// The known names nearest to one that is not known, best first: those that contain it or differ in few characters.
pub fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = name.to_lowercase();
    let mut ranked: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|known| {
            let distance = distance(name, known);
            let contains = !wanted.is_empty() && known.to_lowercase().contains(&wanted);
            let close = distance <= name.chars().count().max(known.chars().count()) / 2;
            (contains || close).then_some((distance, known))
        })
        .collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.into_iter().take(MOST).map(|(_, known)| known).collect()
}

/// The names nearest to one as the end of a sentence: `; you may mean a or b`. Empty when none is near.
pub fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    listed(near(name, known))
}

/// Names that may have been meant as the end of a sentence.
pub(crate) fn listed<'a>(near: impl IntoIterator<Item = &'a str>) -> String {
    let near: Vec<String> = near.into_iter().map(|near| format!("`{near}`")).collect();
    if near.is_empty() { String::new() } else { format!("; you may mean {}", near.join(" or ")) }
}

/// The number of single-character edits between two names, without case.
pub(crate) fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (number, character) in one.to_lowercase().chars().enumerate() {
        let mut diagonal = number;
        let mut left = number + 1;
        let mut next = vec![left];
        for (known, above) in other.iter().zip(row.iter().skip(1)) {
            let changed = diagonal + usize::from(character != *known);
            left = changed.min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_those_that_contain_it_or_differ_little() {
        let known = ["review", "review-all", "explain", "test"];
        assert_eq!(near("reveiw", known), ["review"]);
        assert_eq!(near("rev", known), ["review", "review-all"]);
        assert_eq!(near("deploy", known), Vec::<&str>::new());
        assert_eq!(hint("tset", known), "; you may mean `test`");
        assert_eq!(hint("", known), "");
    }

    #[test]
    fn distance_counts_edits_without_case() {
        let distances =
            [("", "ab"), ("kitten", "sitting"), ("Read", "read")].map(|(one, other)| distance(one, other));
        assert_eq!(distances, [2, 3, 0]);
    }
}
