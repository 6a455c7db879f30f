//! What a command does to files, found by looking at them before and after it.
//!
//! A census notes of every file of the roots that is not ignored what the system says of it (size, times, inode), and
//! keeps the bytes of those that may be text. After the command, a file of which the system says the same is the same;
//! the others are compared byte by byte. Looking has limits of number, size and time; what could not be compared is
//! named, so that nobody takes it for unchanged.
//!
//! Of open documents the editor tells: one that shows what the disk holds and takes over what a command wrote there,
//! meanwhile or soon after, was changed by that command and not by the user. The first keystroke ends this for its
//! document.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use kit_text::Text;
use tokio_util::sync::CancellationToken;

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
    began: SystemTime,
    files: BTreeMap<PathBuf, Noted>,
    is_whole: bool,
    running: Running,
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
        let looked = blocking(move || {
            let kept = AtomicU64::new(0);
            look(&roots, |path, stamp| {
                let is_kept = stamp.size <= LARGEST
                    && kept.fetch_add(stamp.size, Ordering::Relaxed).saturating_add(stamp.size) <= MOST_KEPT;
                let bytes = is_kept.then(|| fs::read(path).ok()).flatten();
                Noted { stamp, bytes: bytes.map(Vec::into_boxed_slice) }
            })
        });
        let Look { files, is_whole } = looked.await.unwrap_or_default();
        let shown = self.documents().by_real_path().into_iter().filter(|(real, document)| {
            let bytes = files.get(real).and_then(|noted| noted.bytes.as_deref());
            bytes.and_then(text_of).is_some_and(|text| same_lines(&text, &document.text))
        });
        let shown = shown.map(|(_, document)| document.uri).collect();
        let running = Running::begin(self.documents(), author, shown);
        Census { began, files, is_whole, running }
    }

    /// What the command did since, to files that are not open.
    pub async fn changes_since(&self, census: Census) -> Found {
        let roots: Vec<PathBuf> = self.roots().into_iter().map(|root| root.real).collect();
        let Census { began, files: before, is_whole, running } = census;
        let compared = blocking(move || {
            let Look { files: now, is_whole: is_whole_now } = look(&roots, |_, stamp| stamp);
            let mut differences = Vec::new();
            for (path, noted) in &before {
                let is_same = match now.get(path) {
                    Some(stamp) => *stamp == noted.stamp,
                    None => !is_whole_now && path.exists(),
                };
                if !is_same {
                    differences.extend(Difference::of_known(path, noted));
                }
            }
            // Among files that were not all looked at, one that was not seen before need not be new.
            let new = now.iter().filter(|(path, _)| is_whole && !before.contains_key(*path));
            differences.extend(
                new.filter(|(_, stamp)| stamp.is_since(began))
                    .map(|(path, stamp)| Difference::of_new(path, stamp)),
            );
            (differences, !is_whole || !is_whole_now)
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
    files: BTreeMap<PathBuf, T>,
    is_whole: bool,
}

impl<T> Default for Look<T> {
    fn default() -> Self {
        Self { files: BTreeMap::new(), is_whole: false }
    }
}

/// Looks at all files below the roots, within the limits.
fn look<T: Send>(roots: &[PathBuf], note: impl Fn(&Path, Stamp) -> T + Sync) -> Look<T> {
    let files = Mutex::new(BTreeMap::new());
    let enough = CancellationToken::new();
    let until = Instant::now() + PATIENCE;
    for root in roots {
        walk(root, Hidden::Visit, &enough, || {
            |entry: &ignore::DirEntry| {
                let Ok(metadata) = entry.metadata() else { return };
                let noted = note(entry.path(), Stamp::of(&metadata));
                let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
                files.insert(entry.path().to_owned(), noted);
                if files.len() > MOST_FILES || Instant::now() > until {
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
