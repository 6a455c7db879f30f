//! The examples are short, and they work: each is run with a scripted model.
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

const LONGEST: usize = 50;

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(format!("{name}.rs"))
}

/// Cargo builds the examples of a package with its tests, into a folder beside that of the tests.
fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let folder = tests.ancestors().nth(2).unwrap().join("examples");
    folder.join(name).with_extension(std::env::consts::EXE_EXTENSION)
}

/// Runs an example whose model plays the script, and returns what it printed.
fn run(name: &str, script: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("example.jsonl"), script).unwrap();
    let output = Command::new(program(name))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("KIT_HOME", folder.path().join("home"))
        .env("KIT_SCRIPTS", folder.path())
        .env("KIT_MODEL", "scripted/example")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn examples_are_at_most_fifty_lines_long() {
    let files = std::fs::read_dir(source("x").parent().unwrap()).unwrap();
    for file in files.map(|file| file.unwrap().path()) {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= LONGEST, "{}: {lines} lines", file.display());
    }
}

#[test]
fn one_turn_prints_the_events_of_its_turn() {
    let printed = run("one_turn", r#"[{"text":"Hello."}]"#);
    let types: Vec<String> = printed
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["type"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!((types.first().unwrap().as_str(), types.last().unwrap().as_str()), ("turn_start", "turn_end"));
    assert!(printed.contains("Hello."), "{printed}");
}

#[test]
fn a_custom_tool_is_called_by_the_model() {
    let call = r#"[{"tool":{"name":"tour_length","input":{"legs":[3,4,5]}}}]"#;
    assert_eq!(run("custom_tool", &format!("{call}\n[{{\"text\":\"{{{{result}}}}\"}}]")), "12 km\n");
}

#[test]
fn live_events_follow_a_turn() {
    let printed = run("live_events", "[{\"tool\":{\"name\":\"ls\",\"input\":{}}}]\n[{\"text\":\"Done.\"}]");
    for piece in ["→ List", "Done.", "EndTurn after", "tokens in the context"] {
        assert!(printed.contains(piece), "{piece}: {printed}");
    }
}

#[test]
fn a_subagent_reports_and_goes_on() {
    let script = concat!(
        "[{\"tool\":{\"name\":\"ls\",\"input\":{}}}]\n",
        "[{\"text\":\"Some files.\"}]\n",
        "[{\"text\":\"Files.\"}]",
    );
    let printed = run("subagent", script);
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].starts_with("→ List") && lines[1] == "Some files.", "{printed}");
    assert!(lines[2].starts_with("Files. (") && lines.len() == 3, "{printed}");
}
