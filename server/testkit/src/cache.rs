//! Where built and installed programs are: the `kit-ls` under test and the real editors of the cache folder.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The `kit-ls` under test: `KIT_LS`, else the one beside the running test in cargo's target folder.
pub fn kit_ls() -> PathBuf {
    if let Some(path) = env::var_os("KIT_LS") {
        return PathBuf::from(path);
    }
    let name = format!("kit-ls{}", env::consts::EXE_SUFFIX);
    let running = env::current_exe().expect("the running program has a path");
    let found =
        running.ancestors().skip(1).take(2).map(|folder| folder.join(&name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not built: run `cargo build -p kit-ls`"))
}

/// The root of the repository that this kit was built in.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the kit lies two folders deep")
}

/// What an installer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Installed {
    /// It is there: the path that the installer printed.
    At(PathBuf),
    /// The installer does not support this system, in its own words.
    Unsupported(String),
}

/// Runs `tests/scripts/NAME.sh`, which returns at once when its stamp is there.
pub fn install(name: &str) -> Installed {
    if !cfg!(target_os = "linux") {
        return Installed::Unsupported("the installers of the real editors support Debian alone".into());
    }
    let script = repository().join("tests/scripts").join(format!("{name}.sh"));
    let output = Command::new("sh").arg(&script).stdin(Stdio::null()).stderr(Stdio::piped()).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {}: {error}", script.display()));
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Installed::At(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())),
        Some(3) => Installed::Unsupported(said.trim().to_owned()),
        Some(_) | None => panic!("{} failed: {}\n{said}", script.display(), output.status),
    }
}
