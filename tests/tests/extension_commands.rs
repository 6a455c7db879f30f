//! `kit-ls extensions`: for those who use extensions, and for those who write them.

use e2e::launch;
use kit_testkit::{Finished, ModelServer, Project};

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
}

#[tokio::test]
async fn the_list_says_what_loads_here_and_what_does_not() {
    let project = Project::new().file(".kit/extensions/a.js", "export default function (kit) {}\n");
    let listed = run(&project, &["list"]).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
}
