//! Open documents as the transport describes them.

use std::sync::Arc;

use kit_text::{Encoding, Position};
use kit_workspace::{Author, ContentChange, Desync, DocumentUri, Documents};

use crate::editor::{Project, Told, typed};

fn change(start: (u32, u32), end: (u32, u32), text: &str) -> ContentChange {
    let position = |(line, character)| Position::new(line, character);
    ContentChange { range: Some((position(start), position(end))), text: text.to_owned() }
}

fn full(text: &str) -> ContentChange {
    ContentChange { range: None, text: text.to_owned() }
}

fn open(text: &str) -> (Documents, DocumentUri) {
    let documents = Documents::new();
    let uri = DocumentUri::parse("file:///a.txt");
    documents.open(uri.clone(), "text", 1, text);
    (documents, uri)
}

#[test]
fn changes_of_one_notification_apply_one_after_the_other() {
    let check = |text: &str, encoding, changes: &[ContentChange], expected: &str| {
        let (documents, uri) = open(text);
        assert_eq!(documents.change(&uri, 2, changes, encoding), Ok(()));
        let document = documents.get(&uri).unwrap();
        assert_eq!(
            (document.text.to_string(), document.version, document.dirty),
            (expected.to_owned(), 2, true)
        );
    };
    check("ab\ncd", Encoding::Utf16, &[change((1, 1), (1, 2), "X"), change((0, 0), (1, 0), "")], "cX");
    check("😀b", Encoding::Utf16, &[change((0, 2), (0, 3), "c")], "😀c");
    check("😀b", Encoding::Utf8, &[change((0, 4), (0, 5), "c")], "😀c");
    check("a\r\nb", Encoding::Utf16, &[change((0, 9), (1, 0), " ")], "a b");
    check("a\n", Encoding::Utf16, &[change((0, 0), (7, 0), "b")], "b");
    check("a\n", Encoding::Utf16, &[change((2, 0), (2, 0), "b")], "a\nb");
    check("a", Encoding::Utf16, &[change((0, 0), (0, 1), "b"), full("c"), change((0, 1), (0, 1), "d")], "cd");
}

#[test]
fn what_does_not_fit_desyncs_until_the_next_full_text() {
    let check = |version: i32, changes: &[ContentChange], expected: &dyn Fn(DocumentUri) -> Desync| {
        let (documents, uri) = open("ab\ncd\n");
        assert_eq!(documents.change(&uri, version, changes, Encoding::Utf16), Err(expected(uri.clone())));
        let document = documents.get(&uri).unwrap();
        assert_eq!((document.text.to_string().as_str(), document.desynced), ("ab\ncd\n", true));
        let waiting = documents.change(&uri, 9, &[change((0, 0), (0, 0), "x")], Encoding::Utf16);
        assert_eq!(waiting, Err(Desync::AwaitingText { uri: uri.clone() }));
        assert_eq!(documents.change(&uri, 10, &[full("new")], Encoding::Utf16), Ok(()));
        let document = documents.get(&uri).unwrap();
        assert_eq!(
            (document.text.to_string().as_str(), document.desynced, document.version),
            ("new", false, 10)
        );
    };
    let valid = change((0, 0), (0, 0), "x");
    check(1, std::slice::from_ref(&valid), &|uri| Desync::Version { uri, current: 1, received: 1 });
    check(0, std::slice::from_ref(&valid), &|uri| Desync::Version { uri, current: 1, received: 0 });
    check(2, &[valid, change((4, 0), (4, 0), "x")], &|uri| Desync::Range { uri, version: 2, line: 4 });
    check(2, &[change((3, 1), (3, 1), "x")], &|uri| Desync::Range { uri, version: 2, line: 3 });
    check(2, &[change((1, 0), (0, 0), "x")], &|uri| Desync::Range { uri, version: 2, line: 1 });
}

#[test]
fn a_change_of_a_document_that_is_not_open_is_an_error() {
    let documents = Documents::new();
    let uri = DocumentUri::parse("file:///a.txt");
    let outcome = documents.change(&uri, 1, &[full("x")], Encoding::Utf16);
    assert_eq!(outcome, Err(Desync::NotOpen { uri: uri.clone() }));
    documents.saved(&uri);
    documents.close(&uri);
    assert_eq!(documents.list(), []);
}

#[test]
fn saving_makes_clean_and_the_list_is_ordered() {
    let (documents, a) = open("x");
    let b = DocumentUri::parse("untitled:b");
    documents.open(b.clone(), "text", 1, "y");
    documents.change(&a, 2, &[full("z")], Encoding::Utf16).unwrap();
    let dirty =
        || documents.list().into_iter().map(|document| (document.uri, document.dirty)).collect::<Vec<_>>();
    assert_eq!(dirty(), [(a.clone(), true), (b.clone(), false)]);
    documents.saved(&a);
    assert_eq!(dirty(), [(a, false), (b, false)]);
}

#[test]
fn the_observer_is_told_everything_in_order_also_of_what_was_open_before() {
    let project = Project::new(&[]);
    let uri = project.open("a.txt", "b");
    project.type_text(&uri, "a");
    project.documents.open(uri.clone(), "text", 1, "again");
    project.documents.close(&uri);
    project.documents.close(&uri);
    assert_eq!(
        project.told(),
        [
            Told::Opened("b".to_owned(), 1),
            Told::Changed(Author::User, "b".to_owned(), "ab".to_owned()),
            Told::Opened("again".to_owned(), 1),
            Told::Closed,
        ]
    );
    let documents = Documents::new();
    documents.open(uri.clone(), "text", 4, "early");
    documents.change(&uri, 5, &[typed("very ")], Encoding::Utf16).unwrap();
    documents.observe(Arc::clone(&project.observer) as _);
    assert_eq!(project.told(), [Told::Opened("very early".to_owned(), 5)]);
}

#[test]
fn changes_of_many_threads_reach_the_observer_in_the_order_of_each_document() {
    let project = Project::new(&[]);
    let uris: Vec<DocumentUri> = (0..4).map(|index| project.open(&format!("{index}.txt"), "")).collect();
    project.told();
    std::thread::scope(|scope| {
        for uri in &uris {
            let documents = &project.documents;
            scope.spawn(move || {
                for version in 2..100 {
                    documents.change(uri, version, &[typed(&format!("{uri} "))], Encoding::Utf16).unwrap();
                }
            });
        }
    });
    let told = project.told();
    assert_eq!(told.len(), 4 * 98);
    for uri in uris {
        let mut text = String::new();
        for change in &told {
            if let Told::Changed(_, before, after) = change
                && after.starts_with(uri.as_str())
            {
                assert_eq!(before, &text);
                text.clone_from(after);
            }
        }
        assert_eq!(text, format!("{uri} ").repeat(98));
    }
}
