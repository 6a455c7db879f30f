//! What the host of extensions takes as a whole: nothing without extensions, so much memory for each further one, so
//! long until a hundred run and until a saved file is live.
//!
//! What a further extension takes is the memory that is its own: pages of the compiled engine that it only reads are
//! shared by all, although the resident memory of a process counts them for each.
//!
//! Memory is no time, so criterion does not measure it; each figure is printed as one line of name, value and unit, which
//! `cargo xtask bench` reads. `--map` also prints where the memory of the extensions lies.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    reason = "a bench talks to its developer and stops at what it cannot set up"
)]

mod built;
#[allow(dead_code, reason = "the soak sends events and counts questions, which nobody does here")]
mod stage;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kit_extension::ExtensionHooks;
use kit_protocol::{ExtensionArguments, Settings};
use kit_session::{Dependencies, HookPoint, Hooks, Sessions, Sink};
use kit_workspace::Paths;

use stage::{Stage, resident};

const HUNDRED: u32 = 100;
const ROUNDS: u32 = 1_000_000;
const SAVES: usize = 20;
const SOURCE: &str = r#"
export const version = "0";
export default function (kit) {
  kit.on("tool_call", (event) => { if (event.input.includes("rm -rf")) return { block: true, reason: "no" }; });
  kit.registerTool({ name: kit.name, description: "t", execute: () => "done" });
}
"#;

fn figure(name: &str, value: f64, unit: &str) {
    println!("{name}\t{value}\t{unit}");
}

fn kibibytes(bytes: u64) -> f64 {
    bytes as f64 / 1024.0
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    // Cargo calls every bench with this.
    let map = std::env::args().any(|word| word == "--map");
    nothing().await;
    javascript(map).await;
    rust().await;
    saves().await;
}

/// A process without extensions.
async fn nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::new(folder.path());
    let before = private();
    let loaded = stage.hub.reload(ExtensionArguments::default()).await.expect("nothing loads");
    assert!(loaded.extensions.is_empty());
    let hooks = ExtensionHooks(Arc::clone(&stage.hub));
    let began = Instant::now();
    for _ in 0..ROUNDS {
        black_box(hooks.wants(black_box(HookPoint::ToolCall)));
    }
    figure("host/a look for handlers without extensions", milliseconds(began.elapsed() / ROUNDS), "ms");
    figure("host/memory without extensions", kibibytes(private().saturating_sub(before)), "KiB");
}

async fn load(stage: &Stage, expected: u32) -> Duration {
    let began = Instant::now();
    let loaded = stage.hub.reload(ExtensionArguments::default()).await.expect("they load");
    let took = began.elapsed();
    assert_eq!(loaded.extensions.len(), expected as usize, "{loaded:?}");
    took
}

async fn javascript(map: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::new(folder.path());
    let write = |number: u32| {
        std::fs::write(stage.extensions.join(format!("e{number}.js")), SOURCE).expect("an extension");
    };
    // With the first the engine is compiled.
    write(0);
    load(&stage, 1).await;
    let (one, all_of_one, mapped) = (private(), resident(), mapped());
    (1..=HUNDRED).for_each(write);
    let took = load_further(&stage).await;
    let further = private().saturating_sub(one);
    figure("host/one hundred JavaScript files to live", milliseconds(took), "ms");
    figure("host/memory of one hundred JavaScript files", kibibytes(further) / 1024.0, "MiB");
    let with_shared = resident().saturating_sub(all_of_one);
    eprintln!(
        "resident, with pages that are shared: {:.1} KiB each",
        kibibytes(with_shared) / f64::from(HUNDRED)
    );
    figure("host/memory of a further JavaScript file", kibibytes(further) / f64::from(HUNDRED), "KiB");
    if map {
        where_it_lies(&mapped);
    }
    stage.hub.shutdown().await;
}

/// Loads what is new; a reload by hand would also make what is there anew.
async fn load_further(stage: &Stage) -> Duration {
    let began = Instant::now();
    stage.hub.reload_soon();
    stage.hub.ready().await;
    let took = began.elapsed();
    let listed = stage.hub.list(&ExtensionArguments::default());
    assert_eq!(listed.extensions.len(), HUNDRED as usize + 1);
    took
}

async fn rust() {
    let Some(component) = built::component() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::new(folder.path());
    let write = |number: u32| {
        std::fs::write(stage.extensions.join(format!("e{number}.wasm")), &component).expect("an extension");
    };
    write(0);
    load(&stage, 1).await;
    let one = private();
    (1..=HUNDRED).for_each(write);
    load_further(&stage).await;
    let further = private().saturating_sub(one);
    figure("host/memory of a further Rust component", kibibytes(further) / f64::from(HUNDRED), "KiB");
    stage.hub.shutdown().await;
}

/// From the moment a file is written to the moment at which its new content is what runs.
async fn saves() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage::new(folder.path());
    let file = stage.extensions.join("saved.js");
    std::fs::write(&file, SOURCE).expect("an extension");
    let home = folder.path().join("sessions");
    let screen = Arc::clone(&stage.screen) as Arc<dyn Sink>;
    let sessions =
        Sessions::new(Dependencies::local(&home, Paths::below(&home), Settings::default(), screen));
    stage.hub.attach(&sessions);
    stage.hub.ready().await;
    let mut times = Vec::new();
    let mut looks = tokio::time::interval(Duration::from_micros(500));
    for save in 1..=SAVES {
        let version = save.to_string();
        std::fs::write(&file, SOURCE.replace("\"0\"", &format!("\"{version}\""))).expect("it is saved");
        let began = Instant::now();
        while !runs(&stage, &version) {
            looks.tick().await;
        }
        times.push(milliseconds(began.elapsed()));
    }
    times.sort_by(f64::total_cmp);
    figure("host/save to reloaded", times.get(SAVES / 2).copied().unwrap_or(f64::NAN), "ms");
    stage.hub.shutdown().await;
}

fn runs(stage: &Stage, version: &str) -> bool {
    let listed = stage.hub.list(&ExtensionArguments::default());
    listed.extensions.iter().any(|extension| extension.version.as_deref() == Some(version))
}

/// The memory of this process that no other shares and that no file has.
fn private() -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let dirty = text.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
    let kibibytes = dirty.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or_default() * 1024
}

/// Resident bytes by what they are mapped from, and by size for what is mapped from nothing.
fn mapped() -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    let mut sums = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), line.split_whitespace().nth(1)) {
            (Some("Size:"), Some(size)) if name.is_empty() => name = format!("nothing, {size} KiB"),
            (Some("Rss:"), Some(size)) => {
                *sums.entry(name.clone()).or_default() += size.parse::<u64>().unwrap_or_default()
            }
            (Some(range), _) if range.contains('-') => {
                let file = line.split_whitespace().nth(5).unwrap_or_default();
                name = Path::new(file).file_name().unwrap_or_default().to_string_lossy().into_owned();
                name.truncate(40);
            }
            (Some(_) | None, _) => {}
        }
    }
    sums
}

fn where_it_lies(before: &BTreeMap<String, u64>) {
    let mut grown: Vec<(u64, String)> = mapped()
        .into_iter()
        .map(|(name, size)| (size.saturating_sub(before.get(&name).copied().unwrap_or_default()), name))
        .collect();
    grown.sort();
    for (size, name) in grown.iter().rev().take(20) {
        eprintln!("{:>10.1} KiB each in {name}", *size as f64 / f64::from(HUNDRED));
    }
}
