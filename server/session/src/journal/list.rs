//! Lists stored sessions without reading what was read before.
//!
//! For each file the cache (`<cache>/sessions.json`) keeps what its lines said up to a length. A file of that length and
//! time is taken from the cache; one that grew is read from there on; anything else is read whole. The cache may be
//! deleted at any time. Listing never changes or deletes a session file: what looks empty may be another process's
//! session that is about to get its first entry.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use kit_protocol::{SessionId, SessionSummary};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::entry::{Body, Header};
use crate::clock::Millis;

const CACHE_FILE: &str = "sessions.json";
/// How much of the first prompt is shown.
const LONGEST_PREVIEW: usize = 100;
/// Threads that read files which the cache does not know.
const READERS: usize = 4;

/// What is known about one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// The length up to which the lines were read; it ends a line.
    read: u64,
    /// The file's length and time at that moment.
    len: u64,
    time: u64,
    id: String,
    cwd: String,
    created: String,
    modified: String,
    name: Option<String>,
    messages: u64,
    entries: u64,
    first: Option<String>,
    parent: Option<SessionId>,
    task: Option<String>,
}

/// The sessions that the files hold, newest first. Files that cannot be read are left out and logged.
pub(crate) fn list(paths: Vec<PathBuf>, cache: &Path) -> Vec<SessionSummary> {
    let cache_path = cache.join(CACHE_FILE);
    let mut cached = read_cache(&cache_path);
    let work: Vec<(PathBuf, Option<Known>)> = paths
        .into_iter()
        .map(|path| {
            let known = cached.get(path.to_string_lossy().as_ref()).cloned();
            (path, known)
        })
        .collect();
    let size = work.len().div_ceil(READERS).max(1);
    let read: Vec<(PathBuf, Option<Known>, bool)> = std::thread::scope(|scope| {
        let readers: Vec<_> = work
            .chunks(size)
            .map(|chunk| scope.spawn(move || chunk.iter().map(refresh).collect::<Vec<_>>()))
            .collect();
        readers.into_iter().flat_map(|reader| reader.join().unwrap_or_default()).collect()
    });
    let mut changed = false;
    let mut sessions = Vec::with_capacity(read.len());
    for (path, known, fresh) in read {
        let key = path.to_string_lossy().into_owned();
        match known {
            Some(known) => {
                if known.entries > 0 {
                    sessions.push(known.to_summary(&key));
                }
                if fresh {
                    changed = true;
                    cached.insert(key, known);
                }
            }
            None => changed |= cached.remove(&key).is_some(),
        }
    }
    if changed {
        cached.retain(|path, _| Path::new(path).exists());
        if let Err(error) = write_cache(&cache_path, &cached) {
            tracing::warn!(path = %cache_path.display(), %error, "cannot write the index of sessions");
        }
    }
    sessions.sort_by(|one, other| other.modified.cmp(&one.modified).then_with(|| one.path.cmp(&other.path)));
    sessions
}

impl Known {
    fn to_summary(&self, path: &str) -> SessionSummary {
        SessionSummary {
            id: SessionId::from(self.id.as_str()),
            name: self.name.clone(),
            path: path.to_owned(),
            cwd: self.cwd.clone(),
            created: self.created.clone(),
            modified: self.modified.clone(),
            message_count: self.messages,
            first_message: self.first.clone().unwrap_or_default(),
            parent_session: self.parent.clone(),
            subagent_task: self.task.clone(),
            running: false,
        }
    }
}

/// What is known about a file now, and whether that differs from what was known.
fn refresh((path, known): &(PathBuf, Option<Known>)) -> (PathBuf, Option<Known>, bool) {
    let refreshed = std::fs::metadata(path).and_then(|metadata| {
        let time = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let time = time.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(0));
        match known {
            Some(known) if known.len == metadata.len() && known.time == time => Ok((known.clone(), false)),
            Some(known) if known.read > 0 && known.len < metadata.len() => {
                read_on(path, known.clone(), metadata.len(), time).map(|known| (known, true))
            }
            Some(_) | None => {
                read_on(path, Known::default(), metadata.len(), time).map(|known| (known, true))
            }
        }
    });
    match refreshed {
        Ok((known, fresh)) => (path.clone(), Some(known), fresh),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot list a session");
            // A file that cannot be read right now is listed as it was.
            let locked = known.clone().filter(|_| error.kind() != io::ErrorKind::NotFound);
            (path.clone(), locked, false)
        }
    }
}

#[derive(Deserialize)]
struct Str<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    r#type: Str<'a>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    role: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
}

/// Reads the lines behind those that are known.
fn read_on(path: &Path, mut known: Known, len: u64, time: u64) -> io::Result<Known> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(known.read))?;
    let mut reader = BufReader::with_capacity(256 * 1024, file.take(len.saturating_sub(known.read)));
    let mut line = Vec::new();
    loop {
        line.clear();
        let count = reader.read_until(b'\n', &mut line)?;
        if count == 0 {
            break;
        }
        // A torn last line is read again when it is whole or followed by others.
        if line.last() == Some(&b'\n') {
            known.read += u64::try_from(count).unwrap_or(0);
            known.line(&line);
        }
    }
    if known.id.is_empty() {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        known.id = stem.unwrap_or_default();
    }
    if known.modified.is_empty() {
        known.modified = Millis(i64::try_from(time / 1_000_000).unwrap_or(0)).to_rfc3339();
    }
    Ok(Known { len, time, ..known })
}

impl Known {
    fn line(&mut self, line: &[u8]) {
        let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(line) else { return };
        if envelope.r#type.0 == "session" {
            if let Ok(header) = serde_json::from_slice::<Header>(line) {
                self.id = header.id.to_string();
                self.cwd = header.cwd;
                self.modified.clone_from(&header.timestamp);
                self.created = header.timestamp;
                self.parent = header.parent_session_id;
                self.task = header.subagent_task;
            }
            return;
        }
        self.entries += 1;
        if let Some(time) =
            envelope.timestamp.map(|time| time.get().trim_matches('"')).and_then(Millis::parse)
        {
            self.modified = time.to_rfc3339();
        }
        match envelope.r#type.0.as_ref() {
            "message" => {
                self.messages += 1;
                if self.first.is_none() && envelope.role.is_some_and(|role| role.get() == r#""user""#) {
                    self.first = first_text(line);
                }
            }
            "session_info" => {
                let name = envelope.name.and_then(|name| serde_json::from_str::<String>(name.get()).ok());
                self.name = name.filter(|name| !name.is_empty());
            }
            _ => {}
        }
    }
}

/// The beginning of a message's first text, on one line.
fn first_text(line: &[u8]) -> Option<String> {
    match Body::parse(std::str::from_utf8(line).ok()?) {
        Body::Message { parts, .. } => {
            let text = parts.iter().find_map(|part| match part {
                kit_protocol::Part::Text(text) => Some(text.text.as_str()),
                kit_protocol::Part::Reasoning(_)
                | kit_protocol::Part::ToolCall(_)
                | kit_protocol::Part::ToolResult(_)
                | kit_protocol::Part::Image(_)
                | kit_protocol::Part::Finish(_)
                | kit_protocol::Part::Unknown(_) => None,
            });
            text.map(preview)
        }
        Body::ModelChange { .. }
        | Body::BranchSummary { .. }
        | Body::Label { .. }
        | Body::SessionInfo { .. }
        | Body::ExtensionData { .. }
        | Body::Compaction { .. }
        | Body::Unknown => None,
    }
}

/// The beginning of a text on one line, at most `LONGEST_PREVIEW` characters.
pub(crate) fn preview(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().take(LONGEST_PREVIEW).collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST_PREVIEW) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

fn read_cache(path: &Path) -> BTreeMap<String, Known> {
    let Ok(bytes) = std::fs::read(path) else { return BTreeMap::new() };
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn write_cache(path: &Path, cached: &BTreeMap<String, Known>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(io::BufWriter::new(&mut file), cached)?;
    file.flush()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: &str, text: &str) -> String {
        format!(
            r#"{{"type":"message","id":"{text}","timestamp":"2026-01-02T00:00:00Z","role":"{role}","parts":[{{"type":"text","data":{{"text":"{text}"}}}}]}}"#
        )
    }

    fn header(id: &str) -> String {
        format!(
            r#"{{"type":"session","version":3,"id":"{id}","timestamp":"2026-01-01T00:00:00Z","cwd":"/w"}}"#
        )
    }

    fn summaries(folder: &Path, cache: &Path) -> Vec<(String, u64, String, Option<String>)> {
        let paths = folder.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
        list(paths, cache)
            .into_iter()
            .map(|one| (one.id.to_string(), one.message_count, one.first_message, one.name))
            .collect()
    }

    #[test]
    fn damaged_sessions_are_listed_and_none_is_deleted() {
        let sessions = tempfile::tempdir().unwrap();
        let cache = tempfile::tempdir().unwrap();
        let large = "x".repeat(3 << 20);
        let files = [
            ("torn", format!("{}\n{}\n{{\"type\":", header("torn"), message("user", "hello"))),
            ("foreign", format!("{}\n{{\"type\":\"hologram\",\"id\":\"h\"}}\n", header("foreign"))),
            (
                "large",
                format!("{}\n{}\n{}\n", header("large"), message("user", &large), message("assistant", "b")),
            ),
            ("empty", format!("{}\n", header("empty"))),
        ];
        for (name, content) in &files {
            std::fs::write(sessions.path().join(format!("{name}.jsonl")), content).unwrap();
        }
        let preview = format!("{}…", "x".repeat(100));
        let mut expected = vec![
            ("foreign".to_owned(), 0, String::new(), None),
            ("large".to_owned(), 2, preview, None),
            ("torn".to_owned(), 1, "hello".to_owned(), None),
        ];
        let mut found = summaries(sessions.path(), cache.path());
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        let mut again = summaries(sessions.path(), cache.path());
        again.sort();
        assert_eq!(again, expected);
        assert_eq!(sessions.path().read_dir().unwrap().count(), files.len());
    }

    #[test]
    fn a_session_that_grew_is_read_from_where_it_was() {
        let sessions = tempfile::tempdir().unwrap();
        let cache = tempfile::tempdir().unwrap();
        let path = sessions.path().join("a.jsonl");
        std::fs::write(&path, format!("{}\n{}\n{{\"ty", header("a"), message("user", "one"))).unwrap();
        assert_eq!(summaries(sessions.path(), cache.path()), [("a".into(), 1, "one".into(), None)]);
        let rest =
            format!("\n{}\n{}\n", message("user", "two"), r#"{"type":"session_info","id":"n","name":"N"}"#);
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(rest.as_bytes()).unwrap();
        assert_eq!(
            summaries(sessions.path(), cache.path()),
            [("a".into(), 2, "one".into(), Some("N".into()))]
        );
    }

    #[test]
    fn previews_are_one_short_line() {
        assert_eq!(preview("  fix\n the\tbug "), "fix the bug");
        assert_eq!(preview(&"ä".repeat(101)), format!("{}…", "ä".repeat(100)));
    }
}
