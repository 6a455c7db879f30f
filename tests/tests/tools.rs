//! The built-in tools as the model sees them: output, caps, time-outs, searching.

use e2e::{launch, permit, run_call, start};
use kit_testkit::{LanguageClient, ModelServer, Project, Reply};
use serde_json::{Value, json};

async fn result(
    client: &LanguageClient,
    model: &ModelServer,
    name: &str,
    arguments: Value,
) -> (String, bool) {
    let report = run_call(client, model, Reply::new().call(name, arguments)).await;
    let (text, failed) = report.tool_result();
    let requests = model.requests();
    assert_eq!(
        requests.last().expect("a request").last_result(),
        text,
        "the model reads what the client is shown"
    );
    (text.to_owned(), failed)
}

#[tokio::test]
async fn the_tools_have_upstreams_names() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    model.reply(Reply::new().text("hi"));
    client.run("go").await;
    let request = model.request(0).await;
    let mut tools = request.tools();
    tools.sort_unstable();
    for needed in ["bash", "edit", "find", "grep", "ls", "read", "write"] {
        assert!(tools.contains(&needed), "{needed} is in {tools:?}");
    }
    client.close().await;
}

#[tokio::test]
async fn plan_mode_offers_no_tool_that_changes_anything() {
    let project = Project::new().file("a.txt", "one\n");
    let model = ModelServer::start().await;
    let client = launch(&project, &model).setting("mode", json!("plan")).start().await;
    model.reply(Reply::new().edit("a.txt", "one", "two"));
    model.reply(Reply::new().text("a plan"));
    let report = client.run("go").await;
    assert!(report.tool_result().1, "{:?}", report.tool_result());
    let request = model.request(0).await;
    let tools = request.tools();
    assert!(tools.contains(&"read") && !tools.contains(&"edit") && !tools.contains(&"bash"), "{tools:?}");
    assert_eq!(project.text("a.txt"), "one\n");
    client.close().await;
}

#[tokio::test]
async fn read_numbers_lines_and_says_how_to_go_on() {
    let lines: String = (1..=50).map(|line| format!("line {line}\n")).collect();
    let project = Project::new().file("a.txt", lines);
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let (text, failed) =
        result(&client, &model, "read", json!({ "path": "a.txt", "offset": 10, "limit": 5 })).await;
    assert!(!failed && text.contains("10: line 10") && text.contains("14: line 14"), "{text}");
    assert!(!text.contains("line 15") && !text.contains("line 9\n"), "{text}");
    assert!(text.contains("offset=15") && text.contains("50"), "{text}");
    client.close().await;
}

#[tokio::test]
async fn read_caps_a_huge_file_and_says_how_much_was_cut() {
    let project = Project::new()
        .file("big.txt", "x".repeat(100).add_newlines(20_000))
        .file("wide.txt", "é".repeat(3_000_000));
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let (text, _) = result(&client, &model, "read", json!({ "path": "big.txt" })).await;
    assert!(
        text.len() < 80_000 && text.contains("20000"),
        "{} bytes: {}",
        text.len(),
        &text[text.len() - 200..]
    );
    let (text, _) = result(&client, &model, "read", json!({ "path": "wide.txt" })).await;
    assert!(text.len() < 80_000 && !text.contains('\u{fffd}'), "{} bytes", text.len());
    client.close().await;
}

trait AddNewlines {
    fn add_newlines(self, count: usize) -> String;
}

impl AddNewlines for String {
    fn add_newlines(self, count: usize) -> String {
        (self + "\n").repeat(count)
    }
}

#[tokio::test]
async fn read_tells_a_binary_file_from_text() {
    let project = Project::new().file("a.bin", b"\x7fELF\x02\x01\x01\x00\x00\x00\xff\xfe");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let (text, failed) = result(&client, &model, "read", json!({ "path": "a.bin" })).await;
    assert!(failed || text.to_lowercase().contains("binary"), "{text}");
    assert!(!text.contains('\u{fffd}'), "{text}");
    client.close().await;
}

/// Statement 20.
#[cfg(unix)]
#[tokio::test]
async fn the_shell_gives_both_outputs_and_the_exit_code() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    permit(&client, "allowOnce");
    let (text, failed) =
        result(&client, &model, "bash", json!({ "command": "echo out; echo err >&2; exit 3" })).await;
    assert!(
        failed && text.contains("out") && text.contains("err") && text.contains("Exit code: 3"),
        "{text}"
    );
    let (text, failed) = result(&client, &model, "bash", json!({ "command": "true" })).await;
    assert!(!failed && text.contains("(no output)"), "{text}");
    let (text, failed) = result(&client, &model, "bash", json!({ "command": "pwd" })).await;
    assert!(!failed && text.contains(&project.root().display().to_string()), "{text}");
    client.close().await;
}

/// Statement 20.
#[cfg(unix)]
#[tokio::test]
async fn a_shell_command_that_takes_too_long_says_so_and_keeps_its_output() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    permit(&client, "allowOnce");
    let command = json!({ "command": "echo so far; sleep 1000 & sleep 1000", "timeout": 1 });
    let (text, failed) = result(&client, &model, "bash", command).await;
    assert!(failed && text.contains("so far") && text.contains("timed out"), "{text}");
    #[cfg(target_os = "linux")]
    assert_eq!(kit_testkit::processes_below(&project.root()), Vec::<String>::new());
    client.close().await;
}

/// Statement 20.
#[cfg(unix)]
#[tokio::test]
async fn five_megabytes_on_one_line_are_cut_at_a_character_and_told() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    permit(&client, "allowOnce");
    let command = "i=0; line=$(printf 'é%.0s' $(seq 1000)); while [ $i -lt 2500 ]; do printf %s \"$line\"; i=$((i+1)); done; echo end";
    let (text, failed) = result(&client, &model, "bash", json!({ "command": command })).await;
    assert!(!failed, "{text}");
    assert!(text.len() < 80_000 && !text.contains('\u{fffd}'), "{} bytes", text.len());
    let told: String = text.chars().filter(|c| *c != 'é').collect();
    assert!(told.contains("end") && told.contains("bytes left out"), "{told}");
    client.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn shell_output_is_streamed_and_a_background_child_does_not_hold_the_call() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    permit(&client, "allowOnce");
    // The child keeps the pipe open; the command itself is over.
    model.reply(Reply::new().call("bash", json!({ "command": "echo early; (sleep 1000 &) ; echo late" })));
    model.reply(Reply::new().text("done"));
    let report = client.run("go").await;
    let streamed: String =
        report.all("tool_output").iter().filter_map(|event| event["chunk"].as_str()).collect();
    assert!(streamed.contains("early"), "{streamed}");
    let (text, failed) = report.tool_result();
    assert!(!failed && text.contains("early") && text.contains("late"), "{text}");
    client.close().await;
}

/// Statement 21.
#[tokio::test]
async fn searching_takes_a_dash_literally_and_respects_ignore_files() {
    let project = Project::new()
        .file(".gitignore", "target/\n")
        .file("src/deep/er/a.rs", "let x = \"-v\";\n")
        .file("src/b.rs", "let y = 1;\n")
        .file("target/c.rs", "let z = \"-v\";\n")
        .file("note.md", "-v\n");
    std::fs::create_dir(project.path(".git")).expect("a folder");
    for path in [std::env::var("PATH").unwrap_or_default(), String::new()] {
        let model = ModelServer::start().await;
        let client = launch(&project, &model).env("PATH", &path).start().await;
        let (text, failed) = result(&client, &model, "grep", json!({ "pattern": "-v" })).await;
        assert!(
            !failed && text.contains("a.rs") && text.contains("note.md") && !text.contains("target"),
            "{text}"
        );
        let (text, failed) =
            result(&client, &model, "grep", json!({ "pattern": "-v", "glob": "*.rs", "literal": true }))
                .await;
        assert!(!failed && text.contains("a.rs:1") && !text.contains("note.md"), "{text}");
        let (text, failed) = result(&client, &model, "find", json!({ "pattern": "src/**/*.rs" })).await;
        assert!(
            !failed
                && text.contains("src/deep/er/a.rs")
                && text.contains("src/b.rs")
                && !text.contains("target"),
            "{text}"
        );
        let (text, failed) = result(&client, &model, "find", json!({ "pattern": "-v*" })).await;
        assert!(!failed && text.contains("No files found"), "{text}");
        let (text, failed) =
            result(&client, &model, "grep", json!({ "pattern": "nowhere to be found" })).await;
        assert!(!failed && text.contains("No matches found"), "{text}");
        client.close().await;
    }
}

#[tokio::test]
async fn a_pattern_that_is_no_pattern_is_an_error() {
    let project = Project::new().file("a.txt", "a(b\n");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let (text, failed) = result(&client, &model, "grep", json!({ "pattern": "a(b" })).await;
    assert!(failed && !text.is_empty(), "{text}");
    let (text, failed) = result(&client, &model, "grep", json!({ "pattern": "a(b", "literal": true })).await;
    assert!(!failed && text.contains("a.txt"), "{text}");
    client.close().await;
}

#[tokio::test]
async fn search_results_have_a_limit_and_say_so() {
    let project = Project::new().file("many.txt", "needle\n".repeat(500));
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let (text, _) = result(&client, &model, "grep", json!({ "pattern": "needle" })).await;
    assert_eq!(text.matches("needle").count(), 100, "{text}");
    assert!(text.lines().last().is_some_and(|line| line.contains("100")), "{text}");
    client.close().await;
}

#[tokio::test]
async fn ls_lists_folders_with_a_slash_and_dot_files() {
    let project = Project::new().file("b.txt", "").file("A/x", "").file(".hidden", "");
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let (text, failed) = result(&client, &model, "ls", json!({})).await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((failed, lines), (false, vec![".hidden", "A/", "b.txt"]));
    client.close().await;
}

/// I20: nothing that enters the context is without bound.
#[tokio::test]
async fn a_find_over_thousands_of_files_is_cut_at_its_limit() {
    let mut project = Project::new();
    for folder in 0..12 {
        for file in 0..100 {
            project = project.file(&format!("d{folder}/f{file}.txt"), "");
        }
    }
    let model = ModelServer::start().await;
    let client = start(&project, &model).await;
    let (text, _) = result(&client, &model, "find", json!({ "pattern": "**/*.txt" })).await;
    assert_eq!(text.lines().filter(|line| line.ends_with(".txt")).count(), 1000);
    let (text, _) = result(&client, &model, "find", json!({ "pattern": "**/*.txt", "limit": 3 })).await;
    assert_eq!(text.lines().filter(|line| line.ends_with(".txt")).count(), 3, "{text}");
    client.close().await;
}
