//! `kit-ls extensions test`: runs the tests that lie beside extensions.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::bail;
use kit_extension::discover;
use kit_extension::rehearsal;
use kit_extension::sandbox::Engine;

use super::inspect::{engine, script, wrong};
use super::{Place, say};

/// What the names of test files end with.
const ENDINGS: [&str; 2] = [".test.js", ".test.ts"];

/// Runs the tests of the named extensions, or of all in this folder.
pub(super) async fn run(place: &Place, named: &[PathBuf]) -> anyhow::Result<i32> {
    let places = if named.is_empty() { vec![place.project()] } else { named.to_vec() };
    let mut pairs = Vec::new();
    for path in places {
        let path = place.cwd.join(path);
        let found = pairs_of(&path);
        if found.is_empty() {
            bail!(
                "there are no tests in {}: a test of NAME.js is NAME{} beside it",
                place.shown(&path),
                ENDINGS[0]
            );
        }
        pairs.extend(found);
    }
    let engine = engine(place);
    let (mut passed, mut failed) = (0, 0);
    for (extension, test) in pairs {
        say(&place.shown(&test))?;
        match outcomes(&engine, &extension, &test).await {
            Ok(outcomes) => {
                for outcome in outcomes {
                    match outcome.failure {
                        None => {
                            passed += 1;
                            say(&format!("  ok   {}", outcome.name))?;
                        }
                        Some(why) => {
                            failed += 1;
                            say(&format!("  FAIL {}\n       {why}", outcome.name))?;
                        }
                    }
                }
            }
            Err(why) => {
                failed += 1;
                say(&format!("  FAIL {}", why.line(place)))?;
            }
        }
    }
    say(&format!("{passed} passed, {failed} failed"))?;
    Ok(i32::from(failed > 0))
}

async fn outcomes(
    engine: &Engine,
    extension: &Path,
    test: &Path,
) -> Result<Vec<rehearsal::Outcome>, super::inspect::Wrong> {
    let (_, subject) = script(engine, extension)?;
    let (_, file) = script(engine, test)?;
    rehearsal::rehearse(&subject, &file).await.map_err(|error| wrong(test, &error))
}

/// Extensions with their tests: of a test file, of an extension, or of everything in a folder.
fn pairs_of(path: &Path) -> Vec<(PathBuf, PathBuf)> {
    if path.is_dir() {
        let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        let mut pairs: Vec<_> = files
            .iter()
            .filter(|file| stem_of_test(file).is_some())
            .flat_map(|file| pairs_of(file))
            .collect();
        // Folders that are extensions have their test inside.
        let mains = discover(&[path.to_path_buf()], &[]);
        let inner = mains.iter().filter(|main| main.parent() != Some(path));
        pairs.extend(inner.flat_map(|main| pairs_of(main)));
        return pairs;
    }
    if let Some(stem) = stem_of_test(path) {
        let subject =
            ["js", "mjs", "ts", "wasm"].iter().map(|ending| PathBuf::from(format!("{stem}.{ending}")));
        return subject
            .filter(|subject| subject.is_file())
            .take(1)
            .map(|subject| (subject, path.into()))
            .collect();
    }
    let stem = path.with_extension("").to_string_lossy().into_owned();
    let tests = ENDINGS.iter().map(|ending| PathBuf::from(format!("{stem}{ending}")));
    tests.filter(|test| test.is_file()).map(|test| (path.to_path_buf(), test)).collect()
}

/// The path of a test file without what makes it one.
fn stem_of_test(path: &Path) -> Option<String> {
    let name = path.to_string_lossy();
    ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).map(str::to_owned)
}
