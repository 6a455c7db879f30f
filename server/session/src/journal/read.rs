//! Reads a session file in spite of whatever stands in it.
//!
//! One pass over the bytes finds the lines and parses of each only what the tree needs; bodies are parsed later, and
//! only those that are wanted. A line that cannot be read is skipped and reported, never a failure: a torn last line,
//! the fragments that a crash of another writer left, types and roles of a newer version. A parent that is missing
//! because its line is unreadable is replaced by the entry before, so that the conversation keeps its start.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::path::Path;

use kit_protocol::{EntryId, Role, SessionId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::entry::{Header, NOTE_PREFIX, Note};
use crate::clock::Millis;
use crate::error::JournalError;
use crate::history::{EntryIndex, History, Record, RecordKind, Span};

/// How many problems of one file are kept; the rest is only counted.
const LARGEST_PROBLEM_LIST: usize = 20;
/// Lines with less between them are read at once.
const LARGEST_GAP: u64 = 64 * 1024;

/// Something in a file that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// What is wrong with it.
    pub(crate) what: &'static str,
}

/// The problems of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Problems {
    /// The first of them.
    pub(crate) first: Vec<Problem>,
    /// How many there are.
    pub(crate) count: usize,
}

impl Problems {
    fn note(&mut self, line: usize, what: &'static str) {
        self.count += 1;
        if self.first.len() < LARGEST_PROBLEM_LIST {
            self.first.push(Problem { line, what });
        }
    }

    /// One sentence for the user, or `None` when all is well.
    pub(crate) fn sentence(&self, path: &Path) -> Option<String> {
        let first = self.first.first()?;
        let more = match self.count {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let path = path.display();
        Some(format!(
            "the session file {path} has lines that cannot be read (line {}: {}{more}); they are left out and kept as they are",
            first.line, first.what
        ))
    }
}

/// What a session file holds.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) header: Header,
    pub(crate) history: History,
    /// The notes of the whole file in order, whatever branch they stand on.
    pub(crate) notes: Vec<(EntryIndex, Note)>,
    /// The last name that the session was given.
    pub(crate) name: Option<String>,
    pub(crate) problems: Problems,
    /// Whether the next append must start a line of its own.
    pub(crate) torn_tail: bool,
}

/// Indexes what a reader yields of a session file. `path` only names a session whose header is lost.
pub(crate) fn index(mut source: impl BufRead, path: &Path) -> io::Result<Loaded> {
    let mut builder = Builder::default();
    let mut torn_tail = false;
    let (mut line, mut offset, mut number) = (Vec::new(), 0, 0);
    loop {
        line.clear();
        let count = source.read_until(b'\n', &mut line)?;
        if count == 0 {
            break;
        }
        number += 1;
        torn_tail = line.last() != Some(&b'\n');
        let content = trim_line_end(&line);
        builder.line(number, Span { offset, len: content.len() }, content);
        offset += u64::try_from(count).unwrap_or(0);
    }
    Ok(Loaded {
        header: builder.header.unwrap_or_else(|| lost_header(path)),
        history: builder.history,
        notes: builder.notes,
        name: builder.name,
        problems: builder.problems,
        torn_tail,
    })
}

/// The header of a file whose first line is unreadable: the file's name stands for the session's id.
fn lost_header(path: &Path) -> Header {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Header::new(SessionId::new(stem), Millis(0), "")
}

fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A string that borrows from the line where no escape forces a copy.
#[derive(Deserialize)]
struct Str<'a>(#[serde(borrow)] Cow<'a, str>);

/// What the tree needs of a line. The optional fields are raw, so that a foreign shape of one does not lose the entry.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    r#type: Str<'a>,
    #[serde(borrow, default)]
    id: Option<Str<'a>>,
    #[serde(borrow, default)]
    parent_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    role: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ext_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
}

fn raw_text(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    raw.and_then(|raw| serde_json::from_str::<Str<'_>>(raw.get()).ok()).map(|text| text.0)
}

#[derive(Default)]
struct Builder {
    header: Option<Header>,
    history: History,
    notes: Vec<(EntryIndex, Note)>,
    name: Option<String>,
    problems: Problems,
    /// How many entries repeat an id, as far as noted.
    repeated_ids: usize,
}

impl Builder {
    fn line(&mut self, number: usize, span: Span, content: &[u8]) {
        if content.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(content) else {
            self.problems.note(number, "not a whole JSON object");
            return;
        };
        if envelope.r#type.0 == "session" {
            match serde_json::from_slice::<Header>(content) {
                Ok(header) if self.header.is_none() && self.history.records().is_empty() => {
                    self.header = Some(header);
                }
                Ok(_) => self.problems.note(number, "a second header"),
                Err(_) => self.problems.note(number, "a header without an id"),
            }
            return;
        }
        // A shared copy carries the system prompt as an entry outside the tree.
        if envelope.r#type.0 == "system_prompt" {
            return;
        }
        let Some(id) = envelope.id.filter(|id| !id.0.is_empty()) else {
            self.problems.note(number, "an entry without an id");
            return;
        };
        let parent = match envelope.parent_id.filter(|parent| !parent.0.is_empty()) {
            None => None,
            // Mostly it is the entry before.
            Some(parent) if self.history.leaf_id().is_some_and(|leaf| leaf.as_str() == parent.0) => {
                self.history.leaf()
            }
            Some(parent) => self.history.find(&EntryId::from(parent.0.as_ref())).or_else(|| {
                self.problems.note(number, "its parent is missing; it follows the entry before it");
                self.history.leaf()
            }),
        };
        let id = EntryId::from(id.0.as_ref());
        let ext_type = raw_text(envelope.ext_type);
        let note = ext_type
            .as_deref()
            .filter(|name| name.starts_with(NOTE_PREFIX))
            .map(|name| raw_text(envelope.data).and_then(|data| Note::parse(name, &data)));
        let kind = match envelope.r#type.0.as_ref() {
            "message" => RecordKind::Message(
                envelope.role.and_then(|role| serde_json::from_str::<Role>(role.get()).ok()),
            ),
            "model_change" => RecordKind::ModelChange,
            "branch_summary" => RecordKind::BranchSummary,
            "label" => RecordKind::Label,
            "session_info" => RecordKind::SessionInfo,
            "extension_data" if note.is_some() => RecordKind::Note,
            "extension_data" => RecordKind::Extension,
            "compaction" => RecordKind::Compaction,
            _ => RecordKind::Unknown,
        };
        let index = self.history.push(Record { id, parent, kind, span });
        if self.history.has_repeated_ids(self.repeated_ids) {
            self.repeated_ids += 1;
            self.problems.note(number, "its id was used before");
        }
        if let Some(Some(note)) = note {
            self.notes.push((index, note));
        }
        if kind == RecordKind::SessionInfo {
            self.name = raw_text(envelope.name).map(Cow::into_owned).filter(|name| !name.is_empty());
        }
    }
}

/// Reads the lines of entries back. Entries of one branch mostly stand side by side, so lines with little between them
/// are read at once.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Pieces of the file by their offset, in order.
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Lines {
    /// Reads what the spans cover.
    pub(crate) fn read(path: &Path, spans: impl Iterator<Item = Span>) -> Result<Self, JournalError> {
        let mut spans: Vec<Span> = spans.collect();
        spans.sort_unstable_by_key(|span| span.offset);
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for span in spans {
            let end = span.offset + u64::try_from(span.len).unwrap_or(0);
            match ranges.last_mut() {
                Some((_, last)) if span.offset <= last.saturating_add(LARGEST_GAP) => *last = end.max(*last),
                Some(_) | None => ranges.push((span.offset, end)),
            }
        }
        if ranges.is_empty() {
            return Ok(Self::default());
        }
        let failed = |error| JournalError::io("read", path, error);
        let mut file = File::open(path).map_err(failed)?;
        let mut pieces = Vec::with_capacity(ranges.len());
        for (start, end) in ranges {
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(start)).map_err(failed)?;
            (&mut file).take(end - start).read_to_end(&mut bytes).map_err(failed)?;
            pieces.push((start, bytes));
        }
        Ok(Self { pieces })
    }

    /// The line of a span; empty when the file has shrunk since it was indexed.
    pub(crate) fn get(&self, span: Span) -> Cow<'_, str> {
        let after = self.pieces.partition_point(|(start, _)| *start <= span.offset);
        let piece = after.checked_sub(1).and_then(|at| self.pieces.get(at));
        let line = piece.and_then(|(start, bytes)| {
            let from = usize::try_from(span.offset - start).ok()?;
            bytes.get(from..from.checked_add(span.len)?)
        });
        String::from_utf8_lossy(line.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        r#"{"type":"session","version":3,"id":"s1","timestamp":"2026-01-01T00:00:00Z","cwd":"/w"}"#;

    fn loaded(lines: &[&str]) -> Loaded {
        index(lines.join("\n").as_bytes(), Path::new("/x/2026_abc.jsonl")).unwrap()
    }

    fn check(lines: &[&str], ids: &[&str], problems: &[(usize, &'static str)]) {
        let loaded = loaded(lines);
        let found: Vec<&str> = loaded.history.records().iter().map(|record| record.id.as_str()).collect();
        let expected: Vec<Problem> =
            problems.iter().map(|(line, what)| Problem { line: *line, what }).collect();
        assert_eq!((found.as_slice(), &loaded.problems.first), (ids, &expected), "{lines:?}");
    }

    #[test]
    fn damage_is_skipped_and_reported() {
        let a = r#"{"type":"message","id":"a","role":"user","parts":[]}"#;
        let b = r#"{"type":"label","id":"b","parent_id":"a","target_id":"a","label":"x"}"#;
        check(&[HEADER, a, b], &["a", "b"], &[]);
        check(&[HEADER, a, "", b, ""], &["a", "b"], &[]);
        check(&[HEADER, a, &b[..30]], &["a"], &[(3, "not a whole JSON object")]);
        check(&[HEADER, a, &b[..30], b], &["a", "b"], &[(3, "not a whole JSON object")]);
        check(&[HEADER, a, "\0\0\0\0", b], &["a", "b"], &[(3, "not a whole JSON object")]);
        check(&[HEADER, HEADER, a], &["a"], &[(2, "a second header")]);
        check(&[HEADER, b], &["b"], &[(2, "its parent is missing; it follows the entry before it")]);
        check(&[HEADER, r#"{"type":"message"}"#], &[], &[(2, "an entry without an id")]);
        check(&[HEADER, a, a], &["a", "a"], &[(3, "its id was used before")]);
        check(&[HEADER, a, r#"{"type":"hologram","id":"h","parent_id":"a","name":5}"#], &["a", "h"], &[]);
    }

    #[test]
    fn every_prefix_of_a_file_keeps_its_whole_entries() {
        let entry = |id: &str, parent: &str| {
            format!(
                r#"{{"type":"message","id":"{id}","parent_id":"{parent}","role":"user","parts":[{{"type":"text","data":{{"text":"ä😀\\n"}}}}]}}"#
            )
        };
        let note = r#"{"type":"extension_data","id":"n","parent_id":"b","ext_type":"kit-ls/settings","data":"{\"mode\":\"plan\"}"}"#;
        let lines = [HEADER.to_owned(), entry("a", ""), entry("b", "a"), note.to_owned(), entry("c", "n")];
        let whole = lines.join("\n") + "\n";
        for cut in 0..=whole.len() {
            let prefix = &whole.as_bytes()[..cut];
            let loaded = index(prefix, Path::new("s.jsonl")).unwrap();
            // A line is whole as soon as its last brace is there, with its line end or without.
            let ends = lines.iter().scan(0, |end, line| {
                *end += line.len() + 1;
                Some(*end - 1)
            });
            let complete = ends.filter(|end| *end <= cut).count();
            assert_eq!(loaded.history.records().len(), complete.saturating_sub(1), "cut at {cut}");
            assert_eq!(loaded.history.current_branch().len(), complete.saturating_sub(1), "cut at {cut}");
            assert_eq!(loaded.torn_tail, cut > 0 && prefix[cut - 1] != b'\n', "cut at {cut}");
        }
    }

    #[test]
    fn a_missing_parent_is_replaced_by_the_entry_before() {
        let loaded = loaded(&[
            HEADER,
            r#"{"type":"message","id":"a","role":"user","parts":[]}"#,
            "torn",
            r#"{"type":"message","id":"c","parent_id":"b","role":"user","parts":[]}"#,
        ]);
        assert_eq!(loaded.history.current_branch(), [EntryIndex(0), EntryIndex(1)]);
    }

    #[test]
    fn a_file_without_its_header_is_named_after_its_file() {
        let loaded = loaded(&[&HEADER[..20]]);
        assert_eq!((loaded.header.id.as_str(), loaded.problems.count), ("2026_abc", 1));
    }

    #[test]
    fn name_and_notes_are_collected() {
        let loaded = loaded(&[
            HEADER,
            r#"{"type":"session_info","id":"a","name":"first"}"#,
            r#"{"type":"session_info","id":"b","parent_id":"a","name":"second"}"#,
            r#"{"type":"extension_data","id":"c","parent_id":"b","ext_type":"kit-ls/settings","data":"{\"mode\":\"plan\"}"}"#,
            r#"{"type":"extension_data","id":"d","parent_id":"c","ext_type":"kit-ls/later","data":"{}"}"#,
            r#"{"type":"extension_data","id":"e","parent_id":"d","ext_type":"other","data":"x"}"#,
        ]);
        let kinds: Vec<RecordKind> = loaded.history.records().iter().map(|record| record.kind).collect();
        use RecordKind::{Extension, Note as NoteKind, SessionInfo};
        assert_eq!(kinds, [SessionInfo, SessionInfo, NoteKind, NoteKind, Extension]);
        assert_eq!((loaded.name.as_deref(), loaded.notes.len()), (Some("second"), 1));
    }

    #[test]
    fn lines_are_read_back_by_their_spans() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.jsonl");
        let a = r#"{"type":"label","id":"a","target_id":"z","label":"ä"}"#;
        std::fs::write(&path, format!("{HEADER}\r\n{a}\n{a}")).unwrap();
        let loaded = index(std::fs::read(&path).unwrap().as_slice(), &path).unwrap();
        let spans = || loaded.history.records().iter().map(|record| record.span);
        let lines = Lines::read(&path, spans()).unwrap();
        assert_eq!(spans().map(|span| lines.get(span).into_owned()).collect::<Vec<_>>(), [a, a]);
        assert!(loaded.torn_tail);
        assert_eq!(lines.get(Span { offset: 0, len: 4 }), "");
        let far = |offset| Span { offset, len: 4 };
        std::fs::write(&path, format!("one\n{}two\n", " ".repeat(200_000))).unwrap();
        let lines = Lines::read(&path, [far(200_004), far(0)].into_iter()).unwrap();
        assert_eq!(
            (lines.get(far(0)), lines.get(far(200_004)), lines.pieces.len()),
            ("one\n".into(), "two\n".into(), 2)
        );
    }
}
