//! A keystroke in a long document, searching a tree, and the looks at all files before and after a command.
//!
//! Targets: a keystroke in a document of 100,000 lines in under 0.2 ms, a search within 1.3 times of `rg`, which is run
//! on the same tree if it is installed. The looks before and after a command take 50 ms each in a project of 20,000
//! files, so that nobody notices the two; the first look reads all files and may take 200 ms.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark, not a library")]

use std::fmt::Write;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use kit_text::{Encoding, Position, Text};
use kit_workspace::search::{GrepQuery, grep};
use kit_workspace::{
    Author, Change, ChangeObserver, ContentChange, DiskEditor, DocumentUri, Documents, Root, Workspace,
};
use tokio_util::sync::CancellationToken;

const LINES: u32 = 100_000;

struct Ignores;

impl ChangeObserver for Ignores {
    fn changed(&self, change: Change) {
        black_box(change);
    }
    fn opened(&self, _uri: &DocumentUri, _text: &Text, _version: i32) {}
    fn closed(&self, _uri: &DocumentUri) {}
}

fn lines(count: u32) -> String {
    (0..count).fold(String::new(), |mut text, line| {
        writeln!(text, "    let value_{line} = compute({line}, \"some text\"); // and a comment").unwrap();
        text
    })
}

fn keystroke(criterion: &mut Criterion) {
    let documents = Documents::new();
    documents.observe(Arc::new(Ignores));
    let uri = DocumentUri::parse("file:///long.rs");
    documents.open(uri.clone(), "rust", 1, &lines(LINES));
    let mut version = 1;
    let mut line = 0;
    criterion.bench_function("keystroke in a document of 100,000 lines", |bencher| {
        bencher.iter(|| {
            version += 1;
            line = (line + 7919) % LINES;
            let at = Position::new(line, 8);
            let change = ContentChange { range: Some((at, at)), text: "x".to_owned() };
            documents.change(&uri, version, &[change], Encoding::Utf16).unwrap();
        });
    });
}

fn search(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    for index in 0..4000_u32 {
        let parent = directory.path().join(format!("{}/{}", index % 20, index % 7));
        fs::create_dir_all(&parent).unwrap();
        fs::write(parent.join(format!("{index}.rs")), lines(200 + index % 300)).unwrap();
    }
    let workspace = Workspace::new(
        vec![Root::new(directory.path())],
        Arc::default(),
        Arc::new(DiskEditor),
        Arc::new(Ignores),
    );
    let location = workspace.resolve(directory.path(), ".").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let cancel = CancellationToken::new();
    let mut group = criterion.benchmark_group("search of 4,000 files, 100 MB");
    group.sample_size(20);
    for pattern in ["value_499 ", r"value_\d+9 = compute", "absent"] {
        group.bench_function(format!("kit {pattern:?}"), |bencher| {
            bencher.iter(|| {
                let query = GrepQuery::new(pattern);
                runtime.block_on(grep(&workspace, &location, query, &cancel)).unwrap()
            });
        });
        if Command::new("rg").arg("--version").stdout(Stdio::null()).status().is_ok() {
            group.bench_function(format!("rg {pattern:?}"), |bencher| {
                bencher.iter(|| ripgrep(directory.path(), pattern));
            });
        }
    }
    group.finish();
}

fn ripgrep(directory: &Path, pattern: &str) {
    Command::new("rg")
        .args(["--line-number", "-e", pattern, "."])
        .current_dir(directory)
        .stdout(Stdio::null())
        .status()
        .unwrap();
}

/// A project of 20,000 files of 3 KB in 400 folders.
fn project(directory: &Path) {
    for index in 0..20_000_u32 {
        let parent = directory.join(format!("{}/{}", index % 20, index % 400));
        fs::create_dir_all(&parent).unwrap();
        let path = parent.join(format!("{index}.rs"));
        fs::write(&path, lines(20 + index % 50)).unwrap();
    }
}

fn census(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    project(directory.path());
    let workspace = || {
        let roots = vec![Root::new(directory.path())];
        Workspace::new(roots, Arc::default(), Arc::new(DiskEditor), Arc::new(Ignores))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut group = criterion.benchmark_group("command in 20,000 files");
    group.sample_size(20);
    group.bench_function("look before the first", |bencher| {
        bencher.iter_batched(
            workspace,
            |workspace| {
                let census = runtime.block_on(workspace.census(Author::User));
                (census, workspace)
            },
            BatchSize::PerIteration,
        );
    });
    let workspace = workspace();
    let look = || runtime.block_on(workspace.census(Author::User));
    // What was written right before a look is read again by the next one.
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        drop(look());
    }
    group.bench_function("look before", |bencher| bencher.iter_with_large_drop(look));
    group.bench_function("look after", |bencher| {
        bencher.iter_batched(
            look,
            |census| {
                let found = runtime.block_on(workspace.changes_since(census));
                assert!(found.changes.is_empty() && !found.is_partial, "nothing has changed");
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, keystroke, search, census);
criterion_main!(benches);
