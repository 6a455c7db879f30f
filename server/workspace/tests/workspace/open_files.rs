//! Edits of open documents: the echo decides, and nothing the user typed is lost.

use kit_protocol::SaveAfterEdit;
use kit_text::Text;
use kit_workspace::{Applied, Author, EditError};
use tokio_util::sync::CancellationToken;

use crate::editor::{Behavior, Project, Told, agent, replacing};

const BEFORE: &str = "one\ntwo\nthree\nfour\nfive\nsix\n";
const AFTER: &str = "one\nours\nthree\nfour\nours\nsix\n";

fn plan(text: &Text) -> Result<Text, String> {
    replacing("five", "ours")(&replacing("two", "ours")(text)?)
}

fn changed(author: Author, before: &str, after: &str) -> Told {
    Told::Changed(author, before.to_owned(), after.to_owned())
}

struct Outcome {
    project: Project,
    result: Result<Applied, EditError>,
    text: Option<String>,
    told: Vec<Told>,
}

/// Opens a file as it is on disk, edits it with the editor behaving as told, and answers what came of it.
async fn edit(behaviors: &[Behavior]) -> Outcome {
    let project = Project::new(&[("a.txt", BEFORE)]);
    let uri = project.open("a.txt", BEFORE);
    project.told();
    project.behave(behaviors);
    let cancel = CancellationToken::new();
    let result = project.workspace.edit(&project.location("a.txt"), agent(), "Edit", &plan, &cancel).await;
    let text = project.documents.get(&uri).map(|document| document.text.to_string());
    let told = project.told();
    Outcome { project, result, text, told }
}

fn applied(before: &str, after: &str, version: i32, saved: bool, attempts: u32) -> Applied {
    Applied {
        before: before.into(),
        after: after.into(),
        version: Some(version),
        saved,
        created: false,
        attempts,
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_is_the_agents_however_the_editor_echoes_it() {
    for behavior in [Behavior::EchoFirst, Behavior::AnswerFirst, Behavior::EchoOnly, Behavior::Denies] {
        let outcome = edit(&[behavior]).await;
        assert_eq!(outcome.result, Ok(applied(BEFORE, AFTER, 2, true, 1)), "{behavior:?}");
        assert_eq!(outcome.told, [changed(agent(), BEFORE, AFTER)], "{behavior:?}");
        assert_eq!(outcome.text.as_deref(), Some(AFTER), "{behavior:?}");
        assert_eq!(outcome.project.on_disk("a.txt"), AFTER, "{behavior:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn parts_of_an_echo_are_not_taken_for_typing() {
    let outcome = edit(&[Behavior::InParts]).await;
    assert_eq!(outcome.result, Ok(applied(BEFORE, AFTER, 3, true, 1)));
    assert_eq!(outcome.told, [changed(agent(), BEFORE, AFTER)]);
}

#[tokio::test(start_paused = true)]
async fn typing_batched_with_the_echo_is_the_users_and_is_not_saved() {
    for behavior in [Behavior::WithTyping, Behavior::MergedWithTyping] {
        let outcome = edit(&[behavior]).await;
        let actual = format!("// typed\n{AFTER}");
        assert_eq!(outcome.result, Ok(applied(BEFORE, AFTER, 2, false, 1)), "{behavior:?}");
        assert_eq!(
            outcome.told,
            [changed(agent(), BEFORE, AFTER), changed(Author::User, AFTER, &actual)],
            "{behavior:?}"
        );
        assert_eq!(outcome.text, Some(actual), "{behavior:?}");
        assert_eq!(outcome.project.on_disk("a.txt"), BEFORE, "{behavior:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_claimed_edit_that_cannot_be_told_from_typing_is_not_made_twice() {
    let typed_into = AFTER.replace("ours", "ours and mine");
    let typed_over = BEFORE.replace("two", "mine");
    for (behavior, actual) in
        [(Behavior::TypedIntoOurLine, typed_into), (Behavior::TypedOverOurLine, typed_over)]
    {
        let outcome = edit(&[behavior]).await;
        assert_eq!(outcome.result, Err(EditError::Conflict { current: actual.as_str().into() }));
        assert_eq!(outcome.told, [changed(Author::User, BEFORE, &actual)]);
        assert_eq!(outcome.project.requests().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_skipped_edit_that_was_claimed_is_planned_again_on_what_was_typed() {
    let outcome = edit(&[Behavior::SkippedForTyping]).await;
    let (typed, after) = (format!("// typed\n{BEFORE}"), format!("// typed\n{AFTER}"));
    assert_eq!(outcome.result, Ok(applied(&typed, &after, 3, false, 2)));
    assert_eq!(outcome.told, [changed(Author::User, BEFORE, &typed), changed(agent(), &typed, &after)]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_edit_is_planned_again_on_the_new_text() {
    let outcome = edit(&[Behavior::RefusedByTyping]).await;
    let (typed, after) = (format!("// typed\n{BEFORE}"), format!("// typed\n{AFTER}"));
    assert_eq!(outcome.project.requests(), [(1, BEFORE.to_owned()), (2, typed.clone())]);
    assert_eq!(outcome.result, Ok(applied(&typed, &after, 3, false, 2)));
    assert_eq!(outcome.told, [changed(Author::User, BEFORE, &typed), changed(agent(), &typed, &after)]);
}

#[tokio::test(start_paused = true)]
async fn a_third_refusal_is_an_error_with_the_text_as_it_is() {
    let outcome = edit(&[Behavior::Refused, Behavior::RefusedByTyping, Behavior::Refused]).await;
    let current = format!("// typed\n{BEFORE}");
    assert_eq!(
        outcome.result,
        Err(EditError::Refused { current: current.as_str().into(), why: "the buffer is newer".to_owned() })
    );
    assert_eq!(outcome.told, [changed(Author::User, BEFORE, &current)]);
    assert_eq!(outcome.project.requests().len(), 3);
    assert_eq!(outcome.project.on_disk("a.txt"), BEFORE);
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_was_only_claimed_is_not_applied() {
    let started = tokio::time::Instant::now();
    let outcome = edit(&[Behavior::Lies, Behavior::Lies, Behavior::Lies]).await;
    let why = "it says that it did, but the document does not show it".to_owned();
    assert_eq!(outcome.result, Err(EditError::Refused { current: BEFORE.into(), why }));
    assert_eq!(outcome.told, []);
    assert_eq!(started.elapsed().as_secs(), 6);
}

#[tokio::test(start_paused = true)]
async fn an_editor_that_never_answers_is_not_asked_twice() {
    let outcome = edit(&[Behavior::Silent]).await;
    let why = "no answer in 10 seconds".to_owned();
    assert_eq!(outcome.result, Err(EditError::Refused { current: BEFORE.into(), why }));
    assert_eq!(outcome.project.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_document_closed_meanwhile_is_edited_on_disk() {
    let outcome = edit(&[Behavior::Closes]).await;
    let expected = Applied { version: None, ..applied(BEFORE, AFTER, 0, true, 2) };
    assert_eq!(outcome.result, Ok(expected));
    let file = Told::File {
        author: agent(),
        before: BEFORE.to_owned(),
        after: AFTER.to_owned(),
        existed: true,
        exists: true,
    };
    assert_eq!(outcome.told, [Told::Closed, file]);
    assert_eq!(outcome.project.on_disk("a.txt"), AFTER);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_edit_that_comes_late_is_still_the_agents() {
    let project = Project::new(&[("a.txt", BEFORE)]);
    let uri = project.open("a.txt", BEFORE);
    project.told();
    project.behave(&[Behavior::Silent]);
    let cancel = CancellationToken::new();
    let location = project.location("a.txt");
    let (workspace, author) = (&project.workspace, agent());
    let edit = workspace.edit(&location, author, "Edit", &plan, &cancel);
    let stop = async {
        while project.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (result, ()) = futures::join!(edit, stop);
    assert_eq!(result, Err(EditError::Cancelled));
    project.type_text(&uri, "x");
    let full = kit_workspace::ContentChange { range: None, text: AFTER.to_owned() };
    project.documents.change(&uri, 9, &[full], kit_text::Encoding::Utf16).unwrap();
    let typed = format!("x{BEFORE}");
    assert_eq!(project.told(), [changed(Author::User, BEFORE, &typed), changed(agent(), &typed, AFTER)]);
}

#[tokio::test(start_paused = true)]
async fn a_future_dropped_halfway_reports_what_was_held_back() {
    let project = Project::new(&[("a.txt", BEFORE)]);
    let uri = project.open("a.txt", BEFORE);
    project.told();
    project.behave(&[Behavior::Silent]);
    let cancel = CancellationToken::new();
    let location = project.location("a.txt");
    {
        let edit = std::pin::pin!(project.workspace.edit(&location, agent(), "Edit", &plan, &cancel));
        let typing = std::pin::pin!(async {
            while project.requests().is_empty() {
                tokio::task::yield_now().await;
            }
            project.type_text(&uri, "x");
        });
        let (_, edit) = match futures::future::select(edit, typing).await {
            futures::future::Either::Left((result, _)) => panic!("{result:?}"),
            futures::future::Either::Right(halfway) => halfway,
        };
        assert_eq!(project.told(), []);
        let _dropped_here = edit;
    }
    assert_eq!(project.told(), [changed(Author::User, BEFORE, &format!("x{BEFORE}"))]);
    let again = project.workspace.edit(&location, agent(), "Edit", &plan, &cancel).await;
    assert_eq!(again.map(|applied| applied.attempts), Ok(1));
}

#[tokio::test(start_paused = true)]
async fn only_documents_that_were_clean_are_saved() {
    let check = async |on_disk: Option<&str>, open: &str, setting: SaveAfterEdit, saves: bool| {
        let files: Vec<(&str, &str)> = on_disk.map(|text| ("a.txt", text)).into_iter().collect();
        let project = Project::new(&files);
        let uri = project.open("a.txt", open);
        project.workspace.set_save_after_edit(setting);
        let (location, cancel) = (project.location("a.txt"), CancellationToken::new());
        let plan = replacing("two", "2");
        let result = project.workspace.edit(&location, agent(), "Edit", &plan, &cancel).await;
        assert_eq!(result.map(|applied| applied.saved), Ok(saves), "{on_disk:?} {open:?}");
        let expected = if saves { vec![uri] } else { vec![] };
        assert_eq!(project.saved(), expected, "{on_disk:?} {open:?}");
    };
    check(Some("one\ntwo\n"), "one\ntwo\n", SaveAfterEdit::IfWasClean, true).await;
    check(Some("one\r\ntwo"), "one\ntwo\n", SaveAfterEdit::IfWasClean, true).await;
    check(Some("one\ntwo\n"), "one\ntwo\n", SaveAfterEdit::Never, false).await;
    check(Some("one\ntwo\n"), "unsaved\ntwo\n", SaveAfterEdit::IfWasClean, false).await;
    check(None, "one\ntwo\n", SaveAfterEdit::IfWasClean, false).await;
}

#[tokio::test(start_paused = true)]
async fn a_document_whose_changes_were_undone_is_clean_again() {
    let project = Project::new(&[("a.txt", BEFORE)]);
    let uri = project.open("a.txt", BEFORE);
    project.type_text(&uri, "x");
    let delete = kit_workspace::ContentChange {
        range: Some((kit_text::Position::new(0, 0), kit_text::Position::new(0, 1))),
        text: String::new(),
    };
    project.documents.change(&uri, 3, &[delete], kit_text::Encoding::Utf16).unwrap();
    let snapshot = project.workspace.snapshot(&project.location("a.txt")).await.unwrap();
    assert_eq!(snapshot.base, kit_workspace::Base::Open { version: 3, dirty: false, desynced: false });
}

#[tokio::test(start_paused = true)]
async fn an_editor_that_does_not_save_does_not_hang_the_edit() {
    let project = Project::new(&[("a.txt", BEFORE)]);
    project.open("a.txt", BEFORE);
    project.never_saves();
    let (location, cancel) = (project.location("a.txt"), CancellationToken::new());
    let result = project.workspace.edit(&location, agent(), "Edit", &plan, &cancel).await;
    assert_eq!(result, Ok(applied(BEFORE, AFTER, 2, false, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_changes_nothing_or_fails_sends_nothing() {
    let project = Project::new(&[("a.txt", BEFORE)]);
    project.open("a.txt", BEFORE);
    let (location, cancel) = (project.location("a.txt"), CancellationToken::new());
    let same = |text: &Text| Ok(text.clone());
    let result = project.workspace.edit(&location, agent(), "Edit", &same, &cancel).await;
    assert_eq!(result, Ok(applied(BEFORE, BEFORE, 1, true, 1)));
    let failing = |_: &Text| Err("no match".to_owned());
    let result = project.workspace.edit(&location, agent(), "Edit", &failing, &cancel).await;
    assert_eq!(result, Err(EditError::Plan("no match".to_owned())));
    assert_eq!(project.requests(), []);
}

#[tokio::test(start_paused = true)]
async fn a_desynced_document_is_not_edited() {
    let project = Project::new(&[("a.txt", BEFORE)]);
    let uri = project.open("a.txt", BEFORE);
    project.documents.change(&uri, 1, &[crate::editor::typed("x")], kit_text::Encoding::Utf16).unwrap_err();
    let (location, cancel) = (project.location("a.txt"), CancellationToken::new());
    let result = project.workspace.edit(&location, agent(), "Edit", &plan, &cancel).await;
    assert_eq!(result, Err(EditError::Desynced { path: location.path }));
    assert_eq!(project.requests(), []);
}

#[tokio::test(start_paused = true)]
async fn two_edits_of_one_file_take_turns() {
    let project = Project::new(&[("a.txt", "a b\n")]);
    project.open("a.txt", "a b\n");
    project.behave(&[Behavior::AnswerFirst, Behavior::AnswerFirst]);
    let (location, cancel) = (project.location("a.txt"), CancellationToken::new());
    let (first, second) = (replacing("a", "A"), replacing("b", "B"));
    let (first, second) = futures::join!(
        project.workspace.edit(&location, agent(), "first", &first, &cancel),
        project.workspace.edit(&location, agent(), "second", &second, &cancel),
    );
    assert_eq!(
        [first.map(|applied| applied.attempts), second.map(|applied| applied.attempts)],
        [Ok(1), Ok(1)]
    );
    assert_eq!(project.on_disk("a.txt"), "A B\n");
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_document_opened_under_another_name_of_the_file_is_edited_in_the_editor() {
    let project = Project::new(&[("real/a.txt", BEFORE)]);
    std::os::unix::fs::symlink("real", project.top.join("link")).unwrap();
    let uri = project.open("link/a.txt", BEFORE);
    let cancel = CancellationToken::new();
    let result =
        project.workspace.edit(&project.location("real/a.txt"), agent(), "Edit", &plan, &cancel).await;
    assert_eq!(result.map(|applied| applied.version), Ok(Some(2)));
    assert_eq!(project.documents.get(&uri).unwrap().text, AFTER);
}
