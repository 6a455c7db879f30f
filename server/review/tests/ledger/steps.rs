//! Taking back keeps and undos, and rewinding.

use kit_review::Selection;

use crate::desk::{Desk, pairs, uri};

#[test]
fn a_keep_is_taken_back_without_touching_the_file() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    let before = desk.hunks("a");
    desk.keep(Selection::All);
    desk.user("a", Some("0\n1\nx\n3\n"));
    let answer = desk.revert();
    assert_eq!(answer.applied, [before[0].id.clone()]);
    assert_eq!(desk.text("a").unwrap(), "0\n1\nx\n3\n");
    assert_eq!(desk.changes("a"), pairs(&[("2\n", "x\n")]));
    assert_eq!(desk.hunks("a")[0].id, before[0].id);
    assert_eq!(desk.hunks("a")[0].turn, before[0].turn);
}

#[test]
fn an_undo_is_taken_back_around_what_was_typed_since() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    desk.undo(Selection::All);
    desk.user("a", Some("1\n2\n3\nmine\n"));
    desk.revert();
    assert_eq!(desk.text("a").unwrap(), "1\nx\n3\nmine\n");
    assert_eq!(desk.changes("a"), pairs(&[("2\n", "x\n")]));
}

#[test]
fn steps_are_taken_back_one_by_one_the_last_first() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n4\n5\n")]);
    desk.agent("t1", "a", Some("one\n2\nthree\n4\nfive\n"));
    desk.keep(desk.hunk("a", 0));
    desk.undo(desk.hunk("a", 0));
    desk.keep(desk.hunk("a", 0));
    assert_eq!(desk.text("a").unwrap(), "one\n2\n3\n4\nfive\n");
    desk.revert();
    assert_eq!(desk.changes("a"), pairs(&[("5\n", "five\n")]));
    desk.revert();
    assert_eq!(desk.changes("a"), pairs(&[("3\n", "three\n"), ("5\n", "five\n")]));
    desk.revert();
    assert_eq!(desk.changes("a"), pairs(&[("1\n", "one\n"), ("3\n", "three\n"), ("5\n", "five\n")]));
    let nothing = desk.revert();
    assert_eq!((nothing.applied, nothing.conflicts), (vec![], vec![]));
}

#[test]
fn the_undo_of_a_mixed_hunk_is_taken_back_with_what_was_typed() {
    let mut desk = Desk::new(&[("a", "x = 1\n")]);
    desk.agent("t1", "a", Some("x = 2\n"));
    desk.user("a", Some("x = 2 # mine\n"));
    desk.undo(Selection::All);
    assert_eq!(desk.text("a").unwrap(), "x = 1 # mine\n");
    desk.revert();
    assert_eq!(desk.text("a").unwrap(), "x = 2 # mine\n");
    assert!(desk.hunks("a")[0].mixed);
}

#[test]
fn a_step_that_was_overtaken_is_reported_and_changes_nothing() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    desk.undo(Selection::All);
    desk.user("a", Some("1\nmine\n3\n"));
    let answer = desk.revert();
    assert_eq!(answer.applied, []);
    assert_eq!(answer.conflicts[0].why, "the same text was changed again since");
    assert_eq!(desk.text("a").unwrap(), "1\nmine\n3\n");
}

#[test]
fn steps_over_several_files_are_one() {
    let mut desk = Desk::new(&[("a", "1\n"), ("b", "1\n")]);
    desk.agent("t1", "a", Some("2\n"));
    desk.agent("t1", "b", Some("2\n"));
    desk.undo(Selection::All);
    desk.restart();
    assert_eq!(desk.revert().applied.len(), 2);
    assert_eq!((desk.text("a").unwrap(), desk.text("b").unwrap()), ("2\n".to_owned(), "2\n".to_owned()));
}

#[test]
fn rewinding_restores_files_to_before_a_turn_around_what_the_user_did() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n4\n5\n"), ("gone", "text\n")]);
    desk.agent("t1", "a", Some("one\n2\n3\n4\n5\n"));
    desk.agent("t2", "a", Some("one\n2\nthree\n4\n5\n"));
    desk.user("a", Some("one\n2\nthree\n4\n5\nmine\n"));
    desk.agent("t3", "a", Some("one\n2\nTHREE\n4\n5\nmine\n"));
    desk.agent("t2", "new", Some("created\n"));
    desk.agent("t3", "gone", None);
    desk.keep(Selection::File(uri("new")));
    assert_eq!(desk.rewind(&["t2", "t3"]), []);
    assert_eq!(desk.text("a").unwrap(), "one\n2\n3\n4\n5\nmine\n");
    assert_eq!((desk.text("new"), desk.text("gone").as_deref()), (None, Some("text\n")));
    assert_eq!(desk.changes("a"), pairs(&[("1\n", "one\n")]));
    assert_eq!(desk.ledger.snapshot().summary.files, 1);
}

#[test]
fn rewinding_takes_kept_changes_back_too() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    desk.keep(Selection::All);
    assert_eq!(desk.rewind(&["t1"]), []);
    assert_eq!(desk.text("a").unwrap(), "1\n2\n3\n");
    assert_eq!(desk.ledger.snapshot().files, []);
    desk.revert();
    assert_eq!(desk.text("a").unwrap(), "1\nx\n3\n");
}

#[test]
fn a_line_of_the_user_that_a_rewind_brings_back_is_the_users() {
    let mut desk = Desk::new(&[("a", "1\n2\n")]);
    desk.agent("t1", "a", Some("1\nagent 1\nagent 2\n2\n"));
    desk.user("a", Some("1\nagent 1\nmine\nagent 2\n2\n"));
    desk.agent("t2", "a", Some("1\nagent 3\n2\n"));
    assert_eq!(desk.rewind(&["t2"]), []);
    assert_eq!(desk.text("a").unwrap(), "1\nagent 1\nmine\nagent 2\n2\n");
    assert!(desk.hunks("a")[0].mixed);
    desk.undo(Selection::All);
    assert_eq!(desk.text("a").unwrap(), "1\nmine\n2\n");
}

#[test]
fn a_line_of_the_agent_that_a_rewind_brings_back_still_waits() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nagent\n2\n3\n"));
    desk.agent("t2", "a", Some("1\n2\nTHREE\n"));
    desk.user("a", Some("0\n1\n2\nTHREE\n"));
    desk.keep(Selection::All);
    assert_eq!(desk.rewind(&["t2"]), []);
    assert_eq!(desk.text("a").unwrap(), "0\n1\nagent\n2\n3\n");
    assert_eq!(desk.changes("a"), pairs(&[("", "agent\n")]));
}

#[test]
fn what_was_rewound_is_not_rewound_again() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("one\n2\n3\n"));
    desk.agent("t2", "a", Some("one\n2\nthree\n"));
    desk.rewind(&["t2"]);
    desk.user("a", Some("one\n2\nthree\n"));
    assert_eq!(desk.rewind(&["t1", "t2"]), []);
    assert_eq!(desk.text("a").unwrap(), "1\n2\nthree\n");
    desk.revert();
    desk.user("a", Some("one\n2\n3\n"));
    desk.revert();
    assert_eq!(desk.text("a").unwrap(), "one\n2\nthree\n");
    assert_eq!(desk.rewind(&["t1", "t2"]), []);
    assert_eq!(desk.text("a").unwrap(), "1\n2\n3\n");
}

#[test]
fn an_undo_that_is_reverted_after_more_of_the_agent_leaves_the_user_their_lines() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\n2\nagent 1\nagent 2\n"));
    desk.user("a", Some("1\n2\nagent 1\nmine\nagent 2\nmine too\n"));
    desk.agent("t1", "a", Some("agent 1\nmine\nagent 2\nmine too\n"));
    desk.undo(desk.hunk("a", 0));
    let undone = desk.text("a").unwrap();
    desk.agent("t1", "a", Some(&undone.replace("2\n", "agent 3\n2\n")));
    desk.revert();
    desk.undo(Selection::All);
    let text = desk.text("a").unwrap();
    assert!(text.contains("mine\n") && text.contains("mine too\n"), "{text:?}");
}

#[test]
fn a_file_that_the_user_rewrote_is_skipped_by_a_rewind() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n"), ("b", "1\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    desk.agent("t1", "b", Some("2\n"));
    desk.user("a", Some("1\nmine\n3\n"));
    let skipped = desk.rewind(&["t1"]);
    assert_eq!(skipped, [(uri("a"), "the same text was changed again since".to_owned())]);
    assert_eq!(
        (desk.text("a").unwrap(), desk.text("b").unwrap()),
        ("1\nmine\n3\n".to_owned(), "1\n".to_owned())
    );
}
