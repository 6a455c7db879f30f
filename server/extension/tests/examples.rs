//! Every example passes its own tests, in the sandbox.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use kit_extension::rehearsal::{self, Script};
use kit_extension::sandbox::{Engine, Program};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../extensions")
}

/// The engine; what it compiled stays between runs.
fn javascript() -> Program {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("engine");
    Engine::new(&cache).compile(kit_extension::javascript::ENGINE).unwrap()
}

fn script(program: &Program, path: &Path) -> Script {
    Script {
        program: program.clone(),
        source: Some(fs::read_to_string(path).unwrap()),
        file_name: path.file_name().unwrap().to_string_lossy().into_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_passes_its_tests() {
    let program = tokio::task::spawn_blocking(javascript).await.unwrap();
    let files = fs::read_dir(folder().join("examples")).unwrap().flatten().map(|entry| entry.path());
    let mut tests: Vec<PathBuf> = files.filter(|path| path.to_string_lossy().ends_with(".test.js")).collect();
    tests.sort();
    let mut failed = Vec::new();
    let mut passed = 0;
    for test in &tests {
        let extension = PathBuf::from(test.to_string_lossy().replace(".test.js", ".js"));
        let outcomes = rehearsal::rehearse(&script(&program, &extension), &script(&program, test)).await;
        for outcome in outcomes.unwrap_or_else(|error| panic!("{}: {error}", test.display())) {
            match outcome.failure {
                Some(failure) => failed.push(format!("{}: {}: {failure}", extension.display(), outcome.name)),
                None => passed += 1,
            }
        }
    }
    assert!(failed.is_empty(), "{passed} passed, failed:\n{}", failed.join("\n"));
    assert_eq!(tests.len(), 14, "an example without a test, or a test without an example");
    assert!(passed > 40, "only {passed} tests ran");
}
