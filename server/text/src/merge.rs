//! Three-way merge by lines, with a second try by words where both sides changed the same lines.
//!
//! Both differences to the base are laid over each other. Where only one side changed, its text is taken; where both
//! made the same change, it is taken once. Changes that touch without sharing a line do not conflict. Lines that one
//! side added inside lines that the other side only deleted survive alone, so that taking back an insertion leaves what
//! was typed into it. Every other region that both sides changed is merged once more by words, under the same rules but
//! that last one. It is a conflict if that fails, or if it would tear a line that one side added as a whole or glue
//! what one side wrote to the next line.

use std::ops::Range;

use thiserror::Error;

use crate::diff::sequence_hunks;
use crate::lines::{LineRange, LineTable, split_line_end};
use crate::text::Text;

/// Lines that both sides changed in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConflictRegion {
    /// Lines of the base.
    pub base: LineRange,
    /// What our side has there.
    pub ours: LineRange,
    /// What their side has there.
    pub theirs: LineRange,
}

/// The merge failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("both sides changed the same text in {} places", regions.len())]
pub struct Conflict {
    /// Where, in the order of the text.
    pub regions: Vec<ConflictRegion>,
}

/// A region that both sides changed in different ways, for whoever knows better than to give up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disputed {
    /// Where it is.
    pub region: ConflictRegion,
    /// Our text.
    pub ours: String,
    /// Their text.
    pub theirs: String,
    /// The single changes on our side: lines of the base, and what we put there.
    pub our_changes: Vec<(LineRange, String)>,
}

/// Applies to `ours` what changed from `base` to `theirs`.
pub fn three_way(base: &Text, ours: &Text, theirs: &Text) -> Result<Text, Conflict> {
    let mut regions = Vec::new();
    let merged = three_way_resolving(base, ours, theirs, &mut |disputed| {
        regions.push(disputed.region);
        String::new()
    });
    if regions.is_empty() { Ok(merged) } else { Err(Conflict { regions }) }
}

/// As [`three_way`], with our text wherever both sides conflict.
pub fn three_way_preferring_ours(base: &Text, ours: &Text, theirs: &Text) -> Text {
    three_way_resolving(base, ours, theirs, &mut |disputed| disputed.ours)
}

/// As [`three_way`], with the text that `resolve` gives wherever both sides conflict.
pub fn three_way_resolving(
    base: &Text,
    ours: &Text,
    theirs: &Text,
    resolve: &mut dyn FnMut(Disputed) -> String,
) -> Text {
    if ours == theirs || base == theirs {
        return ours.clone();
    }
    if base == ours {
        return theirs.clone();
    }
    let (base, ours, theirs) = (base.to_string(), ours.to_string(), theirs.to_string());
    let [base, ours, theirs] =
        [&base, &ours, &theirs].map(|text| LineTable::new(text).lines().collect::<Vec<_>>());
    let sides = Sides { base: &base, ours: &ours, theirs: &theirs };
    let mut merged = String::new();
    for cluster in sides.clusters() {
        match sides.settle(&cluster, Unit::Lines) {
            Some(items) => push_lines(&mut merged, items),
            None => {
                let by_words = merge_words(&sides, &cluster);
                let by_words = by_words.filter(|text| sides.keeps_added_lines(&cluster, text));
                let text = by_words.unwrap_or_else(|| resolve(sides.dispute(&cluster)));
                push_lines(&mut merged, LineTable::new(&text).lines());
            }
        }
    }
    Text::from(merged)
}

/// Appends lines. A last line without line end, behind which the other side added lines, gets their line end.
fn push_lines<'a>(merged: &mut String, lines: impl IntoIterator<Item = &'a str>) {
    for line in lines {
        if !merged.is_empty() && !merged.ends_with(['\n', '\r']) {
            let end = split_line_end(line).1;
            merged.push_str(if end.is_empty() { "\n" } else { end });
        }
        merged.push_str(line);
    }
}

fn merge_words(sides: &Sides<'_>, cluster: &Cluster) -> Option<String> {
    let base = slice(sides.base, &cluster.base).concat();
    let ours = slice(sides.ours, &cluster.ours).concat();
    let theirs = slice(sides.theirs, &cluster.theirs).concat();
    let (base, ours, theirs) = (words(&base), words(&ours), words(&theirs));
    let sides = Sides { base: &base, ours: &ours, theirs: &theirs };
    let mut merged = String::new();
    let ends_line = |item: Option<&&str>| item.is_some_and(|item| item.starts_with(['\n', '\r']));
    let mut follows_change = false;
    for cluster in sides.clusters() {
        let begins_line = merged.is_empty() || merged.ends_with(['\n', '\r']);
        // Words that began a line must not end up inside another, nor the other way round.
        for change in &cluster.changes {
            let (items, at) = match change.side {
                Side::Ours => (sides.ours, cluster.ours.start),
                Side::Theirs => (sides.theirs, cluster.theirs.start),
            };
            let before = at.checked_sub(1).and_then(|before| items.get(before));
            if before.is_none_or(|before| before.ends_with(['\n', '\r'])) != begins_line {
                return None;
            }
        }
        let settled = sides.settle(&cluster, Unit::Words)?;
        // Nor may what one side wrote lose the line end that the other side took away behind it.
        if follows_change
            && !begins_line
            && ends_line(slice(sides.base, &cluster.base).first())
            && !ends_line(settled.first())
        {
            return None;
        }
        follows_change = !cluster.changes.is_empty();
        merged.extend(settled);
    }
    Some(merged)
}

/// Words, runs of blanks, line ends, and every other character by itself.
fn words(text: &str) -> Vec<&str> {
    #[derive(PartialEq)]
    enum Kind {
        Word,
        Blank,
        LineEnd,
        Other,
    }
    let kind = |character: char| match character {
        '\r' | '\n' => Kind::LineEnd,
        ' ' | '\t' => Kind::Blank,
        '_' => Kind::Word,
        character if character.is_alphanumeric() => Kind::Word,
        _ => Kind::Other,
    };
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let first_kind = kind(first);
        let len = match first_kind {
            Kind::LineEnd if rest.starts_with("\r\n") => 2,
            Kind::LineEnd | Kind::Other => first.len_utf8(),
            Kind::Word | Kind::Blank => rest.find(|next| kind(next) != first_kind).unwrap_or(rest.len()),
        };
        let Some((word, tail)) = rest.split_at_checked(len) else { break };
        words.push(word);
        rest = tail;
    }
    words
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Lines,
    Words,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Ours,
    Theirs,
}

/// A stretch of the three sequences: unchanged, changed by one side, or by both in places that overlap.
struct Cluster {
    base: Range<usize>,
    ours: Range<usize>,
    theirs: Range<usize>,
    changes: Vec<Change>,
}

struct Change {
    side: Side,
    base: Range<usize>,
    new: Range<usize>,
}

struct Sides<'a> {
    base: &'a [&'a str],
    ours: &'a [&'a str],
    theirs: &'a [&'a str],
}

fn slice<'a, 'b>(items: &'a [&'b str], range: &Range<usize>) -> &'a [&'b str] {
    items.get(range.clone()).unwrap_or_default()
}

/// Whether two changes claim the same items, or both insert at the same place.
fn overlap(first: &Range<usize>, second: &Range<usize>) -> bool {
    match (first.is_empty(), second.is_empty()) {
        (true, true) => first.start == second.start,
        (true, false) => second.start < first.start && first.start < second.end,
        (false, true) => first.start < second.start && second.start < first.end,
        (false, false) => first.start < second.end && second.start < first.end,
    }
}

impl<'a> Sides<'a> {
    /// Whether all lines that a side added between others are lines of the merged text.
    fn keeps_added_lines(&self, cluster: &Cluster, merged: &str) -> bool {
        let merged: Vec<&str> = LineTable::new(merged).lines().map(|line| split_line_end(line).0).collect();
        cluster.changes.iter().filter(|change| change.base.is_empty()).all(|change| {
            let items = match change.side {
                Side::Ours => self.ours,
                Side::Theirs => self.theirs,
            };
            slice(items, &change.new).iter().all(|line| merged.contains(&split_line_end(line).0))
        })
    }

    /// Cuts the three sequences into stretches that can be settled one by one, in order and without gaps.
    fn clusters(&self) -> Vec<Cluster> {
        let mut changes: Vec<Change> = [(Side::Ours, self.ours), (Side::Theirs, self.theirs)]
            .into_iter()
            .flat_map(|(side, items)| {
                sequence_hunks(self.base, items).into_iter().map(move |(base, new)| Change {
                    side,
                    base,
                    new,
                })
            })
            .collect();
        changes.sort_by_key(|change| (change.base.start, change.base.end, change.side));

        let mut groups: Vec<(Range<usize>, Vec<Change>)> = Vec::new();
        for change in changes {
            match groups.last_mut() {
                Some((base, group)) if overlap(base, &change.base) => {
                    base.end = base.end.max(change.base.end);
                    group.push(change);
                }
                Some(_) | None => groups.push((change.base.clone(), vec![change])),
            }
        }

        let mut clusters = Vec::with_capacity(groups.len() * 2 + 1);
        let (mut at_base, mut at_ours, mut at_theirs) = (0, 0, 0);
        let mut push = |base: Range<usize>, changes: Vec<Change>| {
            let len_of = |side: Side| {
                let of_side = changes.iter().filter(|change| change.side == side);
                of_side.fold(base.len(), |len, change| len - change.base.len() + change.new.len())
            };
            let ours = at_ours..at_ours + len_of(Side::Ours);
            let theirs = at_theirs..at_theirs + len_of(Side::Theirs);
            (at_ours, at_theirs) = (ours.end, theirs.end);
            clusters.push(Cluster { base, ours, theirs, changes });
        };
        for (base, changes) in groups {
            if at_base < base.start {
                push(at_base..base.start, Vec::new());
            }
            at_base = base.end;
            push(base, changes);
        }
        if at_base < self.base.len() {
            push(at_base..self.base.len(), Vec::new());
        }
        clusters
    }

    /// The merged items of a stretch, or `None` if both sides want something different.
    fn settle(&self, cluster: &Cluster, unit: Unit) -> Option<Vec<&'a str>> {
        let base = self.base.get(cluster.base.clone())?;
        let ours = self.ours.get(cluster.ours.clone())?;
        let theirs = self.theirs.get(cluster.theirs.clone())?;
        let touched_by = |side| cluster.changes.iter().any(|change| change.side == side);
        match (touched_by(Side::Ours), touched_by(Side::Theirs)) {
            (false, false) => Some(base.to_vec()),
            (true, false) => Some(ours.to_vec()),
            (false, true) => Some(theirs.to_vec()),
            (true, true) if ours == theirs => Some(ours.to_vec()),
            (true, true) => match unit {
                Unit::Lines => self.insertions_inside_deletion(cluster),
                Unit::Words => None,
            },
        }
    }

    fn dispute(&self, cluster: &Cluster) -> Disputed {
        let ours = cluster.changes.iter().filter(|change| change.side == Side::Ours);
        let lines = |range: &Range<usize>| LineRange::from_counts(range.start, range.end);
        Disputed {
            region: ConflictRegion {
                base: lines(&cluster.base),
                ours: lines(&cluster.ours),
                theirs: lines(&cluster.theirs),
            },
            ours: slice(self.ours, &cluster.ours).concat(),
            theirs: slice(self.theirs, &cluster.theirs).concat(),
            our_changes: ours
                .map(|change| (lines(&change.base), slice(self.ours, &change.new).concat()))
                .collect(),
        }
    }

    /// What one side inserted, if the other side deleted the whole stretch and nothing else happened to it.
    fn insertions_inside_deletion(&self, cluster: &Cluster) -> Option<Vec<&'a str>> {
        let (deletions, insertions): (Vec<_>, Vec<_>) =
            cluster.changes.iter().partition(|change| change.new.is_empty() && change.base == cluster.base);
        let [deletion] = deletions.as_slice() else { return None };
        let mut items = Vec::new();
        for insertion in insertions {
            if !insertion.base.is_empty() || insertion.side == deletion.side {
                return None;
            }
            let inserted = match insertion.side {
                Side::Ours => self.ours.get(insertion.new.clone())?,
                Side::Theirs => self.theirs.get(insertion.new.clone())?,
            };
            items.extend_from_slice(inserted);
        }
        Some(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(base: &str, ours: &str, theirs: &str) -> Result<String, Vec<(u32, u32)>> {
        three_way(&Text::from(base), &Text::from(ours), &Text::from(theirs))
            .map(|text| text.to_string())
            .map_err(|conflict| {
                conflict.regions.iter().map(|region| (region.base.start.0, region.base.end.0)).collect()
            })
    }

    fn check(base: &str, ours: &str, theirs: &str, expected: &str) {
        assert_eq!(merge(base, ours, theirs).as_deref(), Ok(expected), "{base:?} {ours:?} {theirs:?}");
    }

    #[test]
    fn changes_in_different_lines_are_both_made() {
        check("a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n", "A\nb\nC\n");
        check("a\nb\n", "A\nb\n", "a\nB\n", "A\nB\n");
        check("a\nb\nc\n", "a\nb\nc\nd\n", "b\nc\n", "b\nc\nd\n");
    }

    #[test]
    fn the_same_change_is_made_once() {
        check("a\nb\n", "a\nx\n", "a\nx\n", "a\nx\n");
        check("a\nb\nc\n", "a\nx\nc\nd\n", "a\nx\nc\n", "a\nx\nc\nd\n");
    }

    #[test]
    fn a_line_added_behind_a_changed_one_stays_behind_it() {
        check("a\nb\n", "a\nuser\nb\n", "A\nb\n", "A\nuser\nb\n");
        check("a\nb\n", "a\nuser\nb\n", "b\n", "user\nb\n");
    }

    #[test]
    fn lines_are_never_glued_together() {
        check("a\r\n", "a\r\nmine\r\n", "no line end", "no line end\r\nmine\r\n");
        check("a\nb\n", "a\nb\nmine", "a\nB", "a\nB\nmine");
    }

    #[test]
    fn words_of_one_line_are_merged() {
        check("x = 2;\n", "x = 2; // mine\n", "x = 1;\n", "x = 1; // mine\n");
        check("x = 2\n", "x = 2  # mine\n", "x = 1\n", "x = 1  # mine\n");
        check(
            "let x = two(1);\r\n",
            "let mine = two(1);\r\n",
            "let x = one(1);\r\n",
            "let mine = one(1);\r\n",
        );
        check("print(\"😀 b\")\n", "print(\"😀 mine\")\n", "log(\"😀 b\")\n", "log(\"😀 mine\")\n");
    }

    #[test]
    fn an_added_line_never_ends_up_inside_another() {
        let merged = merge("a\nx\ny\n", "a\nmine\nx\ny\n", "a b\nc\ny\n");
        assert_eq!(merged.as_deref(), Ok("a b\nmine\nc\ny\n"));
        assert_eq!(merge("}\n", "mine\n\n}\n", "f()\n}\n"), Err(vec![(0, 0)]));
    }

    #[test]
    fn lines_added_inside_deleted_ones_survive() {
        check("a\n1\n2\n3\nb\n", "a\n1\nmine\n2\n3\nb\n", "a\nb\n", "a\nmine\nb\n");
        check("1\n2\n", "1\nmine\n2\n", "", "mine\n");
    }

    #[test]
    fn different_changes_of_the_same_words_conflict() {
        assert_eq!(merge("a\nb\nc\n", "a\nx\nc\n", "a\ny\nc\n"), Err(vec![(1, 2)]));
        assert_eq!(merge("a\nb\n", "a\nx\nb\n", "a\ny\nb\n"), Err(vec![(1, 1)]));
        assert_eq!(merge("a\nfoo(1)\nb\n", "a\nfoo(1, 2)\nb\n", "a\nb\n"), Err(vec![(1, 2)]));
    }

    #[test]
    fn a_conflict_names_the_lines_of_all_three_texts() {
        let [base, ours, theirs] = ["a\nb\nc\n", "0\na\nx\nc\n", "a\ny\nz\nc\n"].map(Text::from);
        let region = ConflictRegion {
            base: LineRange::new(1, 2),
            ours: LineRange::new(2, 3),
            theirs: LineRange::new(1, 3),
        };
        assert_eq!(three_way(&base, &ours, &theirs), Err(Conflict { regions: vec![region] }));
        assert_eq!(three_way_preferring_ours(&base, &ours, &theirs), "0\na\nx\nc\n");
    }
}
