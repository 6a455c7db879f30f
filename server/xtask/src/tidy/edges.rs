//! The crate table of the design: who may depend on whom, and which outside crate belongs to whom and why.
//!
//! The table is read from `cargo metadata`, so renamed and target-specific dependencies are seen too. Every direct
//! dependency on an outside crate has a line in `server/xtask/deps.toml` that names its users and its reason; both
//! directions are compared, so a dependency that nobody uses any more is found as well.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Finding, Source};
use crate::run;

/// The crates in the order of the design, each with the crates of ours that it may use.
const EDGES: &[(&str, &[&str])] = &[
    ("kit-text", &[]),
    ("kit-protocol", &[]),
    ("kit-contract", &[]),
    ("kit-provider", &["kit-protocol"]),
    ("kit-workspace", &["kit-text", "kit-protocol"]),
    ("kit-review", &["kit-text", "kit-protocol", "kit-workspace"]),
    ("kit-tools", &["kit-text", "kit-protocol", "kit-workspace", "kit-review"]),
    (
        "kit-session",
        &["kit-text", "kit-protocol", "kit-provider", "kit-workspace", "kit-review", "kit-tools"],
    ),
    (
        "kit-extension",
        &["kit-text", "kit-protocol", "kit-contract", "kit-workspace", "kit-tools", "kit-session"],
    ),
    ("kit-lsp", &["kit-text", "kit-protocol", "kit-workspace", "kit-review", "kit-tools", "kit-session"]),
    ("kit-acp", &["kit-text", "kit-protocol", "kit-workspace", "kit-review", "kit-tools", "kit-session"]),
    (
        "kit-ls",
        &[
            "kit-text",
            "kit-protocol",
            "kit-contract",
            "kit-provider",
            "kit-workspace",
            "kit-review",
            "kit-tools",
            "kit-session",
            "kit-extension",
            "kit-lsp",
            "kit-acp",
        ],
    ),
    // The black-box tests see the product as a process only.
    ("kit-testkit", &[]),
    ("e2e", &["kit-testkit"]),
    ("xtask", &["kit-protocol", "kit-contract", "kit-testkit"]),
];

/// Outside crates that belong to certain crates alone, because the boundary of those crates is what they do.
const EXCLUSIVE: &[(&str, &[&str])] = &[
    ("tower-lsp", &["kit-lsp"]),
    ("tower", &["kit-lsp"]),
    ("reqwest", &["kit-provider", "kit-tools"]),
    ("wasmtime", &["kit-extension"]),
    ("process-wrap", &["kit-tools"]),
    ("ropey", &["kit-text"]),
    ("similar", &["kit-text"]),
];

/// Crates without tasks, clocks or sockets.
const SYNCHRONOUS: &[&str] = &["kit-text", "kit-protocol", "kit-contract"];

const REASONS: &str = "server/xtask/deps.toml";

pub(super) fn check(sources: &[Source]) -> Result<Vec<Finding>> {
    let metadata = run::output(run::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let root = run::root().display().to_string();
    let mut packages = Vec::new();
    for package in metadata["packages"].as_array().context("cargo lists no packages")? {
        let manifest = package["manifest_path"].as_str().unwrap_or_default();
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        packages.push(Package {
            name: text(&package["name"]),
            manifest: manifest
                .strip_prefix(&root)
                .unwrap_or(manifest)
                .trim_start_matches(['/', '\\'])
                .replace('\\', "/"),
            license: !package["license"].is_null(),
            dependencies: dependencies
                .map(|dependency| Dependency {
                    name: text(&dependency["name"]),
                    development: dependency["kind"] == "dev",
                })
                .collect(),
        });
    }
    let mut findings = Vec::new();
    for package in &packages {
        let manifest = sources.iter().find(|source| source.path == package.manifest);
        findings.extend(check_package(package, manifest.map_or("", |source| &source.text)));
    }
    let reasons = sources.iter().find(|source| source.path == REASONS).map_or("", |source| &source.text);
    findings.extend(check_reasons(&packages, reasons));
    Ok(findings)
}

struct Package {
    name: String,
    manifest: String,
    license: bool,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    development: bool,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn ours(name: &str) -> bool {
    EDGES.iter().any(|(of, _)| *of == name)
}

fn check_package(package: &Package, manifest: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |needle: &str, what: String| {
        findings.push(Finding::new(&package.manifest, line_with(manifest, needle), what));
    };
    let name = &package.name;
    if !package.license {
        find("[package]", format!("{name} names no license"));
    }
    let Some((_, allowed)) = EDGES.iter().find(|(of, _)| of == name) else {
        find("name", format!("{name} is not in the crate table"));
        return findings;
    };
    for dependency in &package.dependencies {
        let on = dependency.name.as_str();
        if ours(on) {
            // Tests of any crate may use the test kit.
            let in_tests = dependency.development && on == "kit-testkit";
            if !in_tests && !allowed.contains(&on) {
                find(on, format!("{name} may not depend on {on}"));
            }
            continue;
        }
        if let Some((_, owners)) = EXCLUSIVE.iter().find(|(of, _)| *of == on)
            && !owners.contains(&name.as_str())
        {
            find(on, format!("{on} belongs to {} alone", owners.join(" and ")));
        }
        let asynchronous = on == "async-trait" || on.starts_with("tokio") || on.starts_with("futures");
        if asynchronous && !dependency.development && SYNCHRONOUS.contains(&name.as_str()) {
            find(on, format!("{name} is synchronous and may not use {on}"));
        }
    }
    findings
}

fn line_with(text: &str, needle: &str) -> usize {
    text.lines().position(|line| line.starts_with(needle)).map_or(1, |index| index + 1)
}

/// A line of `deps.toml`: `name = { crates = ["a", "b"], reason = "…" }`.
#[derive(Debug, PartialEq, Eq)]
struct Reason<'a> {
    name: &'a str,
    crates: BTreeSet<&'a str>,
    line: usize,
}

fn parse_reason(line: &str, number: usize) -> Option<Reason<'_>> {
    let (name, rest) = line.split_once(" = { crates = [")?;
    let (crates, rest) = rest.split_once("], reason = \"")?;
    let reason = rest.strip_suffix("\" }")?;
    let crates: BTreeSet<&str> = crates.split(", ").map(|quoted| quoted.trim_matches('"')).collect();
    (reason.ends_with('.') && !crates.contains("")).then_some(Reason { name, crates, line: number })
}

fn check_reasons(packages: &[Package], text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut reasons: BTreeMap<&str, Reason<'_>> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match parse_reason(line, index + 1) {
            Some(reason) => {
                if reasons.insert(reason.name, reason).is_some() {
                    findings.push(Finding::new(REASONS, index + 1, "is a second line for the same crate"));
                }
            }
            None => findings.push(Finding::new(
                REASONS,
                index + 1,
                "is not of the form: name = { crates = [\"user\"], reason = \"Sentence.\" }",
            )),
        }
    }
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        for dependency in package.dependencies.iter().filter(|dependency| !ours(&dependency.name)) {
            users.entry(&dependency.name).or_default().insert(&package.name);
        }
    }
    for (name, users) in &users {
        match reasons.get(name) {
            Some(reason) if &reason.crates == users => {}
            Some(reason) => {
                findings.push(Finding::new(REASONS, reason.line, format!("{name} is used by {users:?}")));
            }
            None => {
                findings.push(Finding::new(REASONS, 1, format!("{name}, used by {users:?}, has no reason")))
            }
        }
    }
    for reason in reasons.values().filter(|reason| !users.contains_key(reason.name)) {
        findings.push(Finding::new(REASONS, reason.line, format!("nobody uses {}", reason.name)));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        Package {
            name: name.into(),
            manifest: format!("{name}/Cargo.toml"),
            license: true,
            dependencies: dependencies
                .iter()
                .map(|name| Dependency { name: (*name).into(), development: false })
                .collect(),
        }
    }

    fn whats(findings: Vec<Finding>) -> Vec<String> {
        findings.into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn an_edge_that_is_not_in_the_table_is_found() {
        let found = check_package(&package("kit-tools", &["kit-text", "kit-provider"]), "");
        assert_eq!(whats(found), ["kit-tools may not depend on kit-provider"]);
    }

    #[test]
    fn an_outside_crate_stays_with_its_owner() {
        let found = check_package(&package("kit-session", &["reqwest"]), "");
        assert_eq!(whats(found), ["reqwest belongs to kit-provider and kit-tools alone"]);
        assert_eq!(
            whats(check_package(&package("kit-text", &["tokio"]), "")),
            ["kit-text is synchronous and may not use tokio"]
        );
    }

    #[test]
    fn every_table_row_points_to_rows_above_it() {
        for (index, (name, allowed)) in EDGES.iter().enumerate() {
            for on in *allowed {
                assert!(EDGES[..index].iter().any(|(of, _)| of == on), "{name} -> {on} points downwards");
            }
        }
    }

    #[test]
    fn reasons_and_dependencies_must_agree_in_both_directions() {
        let reasons = "# Reasons\nbytes = { crates = [\"a\"], reason = \"Buffers.\" }\ngone = { crates = [\"a\"], reason = \"Old.\" }\nodd = 1\n";
        let found = check_reasons(&[package("a", &["bytes", "new"]), package("b", &["bytes"])], reasons);
        assert_eq!(
            whats(found),
            [
                "is not of the form: name = { crates = [\"user\"], reason = \"Sentence.\" }",
                "bytes is used by {\"a\", \"b\"}",
                "new, used by {\"a\"}, has no reason",
                "nobody uses gone",
            ]
        );
    }
}
