//! Loading extensions to see what they register, or why they do not.

use std::path::{Path, PathBuf};

use kit_contract::{Permissions, Registration};
use kit_extension::rehearsal::{self, Script};
use kit_extension::sandbox::{Engine, Fault, LoadError};
use kit_extension::{Program, Source, discover, javascript, own_events};

use super::{Place, say};

/// An extension that could be loaded.
pub(super) struct Inspected {
    pub(super) source: Source,
    pub(super) registration: Registration,
}

/// An extension that could not: the file, the line from 1, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) path: PathBuf,
    pub(super) line: Option<u32>,
    pub(super) message: String,
}

impl Wrong {
    /// One line that an editor can jump to.
    pub(super) fn line(&self, place: &Place) -> String {
        let path = place.shown(&self.path);
        match self.line {
            Some(line) => format!("{path}:{line}: {}", self.message),
            None => format!("{path}: {}", self.message),
        }
    }
}

impl Inspected {
    /// What it asks for; a manifest comes first.
    pub(super) fn asks(&self) -> Permissions {
        let registered = self.registration.permissions.clone();
        self.source.permissions.clone().or(registered).unwrap_or_default()
    }

    /// Its name, as it names itself or after its file.
    pub(super) fn name(&self) -> &str {
        self.registration.name.as_deref().unwrap_or(&self.source.name)
    }
}

/// The engine whose compiled programs are kept in the cache.
pub(super) fn engine(place: &Place) -> Engine {
    Engine::new(&place.paths.cache)
}

/// Reads and compiles an extension or a test file.
pub(super) fn script(engine: &Engine, path: &Path) -> Result<(Source, Script), Wrong> {
    let source = Source::read(path).map_err(|error| Wrong {
        path: error.path,
        line: (error.line > 0).then(|| error.line + 1),
        message: error.message,
    })?;
    let (bytes, text) = match &source.program {
        Program::JavaScript(text) => (javascript::ENGINE, Some(text.clone())),
        Program::Component(bytes) => (bytes.as_slice(), None),
    };
    let program = engine.compile(bytes).map_err(|error| wrong(path, &error))?;
    let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok((source, Script { program, source: text, file_name }))
}

/// Loads an extension as far as its registration.
pub(super) async fn inspect(engine: &Engine, path: &Path) -> Result<Inspected, Wrong> {
    let (source, script) = script(engine, path)?;
    let registration = rehearsal::inspect(&script).await.map_err(|error| wrong(path, &error))?;
    Ok(Inspected { source, registration })
}

/// Why an extension does not load, at its line.
pub(super) fn wrong(path: &Path, error: &LoadError) -> Wrong {
    let place = match error {
        LoadError::Init(Fault::Failed(failure)) => failure.place(),
        LoadError::Init(_) | LoadError::Component(_) => None,
    };
    let line = place.map(|(_, line)| line + 1);
    Wrong { path: path.to_path_buf(), line, message: error.to_string() }
}

/// `kit-ls extensions validate`.
pub(super) async fn validate(place: &Place, named: &[PathBuf]) -> anyhow::Result<i32> {
    let named: Vec<PathBuf> = named.iter().map(|path| place.cwd.join(path)).collect();
    // A project that is not trusted yet can be looked at all the same: nothing here reaches anything.
    let folders = if named.is_empty() { vec![place.own(), place.project()] } else { Vec::new() };
    let found = discover(&folders, &named);
    if found.is_empty() {
        let looked: Vec<String> = folders.iter().chain(&named).map(|folder| place.shown(folder)).collect();
        say(&format!("no extensions in {}", looked.join(" and ")))?;
        return Ok(i32::from(!named.is_empty()));
    }
    let engine = engine(place);
    let mut failed = 0;
    for path in &found {
        match inspect(&engine, path).await {
            Ok(extension) => {
                say(&format!("ok    {}: {}", place.shown(path), counts(&extension.registration)))?
            }
            Err(wrong) => {
                failed += 1;
                say(&format!("wrong {}", wrong.line(place)))?;
            }
        }
    }
    say(&format!("{} right, {failed} wrong", found.len() - failed))?;
    Ok(i32::from(failed > 0))
}

/// How much an extension registers.
pub(super) fn counts(registration: &Registration) -> String {
    let parts = [
        (own_events(registration).count(), "event", "events"),
        (registration.tools.len(), "tool", "tools"),
        (registration.commands.len(), "command", "commands"),
        (registration.options.len(), "option", "options"),
        (registration.shortcuts.len(), "shortcut", "shortcuts"),
    ];
    let parts = parts.iter().filter(|(count, ..)| *count > 0);
    let parts: Vec<String> =
        parts.map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many })).collect();
    if parts.is_empty() { "registers nothing".to_owned() } else { parts.join(", ") }
}
