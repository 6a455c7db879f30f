//! What a command does to files, found by looking at them before and after it.
//!
//! A census notes of every file of the roots that is not ignored what the system says of it (size, times, inode), and
//! keeps the bytes of those that may be text. After the command, a file of which the system says the same is the same;
//! the others are compared byte by byte. Looking has limits of number, size and time; what could not be compared is
//! named, so that nobody takes it for unchanged.
//!
//! Reading everything is what takes long, so a census has the bytes of the one before wherever the system says the same
//! as then. A file that was written so shortly before it was read that a later write could bear the same time is read
//! again.
//!
//! Of open documents the editor tells: one that shows what the disk holds and takes over what a command wrote there,
//! meanwhile or soon after, was changed by that command and not by the user. The first keystroke ends this for its
//! document.

mod kept;

use std::collections::{HashMap, HashSet};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use kit_text::Text;
use tokio_util::sync::CancellationToken;

pub(crate) use self::kept::Kept;
use crate::blocking::blocking;
use crate::search::{Hidden, walk};
use crate::snapshot::{same_lines, text_of};
use crate::{Author, DocumentUri, Documents, Location, Workspace, disk};

/// Files that are looked at.
const MOST_FILES: usize = 100_000;
/// How long looking may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Larger files are not kept.
const LARGEST: u64 = 2 * 1024 * 1024;
/// Bytes that are kept of all files together.
const MOST_KEPT: u64 = 64 * 1024 * 1024;
/// How far behind the clock times of files may be.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// The files before a command.
pub struct Census {
    seen: Arc<Seen>,
    running: Running,
}

/// What a look at all files has found.
struct Seen {
    began: SystemTime,
    files: HashMap<PathBuf, Arc<Noted>>,
    is_whole: bool,
}

impl Seen {
    /// What was noted of a file, bytes included, if it is the same as then.
    fn unchanged(&self, path: &Path, stamp: Stamp) -> Option<Arc<Noted>> {
        let noted = self.files.get(path).filter(|noted| noted.stamp == stamp && noted.bytes.is_some())?;
        (!stamp.is_since(self.began)).then(|| Arc::clone(noted))
    }
}

/// What a command did to files that are not open.
#[derive(Debug, Default, PartialEq)]
pub struct Found {
    /// Files whose text is another one than before, by path.
    pub changes: Vec<FileChange>,
    /// Files that are others than before and cannot be compared, as `Location::display` has them.
    pub unread: Vec<String>,
    /// Whether there were too many files to look at all of them.
    pub is_partial: bool,
}

/// One changed file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileChange {
    /// Which one.
    pub location: Location,
    /// What it held; `None` if it was not there.
    pub before: Option<Text>,
    /// What it holds; `None` if it is gone.
    pub after: Option<Text>,
}

struct Noted {
    stamp: Stamp,
    bytes: Option<Box<[u8]>>,
}

/// What the system says of a file; whoever writes to the file changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    size: u64,
    written: Option<SystemTime>,
    /// Time of the last change of any kind, and the inode; zeros where the system has none.
    changed: (i64, i64),
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let (changed, inode) = {
            use std::os::unix::fs::MetadataExt;
            ((metadata.ctime(), metadata.ctime_nsec()), metadata.ino())
        };
        #[cfg(not(unix))]
        let (changed, inode) = ((0, 0), 0);
        Self { size: metadata.len(), written: metadata.modified().ok(), changed, inode }
    }

    /// Whether the file may have come into being after this moment.
    fn is_since(&self, moment: SystemTime) -> bool {
        let since = moment.checked_sub(CLOCK_SLACK).unwrap_or(moment);
        let seconds = since.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.changed == (0, 0) || u64::try_from(self.changed.0).is_ok_and(|changed| changed >= seconds)
    }
}

impl Workspace {
    /// Looks at all files before a command of this author begins.
    pub async fn census(&self, author: Author) -> Census {
        let began = SystemTime::now();
        let roots: Vec<PathBuf> = self.roots().into_iter().map(|root| root.real).collect();
        let last = self.kept.get();
        let looked = blocking(move || {
            let kept = AtomicU64::new(0);
            let Look { files, is_whole } = look(&roots, |path, stamp| {
                let is_kept = stamp.size <= LARGEST
                    && kept.fetch_add(stamp.size, Ordering::Relaxed).saturating_add(stamp.size) <= MOST_KEPT;
                if !is_kept {
                    return Arc::new(Noted { stamp, bytes: None });
                }
                let unchanged = last.as_ref().and_then(|last| last.unchanged(path, stamp));
                unchanged.unwrap_or_else(|| {
                    Arc::new(Noted { stamp, bytes: fs::read(path).ok().map(Vec::into_boxed_slice) })
                })
            });
            Seen { began, files, is_whole }
        });
        let nothing = |_| Seen { began, files: HashMap::new(), is_whole: false };
        let seen = Arc::new(looked.await.unwrap_or_else(nothing));
        self.kept.set(Arc::clone(&seen));
        let shown = self.documents().by_real_path().into_iter().filter(|(real, document)| {
            let bytes = seen.files.get(real).and_then(|noted| noted.bytes.as_deref());
            bytes.and_then(text_of).is_some_and(|text| same_lines(&text, &document.text))
        });
        let shown = shown.map(|(_, document)| document.uri).collect();
        let running = Running::begin(self.documents(), author, shown);
        Census { seen, running }
    }

    /// What the command did since, to files that are not open.
    pub async fn changes_since(&self, census: Census) -> Found {
        let roots: Vec<PathBuf> = self.roots().into_iter().map(|root| root.real).collect();
        let Census { seen, running } = census;
        self.kept.set(Arc::clone(&seen));
        let compared = blocking(move || {
            let Look { files: now, is_whole: is_whole_now } = look(&roots, |_, stamp| stamp);
            let mut differences = Vec::new();
            #[expect(clippy::iter_over_hash_type, reason = "sorted below")]
            for (path, noted) in &seen.files {
                let is_same = match now.get(path) {
                    Some(stamp) => *stamp == noted.stamp,
                    None => !is_whole_now && path.exists(),
                };
                if !is_same {
                    differences.extend(Difference::of_known(path, noted));
                }
            }
            // Among files that were not all looked at, one that was not seen before need not be new.
            let new = now.iter().filter(|(path, _)| seen.is_whole && !seen.files.contains_key(*path));
            differences.extend(
                new.filter(|(_, stamp)| stamp.is_since(seen.began))
                    .map(|(path, stamp)| Difference::of_new(path, stamp)),
            );
            differences.sort_by(|a, b| a.path.cmp(&b.path));
            (differences, !seen.is_whole || !is_whole_now)
        });
        let Ok((differences, is_partial)) = compared.await else { return Found::default() };
        let mut found = Found { is_partial, ..Found::default() };
        for difference in differences {
            let uri = DocumentUri::from_path(&difference.path);
            let Ok(location) = self.locate(&uri) else { continue };
            let open = self.documents().find(&location.uri, &location.real);
            match (open, difference.texts) {
                (Some(document), Some((_, Some(after)))) => running.expect_reload(&document.uri, after),
                (Some(_), _) => {}
                (None, Some((before, after))) => found.changes.push(FileChange { location, before, after }),
                (None, None) => found.unread.push(location.display),
            }
        }
        found
    }
}

/// A file that is another one than before.
struct Difference {
    path: PathBuf,
    /// Its texts before and after; `None` where one of them is not known or no text.
    texts: Option<(Option<Text>, Option<Text>)>,
}

impl Difference {
    /// Compares a file that was seen before with what is there now.
    fn of_known(path: &Path, noted: &Noted) -> Option<Self> {
        let now = disk::read(path, LARGEST).ok();
        let texts = match (&noted.bytes, now) {
            (Some(before), Some(Some(now))) if **before == *now.bytes => return None,
            (Some(before), Some(now)) => text_of(before).and_then(|before| match now {
                Some(now) => Some((Some(before), Some(text_of(&now.bytes)?))),
                None => Some((Some(before), None)),
            }),
            (_, None) | (None, _) => None,
        };
        Some(Self { path: path.to_owned(), texts })
    }

    fn of_new(path: &Path, stamp: &Stamp) -> Self {
        let bytes = (stamp.size <= LARGEST).then(|| fs::read(path).ok()).flatten();
        let texts = bytes.as_deref().and_then(text_of).map(|after| (None, Some(after)));
        Self { path: path.to_owned(), texts }
    }
}

struct Look<T> {
    files: HashMap<PathBuf, T>,
    is_whole: bool,
}

/// What one thread has found, which is brought together with the rest when the thread is done.
struct Share<'a, T> {
    own: Vec<(PathBuf, T)>,
    all: &'a Mutex<HashMap<PathBuf, T>>,
}

impl<T> Drop for Share<'_, T> {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).extend(self.own.drain(..));
    }
}

/// Looks at all files below the roots, within the limits.
fn look<T: Send>(roots: &[PathBuf], note: impl Fn(&Path, Stamp) -> T + Sync) -> Look<T> {
    let files = Mutex::new(HashMap::new());
    let (count, enough) = (AtomicUsize::new(0), CancellationToken::new());
    let until = Instant::now() + PATIENCE;
    for root in roots {
        walk(root, Hidden::Visit, &enough, || {
            let mut share = Share { own: Vec::new(), all: &files };
            let (note, count, enough) = (&note, &count, &enough);
            move |entry: &ignore::DirEntry| {
                let Ok(metadata) = entry.metadata() else { return };
                share.own.push((entry.path().to_owned(), note(entry.path(), Stamp::of(&metadata))));
                if count.fetch_add(1, Ordering::Relaxed) >= MOST_FILES || Instant::now() > until {
                    enough.cancel();
                }
            }
        });
    }
    let is_whole = !enough.is_cancelled();
    Look { files: files.into_inner().unwrap_or_else(PoisonError::into_inner), is_whole }
}

/// A command that runs, as the documents know it. It is over when this is dropped.
struct Running {
    documents: Arc<Documents>,
    author: Author,
    id: u64,
}

impl Running {
    fn begin(documents: &Arc<Documents>, author: Author, shown: HashSet<DocumentUri>) -> Self {
        let id = documents.begin_command(author.clone(), shown);
        Self { documents: Arc::clone(documents), author, id }
    }

    /// The document will soon take over what the command wrote, unless the user has changed it.
    fn expect_reload(&self, uri: &DocumentUri, text: Text) {
        self.documents.expect_reload(self.id, uri, text, &self.author);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.documents.end_command(self.id);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_are_surely_the_same_are_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "one").unwrap();
        let stamp = Stamp::of(&fs::symlink_metadata(&path).unwrap());
        let noted = |bytes| Arc::new(Noted { stamp, bytes });
        let seen =
            |began, noted| Seen { began, files: HashMap::from([(path.clone(), noted)]), is_whole: true };
        let now = SystemTime::now();
        let (right_then, later) = (now, now + 10 * CLOCK_SLACK);
        let read = || noted(Some(Box::from(*b"one")));

        assert!(seen(later, read()).unchanged(&path, stamp).is_some(), "it was old when it was read");
        assert!(
            seen(right_then, read()).unchanged(&path, stamp).is_none(),
            "it was written when it was read"
        );
        assert!(seen(later, noted(None)).unchanged(&path, stamp).is_none(), "it was not read");
        let written = Stamp { changed: (stamp.changed.0, stamp.changed.1 + 1), ..stamp };
        assert!(seen(later, read()).unchanged(&path, written).is_none(), "it was written since");
    }
}
