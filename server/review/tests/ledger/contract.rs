//! The edge cases that reviewing must get right, one test for each.

use kit_protocol::{FileStatus, HunkKind, ReviewConflict, TurnId};
use kit_review::{Current, Feedback, Notice, Selection};
use kit_text::{LineRange, Text};
use kit_workspace::{Author, DocumentUri};

use crate::desk::{Desk, by, pairs, uri};

#[test]
fn typing_inside_a_pending_hunk_survives_its_undo() {
    let mut desk = Desk::new(&[("a", "one\nx = 1\nthree\n")]);
    desk.agent("t1", "a", Some("one\nx = 2\nthree\n"));
    desk.user("a", Some("one\nx = 2  # mine\nthree\n"));
    assert!(desk.hunks("a")[0].mixed);
    let answer = desk.undo(Selection::All);
    assert_eq!(answer.conflicts, []);
    assert_eq!(desk.text("a").unwrap(), "one\nx = 1  # mine\nthree\n");
    assert_eq!(desk.changes("a"), []);
}

#[test]
fn lines_typed_between_lines_of_the_agent_survive_their_undo() {
    let mut desk = Desk::new(&[("a", "one\n")]);
    desk.agent("t1", "a", Some("one\nagent 1\nagent 2\n"));
    desk.user("a", Some("one\nagent 1\nmine\nagent 2\n"));
    desk.undo(desk.hunk("a", 0));
    assert_eq!(desk.text("a").unwrap(), "one\nmine\n");
    assert_eq!(desk.ledger.snapshot().files, []);
}

#[test]
fn typing_that_cannot_be_told_apart_is_left_for_the_user_to_decide() {
    let mut desk = Desk::new(&[("a", "one\n")]);
    desk.agent("t1", "a", Some("one\nfoo(1)\n"));
    desk.user("a", Some("one\nfoo(1, 2)\n"));
    let id = desk.hunks("a")[0].id.clone();
    let answer = desk.undo(Selection::All);
    let why =
        "what you typed cannot be told apart from what the agent wrote here; edit it by hand or keep it";
    assert_eq!(answer.conflicts, [ReviewConflict { id, why: why.to_owned() }]);
    assert_eq!(answer.applied, []);
    assert_eq!(desk.text("a").unwrap(), "one\nfoo(1, 2)\n");
    assert_eq!(desk.changes("a"), pairs(&[("", "foo(1, 2)\n")]));
}

#[test]
fn typing_elsewhere_is_no_hunk_and_survives_undoing_all() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n4\n5\n")]);
    desk.agent("t1", "a", Some("1\nTWO\n3\n4\n5\n"));
    desk.user("a", Some("0\n1\nTWO\n3\n4\nfive\n"));
    assert_eq!(desk.changes("a"), pairs(&[("2\n", "TWO\n")]));
    assert!(!desk.hunks("a")[0].mixed);
    desk.undo(Selection::All);
    assert_eq!(desk.text("a").unwrap(), "0\n1\n2\n3\n4\nfive\n");
}

#[test]
fn a_line_typed_right_behind_a_hunk_is_the_users() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nTWO\n3\n"));
    desk.user("a", Some("1\nTWO\nmine\n3\n"));
    assert_eq!(desk.changes("a"), pairs(&[("2\n", "TWO\n")]));
    desk.undo(Selection::All);
    assert_eq!(desk.text("a").unwrap(), "1\n2\nmine\n3\n");
}

#[test]
fn a_region_edited_twice_in_one_turn_is_one_hunk() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    desk.agent("t1", "a", Some("1\ny\n3\n"));
    assert_eq!(desk.changes("a"), pairs(&[("2\n", "y\n")]));
    desk.undo(Selection::Turn(TurnId::new("t1")));
    assert_eq!(desk.text("a").unwrap(), "1\n2\n3\n");
}

#[test]
fn a_region_edited_in_two_turns_is_one_hunk_by_both() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    desk.agent("t2", "a", Some("1\nx\ny\n3\n"));
    assert_eq!(desk.changes("a"), pairs(&[("2\n", "x\ny\n")]));
    let hunk = &desk.ledger.file(&uri("a")).unwrap().hunks()[0];
    let authors: Vec<&str> = hunk.by.iter().map(|by| by.turn.as_str()).collect();
    assert_eq!(authors, ["t1", "t2"]);
    assert_eq!(desk.hunks("a")[0].turn.as_str(), "t2");
}

#[test]
fn undoing_one_of_two_turns_in_a_hunk_takes_back_its_share_alone() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    desk.agent("t2", "a", Some("1\nx\ny\n3\n"));
    let answer = desk.undo(Selection::Turn(TurnId::new("t2")));
    assert_eq!((answer.applied.len(), answer.conflicts.len()), (1, 0));
    assert_eq!(desk.text("a").unwrap(), "1\nx\n3\n");
    assert_eq!(desk.changes("a"), pairs(&[("2\n", "x\n")]));
}

#[test]
fn keeping_one_of_two_turns_in_a_hunk_keeps_its_share_alone() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    desk.agent("t2", "a", Some("1\nx\ny\n3\n"));
    desk.keep(Selection::Turn(TurnId::new("t1")));
    assert_eq!(desk.baseline("a").unwrap(), "1\nx\n3\n");
    assert_eq!(desk.changes("a"), pairs(&[("", "y\n")]));
}

#[test]
fn an_agent_that_takes_its_change_back_leaves_nothing_to_review() {
    let mut desk = Desk::new(&[("a", "1\n2\n")]);
    desk.agent("t1", "a", Some("1\nx\n"));
    desk.agent("t1", "a", Some("1\n2\n"));
    assert_eq!(desk.ledger.snapshot().files, []);
}

#[test]
fn a_kept_hunk_stays_kept_when_its_turn_is_undone() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n4\n")]);
    desk.agent("t1", "a", Some("one\n2\n3\nfour\n"));
    desk.keep(desk.hunk("a", 0));
    desk.undo(Selection::Turn(TurnId::new("t1")));
    assert_eq!(desk.text("a").unwrap(), "one\n2\n3\n4\n");
}

#[test]
fn a_file_deleted_and_created_again_alike_has_no_hunk() {
    let mut desk = Desk::new(&[("a", "1\n2\n")]);
    desk.agent("t1", "a", None);
    assert_eq!(desk.reviewed("a").unwrap().status, FileStatus::Deleted);
    desk.agent("t1", "a", Some("1\n2\n"));
    assert_eq!(desk.ledger.snapshot().files, []);
}

#[test]
fn line_ends_byte_order_mark_and_missing_final_newline_come_back_byte_by_byte() {
    let original = "\u{feff}one\r\ntwo\nthree\rfour\r\nfive";
    let mut desk = Desk::new(&[("a", original)]);
    desk.agent("t1", "a", Some("\u{feff}ONE\r\ntwo\nTHREE\rfour\r\nfive\r\nsix\r\n"));
    desk.user("a", Some("\u{feff}ONE\r\nzwei\nTHREE\rfour\r\nfive\r\nsix\r\n"));
    desk.undo(Selection::All);
    assert_eq!(desk.text("a").unwrap(), original.replace("two", "zwei"));
}

#[test]
fn a_file_that_cannot_be_read_as_text_keeps_its_record() {
    let mut desk = Desk::new(&[("a", "1\n")]);
    desk.agent("t1", "a", Some("2\n"));
    let texts = |_: &DocumentUri| Err::<Current, _>("not UTF-8".to_owned());
    let mut blind = kit_review::Ledger::open(desk.folder(), std::sync::Arc::new(texts)).unwrap();
    assert_eq!(blind.take_notices(), [Notice::Lost { uri: uri("a"), why: "not UTF-8".to_owned() }]);
    assert_eq!(blind.snapshot().files[0].hunks.len(), 1);
    desk.restart();
    assert_eq!(desk.changes("a"), pairs(&[("1\n", "2\n")]));
}

#[test]
fn a_deleted_file_that_the_user_created_again_is_not_overwritten() {
    let mut desk = Desk::new(&[("a", "old\n")]);
    desk.agent("t1", "a", None);
    desk.user("a", Some("mine\n"));
    let answer = desk.undo(Selection::All);
    let whys: Vec<&str> = answer.conflicts.iter().map(|conflict| conflict.why.as_str()).collect();
    assert_eq!(whys, ["the agent deleted this file and you created it again; it is not overwritten"]);
    assert_eq!(desk.text("a").unwrap(), "mine\n");
    desk.keep(Selection::All);
    assert_eq!(desk.ledger.snapshot().files, []);
}

#[test]
fn a_deletion_is_undone_by_creating_the_file_again() {
    let mut desk = Desk::new(&[("a", "old\r\n")]);
    desk.agent("t1", "a", None);
    assert_eq!(desk.changes("a"), pairs(&[("old\r\n", "")]));
    assert_eq!(desk.hunks("a")[0].kind, HunkKind::Delete);
    desk.undo(Selection::All);
    assert_eq!(desk.text("a").unwrap(), "old\r\n");
    desk.revert();
    assert_eq!(desk.text("a"), None);
    assert_eq!(desk.reviewed("a").unwrap().status, FileStatus::Deleted);
}

#[test]
fn a_created_file_is_deleted_by_undo_and_comes_back_by_its_reversal() {
    let mut desk = Desk::new(&[]);
    desk.agent("t1", "a", Some("new\n"));
    assert_eq!(desk.reviewed("a").unwrap().status, FileStatus::Created);
    desk.undo(Selection::File(uri("a")));
    assert_eq!(desk.text("a"), None);
    desk.revert();
    assert_eq!(desk.text("a").unwrap(), "new\n");
    assert_eq!(desk.reviewed("a").unwrap().status, FileStatus::Created);
}

#[test]
fn an_empty_created_file_can_be_kept_and_undone() {
    let mut desk = Desk::new(&[]);
    desk.agent("t1", "a", Some(""));
    desk.agent("t1", "b", Some(""));
    assert_eq!(desk.hunks("a")[0].kind, HunkKind::Add);
    desk.undo(Selection::File(uri("a")));
    desk.keep(Selection::File(uri("b")));
    assert_eq!((desk.text("a"), desk.text("b").as_deref()), (None, Some("")));
    assert_eq!(desk.ledger.snapshot().files, []);
}

#[test]
fn undoing_a_created_file_keeps_what_the_user_wrote_into_it() {
    let mut desk = Desk::new(&[]);
    desk.agent("t1", "a", Some("1\n2\n"));
    desk.user("a", Some("1\nmine\n2\n"));
    assert!(desk.hunks("a")[0].mixed);
    desk.undo(Selection::All);
    assert_eq!(desk.text("a").unwrap(), "mine\n");
    assert_eq!(desk.ledger.snapshot().files, []);
}

#[test]
fn a_renamed_file_goes_back_to_its_name() {
    let mut desk = Desk::new(&[("b", "1\n2\n")]);
    desk.ledger.record_rename(&uri("a"), &uri("b"), &Text::from("1\n2\n"), &by("t1")).unwrap();
    assert_eq!(desk.reviewed("b").unwrap().status, FileStatus::Renamed);
    desk.undo(Selection::All);
    assert_eq!((desk.text("a").as_deref(), desk.text("b")), (Some("1\n2\n"), None));
    assert_eq!(desk.ledger.snapshot().files, []);
}

#[test]
fn a_change_on_disk_by_another_program_is_the_users() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    desk.user("a", Some("1\nx\n3 formatted\n"));
    assert_eq!(desk.changes("a"), pairs(&[("2\n", "x\n")]));
    assert_eq!(desk.baseline("a").unwrap(), "1\n2\n3 formatted\n");
}

#[test]
fn two_editors_share_one_review() {
    let mut vscode = Desk::new(&[("a", "1\n2\n3\n4\n")]);
    let mut neovim = vscode.second_editor();
    vscode.agent("t1", "a", Some("one\n2\n3\nfour\n"));
    neovim.keep(Selection::Lines { uri: uri("a"), lines: LineRange::new(0, 1) });
    assert_eq!(neovim.changes("a"), pairs(&[("4\n", "four\n")]));
    vscode.undo(Selection::All);
    assert_eq!(vscode.text("a").unwrap(), "one\n2\n3\n4\n");
    assert_eq!(neovim.revert().applied.len(), 1);
    assert_eq!(neovim.text("a").unwrap(), "one\n2\n3\nfour\n");
}

#[test]
fn a_plan_of_one_editor_is_refused_when_the_other_changed_the_file() {
    let mut vscode = Desk::new(&[("a", "1\n2\n")]);
    vscode.agent("t1", "a", Some("1\nx\n"));
    let planned = vscode.ledger.plan_undo(&Selection::All, None).unwrap();
    let id = planned.plans[0].hunks[0].clone();
    vscode.unnoticed("a", Some("changed\nx\n"));
    let mut answer = kit_protocol::ReviewAnswer::default();
    vscode.carry_out(planned.plans, &mut answer);
    let conflict = ReviewConflict { id, why: "the file changed meanwhile".to_owned() };
    assert_eq!((answer.applied, answer.conflicts), (vec![], vec![conflict]));
    assert_eq!(vscode.text("a").unwrap(), "changed\nx\n");
    assert_eq!(vscode.changes("a"), pairs(&[("2\n", "x\n")]));
}

#[test]
fn stale_text_shown_by_a_second_editor_does_not_spoil_the_record() {
    let mut vscode = Desk::new(&[("a", "1\n2\n"), ("b", "b\n")]);
    vscode.agent("t1", "a", Some("1\nx\n"));
    let mut neovim = vscode.second_editor();
    neovim.ledger.observe(&uri("a"), &Current { text: Some(Text::from("1\n2\n")), version: Some(1) });
    neovim.agent("t9", "b", Some("c\n"));
    assert_eq!(neovim.changes("a"), []);
    vscode.keep(Selection::File(uri("b")));
    assert_eq!(vscode.changes("a"), pairs(&[("2\n", "x\n")]));
}

#[test]
fn an_unsaved_document_that_is_opened_again_after_a_restart_has_its_hunks() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    // The text was never saved: what the next process finds on disk is older.
    desk.unnoticed("a", Some("1\n2\n3\n"));
    desk.restart();
    assert_eq!(desk.changes("a"), []);
    let opened = |text: &str| Current { text: Some(Text::from(text)), version: Some(1) };
    desk.ledger.observe(&uri("a"), &opened("1\nx\n3 typed\n"));
    assert_eq!(desk.changes("a"), pairs(&[("2\n", "x\n")]));
    assert_eq!(desk.baseline("a").unwrap(), "1\n2\n3 typed\n");
    // The document is closed without saving, and that is no change of the agent's either.
    desk.ledger.observe(&uri("a"), &opened("1\n2\n3\n"));
    assert_eq!(desk.changes("a"), []);
}

#[test]
fn spellings_of_one_uri_are_one_file() {
    let mut desk = Desk::new(&[]);
    let (first, second) = (DocumentUri::parse("file:///c%3A/x%20y"), DocumentUri::parse("file:///C:/x y"));
    desk.change(&first, Some(&Text::from("1\n")), Author::Agent(by("t1")));
    desk.change(&second, Some(&Text::from("2\n")), Author::Agent(by("t1")));
    assert_eq!(desk.ledger.snapshot().summary.files, 1);
}

#[test]
fn a_codemod_over_many_files_is_listed_whole() {
    let names: Vec<String> = (0..120).map(|index| format!("file {index}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "old\n")).collect();
    let mut desk = Desk::new(&files);
    for name in &names {
        desk.agent("t1", name, Some("new\n"));
    }
    let summary = desk.ledger.snapshot().summary;
    assert_eq!((summary.files, summary.hunks, summary.additions, summary.deletions), (120, 120, 120, 120));
    desk.undo(Selection::Turn(TurnId::new("t1")));
    assert!(names.iter().all(|name| desk.text(name).as_deref() == Some("old\n")));
    assert_eq!(desk.ledger.snapshot().files, []);
}

#[test]
fn hunks_of_earlier_turns_stay_when_a_prompt_is_sent_again() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n4\n5\n")]);
    desk.agent("t1", "a", Some("one\n2\n3\n4\n5\n"));
    desk.agent("t2", "a", Some("one\n2\nthree\n4\n5\n"));
    assert_eq!(desk.rewind(&["t2"]), []);
    desk.agent("t2 again", "a", Some("one\n2\n3\n4\nfive\n"));
    assert_eq!(desk.changes("a"), pairs(&[("1\n", "one\n"), ("5\n", "five\n")]));
    assert_eq!(desk.hunks("a")[0].turn.as_str(), "t1");
}

#[test]
fn the_editors_undo_removes_the_hunk_and_its_redo_brings_it_back() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    desk.user("a", Some("1\n2\n3\n"));
    assert_eq!(desk.changes("a"), []);
    desk.ledger.flush().unwrap();
    desk.user("a", Some("1\nx\n3\n"));
    assert_eq!(desk.changes("a"), pairs(&[("2\n", "x\n")]));
    assert_eq!(desk.hunks("a")[0].turn.as_str(), "t1");
}

#[test]
fn the_editors_undo_after_our_undo_brings_the_hunk_back() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n4\n5\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n4\nfive\n"));
    let before = desk.hunks("a");
    desk.undo(Selection::All);
    desk.user("a", Some("1\n2\n3\n4\n5\nmine\n"));
    desk.user("a", Some("1\n2\n3\n4\n5\n"));
    desk.user("a", Some("1\nx\n3\n4\nfive\n"));
    assert_eq!(desk.hunks("a"), before);
}

#[test]
fn the_editors_undo_does_not_bring_back_what_was_kept() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    desk.keep(Selection::All);
    desk.user("a", Some("1\nx\n3\nmine\n"));
    desk.user("a", Some("1\nx\n3\n"));
    assert_eq!(desk.changes("a"), []);
}

#[test]
fn part_of_a_hunk_can_be_kept_and_undone_by_lines() {
    let mut desk = Desk::new(&[("a", "let a = 1;\nlet b = 1;\nend\n")]);
    desk.agent("t1", "a", Some("let a = 2;\nnew\nlet b = 2;\nend\n"));
    assert_eq!(desk.hunks("a").len(), 1);
    desk.undo(Selection::Lines { uri: uri("a"), lines: LineRange::new(1, 2) });
    assert_eq!(desk.text("a").unwrap(), "let a = 2;\nlet b = 2;\nend\n");
    desk.keep(Selection::Lines { uri: uri("a"), lines: LineRange::new(1, 2) });
    assert_eq!(desk.changes("a"), pairs(&[("let a = 1;\n", "let a = 2;\n")]));
    desk.undo(Selection::Lines { uri: uri("a"), lines: LineRange::new(0, 9) });
    assert_eq!(desk.text("a").unwrap(), "let a = 1;\nlet b = 2;\nend\n");
}

#[test]
fn deleted_lines_are_chosen_by_the_line_below_them() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n4\n")]);
    desk.agent("t1", "a", Some("1\n3\n"));
    desk.undo(Selection::Lines { uri: uri("a"), lines: LineRange::new(0, 1) });
    assert_eq!(desk.text("a").unwrap(), "1\n3\n");
    desk.undo(Selection::Lines { uri: uri("a"), lines: LineRange::new(1, 2) });
    assert_eq!(desk.text("a").unwrap(), "1\n2\n3\n4\n");
}

#[test]
fn large_and_binary_files_are_reviewed_as_a_whole() {
    let large = "line\n".repeat(kit_review::MOST_LINES + 1);
    let mut desk = Desk::new(&[("large", &large), ("binary", "a\0b\nc\n")]);
    desk.agent("t1", "large", Some(&format!("first\n{large}last\n")));
    desk.agent("t1", "binary", Some("a\0B\nC\n"));
    for name in ["large", "binary"] {
        let file = desk.reviewed(name).unwrap();
        assert!(file.whole_file);
        let hunks: Vec<_> =
            file.hunks.iter().map(|hunk| (hunk.old_text.as_str(), hunk.new_text.as_str())).collect();
        assert_eq!(hunks, [("", "")]);
    }
    desk.undo(Selection::All);
    assert_eq!((desk.text("large").unwrap(), desk.text("binary").unwrap()), (large, "a\0b\nc\n".to_owned()));
}

#[test]
fn a_large_file_that_the_user_changed_too_is_not_undone_blindly() {
    let large = "line\n".repeat(kit_review::MOST_LINES + 1);
    let mut desk = Desk::new(&[("large", &large)]);
    desk.agent("t1", "large", Some(&format!("agent\n{large}")));
    let mixed = format!("agent\n{large}mine\n");
    desk.user("large", Some(&mixed));
    let answer = desk.undo(Selection::All);
    assert_eq!((answer.applied.len(), answer.conflicts.len()), (0, 1));
    assert_eq!(desk.text("large").unwrap(), mixed);
}

#[test]
fn hunks_with_the_same_texts_have_different_ids() {
    let mut desk = Desk::new(&[("a", "x\n1\n2\nx\n")]);
    desk.agent("t1", "a", Some("y\n1\n2\ny\n"));
    let ids: Vec<String> = desk.hunks("a").iter().map(|hunk| hunk.id.to_string()).collect();
    assert_ne!(ids[0], ids[1]);
    assert!(ids.iter().all(|id| id.len() == 16));
    desk.undo(desk.hunk("a", 1));
    assert_eq!(desk.text("a").unwrap(), "y\n1\n2\nx\n");
    assert_eq!(desk.hunks("a")[0].id.to_string(), ids[0]);
}

#[test]
fn an_id_that_is_gone_is_reported() {
    let mut desk = Desk::new(&[("a", "1\n")]);
    desk.agent("t1", "a", Some("2\n"));
    let gone = desk.hunk("a", 0);
    let id = desk.hunks("a")[0].id.clone();
    desk.keep(Selection::All);
    let why = "the hunk has changed or is already settled".to_owned();
    assert_eq!(desk.undo(gone).conflicts, [ReviewConflict { id, why }]);
}

#[test]
fn models_are_told_what_was_kept_undone_and_changed() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n4\n5\n")]);
    desk.agent("t1", "a", Some("one\n2\n3\n4\nfive\n"));
    let session = by("t1").session;
    assert_eq!(desk.ledger.take_feedback(&session).unwrap(), []);
    desk.keep(desk.hunk("a", 0));
    desk.user("a", Some("one\n2\nmine\n4\nfive\n"));
    let planned = desk.ledger.plan_undo(&Selection::All, Some("not needed".to_owned())).unwrap();
    desk.carry_out(planned.plans, &mut kit_protocol::ReviewAnswer::default());
    let uri = uri("a").as_str().to_owned();
    let expected = [
        Feedback::Kept { uri: uri.clone(), patch: "@@ -1,3 +1,3 @@\n-1\n+one\n 2\n 3\n".to_owned() },
        Feedback::Undone {
            uri: uri.clone(),
            patch: "@@ -3,3 +3,3 @@\n mine\n 4\n-five\n+5\n".to_owned(),
            reason: Some("not needed".to_owned()),
        },
        Feedback::UserEdited { uri, patch: "@@ -1,5 +1,5 @@\n one\n 2\n-3\n+mine\n 4\n 5\n".to_owned() },
    ];
    assert_eq!(desk.ledger.take_feedback(&session).unwrap(), expected);
    assert_eq!(desk.ledger.take_feedback(&session).unwrap(), []);
}

#[test]
fn a_line_that_stands_in_two_hunks_is_not_undone_where_one_of_them_stays() {
    let mut desk = Desk::new(&[("a", "a\na\na\na\nb\ng\ng\na\nN")]);
    desk.agent("t1", "a", Some("a\na\na\na\nb\nb\nb\na\ng\na\nN"));
    desk.user("a", Some("a\na\na\na\nb\nb\nb\na\nmine\ng\na\nN"));
    desk.user("a", Some("a\na\na\na\nb\nb\nmine too\na\nmine\ng\na\nN"));
    desk.agent("t1", "a", Some("a\na\na\na\nb\nb\nmine too\na\nmine\ng\nb\nx\n"));
    let answer = desk.undo(Selection::All);
    assert!(!answer.conflicts.is_empty());
    let text = desk.text("a").unwrap();
    assert!(text.contains("mine\n") && text.contains("mine too\n"), "{text:?}");
}
