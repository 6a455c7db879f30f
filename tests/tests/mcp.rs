//! MCP servers that others wrote: npm's everything, filesystem and memory, PyPI's git and time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::{editor_or_skip, launch, permit, run_call};
use kit_testkit::{
    Answer, LanguageClient, Launch, ModelServer, Project, Reply, deadline, eventually, processes_below,
};
use serde_json::{Value, json};

/// A server of the test machine, by its program's name and arguments.
fn server(bin: &Path, name: &str, arguments: &[&str]) -> Value {
    json!({ "command": bin.join(name).to_string_lossy(), "args": arguments })
}

fn with_servers(project: &Project, model: &ModelServer, servers: Value) -> Launch {
    launch(project, model).setting("mcpServers", servers)
}

/// What the server tells of one MCP server.
pub(crate) async fn info(client: &LanguageClient, name: &str) -> Value {
    let answer = client.command("kit.mcp.list", json!({ "name": name })).await.expect("the servers are told");
    answer["servers"][0].clone()
}

/// The same once it is in one of these states.
pub(crate) async fn in_state(client: &LanguageClient, name: &str, state: &str) -> Value {
    let looking = async {
        let mut interval = tokio::time::interval(Duration::from_millis(20));
        loop {
            let info = info(client, name).await;
            if info["state"] == state {
                return info;
            }
            interval.tick().await;
        }
    };
    tokio::time::timeout(deadline(), looking).await.unwrap_or_else(|_| panic!("{name} becomes {state}"))
}

pub(crate) fn tool_names(info: &Value) -> Vec<String> {
    let tools = info["tools"].as_array().cloned().unwrap_or_default();
    tools.iter().map(|tool| tool["name"].as_str().unwrap_or_default().to_owned()).collect()
}

fn bin() -> Option<PathBuf> {
    editor_or_skip("mcp")
}

async fn everything(project: &Project, model: &ModelServer) -> Option<LanguageClient> {
    let bin = bin()?;
    let servers = json!({ "everything": server(&bin, "everything", &[]) });
    let client = with_servers(project, model, servers).start().await;
    permit(&client, "allowOnce");
    in_state(&client, "everything", "ready").await;
    Some(client)
}

/// The result of one call to a tool of `everything`.
async fn called(
    client: &LanguageClient,
    model: &ModelServer,
    tool: &str,
    arguments: Value,
) -> (String, bool) {
    let call = Reply::new().call(&format!("mcp__everything__{tool}"), arguments);
    let report = run_call(client, model, call).await;
    let (result, failed) = report.tool_result();
    (result.to_owned(), failed)
}

#[tokio::test]
async fn the_first_prompt_starts_the_servers_and_offers_their_tools() {
    let Some(bin) = bin() else { return };
    let project = Project::new().file("notes.txt", "remember\n");
    let model = ModelServer::start().await;
    let root = project.root().to_string_lossy().into_owned();
    let servers = json!({
        "everything": server(&bin, "everything", &[]),
        "files": server(&bin, "filesystem", &[&root]),
    });
    let client = with_servers(&project, &model, servers).start().await;
    permit(&client, "allowOnce");
    assert_eq!(processes_below(&project.root()), Vec::<String>::new(), "nothing runs before it is needed");
    let call =
        Reply::new().call("mcp__files__read_text_file", json!({ "path": format!("{root}/notes.txt") }));
    let report = run_call(&client, &model, call).await;
    assert_eq!(report.tool_result(), ("remember\n", false));
    let tools: Vec<String> = model.request(0).await.tools().into_iter().map(str::to_owned).collect();
    for wanted in ["mcp__everything__echo", "mcp__files__read_text_file", "read"] {
        assert!(tools.iter().any(|tool| tool == wanted), "{wanted} among {tools:?}");
    }
    let asked = client.server_requests("kit/permission");
    assert_eq!(asked.len(), 1, "a tool of a server asks, whatever it says of itself");
    assert_eq!(asked[0]["subject"]["tool"], "mcp__files__read_text_file");
    assert!(asked[0]["title"].as_str().unwrap_or_default().contains("says that it only reads"));
    let folder = project.root();
    client.close().await;
    eventually("no server is left", || processes_below(&folder).is_empty()).await;
}

#[tokio::test]
async fn text_structure_images_resources_and_links_become_results() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let Some(client) = everything(&project, &model).await else { return };
    let (echo, failed) = called(&client, &model, "echo", json!({ "message": "hello" })).await;
    assert_eq!((echo.as_str(), failed), ("Echo: hello", false));
    let (sum, _) = called(&client, &model, "get-sum", json!({ "a": 2, "b": 3 })).await;
    assert!(sum.contains('5'), "{sum}");
    let (image, _) = called(&client, &model, "get-tiny-image", json!({})).await;
    assert!(image.contains("[image, attached 1: image/png, "), "{image}");
    let (weather, _) =
        called(&client, &model, "get-structured-content", json!({ "location": "New York" })).await;
    assert!(weather.contains("temperature"), "{weather}");
    let (links, _) = called(&client, &model, "get-resource-links", json!({ "count": 2 })).await;
    assert!(links.contains("[resource demo://resource/dynamic/"), "{links}");
    let arguments = json!({ "resourceType": "Text", "resourceId": 1 });
    let (embedded, _) = called(&client, &model, "get-resource-reference", arguments).await;
    assert!(embedded.contains("[resource demo://resource/dynamic/text/1]\n"), "{embedded}");
    let (wrong, failed) = called(&client, &model, "get-sum", json!({ "a": "no" })).await;
    assert!(failed && !wrong.is_empty(), "{wrong}");
    let (roots, _) = called(&client, &model, "get-roots-list", json!({})).await;
    assert!(roots.contains(&kit_testkit::file_uri(&project.root())), "{roots}");
    client.close().await;
}

#[tokio::test]
async fn progress_is_shown_while_a_call_runs_and_a_cancel_ends_it() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let Some(client) = everything(&project, &model).await else { return };
    let long = |duration, steps| {
        let arguments = json!({ "duration": duration, "steps": steps });
        Reply::new().call("mcp__everything__trigger-long-running-operation", arguments)
    };
    let report = run_call(&client, &model, long(1, 2)).await;
    let shown: String =
        report.all("tool_output").iter().filter_map(|event| event["chunk"].as_str()).collect();
    assert!(shown.contains("1 of 2") && shown.contains("2 of 2"), "{shown:?}");
    model.reply(long(600, 600));
    let turn = client.prompt("go").await;
    client.turn_event(&turn, "tool_execution_start").await;
    client.command("kit.session.cancel", json!({})).await.expect("a cancel");
    let report = client.finish(&turn).await;
    assert_eq!(report.stop_reason(), "cancelled");
    let (echo, _) = called(&client, &model, "echo", json!({ "message": "still there" })).await;
    assert_eq!(echo, "Echo: still there");
    client.close().await;
}

#[tokio::test]
async fn prompts_are_commands_with_arguments() {
    let project = Project::new().file("secret.txt", "planted-file-content\n");
    let model = ModelServer::start().await;
    let Some(client) = everything(&project, &model).await else { return };
    let listed = client.command("kit.command.list", json!({})).await.expect("a list");
    let commands = listed["commands"].as_array().cloned().unwrap_or_default();
    let args = commands.iter().find(|command| command["name"] == "mcp:everything:args-prompt").expect("it");
    assert_eq!(
        json!([args["kind"], args["arguments"], args["required"], args["source"]]),
        json!(["mcp", "<city> [state]", 1, "everything"])
    );
    model.reply(Reply::new().text("sunny"));
    let run = json!({ "name": "mcp:everything:args-prompt", "args": "Ulm @secret.txt" });
    let started = client.command("kit.command.run", run).await.expect("a turn");
    client.event(|event| event["type"] == "turn_end" && event["turn"] == started["turn"]).await;
    let request = model.request(0).await;
    let texts = request.user_texts().join("\n");
    assert!(texts.contains("weather in Ulm"), "{texts}");
    assert!(!texts.contains("planted-file-content"), "nothing in the text of a server is a mention: {texts}");
    let missing = json!({ "name": "mcp:everything:args-prompt" });
    let refused = client.command("kit.command.run", missing).await.expect_err("the city is missing");
    assert!(refused.message.contains("needs the argument `city`"), "{}", refused.message);
    model.reply(Reply::new().text("done"));
    client.run("/mcp:everything:simple-prompt").await;
    let texts = model.request(1).await.user_texts().join("\n");
    assert!(texts.contains("simple prompt without arguments"), "{texts}");
    client.close().await;
}

#[tokio::test]
async fn resources_are_completed_and_attached_by_mention() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let Some(client) = everything(&project, &model).await else { return };
    let typed = json!({ "text": "see @mcp:everything:demo://resource/static/document/arch" });
    let completed = client.command("kit.prompt.complete", typed).await.expect("completions");
    let name = "@mcp:everything:demo://resource/static/document/architecture.md";
    assert_eq!(completed["items"][0]["label"], name);
    assert_eq!(completed["items"][0]["kind"], "resource");
    model.reply(Reply::new().text("read"));
    client.run(&format!("Sum up {name} and @mcp:everything:demo://resource/dynamic/text/7.")).await;
    let texts = model.request(0).await.user_texts().join("\n");
    assert!(texts.contains("# Everything Server"), "{texts}");
    assert!(texts.contains("Resource 7"), "{texts}");
    model.reply(Reply::new().text("read"));
    client.run("What about @mcp:everything:demo://nothing/at/all ?").await;
    let texts = model.request(1).await.user_texts().join("\n");
    assert!(texts.contains("did not give the resource"), "{texts}");
    client.close().await;
}

#[tokio::test]
async fn resources_that_come_or_change_while_a_server_runs_are_known() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let Some(client) = everything(&project, &model).await else { return };
    let arguments = json!({ "name": "hello.gz", "data": "data:text/plain,hello" });
    let (link, failed) = called(&client, &model, "gzip-file-as-resource", arguments).await;
    assert!(!failed && link.contains("demo://resource/session/hello.gz"), "{link}");
    let typed = json!({ "text": "see @mcp:everything:demo://resource/session/" });
    let looking = async {
        loop {
            let completed = client.command("kit.prompt.complete", typed.clone()).await.expect("completions");
            if completed["items"][0]["label"] == "@mcp:everything:demo://resource/session/hello.gz" {
                return;
            }
        }
    };
    tokio::time::timeout(deadline(), looking).await.expect("the new resource is completed");

    // What this resource says changes with the time.
    model.reply(Reply::new().text("read"));
    client.run("Sum up @mcp:everything:demo://resource/dynamic/text/1").await;
    called(&client, &model, "toggle-subscriber-updates", json!({})).await;
    let asking = async {
        loop {
            model.reply(Reply::new().text("read"));
            client.run("and now?").await;
            let request = model.requests().pop().expect("a request");
            if request
                .user_texts()
                .join("\n")
                .contains("changed=\"true\">\n[resource demo://resource/dynamic/text/1]")
            {
                return;
            }
        }
    };
    tokio::time::timeout(deadline(), asking).await.expect("the model gets the resource anew");
    client.close().await;
}

#[tokio::test]
async fn a_question_of_a_server_reaches_the_user() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let Some(client) = everything(&project, &model).await else { return };
    client.behave(|behavior| {
        behavior.ask = Box::new(|params| {
            let message = params["message"].as_str().unwrap_or_default();
            assert!(message.starts_with("The MCP server everything asks: "), "{message}");
            match params["kind"].as_str() {
                Some("confirm") => Answer::Result(json!({ "value": true, "cancelled": false })),
                Some("select") => Answer::Result(json!({ "index": 0, "cancelled": false })),
                _ if message.contains("Integer") || message.contains("integer") => {
                    Answer::Result(json!({ "value": "42", "cancelled": false }))
                }
                _ => Answer::Result(json!({ "value": "Ada", "cancelled": false })),
            }
        });
    });
    let (result, failed) = called(&client, &model, "trigger-elicitation-request", json!({})).await;
    assert!(!failed && result.contains("Ada"), "{result}");
    client.close().await;
}

#[tokio::test]
async fn lists_of_the_settings_choose_the_tools() {
    let Some(bin) = bin() else { return };
    let project = Project::new();
    let model = ModelServer::start().await;
    let mut everything = server(&bin, "everything", &[]);
    everything["allowedTools"] = json!(["echo", "get-sum"]);
    everything["excluded-tools"] = json!(["get-sum"]);
    project.write(".kit.yml", json!({ "mcpServers": { "everything": everything } }).to_string());
    let client = launch(&project, &model).start().await;
    let info = in_state(&client, "everything", "ready").await;
    assert_eq!(tool_names(&info), ["mcp__everything__echo"]);
    assert_eq!(info["tools"][0]["readsOnly"], true);
    client.close().await;
}

#[tokio::test]
async fn memory_git_and_time_are_used_in_a_run_without_an_editor() {
    let Some(bin) = bin() else { return };
    let project = Project::new();
    let git =
        std::process::Command::new("git").args(["init", "--quiet"]).current_dir(project.root()).status();
    assert!(git.is_ok_and(|status| status.success()), "git is there");
    let model = ModelServer::start().await;
    let root = project.root().to_string_lossy().into_owned();
    let mut memory = server(&bin, "memory", &[]);
    memory["env"] = json!({ "MEMORY_FILE_PATH": format!("${{MEMORY_FOLDER:-{root}}}/memory.json") });
    let servers = json!({
        "memory": memory,
        "git": server(&bin, "git", &[]),
        "time": server(&bin, "time", &["--local-timezone", "Europe/Berlin"]),
    });
    let entity =
        json!({ "entities": [{ "name": "Ada", "entityType": "person", "observations": ["writes"] }] });
    model.reply(
        Reply::new()
            .call("mcp__memory__create_entities", entity)
            .call("mcp__git__git_status", json!({ "repo_path": root }))
            .call("mcp__time__get_current_time", json!({ "timezone": "Europe/Berlin" })),
    );
    model.reply(Reply::new().text("done"));
    let rules = json!({ "allow": ["mcp__*"] });
    let run = with_servers(&project, &model, servers).setting("permissions", rules);
    let run = run.run(&["run", "go", "--json"]).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    let request = model.request(1).await;
    let results = request.results();
    assert_eq!(results.len(), 3);
    for ((text, failed), wanted) in results.iter().zip(["Ada", "No commits yet", "Europe/Berlin"]) {
        assert!(!failed && text.contains(wanted), "{wanted}: {text}");
    }
    assert!(project.text("memory.json").contains("Ada"));
}

/// Statement 22.
#[tokio::test]
async fn servers_of_a_project_run_only_as_long_as_it_is_trusted() {
    let Some(bin) = bin() else { return };
    let project = Project::new();
    project
        .write(".kit.yml", json!({ "mcpServers": { "one": server(&bin, "everything", &[]) } }).to_string());
    project.write(".mcp.json", json!({ "mcpServers": { "two": server(&bin, "memory", &[]) } }).to_string());
    let model = ModelServer::start().await;
    let client = launch(&project, &model).untrusted().start().await;
    model.reply(Reply::new().text("done"));
    client.run("go").await;
    assert!(model.request(0).await.tools().iter().all(|tool| !tool.starts_with("mcp__")));
    let listed = client.command("kit.mcp.list", json!({})).await.expect("a list");
    assert_eq!(listed, json!({ "servers": [] }));
    let root = kit_testkit::file_uri(&project.root());
    let trust = |trusted| client.command("kit.trust.set", json!({ "root": root, "trusted": trusted }));
    trust(true).await.expect("trust");
    in_state(&client, "one", "ready").await;
    in_state(&client, "two", "ready").await;
    assert!(!processes_below(&project.root()).is_empty(), "they run in the folder of the project");
    trust(false).await.expect("no trust");
    let folder = project.root();
    eventually("they are ended", || processes_below(&folder).is_empty()).await;
    model.reply(Reply::new().text("done"));
    client.run("go").await;
    assert!(model.request(1).await.tools().iter().all(|tool| !tool.starts_with("mcp__")));
    client.close().await;
}

#[tokio::test]
async fn the_command_line_lists_and_tests_servers() {
    let Some(bin) = bin() else { return };
    let project = Project::new();
    let model = ModelServer::start().await;
    let servers = json!({
        "time": server(&bin, "time", &[]),
        "off": { "command": "nothing", "disabled": true },
        "missing": { "command": "no-such-program" },
    });
    let launch = with_servers(&project, &model, servers);
    let listed = launch.run(&["mcp", "list"]).await;
    assert_eq!(listed.code, Some(1), "{listed:?}");
    let said = |what: &str| assert!(listed.stdout.contains(what), "{what}: {}", listed.stdout);
    said("✓ time             stdio  2 tools");
    said("- off");
    said("there is no program `no-such-program`; install it, or correct `command`");
    let tested = launch.run(&["mcp", "test", "time"]).await;
    assert_eq!(tested.code, Some(0), "{tested:?}");
    assert!(tested.stdout.contains("mcp__time__get_current_time"), "{}", tested.stdout);
    let wrong = launch.run(&["mcp", "test", "tme"]).await;
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("there is no MCP server tme; there are missing, off, time"), "{wrong:?}");
    let nobody = launch.run(&["mcp", "login", "time"]).await;
    assert!(nobody.code == Some(1) && nobody.stderr.contains("time takes no logins"), "{nobody:?}");
}
