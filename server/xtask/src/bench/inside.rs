//! Figures of single functions: criterion runs the crates' benches, and its own records are read. The bench of the host
//! of extensions measures memory as well, which criterion does not; it prints its figures itself.

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
    // It reads all files, once in a while.
    ("command in 20,000 files/look before the first", 200.0),
    // The two together are less than anybody notices.
    ("command in 20,000 files/look before", 50.0),
    ("command in 20,000 files/look after", 50.0),
    // 500 MB each second, which is 4.6 million short events.
    ("event stream/10 MB of short events", 20.0),
    ("event stream/10 MB of long lines", 20.0),
    // 5 µs for each event, from its bytes to the model's event.
    ("model stream/1,000 events of messages", 5.0),
    ("model stream/1,000 events of chat-completions", 5.0),
    ("model stream/1,000 events of responses", 5.0),
    ("model stream/1,000 events of gemini", 5.0),
    ("model stream/1,000 events of ollama", 5.0),
    ("model stream/1,000 events of bedrock", 5.0),
    // From the last byte to the model's event.
    ("model stream/one event of messages", 0.1),
    ("model stream/one event of chat-completions", 0.1),
    ("model stream/one event of responses", 0.1),
    ("model stream/one event of gemini", 0.1),
    ("model stream/one event of ollama", 0.1),
    ("model stream/one event of bedrock", 0.1),
    ("catalogue/first look-up", 1.0),
    ("resume of a session of 100,000 entries", 300.0),
    ("list of 1,000 sessions", 50.0),
    ("list of 1,000 sessions without its index", 500.0),
    ("fork of a session of 10,000 entries", 100.0),
    ("compaction of a history of 200,000 tokens", 250.0),
    ("thirty subagents at once", 1_000.0),
    // The engine begins with its prelude in place.
    ("extension/JavaScript file to live", 0.25),
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
    ("extension/fib(25) in Rust", 0.44),
];

/// What the bench of the host prints.
const TARGETS_OF_HOST: &[(&str, f64)] = &[
    ("host/one hundred JavaScript files to live", 100.0),
    ("host/memory of one hundred JavaScript files", 50.0),
    ("host/memory of a further JavaScript file", 480.0),
    ("host/memory of a further Rust component", 80.0),
    ("host/save to reloaded", 60.0),
    ("host/a look for handlers without extensions", 0.000_1),
    ("host/memory without extensions", 64.0),
];

/// The benches that criterion runs, by name: only so the crates are built with the features that they have in the
/// product.
const BENCHES: [&str; 8] =
    ["sse", "models", "text", "workspace", "ledger", "sessions", "subagents", "extensions"];

/// Our search may take this many times as long as ripgrep.
const SEARCH_FACTOR: f64 = 1.3;

pub(super) fn measure() -> Result<Vec<Figure>> {
    let benches = BENCHES.map(|name| ["--bench", name]).concat();
    run::succeed(run::cargo().args(["bench", "--quiet", "--workspace"]).args(benches))?;
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
    figures.extend(host()?);
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

/// What the bench of the host of extensions prints, a name, a value and a unit in each line.
fn host() -> Result<Vec<Figure>> {
    let arguments = ["bench", "--quiet", "--workspace", "--bench", "host"];
    let printed = run::output(run::cargo().args(arguments))?;
    let mut figures = Vec::new();
    for (name, target) in TARGETS_OF_HOST {
        let found =
            printed.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t')?.split_once('\t'));
        match found {
            Some((value, "ms")) => figures.push(Figure::new(*name, value.parse()?, *target, "ms")),
            Some((value, "KiB")) => figures.push(Figure::new(*name, value.parse()?, *target, "KiB")),
            Some((value, "MiB")) => figures.push(Figure::new(*name, value.parse()?, *target, "MiB")),
            Some((_, unit)) => anyhow::bail!("{name} has a unit that nobody knows, {unit}"),
            None => println!("{name} is not measured (rustup target add wasm32-wasip2)"),
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
