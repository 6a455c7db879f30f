//! Figures of single functions: criterion runs the crates' benches, and its own records are read.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Figure;
use crate::run;

const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;

/// A bench of a crate, and what the design says about it in milliseconds.
const TARGETS: &[(&str, f64)] = &[
    ("keystroke in a document of 100,000 lines", 0.2),
    ("hunks of 50,000 lines with 500 changes", 30.0),
    ("user edit with 500 hunks pending in 50,000 lines", 30.0),
    // 500 MB each second.
    ("event stream/10 MB of short events", 20.0),
    ("event stream/10 MB of long lines", 20.0),
    // 5 µs for each event, from its bytes to the model's event.
    ("model stream/1,000 events of messages", 5.0),
    ("model stream/1,000 events of chat-completions", 5.0),
    ("model stream/1,000 events of responses", 5.0),
    ("model stream/1,000 events of gemini", 5.0),
    ("model stream/1,000 events of ollama", 5.0),
    ("model stream/one event of messages", 0.1),
    ("catalogue/first look-up", 1.0),
    ("resume of a session of 100,000 entries", 300.0),
    ("list of 1,000 sessions", 50.0),
    ("list of 1,000 sessions without its index", 500.0),
    ("fork of a session of 10,000 entries", 100.0),
    ("compaction of a history of 200,000 tokens", 250.0),
    ("thirty subagents at once", 1_000.0),
    ("extension/JavaScript file to live", 1.0),
    ("extension/one hundred JavaScript files to live", 100.0),
    ("extension/empty event", 0.012),
    ("extension/event of 4 KB", 0.025),
    // The limit of computing and two ticks.
    ("extension/a loop is stopped", 220.0),
    ("extension/empty event beside a loop", 1.0),
    // An interpreter of Go takes 88 ms on the same machine.
    ("extension/fib(25)", 14.7),
];

/// Benches that need a target of the compiler that not everybody has installed.
const TARGETS_IN_RUST: &[(&str, f64)] = &[
    ("extension/Rust component to live", 0.2),
    ("extension/empty event in Rust", 0.010),
    ("extension/event of 4 KB in Rust", 0.008),
];

/// Our search may take this many times as long as ripgrep.
const SEARCH_FACTOR: f64 = 1.3;

pub(super) fn measure() -> Result<Vec<Figure>> {
    let crates = ["kit-provider", "kit-text", "kit-workspace", "kit-review", "kit-session", "kit-extension"];
    let crates = crates.map(|name| ["--package", name]).concat();
    run::succeed(run::cargo().args(["bench", "--quiet", "--benches"]).args(crates))?;
    let metadata = run::output(run::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let target = metadata["target_directory"].as_str().context("cargo names no target folder")?;
    let means = means(&Path::new(target).join("criterion"));
    let mean = |wanted: &str| means.iter().find(|(name, _)| name == wanted).map(|(_, mean)| *mean);

    let mut figures = Vec::new();
    for (name, target) in TARGETS {
        let mean = mean(name).with_context(|| format!("criterion has no record of {name:?}"))?;
        figures.push(Figure::new(*name, mean, *target, "ms"));
    }
    for (name, target) in TARGETS_IN_RUST {
        match mean(name) {
            Some(mean) => figures.push(Figure::new(*name, mean, *target, "ms")),
            None => println!("{name} is not measured (rustup target add wasm32-wasip2)"),
        }
    }
    let ripgrep = Command::new("rg").arg("--version").output().is_ok_and(|output| output.status.success());
    if !ripgrep {
        println!("rg is not installed, so searching is not compared with it (apt-get install ripgrep)");
        return Ok(figures);
    }
    for (name, ours) in means.iter().filter(|(name, _)| name.contains("/kit ")) {
        if let Some(theirs) = mean(&name.replace("/kit ", "/rg ")) {
            figures.push(Figure::new(
                name.replace("/kit ", ": ") + " against rg",
                *ours,
                theirs * SEARCH_FACTOR,
                "ms",
            ));
        }
    }
    Ok(figures)
}

/// The full name and the mean in milliseconds of every bench that criterion has a newest record of.
fn means(folder: &Path) -> Vec<(String, f64)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let json = |name: &str| -> Option<Value> {
            serde_json::from_slice(&std::fs::read(folder.join(name)).ok()?).ok()
        };
        if folder.ends_with("new")
            && let (Some(bench), Some(estimates)) = (json("benchmark.json"), json("estimates.json"))
            && let (Some(name), Some(mean)) =
                (bench["full_id"].as_str(), estimates["mean"]["point_estimate"].as_f64())
        {
            found.push((name.to_owned(), mean / NANOSECONDS_PER_MILLISECOND));
        }
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        folders.extend(entries.map(|entry| entry.path()).filter(|path| path.is_dir()));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}
