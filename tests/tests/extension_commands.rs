//! `kit-ls extensions`: for those who use extensions, and for those who write them.

use e2e::launch;
use kit_testkit::{Finished, ModelServer, Project};

use crate::extension_scene::{component, users_project};

async fn run(project: &Project, arguments: &[&str]) -> Finished {
    let model = ModelServer::start().await;
    let words: Vec<&str> = ["extensions"].iter().chain(arguments).copied().collect();
    launch(project, &model).run(&words).await
}

fn holds(finished: &Finished, code: i32, texts: &[&str]) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    for text in texts {
        assert!(finished.stdout.contains(text) || finished.stderr.contains(text), "{text}: {finished:?}");
    }
}

#[tokio::test]
async fn what_init_writes_passes_its_own_test_and_is_valid() {
    let project = Project::new();
    holds(&run(&project, &["init", "hello"]).await, 0, &[".kit/extensions/hello.js"]);
    holds(&run(&project, &["init", "hello"]).await, 1, &["is there already"]);
    holds(&run(&project, &["test"]).await, 0, &["ok   the tool greets and counts", "2 passed, 0 failed"]);
    holds(
        &run(&project, &["validate"]).await,
        0,
        &["ok    .kit/extensions/hello.js: 1 event, 1 tool, 1 command"],
    );
    assert!(project.text(".kit/extensions/types/kit-extension.d.ts").contains("interface Context"));
}

#[tokio::test]
async fn validation_names_file_line_and_reason_and_fails() {
    let project = Project::new()
        .file(".kit/extensions/good.js", "export default function (kit) { kit.onInput(() => {}); }\n")
        .file(".kit/extensions/syntax.js", "export default function (kit) {\n  kit.onInput((;\n}\n")
        .file(
            ".kit/extensions/tool.js",
            "export default function (kit) {\n\n  kit.registerTool({ name: \"x\" });\n}\n",
        )
        .file(
            ".kit/extensions/event.js",
            "export default function (kit) {\n  kit.on(\"nothing\", () => {});\n}\n",
        )
        .file(".kit/extensions/none.js", "const a = 1;\n");
    holds(
        &run(&project, &["validate"]).await,
        1,
        &[
            "ok    .kit/extensions/good.js: 1 event",
            "wrong .kit/extensions/syntax.js:2: ",
            "wrong .kit/extensions/tool.js:3: TypeError: the tool x has no description",
            "wrong .kit/extensions/event.js:2: TypeError: there is no event nothing",
            "wrong .kit/extensions/none.js: TypeError: the file exports no function",
            "1 right, 4 wrong",
        ],
    );
}

/// Statement 30: the same component is tested and run.
#[tokio::test]
async fn the_tests_of_a_component_see_what_it_registers_blocks_rewrites_and_shows() {
    const SHOWS: &str = "export default function (kit) {\n  kit.onToolCall((event) => event.toolName === \"bash\" ? { block: true, reason: \"no\" } : undefined);\n  kit.onToolResult((event) => ({ content: event.content + \"!\" }));\n  kit.onAgentEnd((_, ctx) => { ctx.print(\"ended\"); ctx.setStatus(\"turns\", \"one\"); });\n}\n";
    const TEST: &str = "import { test } from \"kit:test\";\ntest(\"it does all that\", async (t) => {\n  t.blocked(await t.emit(\"tool_call\", { toolName: \"bash\" }), \"no\");\n  t.notBlocked(await t.emit(\"tool_call\", { toolName: \"read\" }));\n  t.rewritten(await t.emit(\"tool_result\", { content: \"a\" }), \"a!\");\n  await t.emit(\"agent_end\", {});\n  t.hasPrinted(\"ended\");\n  t.hasStatus(\"turns\", \"one\");\n});\n";
    const OF_COMPONENT: &str = "import { test } from \"kit:test\";\ntest(\"it says so\", async (t) => {\n  t.registered(\"tool\", \"say\");\n  t.equal((await t.tool(\"say\")).content, \"still here\");\n  t.notBlocked(await t.emit(\"tool_call\", { toolName: \"read\" }));\n});\n";
    let project =
        Project::new().file(".kit/extensions/shows.js", SHOWS).file(".kit/extensions/shows.test.js", TEST);
    holds(&run(&project, &["test"]).await, 0, &["ok   it does all that", "1 passed, 0 failed"]);
    let Some(component) = component("faults") else { return };
    project.write("compiled/faults.wasm", std::fs::read(component).expect("the component"));
    project.write("compiled/faults.test.js", OF_COMPONENT);
    holds(&run(&project, &["test", "compiled"]).await, 0, &["ok   it says so", "1 passed, 0 failed"]);
}

#[tokio::test]
async fn a_failing_test_is_told_with_its_line_and_fails_the_command() {
    let project = Project::new()
        .file(".kit/extensions/a.js", "export default function (kit) { kit.onToolCall(() => ({ block: true, reason: \"no\" })); }\n")
        .file(
            ".kit/extensions/a.test.js",
            "import { test } from \"kit:test\";\ntest(\"passes\", async (t) => {\n  t.notBlocked(await t.emit(\"tool_call\", { toolName: \"bash\" }));\n});\n",
        );
    holds(
        &run(&project, &["test"]).await,
        1,
        &["FAIL passes", "a.test.js:3: expected it to pass, got blocked: \"no\"", "0 passed, 1 failed"],
    );
    holds(&run(&project, &["test", "missing.js"]).await, 1, &["there are no tests in missing.js"]);
}

#[tokio::test]
async fn installing_shows_what_is_asked_for_and_records_what_was_installed() {
    const GATE: &str = "export const description = \"A gate\";\nexport const permissions = { exec: [\"git status *\"] };\nexport default function (kit) { kit.onInput(() => {}); }\n";
    let project = Project::new()
        .file("source/extensions/gate.js", GATE)
        .file("source/extensions/deep/main.js", "export default function (kit) {}\n");
    // Without an answer nothing is installed.
    holds(
        &run(&project, &["install", "source", "--local"]).await,
        1,
        &["runs git status *", "Nothing was installed."],
    );
    assert!(!project.path(".kit/extensions/gate.js").exists());

    holds(&run(&project, &["install", "source", "--local", "--yes"]).await, 0, &["Installed deep, gate"]);
    assert_eq!(project.text(".kit/extensions/gate.js"), GATE);
    assert!(project.path(".kit/extensions/deep/main.js").exists());
    assert!(project.text(".kit/extensions/packages.json").contains("\"source\": \"source\""));
    holds(&run(&project, &["install", "source", "--local", "--yes"]).await, 1, &["is installed already"]);

    std::fs::write(project.path("source/extensions/gate.js"), GATE.replace("A gate", "Another gate"))
        .unwrap();
    holds(&run(&project, &["update", "--yes"]).await, 0, &["Updated deep, gate"]);
    assert!(project.text(".kit/extensions/gate.js").contains("Another gate"));

    holds(&run(&project, &["grant", "gate", "--refuse"]).await, 0, &["runs git status *", "Refused."]);
    holds(&run(&project, &["grant", "gate", "--yes"]).await, 0, &["Granted."]);
    holds(
        &run(&project, &["grant", "nobody"]).await,
        1,
        &["there is no extension nobody; there are deep, gate"],
    );

    holds(&run(&project, &["remove", "gate"]).await, 0, &["Removed deep, gate.js."]);
    assert!(!project.path(".kit/extensions/gate.js").exists());
    assert!(!project.path(".kit/extensions/deep").exists());
    holds(&run(&project, &["remove", "gate"]).await, 1, &["nothing was installed from gate"]);

    // A file of the user's own stays, and then nothing else is installed either.
    project.write(".kit/extensions/gate.js", "export default () => {};\n");
    holds(&run(&project, &["install", "source", "--local", "--yes"]).await, 1, &["gate.js is there already"]);
    assert!(!project.path(".kit/extensions/deep").exists());

    // What is installed for all projects is found from each of them.
    holds(&run(&project, &["install", "source", "--yes"]).await, 0, &["Installed deep, gate"]);
    let packages = std::fs::read_to_string(project.kit_home().join("config/extensions/packages.json"));
    let source = project.path("source").canonicalize().expect("the source");
    assert!(packages.expect("the record").contains(&format!("\"source\": \"{}\"", source.display())));
    holds(&run(&project, &["remove", "./source"]).await, 0, &["Removed deep, gate.js."]);
}

/// Statement 29.
#[tokio::test]
async fn the_list_says_what_loads_here_and_what_does_not() {
    const GATE: &str = "export const version = \"1.2.0\";\nexport const permissions = { exec: [\"git *\"] };\nexport default function (kit) {\n  kit.onInput(() => {});\n  kit.registerTool({ name: \"shout\", description: \"s\", execute: () => \"\" });\n  kit.registerCommand({ name: \"louder\", description: \"l\", execute: () => \"\" });\n}\n";
    let project = users_project(&[
        ("gate.js", GATE),
        ("broken.js", "export default function (kit) {\n  kit.onInput((;\n}\n"),
    ])
    .file(".kit/extensions/a.js", "export default function (kit) {}\n");
    holds(
        &run(&project, &["list"]).await,
        0,
        &[
            "gate 1.2.0  (",
            "1 event, 1 tool, 1 command",
            "events: input",
            "tools: shout",
            "commands: louder",
            "asks: runs git * (not granted yet: `kit-ls extensions grant`)",
            "broken.js\n  does not load: ",
            "broken.js:2: ",
            "The extensions of this folder do not load, because it is not trusted",
        ],
    );
}

#[tokio::test]
async fn what_cannot_be_installed_or_begun_says_why() {
    let project = Project::new()
        .file("empty/readme.md", "nothing\n")
        .file("repository/a.js", "export default () => {};\n");
    let git = |words: &[&str]| {
        let folder = project.path("repository");
        let done =
            std::process::Command::new("git").args(words).current_dir(folder).output().expect("git runs");
        assert!(done.status.success(), "{done:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "first"]);
    git(&["tag", "v1"]);
    let source = format!("file://{}", project.path("repository").display());
    let at = |reference: &str| format!("{source}@{reference}");
    let says: &[(&[&str], &str)] = &[
        (&["install", ""], "a source is a git address, github.com/OWNER/REPOSITORY, or a folder or file"),
        (&["install", "./nowhere"], "there is no folder or file ./nowhere"),
        (&["install", "empty"], "there is no extension in "),
        (&["install", &at("v2")], "has no tag, branch or commit v2"),
        (&["install", &at("")], "a tag, branch or commit stands behind the @ of "),
        (&["init", "a b"], "a b cannot be the name of a file; use letters, digits, - and _"),
        (&["init", "3d", "--rust"], "3d cannot be the name of a crate; it begins with a letter"),
        (&["update", "nothing"], "nothing was installed from nothing"),
        (&["remove", "nothing"], "nothing was installed from nothing"),
    ];
    for (words, why) in says {
        holds(&run(&project, words).await, 1, &[why]);
    }
    // A tag stays where it is, whatever comes after it.
    holds(&run(&project, &["install", &at("v1"), "--yes"]).await, 0, &["Installed a at "]);
    holds(&run(&project, &["update"]).await, 0, &["stays at v1."]);
    holds(&run(&project, &["install", &at("v1"), "--yes"]).await, 1, &["is installed already"]);
    holds(&run(&project, &["remove", &source]).await, 0, &["Removed a.js."]);
}
