//! The invariants in `server/ARCHITECTURE.md`, each with the name of the test that guards it.
//!
//! An invariant is a list item that begins with its number in bold. Every name in it that is spelled like a test must be
//! a test that exists, and there must be one, unless the item says that this program or clippy is the guard.

use std::collections::BTreeSet;

use super::{Finding, Source};

const DOCUMENT: &str = "server/ARCHITECTURE.md";

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let Some(document) = sources.iter().find(|source| source.path == DOCUMENT) else {
        return vec![Finding::new(DOCUMENT, 1, "is missing")];
    };
    let functions = functions(sources);
    let mut findings = Vec::new();
    let mut count = 0;
    for (line, item) in items(&document.text) {
        count += 1;
        let names: Vec<&str> = item.split('`').skip(1).step_by(2).filter(|word| is_test_name(word)).collect();
        let checked_otherwise = item.contains("tidy") || item.contains("clippy");
        if names.is_empty() && !checked_otherwise {
            findings.push(Finding::new(DOCUMENT, line, "an invariant names the test that guards it"));
        }
        for name in names.into_iter().filter(|name| !functions.contains(name)) {
            findings.push(Finding::new(DOCUMENT, line, format!("there is no test `{name}`")));
        }
    }
    if count == 0 {
        findings.push(Finding::new(DOCUMENT, 1, "lists no invariant"));
    }
    findings
}

/// The list items that are invariants, continuation lines included, with the number of their first line.
fn items(text: &str) -> Vec<(usize, String)> {
    let mut items: Vec<(usize, String)> = Vec::new();
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let body = line.trim_start().trim_start_matches(['-', '|', ' ']);
        let number =
            body.strip_prefix("**I").and_then(|rest| rest.split_once("**")).map(|(number, _)| number);
        if number.is_some_and(|number| number.trim_end_matches('.').parse::<u32>().is_ok()) {
            items.push((index + 1, line.to_owned()));
            inside = true;
        } else if inside && line.starts_with(' ') {
            if let Some((_, item)) = items.last_mut() {
                item.push(' ');
                item.push_str(line.trim());
            }
        } else {
            inside = false;
        }
    }
    items
}

/// A behavior is named in a sentence, so it has at least two underscores.
fn is_test_name(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    plain && word.matches('_').count() >= 2
}

fn functions(sources: &[Source]) -> BTreeSet<&str> {
    let rust = sources.iter().filter(|source| source.path.ends_with(".rs"));
    rust.flat_map(|source| source.text.lines())
        .filter_map(|line| line.split_once("fn "))
        .filter_map(|(_, rest)| rest.split(['(', '<']).next())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invariant_needs_a_guard_that_exists() {
        let document = "\
- **I1** Layers. Guard: tidy.
- **I2** No orphan.
  Guard: `every_call_has_one_result`.
- **I3** Current store. Guard: `store_is_current_when_it_counts`.
- **I4** Nothing guards this.
Text about `some_other_long_name`.
";
        let code = "    #[test]\n    fn every_call_has_one_result() {}\n";
        let sources = [
            Source { path: DOCUMENT.into(), text: document.into() },
            Source { path: "server/a/src/lib.rs".into(), text: code.into() },
        ];
        assert_eq!(
            check(&sources),
            [
                Finding::new(DOCUMENT, 4, "there is no test `store_is_current_when_it_counts`"),
                Finding::new(DOCUMENT, 5, "an invariant names the test that guards it"),
            ]
        );
    }
}
