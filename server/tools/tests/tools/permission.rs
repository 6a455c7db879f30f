use crate::desk::{Answer, Desk, failed, succeeded};
use kit_protocol::{AgentRef, Denial, DiffBlock, LineSpan, Mode, PermissionSubject, SessionId, ToolKind};
use serde_json::json;

#[tokio::test]
async fn a_command_asks_once_and_runs_after_a_yes() {
    let desk = Desk::with_rules(Mode::Edit, &[]);
    desk.answer(Answer::Option("allow-once"));
    let output = desk.call("bash", json!({ "command": "echo ran > made && cat made" })).await;
    assert_eq!(succeeded(output), "ran");
    let questions = desk.questions();
    assert_eq!(questions.len(), 1);
    assert_eq!(questions[0].title, "$ echo ran > made && cat made");
    assert_eq!(questions[0].tool_kind, ToolKind::Execute);
    assert_eq!(questions[0].why.as_deref(), Some("it redirects to or from a file: `>made`"));
    assert_eq!(questions[0].agent, AgentRef::main());
    let cwd = desk.context.cwd.to_str().unwrap().to_owned();
    let subject = PermissionSubject {
        command: Some("echo ran > made && cat made".to_owned()),
        cwd: Some(cwd),
        tool: Some("bash".to_owned()),
        ..PermissionSubject::default()
    };
    assert_eq!(questions[0].subject, subject);
}

#[tokio::test]
async fn a_no_has_no_effect_and_tells_the_model_why() {
    let desk = Desk::with_rules(Mode::Edit, &[]);
    desk.answer(Answer::Option("reject-once"));
    desk.answer(Answer::Feedback("reject-once", "use make instead"));
    desk.answer(Answer::Option("no such option"));
    let call = || desk.call("bash", json!({ "command": "touch made" }));
    let plain = call().await;
    assert_eq!(plain.metadata.denied, Some(Denial::DeniedInteractivelyByUser));
    assert!(failed(plain).starts_with("the user rejected this call."));
    assert_eq!(failed(call().await), "the user rejected this call and says: use make instead");
    assert!(failed(call().await).starts_with("the user rejected this call."));
    assert!(!desk.path("made").exists());
}

#[tokio::test]
async fn nobody_to_ask_means_no_with_a_reason_for_machines() {
    let desk = Desk::with_rules(Mode::Edit, &[]);
    let output = desk.call("bash", json!({ "command": "touch made" })).await;
    assert_eq!(output.metadata.denied, Some(Denial::DeniedNoApprovalRuleAndCouldNotRequestFromUser));
    assert_eq!(
        serde_json::to_value(&output.metadata).unwrap(),
        json!({ "denied": "denied-no-approval-rule-and-could-not-request-from-user" })
    );
    assert_eq!(failed(output), "permission denied: no rule allows `touch made`, and nobody could be asked.");
    assert!(!desk.path("made").exists());
}

#[tokio::test]
async fn a_yes_for_the_session_answers_the_next_question_in_that_session_only() {
    let mut desk = Desk::with_rules(Mode::Edit, &[]);
    let command = || json!({ "command": "printf x >&2" });
    desk.answer(Answer::Option("allow-session"));
    for _ in 0..2 {
        assert_eq!(succeeded(desk.call("bash", command()).await), "STDERR:\nx");
    }
    assert_eq!(desk.questions().len(), 1);
    assert!(!desk.context.policy.file().exists());
    desk.context.session = SessionId::new("s2");
    failed(desk.call("bash", command()).await);
    assert_eq!(desk.questions().len(), 2);
}

#[tokio::test]
async fn a_yes_for_the_project_is_written_where_the_question_said() {
    let desk = Desk::with_rules(Mode::Edit, &[]);
    desk.answer(Answer::Option("allow-project"));
    succeeded(desk.call("bash", json!({ "command": "printf x" })).await);
    let option =
        desk.questions()[0].options.iter().find(|option| option.id == "allow-project").cloned().unwrap();
    assert!(option.label.contains("`Bash(printf:*)`"), "{}", option.label);
    assert!(option.label.ends_with(&desk.context.policy.file().display().to_string()), "{}", option.label);
    let written = std::fs::read_to_string(desk.context.policy.file()).unwrap();
    assert!(written.contains("Bash(printf:*)"), "{written}");
    succeeded(desk.call("bash", json!({ "command": "printf y" })).await);
    assert_eq!(desk.questions().len(), 1);
}

#[tokio::test]
async fn a_no_for_good_denies_without_asking_again() {
    let desk = Desk::with_rules(Mode::Edit, &[]);
    desk.answer(Answer::Option("reject-project"));
    failed(desk.call("bash", json!({ "command": "printf x" })).await);
    let output = desk.call("bash", json!({ "command": "echo a; printf y" })).await;
    assert_eq!(output.metadata.denied, Some(Denial::DeniedByRules));
    assert_eq!(desk.questions().len(), 1);
}

#[tokio::test]
async fn an_answer_that_cannot_be_written_still_counts_once() {
    let desk = Desk::with_rules(Mode::Edit, &[]);
    let config = desk.context.policy.file().parent().unwrap().to_owned();
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    std::fs::write(&config, "a file where the folder should be").unwrap();
    desk.answer(Answer::Option("allow-user"));
    let content = succeeded(desk.call("bash", json!({ "command": "printf x" })).await);
    assert!(
        content.starts_with("x\n\n[the answer holds for this call only: it could not be written to "),
        "{content}"
    );
}

#[tokio::test]
async fn a_cancel_withdraws_the_question() {
    let desk = Desk::with_rules(Mode::Edit, &[]);
    desk.answer(Answer::Nothing);
    let call = desk.call("bash", json!({ "command": "touch made" }));
    let (output, ()) = futures::join!(call, async {
        while desk.questions().is_empty() {
            tokio::task::yield_now().await;
        }
        desk.context.cancel.cancel();
    });
    assert_eq!(failed(output), "cancelled by the user");
    assert!(!desk.path("made").exists());
}

#[tokio::test]
async fn a_question_about_an_edit_shows_the_text_that_is_really_there() {
    let desk = Desk::with_rules(Mode::Ask, &[]);
    desk.write("a.txt", "one\ntwo  \nthree\n");
    let uri = desk.open("a.txt", "zero\none\ntwo  \nthree\n");
    desk.answer(Answer::Option("allow-once"));
    let edits = json!([{ "old_text": "two\nthree", "new_text": "2\nthree" }]);
    let content = succeeded(desk.call("edit", json!({ "path": "a.txt", "edits": edits })).await);
    assert!(content.starts_with("Applied edit to a.txt (fuzzy match)"), "{content}");
    let question = &desk.questions()[0];
    assert_eq!(question.subject.uri.as_deref(), Some(uri.as_str()));
    assert_eq!(question.why.as_deref(), Some("ask mode asks before each change"));
    let block = DiffBlock {
        old_text: "two  \nthree".to_owned(),
        new_text: "2\nthree".to_owned(),
        old_range: LineSpan { start: 2, end: 4 },
        new_range: LineSpan { start: 2, end: 4 },
    };
    assert_eq!(question.subject.diff_blocks, [block]);
    assert_eq!(desk.document(&uri), "zero\none\n2\nthree\n");
}

#[tokio::test]
async fn nobody_is_asked_about_an_edit_that_cannot_be_made() {
    let desk = Desk::with_rules(Mode::Ask, &[]);
    desk.write("a.txt", "one\n");
    let edits = json!([{ "old_text": "absent", "new_text": "x" }]);
    let content = failed(desk.call("edit", json!({ "path": "a.txt", "edits": edits })).await);
    assert!(content.starts_with("edits[0]: could not find old_text in file."), "{content}");
    assert_eq!(desk.questions(), []);
}

#[tokio::test]
async fn plan_mode_changes_and_runs_nothing() {
    let desk = Desk::with_rules(Mode::Plan, &["Edit", "Bash"]);
    for (tool, arguments) in
        [("write", json!({ "path": "made", "content": "x" })), ("bash", json!({ "command": "touch made" }))]
    {
        let output = desk.call(tool, arguments).await;
        assert_eq!(output.metadata.denied, Some(Denial::DeniedByRules));
        assert!(failed(output).contains("plan mode"));
    }
    assert!(!desk.path("made").exists());
    assert_eq!(desk.questions(), []);
}

#[cfg(unix)]
#[tokio::test]
async fn a_way_out_of_the_workspace_asks_whatever_it_looks_like() {
    let desk = Desk::new();
    std::os::unix::fs::symlink(desk.outside(""), desk.path("link")).unwrap();
    std::os::unix::fs::symlink(desk.outside("new"), desk.path("dangling")).unwrap();
    let absolute = desk.outside("a").display().to_string();
    let uri = format!("file://{absolute}");
    for path in ["link/a", "dangling", "../outside/a", "new/../../outside/a", absolute.as_str(), uri.as_str()]
    {
        let output = desk.call("write", json!({ "path": path, "content": "x" })).await;
        assert_eq!(
            output.metadata.denied,
            Some(Denial::DeniedNoApprovalRuleAndCouldNotRequestFromUser),
            "{path}"
        );
    }
    assert_eq!(std::fs::read_dir(desk.outside("")).unwrap().count(), 0);
    assert_eq!(desk.questions().len(), 6);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_that_is_replaced_while_the_user_is_asked_leads_nowhere() {
    let desk = Desk::with_rules(Mode::Ask, &[]);
    std::fs::create_dir(desk.path("folder")).unwrap();
    let (folder, outside) = (desk.path("folder"), desk.outside(""));
    let swap = move || {
        std::fs::remove_dir(&folder).unwrap();
        std::os::unix::fs::symlink(&outside, &folder).unwrap();
    };
    desk.answer(Answer::After(Box::new(swap), "allow-once"));
    let content = failed(desk.call("write", json!({ "path": "folder/a", "content": "x" })).await);
    assert_eq!(content, "what the call would reach changed while it waited for leave; call the tool again");
    assert_eq!(std::fs::read_dir(desk.outside("")).unwrap().count(), 0);
}

#[tokio::test]
async fn auto_mode_without_a_sandbox_asks_for_commands() {
    let desk = Desk::with_rules(Mode::Auto, &[]);
    let output = desk.call("bash", json!({ "command": "touch made" })).await;
    assert_eq!(output.metadata.denied, Some(Denial::DeniedNoApprovalRuleAndCouldNotRequestFromUser));
    assert_eq!(desk.questions()[0].why.as_deref(), Some("there is no sandbox: it is not set up"));
    succeeded(desk.call("bash", json!({ "command": "pwd" })).await);
}
