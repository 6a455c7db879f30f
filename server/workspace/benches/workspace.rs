//! A keystroke in a long document, and searching a tree.
//!
//! Targets: a keystroke in a document of 100,000 lines in under 0.2 ms, a search within 1.3 times of `rg`, which is run
//! on the same tree if it is installed.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark, not a library")]

use std::fmt::Write;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use kit_text::{Encoding, Position, Text};
use kit_workspace::search::{GrepQuery, grep};
use kit_workspace::{
    Change, ChangeObserver, ContentChange, DiskEditor, DocumentUri, Documents, Root, Workspace,
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

criterion_group!(benches, keystroke, search);
criterion_main!(benches);
