//! What must hold for every text: invariant I17 and its neighbors.
#![cfg(test)]

use kit_text::find::{Replacement, locate};
use kit_text::line_end::{LineEnds, adopt, decode};
use kit_text::{ByteOffset, Edit, EditSet, Encoding, LineIndex, Text, diff, merge, rebase};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Short lines from a small alphabet, so that lines repeat; every line end; often no final one.
fn text() -> impl Strategy<Value = String> {
    let piece = select(vec!["a", "b", "c d", "é", "😀", "\t", " ", "\u{2028}", "", "x = 1"]);
    let end = select(vec!["\n", "\r\n", "\r", "\n", ""]);
    vec((piece, end), 0..12)
        .prop_map(|lines| lines.into_iter().map(|(piece, end)| piece.to_owned() + end).collect())
}

/// A text and another that shares much with it.
fn related() -> impl Strategy<Value = (String, String)> {
    (text(), text(), any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(
        |(first, second, from, to)| {
            let boundaries: Vec<usize> =
                (0..=first.len()).filter(|offset| first.is_char_boundary(*offset)).collect();
            let (from, to) = (*from.get(&boundaries), *to.get(&boundaries));
            let changed = first[..from.min(to)].to_owned() + &second + &first[from.max(to)..];
            (first, changed)
        },
    )
}

/// Edits of a text at arbitrary character boundaries.
fn edits_of(base: &Text, cuts: &[(prop::sample::Index, prop::sample::Index, String)]) -> EditSet {
    let len = base.len_bytes();
    let boundaries: Vec<usize> =
        (0..=len).filter(|offset| base.is_char_boundary(ByteOffset(*offset))).collect();
    let mut set = EditSet::empty(base);
    for (from, to, text) in cuts {
        let (from, to) = (*from.get(&boundaries), *to.get(&boundaries));
        let range = ByteOffset(from.min(to))..ByteOffset(from.max(to).min(from.min(to) + 4));
        let range = if base.is_char_boundary(range.end) { range } else { range.start..range.start };
        let mut list = set.edits().to_vec();
        list.push(Edit::new(range, text.clone()));
        set = EditSet::new(base, list).unwrap_or(set);
    }
    set
}

fn cuts() -> impl Strategy<Value = Vec<(prop::sample::Index, prop::sample::Index, String)>> {
    vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), text()), 0..4)
}

proptest! {
    #[test]
    fn edits_between_two_texts_give_the_second((old, new) in related()) {
        let (old, new) = (Text::from(old), Text::from(new));
        let edits = EditSet::between(&old, &new);
        prop_assert_eq!(&old.apply(&edits).unwrap(), &new);
        prop_assert_eq!(edits.is_empty(), old == new);
        for edit in &edits {
            for offset in [edit.range.start, edit.range.end] {
                prop_assert!(old.is_char_boundary(offset) && !old.is_inside_crlf(offset));
            }
        }
    }

    #[test]
    fn inverse_edits_give_the_base_back(base in text(), cuts in cuts()) {
        let base = Text::from(base);
        let edits = edits_of(&base, &cuts);
        let inverse = edits.inverse();
        prop_assert_eq!(edits.result().apply(&inverse).unwrap(), base);
    }

    #[test]
    fn positions_round_trip(text in text()) {
        let source = text.clone();
        let text = Text::from(text);
        for offset in (0..=source.len()).filter(|offset| source.is_char_boundary(*offset)).map(ByteOffset) {
            for encoding in [Encoding::Utf8, Encoding::Utf16] {
                let position = text.position_of(offset, encoding);
                if text.is_inside_crlf(offset) {
                    prop_assert_eq!(text.offset_of(position, encoding), ByteOffset(offset.0 - 1));
                } else {
                    prop_assert_eq!(text.offset_of(position, encoding), offset);
                    prop_assert_eq!(text.try_offset_of(position, encoding), Some(offset));
                }
            }
        }
    }

    #[test]
    fn incremental_changes_equal_the_string(base in text(), cuts in cuts()) {
        let mut expected = base.clone();
        let mut text = Text::from(base);
        for (from, to, with) in cuts {
            let boundaries: Vec<usize> =
                (0..=expected.len()).filter(|offset| expected.is_char_boundary(*offset)).collect();
            let (from, to) = (*from.get(&boundaries), *to.get(&boundaries));
            let range = from.min(to)..from.max(to);
            expected.replace_range(range.clone(), &with);
            text.replace(ByteOffset(range.start)..ByteOffset(range.end), &with).unwrap();
            prop_assert_eq!(&text, expected.as_str());
            prop_assert_eq!(text.hash(), Text::from(expected.as_str()).hash());
            prop_assert_eq!(text.line_count(), Text::from(expected.as_str()).line_count());
        }
    }

    #[test]
    fn rebase_commutes(base in text(), agent in cuts(), user in cuts()) {
        let base = Text::from(base);
        let (agent, user) = (edits_of(&base, &agent), edits_of(&base, &user));
        match (rebase(&agent, &user), rebase(&user, &agent)) {
            (Ok(agent_last), Ok(user_last)) => prop_assert_eq!(agent_last.result(), user_last.result()),
            (Err(_), Err(_)) => {}
            (one, other) => prop_assert!(false, "{one:?} {other:?}"),
        }
    }

    #[test]
    fn hunks_cover_exactly_the_difference((base, current) in related()) {
        let (base, current) = (Text::from(base), Text::from(current));
        let hunks = diff::hunks(&base, &current);
        let mut rebuilt = String::new();
        let mut common = 0;
        for (index, hunk) in hunks.iter().enumerate() {
            prop_assert_ne!(base.lines_text(hunk.base), current.lines_text(hunk.current));
            prop_assert!(index == 0 || hunk.base.start.0 > common);
            rebuilt += &base.lines_text(kit_text::LineRange::new(common, hunk.base.start.0));
            rebuilt += &current.lines_text(hunk.current);
            common = hunk.base.end.0;
        }
        rebuilt += &base.lines_text(kit_text::LineRange::new(common, u32::MAX));
        prop_assert_eq!(current, rebuilt.as_str());
    }

    #[test]
    fn merging_with_an_unchanged_side_gives_the_other((base, other) in related()) {
        let (base, other) = (Text::from(base), Text::from(other));
        prop_assert_eq!(merge::three_way(&base, &other, &base), Ok(other.clone()));
        prop_assert_eq!(merge::three_way(&base, &base, &other), Ok(other.clone()));
        prop_assert_eq!(merge::three_way(&base, &other, &other), Ok(other));
    }

    #[test]
    fn merging_is_symmetric(base in text(), ours in cuts(), theirs in cuts()) {
        let base = Text::from(base);
        let (ours, theirs) = (edits_of(&base, &ours).result(), edits_of(&base, &theirs).result());
        match (merge::three_way(&base, &ours, &theirs), merge::three_way(&base, &theirs, &ours)) {
            (Ok(one), Ok(other)) => prop_assert_eq!(one, other),
            (Err(one), Err(other)) => prop_assert_eq!(one.regions.len(), other.regions.len()),
            (one, other) => prop_assert!(false, "{one:?} {other:?}"),
        }
    }

    #[test]
    fn a_replaced_line_leaves_all_others_byte_identical(
        lines in vec(("[a-z]{3,8}", select(vec!["\n", "\r\n", "\r"])), 1..10),
        chosen in any::<prop::sample::Index>(),
    ) {
        let mut lines: Vec<(String, &str)> = lines
            .into_iter()
            .enumerate()
            .map(|(index, (content, end))| (format!("{content} {index}."), end))
            .collect();
        let source: String = lines.iter().map(|(content, end)| content.clone() + end).collect();
        let old: String = lines.iter().map(|(content, _)| content.clone() + "\n").collect();
        let chosen = chosen.index(lines.len());
        lines[chosen].0 = "changed 😀".to_owned();
        let expected: String = lines.iter().map(|(content, end)| content.clone() + end).collect();
        let new: String = lines.iter().map(|(content, _)| content.clone() + "\n").collect();

        let text = Text::from(source);
        let located = locate(&text, &[Replacement { old, new: new.clone() }]).unwrap();
        prop_assert_eq!(located.edits.edits().len(), 1);
        prop_assert_eq!(located.new_text, expected.as_str());
        prop_assert_eq!(adopt(&text, &new), expected.as_str());
    }

    #[test]
    fn a_write_of_the_same_content_changes_nothing(text in text()) {
        let original = Text::from(text.as_str());
        let lf = text.replace("\r\n", "\n").replace('\r', "\n");
        prop_assert_eq!(adopt(&original, &lf), original);
    }

    #[test]
    fn every_part_of_a_text_is_found_or_refused_by_name(text in text(), cut in cuts(), new in text()) {
        let base = Text::from(text);
        for edit in &edits_of(&base, &cut) {
            let old = base.slice(edit.range.clone()).unwrap().into_owned();
            if let Ok(located) = locate(&base, &[Replacement { old, new: new.clone() }]) {
                prop_assert_eq!(base.apply(&located.edits), Ok(located.new_text));
            }
        }
    }

    #[test]
    fn bytes_survive_decoding(bytes in vec(any::<u8>(), 0..40), text in text(), bom in any::<bool>()) {
        if let Ok(decoded) = decode(&bytes) {
            prop_assert_eq!(decoded.encode(), bytes);
        }
        let bytes = [if bom { "\u{feff}".as_bytes() } else { b"" }, text.as_bytes()].concat();
        prop_assert_eq!(decode(&bytes).unwrap().encode(), bytes);
    }

    #[test]
    fn line_ends_are_counted_once_each(text in text()) {
        let text = Text::from(text);
        let ends = LineEnds::of(&text);
        prop_assert_eq!(ends.lf + ends.crlf + ends.cr + 1, text.line_count());
        prop_assert_eq!(text.line_of(text.end()), LineIndex::from_count(text.line_count() - 1));
    }
}
