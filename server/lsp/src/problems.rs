//! Files of the user that are wrong — skills, templates, agents, settings, extensions — as diagnostics at their lines.
//!
//! Each owner replaces its own list as a whole; a file of which no owner complains any more is told once, empty, so that
//! the editor takes its marks away.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kit_protocol::FileProblem;
use kit_workspace::DocumentUri;
use tower_lsp::lsp_types as lsp;

use crate::convert;

/// The source that editors name beside a mark; clients leave it out of `kit/diagnostics`.
const SOURCE: &str = "kit";

/// What is wrong now, and what the editor was told.
#[derive(Default)]
pub(crate) struct Problems {
    owners: BTreeMap<&'static str, Vec<FileProblem>>,
    told: BTreeMap<String, Vec<FileProblem>>,
    changed: bool,
}

impl Problems {
    /// Replaces an owner's list.
    pub(crate) fn replace(&mut self, owner: &'static str, mut problems: Vec<FileProblem>) {
        problems.sort();
        problems.dedup();
        self.changed |= self.owners.get(owner).is_none_or(|known| *known != problems);
        self.owners.insert(owner, problems);
    }

    /// The files whose marks change, each with all its marks.
    pub(crate) fn take_changes(&mut self) -> Vec<(lsp::Url, Vec<lsp::Diagnostic>)> {
        if !std::mem::take(&mut self.changed) {
            return Vec::new();
        }
        let mut now: BTreeMap<String, Vec<FileProblem>> = BTreeMap::new();
        for problem in self.owners.values().flatten() {
            now.entry(problem.path.clone()).or_default().push(problem.clone());
        }
        let paths: BTreeSet<&String> = now.keys().chain(self.told.keys()).collect();
        let differing = paths.into_iter().filter(|path| now.get(*path) != self.told.get(*path));
        let changes = differing
            .filter_map(|path| {
                let uri = convert::to_url(&DocumentUri::from_path(Path::new(path)))?;
                Some((uri, now.get(path).into_iter().flatten().map(diagnostic).collect()))
            })
            .collect();
        self.told = now;
        changes
    }
}

fn diagnostic(problem: &FileProblem) -> lsp::Diagnostic {
    let start = lsp::Position { line: problem.line, character: 0 };
    lsp::Diagnostic {
        // Past the end of the line means its end.
        range: lsp::Range { start, end: lsp::Position { character: 1000, ..start } },
        severity: Some(lsp::DiagnosticSeverity::WARNING),
        source: Some(SOURCE.to_owned()),
        message: problem.message.clone(),
        ..lsp::Diagnostic::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(path: &str, line: u32) -> FileProblem {
        FileProblem { path: path.to_owned(), line, message: format!("{path}:{line}") }
    }

    fn changes(problems: &mut Problems) -> Vec<(String, Vec<String>)> {
        let told = |(uri, marks): (lsp::Url, Vec<lsp::Diagnostic>)| {
            (uri.path().to_owned(), marks.into_iter().map(|mark| mark.message).collect())
        };
        problems.take_changes().into_iter().map(told).collect()
    }

    #[test]
    fn only_files_whose_marks_change_are_told_and_mended_ones_are_told_empty() {
        let mut problems = Problems::default();
        let marks = |path: &str, lines: &[u32]| {
            (path.to_owned(), lines.iter().map(|line| format!("{path}:{line}")).collect::<Vec<_>>())
        };
        problems.replace("skills", vec![problem("/a", 2), problem("/b", 1)]);
        problems.replace("extensions", vec![problem("/a", 7)]);
        assert_eq!(changes(&mut problems), [marks("/a", &[7, 2]), marks("/b", &[1])]);
        problems.replace("skills", vec![problem("/b", 1), problem("/b", 1)]);
        assert_eq!(changes(&mut problems), [marks("/a", &[7])]);
        assert_eq!(changes(&mut problems), []);
        problems.replace("skills", Vec::new());
        assert_eq!(changes(&mut problems), [marks("/b", &[])]);
    }
}
