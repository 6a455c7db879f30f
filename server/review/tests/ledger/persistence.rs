//! The ledger on disk: restarts, crashes, foreign states, and what is left behind.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use kit_review::{Current, Ledger, Notice, Selection};
use kit_text::Text;
use kit_workspace::DocumentUri;

use crate::desk::{Desk, pairs, uri};

fn blobs(desk: &Desk) -> Vec<String> {
    let mut blobs: Vec<String> = fs::read_dir(desk.folder().join("blobs"))
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    blobs.sort();
    blobs
}

#[test]
fn a_restart_restores_the_review_and_writes_no_user_file() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n"), ("b", "b\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    desk.agent("t2", "b", None);
    desk.user("a", Some("0\n1\nx # mine\n3\n"));
    desk.ledger.flush().unwrap();
    let before = desk.ledger.snapshot().files;
    assert_eq!(desk.restart(), []);
    assert_eq!(desk.ledger.snapshot().files, before);
    assert!(desk.hunks("a")[0].mixed);
    assert_eq!(desk.text("a").unwrap(), "0\n1\nx # mine\n3\n");
    assert_eq!(desk.text("b"), None);
}

#[test]
fn typing_that_was_not_flushed_is_found_again_after_a_crash() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    desk.user("a", Some("0\n1\nx\n3\n"));
    assert_eq!(desk.restart(), []);
    assert_eq!(desk.changes("a"), pairs(&[("2\n", "x\n")]));
    assert_eq!(desk.baseline("a").unwrap(), "0\n1\n2\n3\n");
}

#[test]
fn changes_that_are_gone_after_a_restart_are_reported() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    desk.unnoticed("a", Some("1\n2\n3\n"));
    let why = "the file was changed in the meantime; changes that are no longer in it: 1".to_owned();
    assert_eq!(desk.restart(), [Notice::Lost { uri: uri("a"), why }]);
    desk.unnoticed("a", Some("1\nx\n3\n"));
    assert_eq!(desk.restart(), []);
    assert_eq!(desk.changes("a"), pairs(&[("2\n", "x\n")]));
}

#[test]
fn a_vanished_file_is_reported_and_comes_back_with_its_hunks() {
    let mut desk = Desk::new(&[("a", "1\n")]);
    desk.agent("t1", "a", Some("2\n"));
    desk.unnoticed("a", None);
    assert_eq!(desk.restart().len(), 1);
    assert_eq!(desk.ledger.snapshot().files, []);
    desk.unnoticed("a", Some("2\n"));
    assert_eq!(desk.restart(), []);
    assert_eq!(desk.changes("a"), pairs(&[("1\n", "2\n")]));
}

#[test]
fn texts_that_nothing_refers_to_are_removed() {
    let mut desk = Desk::new(&[("a", "base\n")]);
    desk.agent("t1", "a", Some("agent\n"));
    assert_eq!(blobs(&desk), ["agent\n", "base\n"]);
    desk.user("a", Some("typed\n"));
    desk.ledger.flush().unwrap();
    assert_eq!(blobs(&desk), ["agent\n", "base\n", "typed\n"]);
    desk.user("a", Some("typed more\n"));
    desk.ledger.flush().unwrap();
    assert_eq!(blobs(&desk), ["agent\n", "base\n", "typed more\n"]);
    desk.user("a", Some("agent\n"));
    desk.keep(Selection::All);
    desk.ledger.forget_session(&crate::desk::by("t1").session).unwrap();
    assert_eq!(blobs(&desk), ["agent\n", "base\n"], "the keep can still be taken back");
}

#[test]
fn what_a_killed_process_left_half_written_is_swept() {
    let mut desk = Desk::new(&[("a", "1\n")]);
    desk.agent("t1", "a", Some("2\n"));
    fs::write(desk.folder().join("blobs").join(".tmpAbC123"), "half").unwrap();
    fs::write(desk.folder().join("blobs").join("0123"), "orphan").unwrap();
    desk.restart();
    assert_eq!(blobs(&desk), ["1\n", "2\n"]);
    assert_eq!(desk.changes("a"), pairs(&[("1\n", "2\n")]));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn the_folder_as_any_operation_leaves_it_can_be_opened() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n4\n5\n"), ("b", "b\n")]);
    let operations: [&dyn Fn(&mut Desk); 8] = [
        &|desk| desk.agent("t1", "a", Some("one\n2\nthree\n4\nfive\n")),
        &|desk| desk.agent("t1", "b", None),
        &|desk| drop(desk.keep(desk.hunk("a", 0))),
        &|desk| desk.user("a", Some("one\n2\nthree\nmine\n4\nfive\n")),
        &|desk| drop(desk.undo(desk.hunk("a", 0))),
        &|desk| drop(desk.revert()),
        &|desk| drop(desk.rewind(&["t1"])),
        &|desk| drop(desk.revert()),
    ];
    for operation in operations {
        operation(&mut desk);
        desk.ledger.flush().unwrap();
        let killed = tempfile::tempdir().unwrap();
        copy(desk.folder(), killed.path());
        let files: Vec<(DocumentUri, Option<Text>)> =
            ["a", "b"].into_iter().map(|name| (uri(name), desk.text(name).map(Text::from))).collect();
        let texts = move |uri: &DocumentUri| {
            let text = files.iter().find(|(known, _)| known == uri).and_then(|(_, text)| text.clone());
            Ok(Current { text, version: None })
        };
        let mut ledger = Ledger::open(killed.path(), Arc::new(texts)).unwrap();
        assert_eq!(ledger.take_notices(), []);
        assert_eq!(ledger.snapshot().files, desk.ledger.snapshot().files);
    }
}

#[test]
fn a_state_that_cannot_be_read_is_set_aside_not_lost() {
    let mut desk = Desk::new(&[("a", "1\n")]);
    let torn_begin = "{\"version\":2,\"generation\":\"g\"}\n{\"version\":1,\"rev";
    for foreign in ["{\"version\":99,\"revision\":1}", torn_begin, "not json\n"] {
        fs::write(desk.folder().join("state.jsonl"), foreign).unwrap();
        let notices = desk.restart();
        let [Notice::SetAside(path)] = notices.as_slice() else { panic!("{notices:?}") };
        assert_eq!(fs::read_to_string(path).unwrap(), foreign);
        desk.agent("t1", "a", Some("2\n"));
        assert_eq!(desk.restart(), []);
        assert_eq!(desk.changes("a"), pairs(&[("1\n", "2\n")]));
        desk.undo(Selection::All);
    }
}

#[test]
fn a_lost_text_costs_its_file_only() {
    let mut desk = Desk::new(&[("a", "only a\n"), ("b", "only b\n")]);
    desk.agent("t1", "a", Some("2\n"));
    desk.agent("t1", "b", Some("2\n"));
    let folder = desk.folder().join("blobs");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if fs::read_to_string(&path).unwrap() == "only a\n" {
            fs::remove_file(path).unwrap();
        }
    }
    let notices = desk.restart();
    assert!(
        matches!(notices.as_slice(), [Notice::Lost { uri: lost, .. }] if *lost == uri("a")),
        "{notices:?}"
    );
    assert_eq!(desk.changes("b"), pairs(&[("only b\n", "2\n")]));
}

#[test]
fn feedback_survives_a_restart() {
    let mut desk = Desk::new(&[("a", "1\n")]);
    desk.agent("t1", "a", Some("2\n"));
    desk.undo(Selection::All);
    desk.restart();
    assert_eq!(desk.ledger.take_feedback(&crate::desk::by("t1").session).unwrap().len(), 1);
}

fn journal(desk: &Desk) -> Vec<u8> {
    fs::read(desk.folder().join("state.jsonl")).unwrap()
}

#[test]
fn an_operation_appends_one_line_and_costs_what_it_changed() {
    let names: Vec<String> = (0..40).map(|number| format!("f{number}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1\n")).collect();
    let mut desk = Desk::new(&files);
    let mut grown = Vec::new();
    let mut len = 0;
    for name in &names {
        desk.agent("t1", name, Some("2\n"));
        let journal = journal(&desk);
        grown.push(journal.len() - len);
        len = journal.len();
    }
    let lines = journal(&desk).iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines, 1 + names.len(), "a header, the first state, and a line for each operation after it");
    assert!(grown.last() < Some(&(2 * grown[1])), "{grown:?}");
    assert_eq!(desk.restart(), []);
    assert_eq!(desk.ledger.snapshot().summary.files, 40);
}

#[test]
fn a_line_without_its_end_is_cut_off_by_the_next_operation() {
    let mut desk = Desk::new(&[("a", "1\n"), ("b", "1\n"), ("c", "1\n")]);
    desk.agent("t1", "a", Some("2\n"));
    desk.agent("t1", "b", Some("2\n"));
    let whole = journal(&desk);
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for cut in last..whole.len() {
        fs::write(desk.folder().join("state.jsonl"), &whole[..cut]).unwrap();
        assert_eq!(desk.restart(), [], "cut at {cut}");
        assert_eq!(desk.ledger.snapshot().summary.files, 1, "cut at {cut}");
    }
    desk.agent("t1", "c", Some("2\n"));
    assert_eq!(desk.restart(), []);
    assert_eq!(desk.ledger.snapshot().summary.files, 2);
    assert!(journal(&desk).starts_with(&whole[..last]));
}

#[test]
fn a_journal_that_grew_is_replaced_and_another_process_follows() {
    let mut desk = Desk::new(&[("a", "0\n")]);
    desk.agent("t1", "a", Some("1\n"));
    let before = journal(&desk);
    let mut other = desk.second_editor();
    for number in 0..40 {
        // A long name makes long lines.
        desk.agent(&format!("{}{number}", "t".repeat(1000)), "a", Some(&format!("{number} changed\n")));
    }
    let after = journal(&desk);
    let begin = |bytes: &[u8]| bytes.iter().take_while(|byte| **byte != b'\n').copied().collect::<Vec<u8>>();
    assert_ne!(begin(&before), begin(&after), "it has another generation");
    other.ledger.take_feedback(&crate::desk::by("t1").session).unwrap();
    assert_eq!(other.changes("a"), pairs(&[("0\n", "39 changed\n")]));
    assert_eq!(desk.restart(), []);
    assert_eq!(desk.changes("a"), pairs(&[("0\n", "39 changed\n")]));
}

#[test]
fn a_state_of_before_there_was_a_journal_is_taken_over() {
    let mut desk = Desk::new(&[("a", "1\n2\n3\n")]);
    desk.agent("t1", "a", Some("1\nx\n3\n"));
    let journal_before = String::from_utf8(journal(&desk)).unwrap();
    let state = journal_before.lines().nth(1).unwrap();
    fs::write(desk.folder().join("state.json"), state).unwrap();
    fs::remove_file(desk.folder().join("state.jsonl")).unwrap();
    assert_eq!(desk.restart(), []);
    assert_eq!(desk.changes("a"), pairs(&[("2\n", "x\n")]));
    assert!(!desk.folder().join("state.json").exists());
    assert_eq!(blobs(&desk), ["1\n2\n3\n", "1\nx\n3\n"]);
}
