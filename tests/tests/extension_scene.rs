//! What the tests of extensions share: projects that bring extensions, and servers that have loaded them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use kit_testkit::{LanguageClient, ModelServer, Project, Reply, cache, deadline};
use serde_json::{Value, json};

/// A project whose extensions are these files of `.kit/extensions`.
pub(crate) fn project(extensions: &[(&str, &str)]) -> Project {
    let file = |project: Project, (name, source): &(&str, &str)| {
        project.file(&format!(".kit/extensions/{name}"), source)
    };
    extensions.iter().fold(shares_compiled(Project::new()), file)
}

/// A project whose user has these extensions, which need no trust of a project.
pub(crate) fn users_project(extensions: &[(&str, &str)]) -> Project {
    let project = shares_compiled(Project::new());
    for (name, source) in extensions {
        let file = project.kit_home().join("config/extensions").join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("the folder");
        std::fs::write(file, source).expect("the extension");
    }
    project
}

/// All projects share what was compiled before, where the system has links.
pub(crate) fn shares_compiled(project: Project) -> Project {
    #[cfg(unix)]
    {
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled-extensions");
        let cache = project.kit_home().join("cache");
        std::fs::create_dir_all(&shared).expect("the shared folder");
        std::fs::create_dir_all(&cache).expect("the cache");
        std::os::unix::fs::symlink(shared, cache.join("extensions")).expect("a link");
    }
    project
}

/// A server that has loaded the extensions of a project.
pub(crate) async fn live(project: &Project) -> (ModelServer, LanguageClient) {
    let model = ModelServer::start().await;
    let client = e2e::start(project, &model).await;
    // They come all at once.
    listed(&client, |list| !list.is_empty()).await;
    (model, client)
}

pub(crate) async fn list(client: &LanguageClient) -> Vec<Value> {
    let answer = client.command("kit.extension.list", json!({})).await.expect("extensions are listed");
    answer["extensions"].as_array().cloned().unwrap_or_default()
}

/// Waits until the list of extensions is as wanted.
pub(crate) async fn listed(client: &LanguageClient, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let looking = async {
        let mut interval = tokio::time::interval(Duration::from_millis(20));
        loop {
            let list = list(client).await;
            if wanted(&list) {
                return list;
            }
            interval.tick().await;
        }
    };
    tokio::time::timeout(deadline(), looking).await.expect("the list of extensions in time")
}

/// Runs a command of an extension; its output, read as JSON where it is.
pub(crate) async fn run(client: &LanguageClient, name: &str, args: &str) -> Value {
    let answer = client.command("kit.command.run", json!({ "name": name, "args": args })).await;
    let output = answer.unwrap_or_else(|error| panic!("{name}: {error:?}"))["output"].clone();
    let text = output.as_str().unwrap_or_default();
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// A component of `tests/components`, built; nothing, with a loud word, where its target is not installed.
pub(crate) fn component(name: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("components");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--locked", "--target", "wasm32-wasip2"])
        .current_dir(cache::repository().join("tests/components").join(name))
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .expect("cargo runs");
    if !built.status.success() {
        let why = String::from_utf8_lossy(&built.stderr);
        assert!(why.contains("target may not be installed"), "{name} cannot be built: {why}");
        eprintln!("SKIPPED: components in Rust: rustup target add wasm32-wasip2");
        return None;
    }
    Some(target.join("wasm32-wasip2/release").join(format!("{name}.wasm")))
}

/// An extension with a tool, and a gate that every subagent passes too.
pub(crate) const GATE: &str = r#"
export default function (kit) {
  kit.registerTool({ name: "shout", description: "s", execute: () => "LOUD" });
  kit.onToolCall((event) => event.toolName === "read" ? { block: true, reason: "not even for helpers" } : undefined);
}
"#;

/// A model that asks two subagents, of which one tries what the gate forbids; then it says "Then not.".
pub(crate) fn ask_subagents(model: &ModelServer) {
    let asks =
        |task: &str, agent: &str| Reply::new().call("subagent", json!({ "task": task, "agent": agent }));
    model.reply(asks("Look around", "general"));
    model.reply_to("Look around", Reply::new().call("read", json!({ "path": "a.txt" })));
    model.reply_to("Look around", Reply::new().text("I may not."));
    model.reply(asks("Search it", "explore"));
    model.reply_to("Search it", Reply::new().text("Nothing."));
    model.reply(Reply::new().text("Then not."));
}

/// Statement 36: the subagents have tools and gates of extensions, unless their list leaves them out.
pub(crate) async fn subagents_are_gated(model: &ModelServer) {
    let (parent, general, explore) = (model.request(0).await, model.request(1).await, model.request(4).await);
    let mut tools = parent.tools();
    assert!(tools.contains(&"shout") && tools.contains(&"subagent"), "{tools:?}");
    tools.retain(|tool| *tool != "subagent");
    assert_eq!(general.tools(), tools);
    assert!(model.request(2).await.last_result().contains("not even for helpers"));
    assert_eq!(explore.tools(), ["find", "grep", "ls", "read"]);
}
