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
    for foreign in ["{\"version\":99,\"revision\":1}", "{\"version\":1,\"rev"] {
        fs::write(desk.folder().join("state.json"), foreign).unwrap();
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
