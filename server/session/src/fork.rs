//! Copies a branch into a new session file.
//!
//! The copied entries get new ids and stand one after the other; whatever names an entry of the branch names its copy.
//! Each line is copied field by field, so that what this version does not know survives as it is. Entries that a
//! compaction kept come along, because the branch goes on behind it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use kit_protocol::{EntryId, ErrorKind, KitError, SessionAnswer, SessionId};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::clock::Millis;
use crate::error::JournalError;
use crate::history::{EntryIndex, History, RecordKind};
use crate::journal::entry::{self, Body, Header, Note};
use crate::journal::files;
use crate::journal::read::Lines;
use crate::near;

/// Fields that name entries.
const REFERENCES: [&str; 3] = ["target_id", "from_id", "first_kept_entry_id"];

/// The session that is copied.
pub(crate) struct Origin {
    /// Its file.
    pub(crate) path: PathBuf,
    pub(crate) session: SessionId,
    /// The directory it works in.
    pub(crate) cwd: String,
}

/// The entry with this id.
pub(crate) fn find(history: &History, entry: &EntryId) -> Result<EntryIndex, KitError> {
    history.find(entry).ok_or_else(|| {
        let hint = near::hint(entry.as_str(), history.records().iter().map(|record| record.id.as_str()));
        KitError::new(ErrorKind::NotFound, format!("the session has no entry {entry}{hint}"))
    })
}

/// Our notes that come after an entry, on any branch.
pub(crate) fn notes_behind(history: &History, entry: EntryIndex) -> Vec<EntryIndex> {
    let is_note =
        |index: &EntryIndex| history.get(*index).is_some_and(|record| record.kind == RecordKind::Note);
    (entry.0 + 1..history.records().len()).map(EntryIndex).filter(is_note).collect()
}

/// The last of our notes right behind an entry that tell what it used and that its turn ended there. People choose
/// entries that they see; without these notes the turn would look cut off.
pub(crate) fn settled(history: &History, lines: &Lines, entry: EntryIndex) -> EntryIndex {
    notes_behind(history, entry).into_iter().fold(entry, |last, index| {
        let follows = history.get(index).filter(|record| record.parent == Some(last));
        let note = follows.and_then(|record| Body::parse(&lines.get(record.span)).note());
        match note {
            Some(
                Note::Usage(_)
                | Note::Tool(_)
                | Note::TurnEnd(_)
                | Note::Display(_)
                | Note::Plan(_)
                | Note::Agent(_)
                | Note::Resources(_),
            ) => index,
            Some(
                Note::Prompt(_)
                | Note::Join(_)
                | Note::TurnStart(_)
                | Note::Settings(_)
                | Note::TakenBack(_)
                | Note::MediaLeftOut(_)
                | Note::Subagent(_),
            )
            | None => last,
        }
    })
}

/// Writes the copy of a branch as a session of its own below `folder`, with the state of extensions.
pub(crate) fn write(
    history: &History,
    lines: &Lines,
    branch: &[EntryIndex],
    origin: &Origin,
    folder: &Path,
    name: Option<String>,
) -> Result<SessionAnswer, KitError> {
    if branch.is_empty() {
        let text = "there is nothing to fork: the session is empty";
        return Err(KitError::new(ErrorKind::InvalidRequest, text));
    }
    let (id, at) = (SessionId::random(), Millis::now());
    let path = files::new_path(folder, &origin.cwd, &id, at);
    let mut header = Header::new(id.clone(), at, origin.cwd.clone());
    header.parent_session = Some(origin.path.to_string_lossy().into_owned());
    header.parent_session_id = Some(origin.session.clone());
    let written = || -> io::Result<()> {
        let mut text = format!("{}\n{}", header.to_line()?, copy(history, lines, branch)?);
        if let Some(name) = name.clone() {
            let last = text.lines().last().unwrap_or_default();
            let parent: Option<EntryId> = serde_json::from_str::<Named>(last).ok().map(|named| named.id);
            let body = Body::SessionInfo { name };
            text.push_str(&entry::to_line(&EntryId::random(), parent.as_ref(), at, &body)?);
            text.push('\n');
        }
        files::copy_state(&origin.path, &path)?;
        files::write_new(&path, text.as_bytes())
    };
    written().map_err(|error| KitError::from(JournalError::io("create", &path, error)))?;
    Ok(SessionAnswer { session: id, path: Some(path.to_string_lossy().into_owned()), name })
}

#[derive(Deserialize)]
struct Named {
    id: EntryId,
}

/// The lines of the copies of `branch`, each with its line end.
fn copy(history: &History, lines: &Lines, branch: &[EntryIndex]) -> serde_json::Result<String> {
    let records: Vec<_> = branch.iter().filter_map(|index| history.get(*index)).collect();
    let ids: HashMap<&str, EntryId> =
        records.iter().map(|record| (record.id.as_str(), EntryId::random())).collect();
    let mut copies = String::new();
    let mut parent: Option<&EntryId> = None;
    for record in &records {
        let line = lines.get(record.span);
        let Ok(mut fields) = serde_json::from_str::<Fields<'_>>(&line) else { continue };
        let Some(id) = ids.get(record.id.as_str()) else { continue };
        fields.set("id", Some(id))?;
        fields.set("parent_id", parent)?;
        for name in REFERENCES {
            let named = fields.get(name).and_then(|value| serde_json::from_str::<String>(value).ok());
            if let Some(copied) = named.and_then(|named| ids.get(named.as_str())) {
                fields.set(name, Some(copied))?;
            }
        }
        copies.push_str(&serde_json::to_string(&fields)?);
        copies.push('\n');
        parent = Some(id);
    }
    Ok(copies)
}

/// The fields of an object in order, their values verbatim.
struct Fields<'line>(Vec<(Cow<'line, str>, Kept<'line>)>);

/// A value as it stands in the line, or a new one.
enum Kept<'line> {
    Line(&'line RawValue),
    New(Box<RawValue>),
}

impl Kept<'_> {
    fn raw(&self) -> &RawValue {
        match self {
            Kept::Line(value) => value,
            Kept::New(value) => value,
        }
    }
}

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.raw().get())
    }

    fn set(&mut self, name: &'static str, id: Option<&EntryId>) -> serde_json::Result<()> {
        let value = id.map(serde_json::value::to_raw_value).transpose()?.map(Kept::New);
        let at = self.0.iter().position(|(field, _)| field == name);
        match (at, value) {
            (Some(at), Some(value)) => {
                if let Some((_, old)) = self.0.get_mut(at) {
                    *old = value;
                }
            }
            (Some(at), None) => {
                self.0.remove(at);
            }
            (None, Some(value)) => self.0.push((Cow::Borrowed(name), value)),
            (None, None) => {}
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// A name that borrows from the line where no escape forces a copy.
        #[derive(Deserialize)]
        struct Name<'line>(#[serde(borrow)] Cow<'line, str>);

        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    fields.push((name, Kept::Line(value)));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value.raw())?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use crate::journal::read;

    #[test]
    fn a_copy_has_new_ids_in_a_row_and_keeps_what_is_unknown() {
        let source = [
            r#"{"type":"session","version":3,"id":"s"}"#,
            r#"{"type":"message","id":"a","role":"user","parts":[],"weight":1.50}"#,
            r#"{"type":"message","id":"x","parent_id":"a","role":"user","parts":[]}"#,
            r#"{"type":"hologram","id":"b","parent_id":"a","big":123456789012345678901234567890}"#,
            r#"{"type":"compaction","id":"k","summary":"S","first_kept_entry_id":"b"}"#,
            r#"{"type":"label","id":"l","parent_id":"k","target_id":"a","label":"here"}"#,
        ]
        .join("\n");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.jsonl");
        std::fs::write(&path, &source).unwrap();
        let loaded = read::index(source.as_bytes(), Path::new("s")).unwrap();
        let lines = Lines::read(&path, loaded.history.records().iter().map(|record| record.span)).unwrap();
        let copies = copy(&loaded.history, &lines, &loaded.history.current_branch()).unwrap();
        let copied = read::index(copies.as_bytes(), Path::new("s")).unwrap();
        let ids: Vec<&str> = copied.history.records().iter().map(|record| record.id.as_str()).collect();
        let [a, b, k, l] = ids[..] else { panic!("{ids:?}") };
        let expected = [
            format!(r#"{{"type":"message","id":"{a}","role":"user","parts":[],"weight":1.50}}"#),
            format!(
                r#"{{"type":"hologram","id":"{b}","parent_id":"{a}","big":123456789012345678901234567890}}"#
            ),
            format!(
                r#"{{"type":"compaction","id":"{k}","summary":"S","first_kept_entry_id":"{b}","parent_id":"{b}"}}"#
            ),
            format!(r#"{{"type":"label","id":"{l}","parent_id":"{k}","target_id":"{a}","label":"here"}}"#),
        ];
        assert_eq!(copies.lines().collect::<Vec<_>>(), expected);
    }
}
