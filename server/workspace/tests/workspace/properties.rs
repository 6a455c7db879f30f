//! Arbitrary texts and edits: untouched bytes stay (I17), and the two sides never see different texts.

use kit_text::Text;
use kit_workspace::{Author, EditError};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::editor::{Behavior, Project, Told, agent};

fn line() -> impl Strategy<Value = String> {
    let content = prop_oneof!["[a-c ]{0,4}", Just("é😀".to_owned()), Just("\u{2028}x\u{85}\u{c}".to_owned())];
    let end = prop_oneof![4 => Just("\n"), 4 => Just("\r\n"), 1 => Just("\r"), 1 => Just("")];
    (content, end).prop_map(|(content, end)| content + end)
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(line(), 0..12).prop_map(|lines| lines.concat())
}

fn honest() -> impl Strategy<Value = Behavior> {
    prop_oneof![
        Just(Behavior::EchoFirst),
        Just(Behavior::AnswerFirst),
        Just(Behavior::InParts),
        Just(Behavior::WithTyping),
        Just(Behavior::MergedWithTyping),
        Just(Behavior::RefusedByTyping),
        Just(Behavior::SkippedForTyping),
        Just(Behavior::Denies),
    ]
}

fn run(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_closed_file_holds_exactly_what_was_planned(before in text(), after in text(), bom: bool) {
        let mark = if bom { "\u{feff}" } else { "" };
        run(async {
            let project = Project::new(&[("a.txt", &format!("{mark}{before}"))]);
            let (location, cancel) = (project.location("a.txt"), CancellationToken::new());
            let seen = project.workspace.snapshot(&location).await.unwrap();
            assert_eq!(seen.text, before.as_str());
            let plan = |_: &Text| Ok(Text::from(after.as_str()));
            let applied = project.workspace.edit(&location, agent(), "Edit", &plan, &cancel).await.unwrap();
            assert_eq!((applied.before, applied.after), (before.as_str().into(), after.as_str().into()));
            assert_eq!(project.on_disk("a.txt"), format!("{mark}{after}"));
        });
    }

    #[test]
    fn an_open_document_gets_the_edit_and_keeps_the_typing(
        before in text(),
        inserted in "[x-z]{1,3}",
        at: prop::sample::Index,
        behavior in honest(),
    ) {
        run(async {
            let project = Project::new(&[]);
            let uri = project.open("a.txt", &before);
            project.told();
            project.behave(&[behavior]);
            let wanted = |text: &str| {
                let places: Vec<usize> = (0..=text.len()).filter(|place| text.is_char_boundary(*place)).collect();
                let mut text = text.to_owned();
                text.insert_str(*at.get(&places), &inserted);
                text
            };
            let (location, cancel) = (project.location("a.txt"), CancellationToken::new());
            let plan = |text: &Text| Ok(Text::from(wanted(&text.to_string())));
            let result = project.workspace.edit(&location, agent(), "Edit", &plan, &cancel).await;
            let text = project.documents.get(&uri).unwrap().text.to_string();
            let conflict = matches!(result, Err(EditError::Conflict { .. }));
            if conflict {
                // Typing right beside the edit, by an editor that shows only the sum or skips what it claims.
                assert!([Behavior::MergedWithTyping, Behavior::SkippedForTyping].contains(&behavior), "{behavior:?}");
                let contained = behavior == Behavior::MergedWithTyping;
                let skipped = if contained { wanted(&before) } else { before.clone() };
                assert_eq!(text, format!("// typed\n{skipped}"));
                assert_eq!(project.requests().len(), 1);
            } else {
                let applied = result.unwrap();
                assert_eq!(applied.after, wanted(&applied.before.to_string()).as_str());
            }

            let told = project.told();
            let mut known = before.clone();
            for change in &told {
                let Told::Changed(author, before, after) = change else { panic!("{change:?}") };
                assert_eq!(before, &known);
                known.clone_from(after);
                let typed = after.strip_prefix("// typed\n") == Some(before);
                assert_eq!(*author == Author::User, typed || conflict, "{told:?}");
            }
            assert_eq!(text, known);
            let by_agent = |change: &&Told| matches!(change, Told::Changed(Author::Agent(_), ..));
            assert_eq!(told.iter().filter(by_agent).count(), usize::from(!conflict));
        });
    }
}
