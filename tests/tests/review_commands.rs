//! What commands do to files is reviewed like every other change of the agent.

use e2e::{changes, decide, permit, run_call, start};
use kit_testkit::{LanguageClient, ModelServer, Project, Reply, eventually};
use serde_json::{Value, json};

/// Waits for the file `go`, and takes it and `begun` away.
const WAIT: &str = "until [ -e go ]; do sleep 0.01; done; rm begun go";

fn bash(command: &str) -> Reply {
    Reply::new().call("bash", json!({ "command": command }))
}

async fn permitted(project: &Project) -> (ModelServer, LanguageClient) {
    let model = ModelServer::start().await;
    let client = start(project, &model).await;
    permit(&client, "allowOnce");
    (model, client)
}

/// Name, status and tool call of each file under review.
async fn listed(client: &LanguageClient, project: &Project) -> Vec<(String, String, String)> {
    let review = e2e::review(client).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let files = review["files"].as_array().cloned().unwrap_or_default();
    let root = format!("{}/", project.uri(""));
    files
        .iter()
        .map(|file| {
            let name =
                text(&file["uri"]).replace(root.trim_end_matches('/'), "").trim_start_matches('/').to_owned();
            (name, text(&file["status"]), text(&file["hunks"][0]["title"]))
        })
        .collect()
}

fn git(project: &Project, arguments: &[&str]) {
    let who = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
    let done =
        std::process::Command::new("git").args(who).args(arguments).current_dir(project.root()).output();
    assert!(done.expect("git runs").status.success(), "{arguments:?}");
}

#[tokio::test]
async fn files_that_a_command_changes_makes_and_deletes_are_under_review() {
    let project = Project::new()
        .file("changed.txt", "one\r\ntwo\r\n")
        .file("deleted.txt", "gone")
        .file("same.txt", "one\n")
        .file(".gitignore", "*.log\n")
        .file("open.txt", "one\ntwo\n")
        .file("reopened.txt", "one\ntwo\n");
    let (model, client) = permitted(&project).await;
    client.open("open.txt");
    client.open("reopened.txt");
    let before = Project::tree(&project.root());
    let command = "sed -i s/two/2/ changed.txt open.txt reopened.txt; rm deleted.txt; echo new > made.txt; touch same.txt; echo x > x.log";
    run_call(&client, &model, bash(command)).await;
    // An editor reads the file again when it notices; some close and open its document for that.
    client.type_over("open.txt", "two", "2");
    client.close_document("reopened.txt");
    client.open("reopened.txt");

    client.review(|review| review["summary"]["files"] == 5).await;
    let title = format!("$ {command}");
    let entry = |name: &str, status: &str| (name.to_owned(), status.to_owned(), title.clone());
    assert_eq!(
        listed(&client, &project).await,
        [
            entry("changed.txt", "modified"),
            entry("deleted.txt", "deleted"),
            entry("made.txt", "created"),
            entry("open.txt", "modified"),
            entry("reopened.txt", "modified")
        ]
    );
    let of = |name: &str| project.uri(name);
    assert_eq!(
        changes(&client, &of("changed.txt")).await,
        [("change".into(), "two\r\n".into(), "2\r\n".into())]
    );

    decide(&client, "kit.review.undo", json!({ "all": true })).await;
    assert_eq!(client.text("open.txt"), "one\ntwo\n");
    client.save("open.txt");
    client.save("reopened.txt");
    let left: Vec<_> =
        Project::tree(&project.root()).into_iter().filter(|(path, _)| !path.ends_with("x.log")).collect();
    assert_eq!(left, before);
    client.close().await;
}

/// While a command runs, an editor may take over what it wrote, and the user may type.
#[tokio::test]
async fn a_reload_during_a_command_is_the_commands_and_typing_is_the_users() {
    let project = Project::new().file("reloaded.txt", "one\n").file("typed.txt", "one\n");
    let (model, client) = permitted(&project).await;
    client.open("reloaded.txt");
    client.open("typed.txt");
    model.reply(bash(&format!("echo two > reloaded.txt; touch begun; {WAIT}")));
    model.reply(Reply::new().text("done"));
    let turn = client.prompt("go").await;
    eventually("the command runs", || project.exists("begun")).await;
    client.type_over("reloaded.txt", "one", "two");
    client.type_over("typed.txt", "one", "typed");
    client.save("typed.txt");
    project.write("go", "");
    client.finish(&turn).await;
    let files: Vec<String> = listed(&client, &project).await.into_iter().map(|(name, ..)| name).collect();
    assert_eq!(files, ["reloaded.txt"]);
    client.close().await;
}

/// An edit in another session, kept while a command runs, does not come back as the command's.
#[tokio::test]
async fn what_others_do_meanwhile_is_not_the_commands() {
    let project = Project::new().file("a.txt", "one\n");
    let (model, client) = permitted(&project).await;
    model.reply(bash(&format!("touch begun; {WAIT}")));
    let turn = client.prompt("wait").await;
    eventually("the command runs", || project.exists("begun")).await;
    model.reply(Reply::new().edit("a.txt", "one", "two"));
    model.reply(Reply::new().text("edited"));
    let other = client.command("kit.session.new", json!({})).await.expect("a session");
    let edit = client.prompt_in(other["session"].as_str().unwrap_or_default(), "edit").await;
    client.finish(&edit).await;
    decide(&client, "kit.review.keep", json!({ "all": true })).await;
    model.reply(Reply::new().text("done"));
    project.write("go", "");
    client.finish(&turn).await;
    assert_eq!(project.text("a.txt"), "two\n");
    assert_eq!(listed(&client, &project).await, []);
    client.close().await;
}

#[tokio::test]
async fn a_command_that_restores_what_is_committed_leaves_nothing_to_review() {
    let project = Project::new().file("a.txt", "one\n").file("b.txt", "one\n");
    git(&project, &["init", "-q"]);
    git(&project, &["add", "."]);
    git(&project, &["commit", "-qm", "first"]);
    git(&project, &["switch", "-qc", "other"]);
    project.write("a.txt", "two\n");
    project.write("c.txt", "new\n");
    git(&project, &["add", "."]);
    git(&project, &["commit", "-qm", "second"]);
    let (model, client) = permitted(&project).await;
    run_call(&client, &model, bash("git switch -q - && echo two > b.txt")).await;
    assert_eq!(project.text("a.txt"), "one\n");
    let files: Vec<String> = listed(&client, &project).await.into_iter().map(|(name, ..)| name).collect();
    assert_eq!(files, ["b.txt"]);
    client.close().await;
}

#[tokio::test]
async fn what_cannot_be_reviewed_is_named_to_user_and_model() {
    let project = Project::new().file("picture.bin", b"\0one").file("a.txt", "one\n");
    let (model, client) = permitted(&project).await;
    let report = run_call(&client, &model, bash("printf '\\0two' > picture.bin; echo two > a.txt")).await;
    let (said, _) = report.tool_result();
    assert!(said.ends_with("[the command changed files that cannot be reviewed: picture.bin]"), "{said}");
    let files: Vec<String> = listed(&client, &project).await.into_iter().map(|(name, ..)| name).collect();
    assert_eq!(files, ["a.txt"]);
    client.close().await;
}

/// What is committed needs no review; what is saved and not committed does, and so does what is not saved.
#[tokio::test]
async fn a_commit_accepts_what_it_holds() {
    let project = Project::new().file("a.txt", "one\n").file("b.txt", "one\n").file("open.txt", "one\n");
    git(&project, &["init", "-q"]);
    git(&project, &["add", "."]);
    git(&project, &["commit", "-qm", "first"]);
    let (model, client) = permitted(&project).await;
    client.open_text("open.txt", "one\nunsaved\n", true);
    for name in ["a.txt", "b.txt", "open.txt"] {
        run_call(&client, &model, Reply::new().edit(name, "one", "two")).await;
    }
    client.review(|review| review["summary"]["files"] == 3).await;
    git(&project, &["commit", "-qm", "second", "a.txt"]);
    let left = client.latest("kit/review", |review| review["summary"]["files"] == 2).await;
    assert_eq!(left["files"][0]["uri"], project.uri("b.txt"));
    assert_eq!(left["files"][1]["uri"], project.uri("open.txt"));
    client.close().await;
}

#[tokio::test]
async fn files_that_need_no_review_are_kept_at_once() {
    let project = Project::new()
        .file(".kit.yml", "auto-keep: [\"*.lock\", \"made/**\"]\n")
        .file("a.txt", "one\n")
        .file("deep/a.lock", "one\n");
    let (model, client) = permitted(&project).await;
    for name in ["a.txt", "deep/a.lock"] {
        run_call(&client, &model, Reply::new().edit(name, "one", "two")).await;
    }
    run_call(&client, &model, bash("mkdir made && echo x > made/x.txt")).await;
    let files: Vec<String> = listed(&client, &project).await.into_iter().map(|(name, ..)| name).collect();
    assert_eq!(files, ["a.txt"]);
    client.close().await;
}
