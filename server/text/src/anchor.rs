//! Comparing long sequences: split at what occurs once on both sides, then compare what lies between.
//!
//! Items that are unique on both sides and stand in the same order are taken as equal pairs (the longest increasing run
//! of them), which costs n·log n whatever changed. The stretches between the pairs are mostly a few items long, and are
//! compared by the histogram algorithm, which follows the structure of code best but takes quadratic time on long
//! stretches with many changes; those are compared by Myers' algorithm.

use std::ops::Range;

use similar::{Algorithm, DiffOp};

/// Longer stretches are not compared by histogram.
const LONGEST_FOR_HISTOGRAM: usize = 1_000;

/// The ranges in which two sequences differ, in order, between two of them at least one equal item. Items are numbers
/// below `distinct`.
pub(crate) fn differences(
    base: &[u32],
    current: &[u32],
    distinct: usize,
) -> Vec<(Range<usize>, Range<usize>)> {
    let mut found: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    let mut from = (0, 0);
    let end = (base.len(), current.len());
    for (in_base, in_current) in anchors(base, current, distinct).into_iter().chain([end]) {
        compare(base, current, from.0..in_base, from.1..in_current, &mut found);
        from = (in_base + 1, in_current + 1);
    }
    found
}

fn compare(
    base: &[u32],
    current: &[u32],
    base_range: Range<usize>,
    current_range: Range<usize>,
    found: &mut Vec<(Range<usize>, Range<usize>)>,
) {
    if base_range.is_empty() && current_range.is_empty() {
        return;
    }
    let mut push = |old: Range<usize>, new: Range<usize>| match found.last_mut() {
        Some((last_old, last_new)) if last_old.end == old.start && last_new.end == new.start => {
            last_old.end = old.end;
            last_new.end = new.end;
        }
        Some(_) | None => found.push((old, new)),
    };
    if base_range.is_empty() || current_range.is_empty() {
        push(base_range, current_range);
        return;
    }
    let longest = base_range.len().max(current_range.len());
    let algorithm = if longest <= LONGEST_FOR_HISTOGRAM { Algorithm::Histogram } else { Algorithm::Myers };
    for op in similar::capture_diff(algorithm, base, base_range, current, current_range) {
        if !matches!(op, DiffOp::Equal { .. }) {
            push(op.old_range(), op.new_range());
        }
    }
}

/// Where a number stands in a sequence.
#[derive(Clone, Copy)]
enum Place {
    Nowhere,
    Once(usize),
    Often,
}

fn places(items: &[u32], distinct: usize) -> Vec<Place> {
    let mut places = vec![Place::Nowhere; distinct];
    for (index, item) in items.iter().enumerate() {
        if let Some(place) = usize::try_from(*item).ok().and_then(|item| places.get_mut(item)) {
            *place = match place {
                Place::Nowhere => Place::Once(index),
                Place::Once(_) | Place::Often => Place::Often,
            };
        }
    }
    places
}

/// Pairs of equal unique items, ascending on both sides.
fn anchors(base: &[u32], current: &[u32], distinct: usize) -> Vec<(usize, usize)> {
    let in_current = places(current, distinct);
    let mut pairs: Vec<(usize, usize)> = places(base, distinct)
        .into_iter()
        .zip(in_current)
        .filter_map(|places| match places {
            (Place::Once(base), Place::Once(current)) => Some((base, current)),
            (_, _) => None,
        })
        .collect();
    pairs.sort_unstable();
    longest_increasing(&pairs)
}

/// The longest run of pairs, which ascend on the first side, that ascends on the second side too.
fn longest_increasing(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // For each length, the pair with which a run of that length can end earliest; and for each pair the one before it.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    let second = |index: usize| pairs.get(index).map_or(0, |(_, second)| *second);
    for (index, (_, current)) in pairs.iter().enumerate() {
        let len = match ends.last() {
            Some(last) if second(*last) < *current => ends.len(),
            Some(_) | None => ends.partition_point(|end| second(*end) < *current),
        };
        before.push(len.checked_sub(1).and_then(|shorter| ends.get(shorter)).copied());
        match ends.get_mut(len) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut run = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(index) = next {
        run.extend(pairs.get(index).copied());
        next = before.get(index).copied().flatten();
    }
    run.reverse();
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base: &[u32], current: &[u32], expected: &[(Range<usize>, Range<usize>)]) {
        assert_eq!(differences(base, current, 10), expected, "{base:?} {current:?}");
    }

    #[test]
    fn unique_items_hold_the_sequences_together() {
        check(&[1, 2, 3], &[1, 2, 3], &[]);
        check(&[1, 2, 3], &[1, 9, 3], &[(1..2, 1..2)]);
        check(&[1, 0, 2, 0, 3], &[1, 0, 0, 2, 3], &[(2..2, 2..3), (3..4, 4..4)]);
    }

    #[test]
    fn of_items_that_changed_places_the_fewest_are_different() {
        check(&[1, 2, 3, 4, 5], &[2, 3, 4, 5, 1], &[(0..1, 0..0), (5..5, 4..5)]);
        check(&[5, 1, 2], &[1, 2, 5], &[(0..1, 0..0), (3..3, 2..3)]);
    }

    #[test]
    fn nothing_in_common_is_one_difference() {
        check(&[1, 2], &[3, 4, 5], &[(0..2, 0..3)]);
        check(&[], &[3], &[(0..0, 0..1)]);
        check(&[0, 0], &[0], &[(1..2, 1..1)]);
    }
}
