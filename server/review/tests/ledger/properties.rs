//! What holds after any sequence of changes and decisions.

use kit_review::Selection;
use kit_text::{Text, diff};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::desk::{Desk, uri};

const NAME: &str = "a";

#[derive(Clone, Debug)]
enum Deed {
    /// The agent replaces some lines that are not the user's.
    Agent {
        at: Index,
        removed: usize,
        added: Vec<String>,
    },
    /// The user adds a line that nobody else ever writes.
    UserLine {
        at: Index,
    },
    /// The user puts such a line in place of another.
    UserReplaces {
        at: Index,
    },
    Keep(Index),
    Undo(Index),
    Revert,
    /// The agent begins another turn.
    Turn,
    /// The files go back to before one of the turns.
    Rewind(Index),
    Restart,
}

fn line() -> impl Strategy<Value = String> {
    let content = select(vec!["alpha", "beta", "gamma(1)", "}", "", "  x = 2;", "é😀"]);
    let end = select(vec!["\n", "\n", "\r\n", "\r"]);
    (content, end).prop_map(|(content, end)| content.to_owned() + end)
}

fn original() -> impl Strategy<Value = String> {
    (vec(line(), 0..10), select(vec!["", "no final line end", "\u{feff}"]))
        .prop_map(|(lines, last)| lines.concat() + last)
}

fn deed() -> impl Strategy<Value = Deed> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), 0_usize..3, vec(line(), 0..3)).prop_map(|(at, removed, added)| Deed::Agent { at, removed, added }),
        3 => at().prop_map(|at| Deed::UserLine { at }),
        1 => at().prop_map(|at| Deed::UserReplaces { at }),
        2 => at().prop_map(Deed::Keep),
        2 => at().prop_map(Deed::Undo),
        1 => Just(Deed::Revert),
        1 => Just(Deed::Turn),
        1 => at().prop_map(Deed::Rewind),
        1 => Just(Deed::Restart),
    ]
}

fn lines_of(text: &str) -> Vec<String> {
    let text = Text::from(text);
    let lines = (0..text.line_count()).map(kit_text::LineIndex::from_count);
    lines
        .filter_map(|line| text.line(line).map(|line| line.into_owned()))
        .filter(|line| !line.is_empty())
        .collect()
}

fn is_users(line: &str) -> bool {
    line.starts_with("user ")
}

/// A desk, and the lines that the user wrote and nobody may take away.
struct Story {
    desk: Desk,
    written: Vec<String>,
    /// Whether the agent never writes a line twice. Where lines repeat, a difference can be read in several ways, and
    /// deciding about single hunks can mean to give up a line of the user's.
    distinct: bool,
    added: usize,
    turns: Vec<String>,
}

impl Story {
    fn new(original: &str) -> Self {
        Self {
            desk: Desk::new(&[(NAME, original)]),
            written: Vec::new(),
            distinct: false,
            added: 0,
            turns: vec!["t1".to_owned()],
        }
    }

    fn of_distinct_lines(original: &str) -> Self {
        let lines = lines_of(original).into_iter().enumerate();
        let numbered: String = lines.map(|(number, line)| format!("{number}: {line}")).collect();
        Self { distinct: true, ..Self::new(&numbered) }
    }

    fn perform(&mut self, deed: &Deed) {
        let text = self.desk.text(NAME).unwrap();
        let mut lines = lines_of(&text);
        match deed {
            Deed::Agent { at, removed, added } => {
                let at = at.index(lines.len() + 1);
                // Text in front of an added line ends in a line end, as no agent glues lines together.
                if at > 0 && !added.is_empty() && !lines[at - 1].ends_with(['\n', '\r']) {
                    return;
                }
                let end = (at + removed).min(lines.len());
                if lines[at..end].iter().any(|line| is_users(line)) {
                    return;
                }
                let first = self.added;
                self.added += added.len();
                let number = |(number, line): (usize, &String)| match self.distinct {
                    true => format!("added {}: {line}", first + number),
                    false => line.clone(),
                };
                lines.splice(at..end, added.iter().enumerate().map(number));
                let turn = self.turns.last().unwrap();
                self.desk.agent(turn, NAME, Some(&lines.concat()));
            }
            Deed::UserLine { at } | Deed::UserReplaces { at } => {
                let at = at.index(lines.len() + 1);
                if at > 0 && !lines[at - 1].ends_with(['\n', '\r']) {
                    return;
                }
                let replaces = matches!(deed, Deed::UserReplaces { .. });
                let end = if replaces { (at + 1).min(lines.len()) } else { at };
                if lines[at..end].iter().any(|line| is_users(line)) {
                    return;
                }
                let line = format!("user {}\n", self.written.len());
                lines.splice(at..end, [line.clone()]);
                self.written.push(line);
                self.desk.user(NAME, Some(&lines.concat()));
            }
            Deed::Keep(at) => {
                let count = self.desk.hunks(NAME).len();
                if count > 0 {
                    self.desk.keep(self.desk.hunk(NAME, at.index(count)));
                }
            }
            Deed::Undo(at) => {
                let count = self.desk.hunks(NAME).len();
                if count > 0 {
                    self.desk.undo(self.desk.hunk(NAME, at.index(count)));
                }
            }
            Deed::Revert => drop(self.desk.revert()),
            Deed::Turn => self.turns.push(format!("t{}", self.turns.len() + 1)),
            Deed::Rewind(at) => {
                let turns: Vec<&str> = self.turns.iter().map(String::as_str).collect();
                drop(self.desk.rewind(&turns[at.index(turns.len())..]));
            }
            Deed::Restart => drop(self.desk.restart()),
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let text = self.desk.text(NAME).unwrap();
        let lines = lines_of(&text);
        for line in &self.written {
            // Only its line end may be another's: the agent or an undo can change that one alone.
            let is_there = lines.iter().any(|there| there.trim_end() == line.trim_end());
            prop_assert!(is_there, "{line:?} is gone from {text:?}");
        }
        let Some(file) = self.desk.ledger.file(&uri(NAME)) else { return Ok(()) };
        let (base, current) = (file.base().unwrap(), file.current().unwrap());
        prop_assert_eq!(current, text.as_str());
        prop_assert_eq!(file.line_hunks(), diff::hunks(base, current));
        prop_assert!(file.hunks().iter().all(|hunk| !hunk.by.is_empty()));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn hunks_are_the_difference_and_undoing_all_loses_no_line_of_the_user(
        original in original(),
        deeds in vec(deed(), 1..14),
    ) {
        let decided = |deed: &&Deed| matches!(deed, Deed::Keep(_) | Deed::Undo(_) | Deed::Revert | Deed::Rewind(_));
        let mut story = Story::new(&original);
        for deed in deeds.iter().filter(|deed| !decided(deed)) {
            story.perform(deed);
            story.check()?;
        }
        let answer = story.desk.undo(Selection::All);
        story.check()?;
        if answer.conflicts.is_empty() {
            prop_assert_eq!(story.desk.ledger.snapshot().files, []);
        }
    }

    #[test]
    fn no_decision_loses_a_line_of_the_user(original in original(), deeds in vec(deed(), 1..14)) {
        let mut story = Story::of_distinct_lines(&original);
        for deed in &deeds {
            story.perform(deed);
            story.check()?;
        }
        let answer = story.desk.undo(Selection::All);
        story.check()?;
        if answer.conflicts.is_empty() {
            prop_assert_eq!(story.desk.ledger.snapshot().files, []);
        }
    }

    #[test]
    fn keeping_changes_no_file_and_settles_what_was_kept(
        original in original(),
        deeds in vec(deed(), 1..10),
        kept in any::<Index>(),
    ) {
        let mut story = Story::of_distinct_lines(&original);
        deeds.iter().for_each(|deed| story.perform(deed));
        let hunks = story.desk.hunks(NAME);
        if hunks.is_empty() {
            return Ok(());
        }
        let kept = hunks[kept.index(hunks.len())].clone();
        let before = story.desk.text(NAME);
        let mut baseline = lines_of(&story.desk.baseline(NAME).unwrap());
        story.desk.keep(Selection::Hunks(vec![kept.id]));
        prop_assert_eq!(&story.desk.text(NAME), &before);
        let lines = usize::try_from(kept.base_lines.start).unwrap()..usize::try_from(kept.base_lines.end).unwrap();
        baseline.splice(lines, [kept.new_text]);
        let now = story.desk.baseline(NAME).or(before.clone()).unwrap();
        prop_assert_eq!(now, baseline.concat());
        story.desk.keep(Selection::All);
        prop_assert_eq!(story.desk.text(NAME), before);
        prop_assert_eq!(story.desk.ledger.snapshot().files, []);
    }

    #[test]
    fn undoing_all_of_an_untouched_review_restores_every_byte(
        original in original(),
        deeds in vec(deed(), 1..10),
    ) {
        let agent_alone = |deed: &&Deed| matches!(deed, Deed::Agent { .. } | Deed::Restart);
        let mut story = Story::new(&original);
        deeds.iter().filter(agent_alone).for_each(|deed| story.perform(deed));
        let before = story.desk.text(NAME);
        let changed = before.as_deref() != Some(original.as_str());
        story.desk.undo(Selection::All);
        prop_assert_eq!(story.desk.text(NAME).unwrap(), original);
        if changed {
            story.desk.revert();
            prop_assert_eq!(story.desk.text(NAME), before);
        }
    }

    #[test]
    fn undoing_hunk_by_hunk_equals_undoing_all(original in original(), deeds in vec(deed(), 1..8)) {
        let agent_alone = |deed: &&Deed| matches!(deed, Deed::Agent { .. });
        let mut story = Story::new(&original);
        deeds.iter().filter(agent_alone).for_each(|deed| story.perform(deed));
        while !story.desk.hunks(NAME).is_empty() {
            story.desk.undo(story.desk.hunk(NAME, 0));
        }
        prop_assert_eq!(story.desk.text(NAME).unwrap(), original);
    }

    #[test]
    fn a_restart_changes_nothing_that_can_be_seen(original in original(), deeds in vec(deed(), 1..10)) {
        let mut story = Story::new(&original);
        deeds.iter().for_each(|deed| story.perform(deed));
        story.desk.ledger.flush().unwrap();
        let (text, files) = (story.desk.text(NAME), story.desk.ledger.snapshot().files);
        let notices = story.desk.restart();
        prop_assert_eq!(notices, []);
        prop_assert_eq!(story.desk.text(NAME), text);
        prop_assert_eq!(story.desk.ledger.snapshot().files, files);
    }
}
