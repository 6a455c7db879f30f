//! Lines that match a regular expression.
//!
//! Each thread of the walk searches whole files with a searcher of its own and keeps the first matches of each. They are
//! merged into the first matches in the order of paths; the rest is counted. The text of an open document stands for its
//! file, and a document of a file that does not exist yet is searched as well.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{
    BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkContextKind, SinkMatch,
};
use ignore::DirEntry;
use kit_text::Text;
use tokio_util::sync::CancellationToken;

use super::find::display_below;
use super::path_glob::PathGlob;
use super::walk::{Hidden, walk};
use super::{SearchError, run};
use crate::roots::slashed;
use crate::snapshot::check_real;
use crate::{Documents, Location, Workspace, WorkspaceError};

/// Longer lines are cut.
const MAX_LINE_CHARS: usize = 500;
/// More lines of context say no more than the file itself.
const MAX_CONTEXT: usize = 50;
/// Files with longer lines than this are skipped and counted.
const MAX_HEAP_BYTES: usize = 64 * 1024 * 1024;
/// How many lines of one file are searched between two looks at the token.
const LINES_PER_CHECK: usize = 1024;

/// What to search for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrepQuery {
    /// A regular expression, or a literal text.
    pub pattern: String,
    /// Whether the pattern is a literal text.
    pub literal: bool,
    /// Whether case is ignored.
    pub ignore_case: bool,
    /// Only files that match this glob.
    pub glob: Option<String>,
    /// Lines of context before and after each match.
    pub context: usize,
    /// How many matching lines are wanted.
    pub limit: usize,
}

impl GrepQuery {
    /// A query for a regular expression with the usual limit.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self {
            pattern: pattern.into(),
            literal: false,
            ignore_case: false,
            glob: None,
            context: 0,
            limit: 100,
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrepResult {
    /// Files in the order of their paths, as far as the limit goes.
    pub files: Vec<FileMatches>,
    /// How many lines match, shown or not.
    pub total_matches: usize,
    /// How many files have matches, shown or not.
    pub total_files: usize,
    /// How many matching lines are in `files`.
    pub shown_matches: usize,
    /// Binary files, which were not searched.
    pub binary: usize,
    /// Files and directories that could not be read.
    pub unreadable: usize,
}

/// The matches in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMatches {
    /// Its absolute path without symbolic links.
    pub path: PathBuf,
    /// Its path as `Location::display` has it.
    pub display: String,
    /// Matching lines and their context, in order.
    pub lines: Vec<MatchLine>,
    /// How many lines match, shown or not.
    pub total_matches: usize,
}

/// One line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchLine {
    /// Its number, counted from 1.
    pub number: u64,
    /// Its text without line end, as far as the limit for lines goes.
    pub text: String,
    /// How many characters were cut off.
    pub cut: usize,
    /// Whether it matches or is context.
    pub matches: bool,
}

/// Searches a file or all files below a directory that are neither hidden nor ignored.
pub async fn grep(
    workspace: &Workspace,
    location: &Location,
    query: GrepQuery,
    cancel: &CancellationToken,
) -> Result<GrepResult, SearchError> {
    let roots = workspace.current_roots();
    let documents = workspace.documents().clone();
    let location = location.clone();
    run(cancel, location.path.clone(), move |cancel| {
        let open = open_texts(&documents, &location);
        let search = Search {
            matcher: Matcher::new(&query)?,
            glob: query.glob.as_deref().map(|glob| PathGlob::new(glob, &location.path)).transpose()?,
            root: roots.root_of(&location.real).map(|root| root.real.clone()),
            found: Mutex::new(Found { limit: query.limit, ..Found::default() }),
            location,
            open,
            query,
            cancel,
        };
        search.run()
    })
    .await
}

/// The texts of the open documents at or below a location, by path.
fn open_texts(documents: &Documents, location: &Location) -> HashMap<PathBuf, Text> {
    if !location.uri.is_file() {
        return documents
            .get(&location.uri)
            .map(|document| (location.real.clone(), document.text))
            .into_iter()
            .collect();
    }
    documents
        .by_real_path()
        .into_iter()
        .filter(|(path, _)| path.starts_with(&location.real))
        .map(|(path, document)| (path, document.text))
        .collect()
}

/// A compiled pattern, and whether it spans lines.
struct Matcher {
    regex: RegexMatcher,
    multi_line: bool,
}

impl Matcher {
    fn new(query: &GrepQuery) -> Result<Self, SearchError> {
        let mut builder = RegexMatcherBuilder::new();
        builder.case_insensitive(query.ignore_case).fixed_strings(query.literal).multi_line(true).crlf(true);
        // A pattern that can match a line end is refused here, and searched over whole files below.
        if let Ok(regex) = builder.line_terminator(Some(b'\n')).build(&query.pattern) {
            return Ok(Self { regex, multi_line: false });
        }
        builder.line_terminator(None);
        match builder.build(&query.pattern) {
            Ok(regex) => Ok(Self { regex, multi_line: true }),
            Err(error) => Err(SearchError::Pattern { why: error.to_string() }),
        }
    }

    fn searchers(&self, query: &GrepQuery) -> Searchers {
        let mut builder = SearcherBuilder::new();
        builder
            .multi_line(self.multi_line)
            .heap_limit(Some(MAX_HEAP_BYTES))
            .binary_detection(BinaryDetection::quit(0))
            .line_number(false);
        let counting = builder.build();
        let context = query.context.min(MAX_CONTEXT);
        let showing = builder.line_number(true).before_context(context).after_context(context).build();
        Searchers { showing, counting }
    }
}

/// What one thread searches with.
struct Searchers {
    showing: Searcher,
    /// For files behind the limit, of which no line is shown; counting lines is most of the work in them.
    counting: Searcher,
}

struct Search<'a> {
    location: Location,
    query: GrepQuery,
    matcher: Matcher,
    glob: Option<PathGlob>,
    root: Option<PathBuf>,
    open: HashMap<PathBuf, Text>,
    found: Mutex<Found>,
    cancel: &'a CancellationToken,
}

#[derive(Default)]
struct Found {
    /// The first files, with no more matches than the limit but for the last of them.
    files: BTreeMap<PathBuf, FileMatches>,
    kept: usize,
    limit: usize,
    result: GrepResult,
}

impl Search<'_> {
    fn run(self) -> Result<GrepResult, SearchError> {
        let top = self.location.real.clone();
        let context = u64::try_from(self.query.context.min(MAX_CONTEXT)).unwrap_or(u64::MAX);
        let metadata = self.location.uri.is_file().then(|| {
            check_real(&self.location)?;
            fs::metadata(&top).map_err(|error| WorkspaceError::from_io(&self.location.path, &error))
        });
        let mut unreadable = 0;
        match metadata {
            // Only the editor has it.
            None | Some(Err(WorkspaceError::NotFound { .. })) if self.open.contains_key(&top) => {
                self.visit(&mut self.matcher.searchers(&self.query), &top);
            }
            None => return Err(WorkspaceError::NotOpen { uri: self.location.uri }.into()),
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(metadata)) if metadata.is_dir() => unreadable = self.walk(&top),
            Some(Ok(metadata)) if metadata.is_file() => {
                self.visit(&mut self.matcher.searchers(&self.query), &top);
            }
            Some(Ok(_)) => return Err(WorkspaceError::NotAFile { path: self.location.path }.into()),
        }
        let found = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut result = found.finish(context);
        result.unreadable += unreadable;
        Ok(result)
    }

    fn walk(&self, top: &Path) -> usize {
        let hidden = match &self.glob {
            Some(glob) if glob.wants_hidden() => Hidden::Visit,
            Some(_) | None => Hidden::Skip,
        };
        let unreadable = walk(top, hidden, self.cancel, || {
            let mut searchers = self.matcher.searchers(&self.query);
            move |entry: &DirEntry| self.visit(&mut searchers, entry.path())
        });
        let mut unwritten: Vec<&PathBuf> = self.open.keys().filter(|path| !path.exists()).collect();
        unwritten.sort();
        let mut searchers = self.matcher.searchers(&self.query);
        for path in unwritten {
            self.visit(&mut searchers, path);
        }
        unreadable
    }

    fn visit(&self, searchers: &mut Searchers, path: &Path) {
        let relative = path.strip_prefix(&self.location.real).unwrap_or(path);
        if let Some(glob) = &self.glob {
            let in_root = self.root.as_ref().and_then(|root| path.strip_prefix(root).ok());
            let named = if relative.as_os_str().is_empty() { path } else { relative };
            if !glob.matches(named, in_root) {
                return;
            }
        }
        let shows = !self.found.lock().unwrap_or_else(PoisonError::into_inner).is_behind_limit(path);
        let (searcher, limit) =
            if shows { (&mut searchers.showing, self.query.limit) } else { (&mut searchers.counting, 0) };
        let mut lines = Lines {
            lines: Vec::new(),
            matches: 0,
            limit,
            binary: false,
            since_check: 0,
            cancel: self.cancel,
        };
        let outcome = match self.open.get(path) {
            Some(text) => searcher.search_slice(&self.matcher.regex, text.to_string().as_bytes(), &mut lines),
            None => searcher.search_path(&self.matcher.regex, path, &mut lines),
        };
        if outcome.is_ok() && !lines.binary && lines.matches == 0 {
            return;
        }
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = outcome {
            tracing::debug!(path = %path.display(), %error, "could not be searched");
            found.result.unreadable += 1;
        } else if lines.binary {
            found.result.binary += 1;
        } else {
            found.add(FileMatches {
                path: path.to_path_buf(),
                display: display_below(&self.location, &slashed(relative)),
                lines: lines.lines,
                total_matches: lines.matches,
            });
        }
    }
}

impl Found {
    /// Whether the limit is reached by files before this one.
    fn is_behind_limit(&self, path: &Path) -> bool {
        self.kept >= self.limit && self.files.last_key_value().is_none_or(|(last, _)| **last < *path)
    }

    fn add(&mut self, file: FileMatches) {
        self.result.total_matches += file.total_matches;
        self.result.total_files += 1;
        // A file that was only counted may come here; files before it fill the limit for good.
        if self.is_behind_limit(&file.path) {
            return;
        }
        self.kept += file.total_matches.min(self.limit);
        self.files.insert(file.path.clone(), file);
        while let Some(last) = self.files.last_entry() {
            let without = self.kept - last.get().total_matches.min(self.limit);
            if without < self.limit {
                break;
            }
            last.remove();
            self.kept = without;
        }
    }

    fn finish(mut self, context: u64) -> GrepResult {
        let mut left = self.limit;
        for mut file in self.files.into_values() {
            let matches = || file.lines.iter().enumerate().filter(|(_, line)| line.matches);
            if let Some((end, _)) = matches().nth(left) {
                let last =
                    left.checked_sub(1).and_then(|last| matches().nth(last)).map(|(_, line)| line.number);
                file.lines.truncate(end);
                // What led to the match that is cut.
                file.lines.retain(|line| last.is_some_and(|last| line.number <= last + context));
            }
            let shown = file.lines.iter().filter(|line| line.matches).count();
            left -= shown.min(left);
            self.result.shown_matches += shown;
            self.result.files.push(file);
        }
        self.result
    }
}

/// Collects the lines of one file.
struct Lines<'a> {
    lines: Vec<MatchLine>,
    matches: usize,
    limit: usize,
    binary: bool,
    since_check: usize,
    cancel: &'a CancellationToken,
}

impl Lines<'_> {
    fn go_on(&mut self) -> bool {
        self.since_check += 1;
        if self.since_check < LINES_PER_CHECK {
            return true;
        }
        self.since_check = 0;
        !self.cancel.is_cancelled()
    }
}

impl Sink for Lines<'_> {
    type Error = io::Error;

    fn matched(&mut self, _searcher: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        let first = found.line_number().unwrap_or(0);
        for (number, line) in (first..).zip(found.lines()) {
            self.matches += 1;
            if self.matches <= self.limit {
                self.lines.push(match_line(number, line, true));
            }
        }
        Ok(self.go_on())
    }

    fn context(&mut self, _searcher: &Searcher, context: &SinkContext<'_>) -> Result<bool, io::Error> {
        let wanted = match context.kind() {
            SinkContextKind::After => self.matches <= self.limit,
            SinkContextKind::Before | SinkContextKind::Other => self.matches < self.limit,
        };
        if wanted {
            self.lines.push(match_line(context.line_number().unwrap_or(0), context.bytes(), false));
        }
        Ok(self.go_on())
    }

    fn binary_data(&mut self, _searcher: &Searcher, _offset: u64) -> Result<bool, io::Error> {
        self.binary = true;
        Ok(false)
    }
}

fn match_line(number: u64, bytes: &[u8], matches: bool) -> MatchLine {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let (shown, rest) = match text.char_indices().nth(MAX_LINE_CHARS) {
        Some((end, _)) => text.split_at(end),
        None => (text, ""),
    };
    MatchLine { number, text: shown.to_owned(), cut: rest.chars().count(), matches }
}
