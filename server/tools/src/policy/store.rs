//! Answers that last: `permissions.json` in the configuration folder, never in the project's repository.
//!
//! ```json
//! { "version": 1, "user": { "allow": ["Bash(git status:*)"] }, "projects": { "/work/app": { "deny": ["Bash(git push:*)"] } } }
//! ```
//!
//! The file may be edited by hand, and by another server at the same time: it is looked at before every decision and
//! read again when it changed; a change is made on its newest content under a lock file and replaces it as a whole. A
//! file that cannot be read holds no rules that allow, makes everything that would need a rule ask, and is not written.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use kit_protocol::PermissionRules;
use serde::{Deserialize, Serialize};

use super::{Effect, Lists};

/// The version that is written and read.
const VERSION: u32 = 1;

pub(super) struct Store {
    path: PathBuf,
    home: PathBuf,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    stamp: Option<Stamp>,
    content: Content,
}

/// What tells one content of the file from another.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    length: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    #[serde(default)]
    version: u32,
    #[serde(default, skip_serializing_if = "is_empty")]
    user: PermissionRules,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    projects: BTreeMap<String, PermissionRules>,
}

fn is_empty(rules: &PermissionRules) -> bool {
    *rules == PermissionRules::default()
}

impl Store {
    pub(super) fn new(path: PathBuf, home: PathBuf) -> Self {
        Self { path, home, cache: Mutex::new(Cache::default()) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The rules for the user and for the project.
    pub(super) fn lists(&self, root: &Path) -> Arc<Lists> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.stamp();
        if cache.stamp != stamp {
            let content = self.read().unwrap_or_else(|error| {
                tracing::warn!(file = %self.path.display(), %error, "remembered permissions cannot be read");
                // Whatever was denied in it must not run unasked.
                let ask = vec!["Edit".to_owned(), "Bash".to_owned()];
                Content { user: PermissionRules { ask, ..PermissionRules::default() }, ..Content::default() }
            });
            *cache = Cache { stamp, content };
        }
        let mut lists = Lists::default();
        let origin = self.path.display().to_string();
        let mut problems = lists.add(&cache.content.user, &origin, None, &self.home);
        if let Some(rules) = cache.content.projects.get(&key(root)) {
            let project = root.canonicalize().unwrap_or_else(|_| root.to_owned());
            problems.extend(lists.add(rules, &origin, Some(&project), &self.home));
        }
        for problem in problems {
            tracing::warn!(%problem, "a remembered permission cannot be read");
        }
        Arc::new(lists)
    }

    /// Adds a rule for the project, or for the user where there is none.
    pub(super) fn remember(&self, root: Option<&Path>, effect: Effect, rule: &str) -> io::Result<()> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let lock = OpenOptions::new().create(true).append(true).open(self.path.with_extension("lock"))?;
        lock.lock()?;
        let mut content = self.read()?;
        content.version = VERSION;
        let rules = match root {
            Some(root) => content.projects.entry(key(root)).or_default(),
            None => &mut content.user,
        };
        let list = match effect {
            Effect::Allow => &mut rules.allow,
            Effect::Deny => &mut rules.deny,
        };
        if !list.iter().any(|known| known == rule) {
            list.push(rule.to_owned());
        }
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, &content)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        *cache = Cache { stamp: self.stamp(), content };
        Ok(())
    }

    fn stamp(&self) -> Option<Stamp> {
        let metadata = fs::metadata(&self.path).ok()?;
        Some(Stamp { modified: metadata.modified().ok()?, length: metadata.len() })
    }

    fn read(&self) -> io::Result<Content> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::default()),
            Err(error) => return Err(error),
        };
        let content: Content = serde_json::from_reader(io::BufReader::new(file))?;
        if content.version > VERSION {
            return Err(io::Error::other(format!("version {} is newer than this program", content.version)));
        }
        Ok(content)
    }
}

/// The name of a project: its folder behind all symbolic links.
fn key(root: &Path) -> String {
    root.canonicalize().unwrap_or_else(|_| root.to_owned()).to_string_lossy().into_owned()
}
