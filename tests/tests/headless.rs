//! `kit-ls run` and `kit-ls sessions`: the same core without an editor.

use e2e::launch;
use kit_testkit::{Finished, Gate, Launch, ModelServer, Project, Reply, TokenCount, nasty_mcp};
use serde_json::{Value, json};

fn object(run: &Finished) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

fn shown(value: &Value, names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| value[*name].clone()).collect()
}

/// Statement 40.
#[tokio::test]
async fn a_run_edits_files_and_prints_one_object() {
    let project = Project::new().file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    model.reply(Reply::new().text("Editing.").edit("a.txt", "alpha", "beta"));
    model.reply(Reply::new().text("Done."));
    let run = launch(&project, &model).run(&["run", "change it", "--json"]).await;
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    assert_eq!(project.text("a.txt"), "beta\n");
    let object = object(&run);
    assert_eq!(
        shown(&object, &["response", "model", "stop_reason"]),
        [json!("Done."), json!("anthropic/claude-sonnet-4-5"), json!("end_turn")]
    );
    let roles: Vec<&Value> =
        object["messages"].as_array().expect("messages").iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant"]);
    let call = &object["messages"][1]["parts"][1];
    assert_eq!((&call["type"], &call["data"]["name"]), (&json!("tool_call"), &json!("edit")));
    let usage = &object["usage"];
    let sum: u64 = ["input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens"]
        .iter()
        .filter_map(|name| usage[*name].as_u64())
        .sum();
    assert_eq!((&usage["total_tokens"], &usage["cost_kind"]), (&json!(sum), &json!("priced")));
    let files = project.session_files();
    assert_eq!(files.len(), 1);
    let header = std::fs::read_to_string(&files[0]).expect("the session file");
    assert!(header.contains(object["session_id"].as_str().expect("an id")), "{header}");
}

#[tokio::test]
async fn people_read_the_answer_on_stdout_and_the_rest_beside_it() {
    let project = Project::new().file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    model.reply(Reply::new().call("read", json!({"path": "a.txt"})));
    model.reply(Reply::new().text("It says alpha."));
    let run = launch(&project, &model).run(&["run", "what does it say?"]).await;
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "It says alpha.\n"), "{run:?}");
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(lines[0].starts_with("• ") && lines[0].contains("a.txt"), "{lines:?}");
    let last = lines[lines.len() - 1];
    assert!(last.starts_with("anthropic/claude-sonnet-4-5 · 2 calls · ") && last.contains("$"), "{last}");

    model.reply(Reply::new().text("Quiet."));
    let quiet = launch(&project, &model).run(&["run", "--quiet", "again"]).await;
    assert_eq!(quiet, Finished { code: Some(0), stdout: "Quiet.\n".to_owned(), stderr: String::new() });
}

#[tokio::test]
async fn events_are_lines_in_the_order_of_their_numbers() {
    let project = Project::new();
    let model = ModelServer::start().await;
    model.reply(Reply::new().text("Hello."));
    let run = launch(&project, &model).run(&["run", "hi", "--events", "--no-session"]).await;
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    let events: Vec<Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("a line is an event")).collect();
    let numbers: Vec<u64> = events.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert_eq!(numbers, (1..=u64::try_from(events.len()).unwrap()).collect::<Vec<_>>());
    let ends =
        [&events[0], &events[events.len() - 1]].map(|event| event["type"].as_str().unwrap_or_default());
    assert_eq!(ends, ["turn_start", "turn_end"]);
    assert_eq!(project.session_files(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn errors_are_objects_and_exit_codes() {
    let project = Project::new();
    let model = ModelServer::start().await;
    model.reply(Reply::status(401).body("invalid x-api-key"));
    let launch = launch(&project, &model);
    let refused = launch.run(&["run", "hi", "--json"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(object(&refused)["stop_reason"], "error");
    assert!(object(&refused)["error"].as_str().is_some_and(|error| error.contains("key")), "{refused:?}");

    let unknown = launch.run(&["run", "hi", "--json", "--model", "nowhere/claude-sonnet-4-5"]).await;
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(object(&unknown)["error"].is_string() && unknown.stderr.is_empty(), "{unknown:?}");

    let missing = launch.run(&["run", "hi", "@nowhere.txt", "--json"]).await;
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert_eq!(object(&missing)["kind"], "invalid_request");

    let both = launch.run(&["run", "hi", "--json", "--quiet"]).await;
    assert_eq!((both.code, both.stdout.as_str()), (Some(2), ""), "{both:?}");
    assert!(both.stderr.contains("--quiet"), "{both:?}");

    let nothing = launch.run(&["run", "hi", "--continue", "--session", "x"]).await;
    assert_eq!(nothing.code, Some(2), "{nothing:?}");
}

#[tokio::test]
async fn nobody_can_be_asked_so_a_command_is_refused_and_the_model_learns_it() {
    let project = Project::new();
    let model = ModelServer::start().await;
    model.reply(Reply::new().call("bash", json!({"command": "touch made.txt"})));
    model.reply(Reply::new().text("I could not."));
    let run = launch(&project, &model).run(&["run", "make it", "--quiet"]).await;
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "I could not.\n"), "{run:?}");
    assert!(!project.exists("made.txt"));
    let results = model.request(1).await;
    assert!(results.results()[0].1, "the result is an error: {:?}", results.results());
}

#[tokio::test]
async fn a_limit_of_steps_has_its_own_exit_code() {
    let project = Project::new();
    let model = ModelServer::start().await;
    model.reply(Reply::new().call("ls", json!({})));
    let run = launch(&project, &model).run(&["run", "go", "--max-steps", "1", "--json"]).await;
    assert_eq!(run.code, Some(3), "{run:?}");
    assert_eq!(object(&run)["stop_reason"], "max_steps");

    let spent = TokenCount { input: 100_000, output: 1000, ..TokenCount::default() };
    model.reply(Reply::new().call("ls", json!({})).tokens(spent));
    let run = launch(&project, &model).run(&["run", "go", "--budget", "0.10", "--json"]).await;
    assert_eq!(run.code, Some(3), "{run:?}");
    assert_eq!(object(&run)["stop_reason"], "budget");
}

#[tokio::test]
async fn a_session_goes_on_and_is_listed_shown_named_and_deleted() {
    let project = Project::new().file("a.txt", "alpha\n");
    let model = ModelServer::start().await;
    let launch = launch(&project, &model);
    model.reply(Reply::new().text("One."));
    let first = object(&launch.run(&["run", "first question", "--json"]).await);
    let id = first["session_id"].as_str().expect("an id").to_owned();
    model.reply(Reply::new().text("Two."));
    let second = object(&launch.run(&["run", "second question", "@a.txt", "--continue", "--json"]).await);
    assert_eq!(second["session_id"], json!(id));
    let request = model.request(1).await;
    let texts = request.user_texts().join("\n");
    for part in ["first question", "second question", "alpha"] {
        assert!(texts.contains(part), "{part} in {texts}");
    }
    let roles: Vec<&Value> =
        second["messages"].as_array().expect("messages").iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user", "assistant"], "the messages of this run alone");

    let listed = launch.run(&["sessions", "list"]).await;
    assert!(listed.stdout.contains(&id) && listed.stdout.contains("first question"), "{listed:?}");
    let shown = launch.run(&["sessions", "show", &id[..8]]).await;
    assert!(shown.stdout.contains("second question") && shown.stdout.contains("Two."), "{shown:?}");
    let named = launch.run(&["sessions", "rename", &id, "greetings"]).await;
    assert_eq!(named.code, Some(0), "{named:?}");
    let listed = launch.run(&["sessions", "list", "--json"]).await;
    assert_eq!(object(&listed)["sessions"][0]["name"], "greetings");
    let unknown = launch.run(&["sessions", "show", "nothing"]).await;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("kit-ls sessions list --all"), "{unknown:?}");
    let deleted = launch.run(&["sessions", "delete", &id]).await;
    assert_eq!(deleted.code, Some(0), "{deleted:?}");
    assert_eq!(project.session_files(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn settings_are_explained_with_file_and_line_and_mistakes_are_named() {
    let project = Project::new().file(".kit.yml", "# of the project\nmax-steps: 7\nmodle: x/y\n");
    let launch =
        kit_testkit::Launch::new(&project).setting("mode", json!("plan")).env("KIT_THINKING_LEVEL", "low");
    let untrusted = launch.run(&["config"]).await;
    assert_eq!(untrusted.code, Some(0), "{untrusted:?}");
    assert!(!untrusted.stdout.contains("maxSteps"), "{untrusted:?}");
    assert!(untrusted.stderr.contains("not trusted"), "{untrusted:?}");

    let client = kit_testkit::Launch::new(&project).start().await;
    client.close().await;
    let explained = launch.run(&["config", "explain", "--json"]).await;
    assert_eq!(explained.code, Some(1), "something was left out: {explained:?}");
    let object = object(&explained);
    let path = project.path(".kit.yml").display().to_string();
    let told: Vec<(&str, &Value, &str)> = object["settings"]
        .as_array()
        .expect("settings")
        .iter()
        .map(|value| {
            let text = |name: &str| value[name].as_str().unwrap_or_default();
            (text("name"), &value["value"], text("origin"))
        })
        .collect();
    let user = project.kit_home().join(".kit.json").display().to_string();
    let ours = format!("{path}:2");
    assert_eq!(
        told,
        [
            ("maxSteps", &json!(7), ours.as_str()),
            ("mode", &json!("plan"), user.as_str()),
            ("thinkingLevel", &json!("low"), "the environment"),
        ]
    );
    assert_eq!(
        object["problems"],
        json!([format!("{path}:3: `modle` is no setting of Kit; did you mean `model`?")])
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_cancels_the_turn_and_its_result_and_exit_code_say_so() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let project = Project::new();
        let model = ModelServer::start().await;
        let gate = Gate::new();
        model.reply(Reply::new().text("Half").gate(&gate));
        let mut run = launch(&project, &model).begin(&["run", "go", "--json"]);
        run.close_input();
        gate.reached().await;
        run.signal(signal);
        let (ended, printed) = run.ends().await;
        assert_eq!(ended, Some(code), "{printed}");
        let object: Value = serde_json::from_str(&printed).expect("one object");
        assert_eq!((&object["stop_reason"], object["session_id"].is_string()), (&json!("cancelled"), true));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_was_shown_before_a_signal_is_kept_and_the_session_goes_on() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let gate = Gate::new();
    model.reply(Reply::new().text("Half").gate(&gate));
    let mut run = launch(&project, &model).begin(&["run", "go", "--events"]);
    run.close_input();
    run.prints("the first half", |printed| printed.contains("Half").then_some(())).await;
    run.signal("TERM");
    let (ended, printed) = run.ends().await;
    assert_eq!(ended, Some(143), "{printed}");
    model.reply(Reply::new().text("Whole."));
    let run = launch(&project, &model).run(&["run", "go on", "--continue", "--quiet"]).await;
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "Whole.\n"), "{run:?}");
    assert!(model.requests().last().expect("a request").body.to_string().contains("Half"));
}

#[tokio::test]
async fn piped_text_goes_with_the_prompt_or_is_the_prompt() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let piped = async |words: &[&str], text: &str| {
        model.reply(Reply::new().text("ok"));
        let mut run = launch(&project, &model).begin(words);
        run.types(text).await;
        run.close_input();
        let (code, printed) = run.ends().await;
        assert_eq!((code, printed.as_str()), (Some(0), "ok\n"), "{words:?}");
        let request = model.requests().pop().expect("a request");
        request.user_texts().concat()
    };
    // What looks like a mention in it is none.
    let beside = piped(&["run", "-q", "review"], "+ import '@types/node'\n").await;
    assert!(beside.starts_with("review") && beside.contains("1: + import '@types/node'"), "{beside}");
    let whole = piped(&["run", "-q"], "say hello").await;
    assert_eq!(whole, "say hello");
    let dash = piped(&["run", "-q", "-"], "say hello").await;
    assert_eq!(dash, "say hello");
    let long = piped(&["run", "-q", "review"], &"line\n".repeat(2000)).await;
    assert!(long.contains("[1501 more lines are cut; use `read` for them]"), "it says what is cut");

    let mut run = launch(&project, &model).begin(&["run", "-q"]);
    run.close_input();
    let (code, printed) = run.ends().await;
    assert!(code == Some(2) && printed.contains("the prompt is empty"), "{printed}");
    // A pipe that nobody writes to holds up no run.
    model.reply(Reply::new().text("alone"));
    let run = launch(&project, &model).begin(&["run", "go"]);
    run.prints("the answer", |printed| printed.contains("alone").then_some(())).await;
    assert!(run.printed().contains("nothing came on stdin"), "{}", run.printed());
}

#[tokio::test]
async fn what_an_untrusted_folder_brings_is_left_out_unless_the_run_trusts_it() {
    let project = Project::new()
        .file("AGENTS.md", "planted instruction")
        .file(".kit.yml", "system-prompt: planted setting\n")
        .file(".kit/agents/mine.md", "---\ndescription: mine\n---\nx\n")
        .file(".kit/prompts/plan.md", "planted template")
        .file(".agents/skills/deploy/SKILL.md", "---\nname: deploy\ndescription: planted skill\n---\nx\n")
        .file(".kit/extensions/early.js", "export default (kit) => kit.on(\"before_agent_start\", () => ({ injectText: \"planted extension\" }));")
        .file(".mcp.json", json!({ "mcpServers": { "bad": nasty_mcp("well", None) } }).to_string());
    let model = ModelServer::start().await;
    let launch = launch(&project, &model);
    model.reply(Reply::new().text("one"));
    let run = launch.run(&["run", "/plan"]).await;
    let things = [
        "AGENTS.md",
        ".kit.yml",
        ".kit/agents",
        ".kit/prompts",
        ".agents/skills",
        ".kit/extensions",
        ".mcp.json",
        "--trust",
    ];
    for thing in things {
        assert!(run.stderr.contains(thing), "{thing}: {run:?}");
    }
    let body = model.request(0).await.body.to_string();
    assert!(!body.contains("planted") && !body.contains("mcp__bad"), "{body}");
    model.reply(Reply::new().text("two"));
    let run = launch.run(&["run", "/plan", "--trust"]).await;
    assert!(run.code == Some(0) && !run.stderr.contains("AGENTS.md"), "{run:?}");
    let body = model.request(1).await.body.to_string();
    for thing in ["instruction", "setting", "template", "skill", "extension"] {
        assert!(body.contains(&format!("planted {thing}")), "{thing}: {body}");
    }
    assert!(body.contains("mcp__bad__echo"), "{body}");
    // It was for that run alone.
    let agents = launch.run(&["agents"]).await;
    assert!(!agents.stdout.contains("mine") && agents.stderr.contains("not trusted"), "{agents:?}");
}

#[tokio::test]
async fn agents_are_listed_with_their_origin_and_mistakes_with_their_line() {
    let project = Project::new()
        .file(
            ".kit/agents/review.md",
            "---\ndescription: Reviews\ntools: [read, grep]\nmodel: anthropic/claude-haiku-4-5\n---\nx\n",
        )
        .file(".kit/agents/bad.md", "---\ndescription: Bad\ntimeout: soon\n---\nx\n");
    let launch = Launch::new(&project);
    launch.start().await.close().await;
    let launch = Launch::new(&project);
    let listed = launch.run(&["agents"]).await;
    assert_eq!(listed.code, Some(1), "a file was left out: {listed:?}");
    let path = project.path(".kit/agents/review.md").display().to_string();
    for part in
        ["explore\n", "from   built-in", &path, "tools  read, grep", "model  anthropic/claude-haiku-4-5"]
    {
        assert!(listed.stdout.contains(part), "{part}: {listed:?}");
    }
    let bad = format!("{}:3: ", project.path(".kit/agents/bad.md").display());
    assert!(listed.stderr.contains(&bad), "{listed:?}");
    let json = object(&launch.run(&["agents", "--json"]).await);
    assert_eq!(json["problems"][0]["line"], 2);
    let names: Vec<&Value> =
        json["agents"].as_array().expect("agents").iter().map(|agent| &agent["name"]).collect();
    assert_eq!(names, ["explore", "general", "review"]);
}

#[cfg(unix)]
#[tokio::test]
async fn shells_complete_the_command_line_and_the_manual_can_be_read() {
    let project = Project::new();
    let launch = Launch::new(&project);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = launch.run(&["completions", shell]).await;
        assert!(run.code == Some(0) && run.stdout.contains("max-steps"), "{shell}: {run:?}");
        project.write(&format!("completions.{shell}"), run.stdout);
    }
    let script = "source ./completions.bash && COMP_WORDS=(kit-ls ru) && COMP_CWORD=1 && _kit__ls kit-ls ru kit-ls && echo \"${COMPREPLY[@]}\"";
    let bash = std::process::Command::new("bash")
        .args(["--norc", "-c", script])
        .current_dir(project.root())
        .output()
        .expect("there is a bash");
    assert_eq!(String::from_utf8_lossy(&bash.stdout).trim(), "run", "{bash:?}");
    let page = launch.run(&["man"]).await.stdout;
    assert!(page.contains(".TH kit-ls 1") && page.contains("KIT_HOME"), "{page}");
    let folder = project.path("man1");
    let written = launch.run(&["man", &folder.display().to_string()]).await;
    assert_eq!(written.code, Some(0), "{written:?}");
    let run = std::fs::read_to_string(folder.join("kit-ls-run.1")).expect("a page for run");
    assert!(run.contains("Exit codes") && run.contains("max"), "{run}");
}

#[tokio::test]
async fn what_is_not_known_is_told_with_what_is_near() {
    let project = Project::new();
    let model = ModelServer::start().await;
    let launch = launch(&project, &model);
    model.reply(Reply::new().text("one"));
    let id =
        object(&launch.run(&["run", "go", "--json"]).await)["session_id"].as_str().expect("an id").to_owned();
    let wrong = format!("{}x", &id[..id.len() - 1]);
    let run = launch.run(&["run", "go", "--session", &wrong]).await;
    assert!(run.code == Some(1) && run.stderr.contains(&format!("you may mean `{id}`")), "{run:?}");
    model.reply(Reply::new().text("two"));
    let run = launch.run(&["run", "go", "--session", &id[..10], "-q"]).await;
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "two\n"), "the beginning of an id is enough");
    let run = launch.run(&["config", "explain", "max-step"]).await;
    assert!(run.code == Some(2) && run.stderr.contains("maxSteps"), "{run:?}");
    let run = launch.run(&["run", "go", "--budget", "much"]).await;
    assert!(run.code == Some(2) && run.stderr.contains("an amount in USD"), "{run:?}");
}
