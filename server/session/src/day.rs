//! What all sessions of the user used today: `<state>/usage/<date>.jsonl`, one line per model call.
//!
//! Every process appends to the file of the day under its lock and reads what others appended since it last looked.
//! Lines that cannot be read are skipped. The figure is for the status line; what a session used stands in its journal.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use kit_protocol::{SessionId, Usage, UsageTotals};
use serde::{Deserialize, Serialize};

/// One line of the file.
#[derive(Serialize, Deserialize)]
struct Spending {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<SessionId>,
    #[serde(flatten)]
    usage: Usage,
}

/// The spending of one calendar day.
#[derive(Debug)]
pub(crate) struct DayLedger {
    folder: PathBuf,
    day: String,
    totals: UsageTotals,
    /// Up to where the file was read; it ends a line.
    read: u64,
}

impl DayLedger {
    /// The ledger of no day yet. Nothing is read.
    pub(crate) fn new(state: &Path) -> Self {
        Self { folder: state.join("usage"), day: String::new(), totals: UsageTotals::default(), read: 0 }
    }

    /// The totals as far as they are known.
    pub(crate) fn totals(&self) -> &UsageTotals {
        &self.totals
    }

    /// Appends a call and reads what others appended. A new day begins a new file.
    pub(crate) fn add(&mut self, day: &str, session: Option<&SessionId>, usage: &Usage) -> io::Result<()> {
        self.turn_to(day);
        std::fs::create_dir_all(&self.folder)?;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(self.path())?;
        // Waits for another process that appends its one line, nothing more.
        file.lock()?;
        let mut line = serde_json::to_vec(&Spending { session: session.cloned(), usage: usage.clone() })?;
        line.push(b'\n');
        if !ends_line(&mut file)? {
            line.insert(0, b'\n');
        }
        file.write_all(&line)?;
        self.read_from(&mut file)
    }

    /// Reads what was appended since the last time.
    pub(crate) fn refresh(&mut self, day: &str) -> io::Result<()> {
        self.turn_to(day);
        match File::open(self.path()) {
            Ok(mut file) => self.read_from(&mut file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.jsonl", self.day))
    }

    fn turn_to(&mut self, day: &str) {
        if self.day != day {
            *self = Self {
                day: day.to_owned(),
                folder: std::mem::take(&mut self.folder),
                totals: UsageTotals::default(),
                read: 0,
            };
        }
    }

    fn read_from(&mut self, file: &mut File) -> io::Result<()> {
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if line.last() != Some(&b'\n') {
                break;
            }
            self.read += u64::try_from(line.len()).unwrap_or(0);
            if let Ok(spending) = serde_json::from_slice::<Spending>(line) {
                self.totals.add(&spending.usage);
            }
        }
        Ok(())
    }
}

fn ends_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == [b'\n'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::tests::usage;

    #[test]
    fn all_processes_of_a_day_are_summed() {
        let state = tempfile::tempdir().unwrap();
        let mut one = DayLedger::new(state.path());
        let mut two = DayLedger::new(state.path());
        one.refresh("2026-11-21").unwrap();
        one.add("2026-11-21", Some(&"a".into()), &usage(1)).unwrap();
        two.add("2026-11-21", Some(&"b".into()), &usage(1)).unwrap();
        one.refresh("2026-11-21").unwrap();
        assert_eq!((one.totals().output_tokens, two.totals().output_tokens), (2, 2));
        one.refresh("2026-11-22").unwrap();
        assert_eq!(one.totals(), &UsageTotals::default());
    }

    #[test]
    fn torn_and_foreign_lines_are_skipped() {
        let state = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(state.path().join("usage")).unwrap();
        let path = state.path().join("usage/2026-11-21.jsonl");
        std::fs::write(&path, "{\"future\":1}\n{\"call\":").unwrap();
        let mut ledger = DayLedger::new(state.path());
        ledger.add("2026-11-21", Some(&"a".into()), &usage(1)).unwrap();
        assert_eq!(ledger.totals().output_tokens, 1);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
    }
}
