//! Rules that no compiler checks: crate edges, dependencies, file shape, invariants with their guards, generated files.
//!
//! Every finding is one line `path:line: what is wrong`, so an editor can jump to it; all are collected before failing.

mod edges;
mod files;
mod invariants;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::{codegen, engine, run};

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: impl Into<String>, line: usize, what: impl Into<String>) -> Self {
        Finding { path: path.into(), line, what: what.into() }
    }
}

/// A text file of the repository.
pub(crate) struct Source {
    path: String,
    text: String,
}

/// Checks everything and fails when there is a finding.
pub(crate) fn run() -> Result<()> {
    let sources = sources()?;
    let mut findings = BTreeSet::new();
    findings.extend(edges::check(&sources)?);
    findings.extend(files::check(&sources));
    findings.extend(invariants::check(&sources));
    for stale in codegen::stale()? {
        findings.insert(Finding::new(stale, 1, "is not what `cargo xtask codegen` writes"));
    }
    if let Some(what) = engine::stale()? {
        findings.insert(Finding::new(engine::component(), 1, what));
    }
    for Finding { path, line, what } in &findings {
        eprintln!("{path}:{line}: {what}");
    }
    if findings.is_empty() {
        println!("tidy: {} files are in order", sources.len());
        return Ok(());
    }
    bail!("{} findings", findings.len())
}

/// Every text file that git knows or would add, in order of path.
fn sources() -> Result<Vec<Source>> {
    let listed = run::output(&mut run::program(
        "git",
        &["ls-files", "--cached", "--others", "--exclude-standard", "-z"],
    ))?;
    let paths: BTreeSet<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
    let mut sources = Vec::new();
    for path in paths {
        let full: PathBuf = run::root().join(path);
        // A file may be deleted but not yet staged, and a picture is no text.
        if let Some(text) = std::fs::read(full).ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
            sources.push(Source { path: path.to_owned(), text });
        }
    }
    Ok(sources)
}
