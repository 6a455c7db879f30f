//! `kit-ls extensions`: for those who use extensions, and for those who write them.
//!
//! What is loaded here runs in the sandbox with a host that answers nothing; no session and no model is involved.

mod grant;
mod init;
mod inspect;
mod install;
mod list;
mod packages;
mod sdk;
mod test;

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use kit_contract::Permissions;
use kit_workspace::{Paths, Trust};

use crate::runtime;

/// What follows `kit-ls extensions`.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub(crate) enum Manage {
    /// List the extensions that are found for this folder, and what each registers
    List,
    /// Load extensions and name what is wrong, with file and line
    Validate {
        /// Files or folders; those that are found for this folder otherwise
        paths: Vec<PathBuf>,
    },
    /// Write an extension to begin with, and its test
    Init {
        /// Its name
        #[arg(default_value = "hello")]
        name: String,
        /// A crate in Rust instead of a JavaScript file
        #[arg(long)]
        rust: bool,
    },
    /// Run the tests of extensions, NAME.test.js beside NAME.js
    Test {
        /// Extensions, test files or folders; those of this folder otherwise
        paths: Vec<PathBuf>,
    },
    /// Install extensions from a git address or a folder
    Install {
        /// A git address, github.com/OWNER/REPOSITORY, or a folder or file; a tag, branch or commit may follow as @REF
        #[arg(value_name = "SOURCE[@REF]")]
        source: String,
        /// For this project alone, into .kit/extensions
        #[arg(long, short)]
        local: bool,
        /// Grant what they ask for without a question
        #[arg(long, short)]
        yes: bool,
    },
    /// Fetch installed extensions again; those at a fixed REF stay
    Update {
        /// The source as it was installed; all of them otherwise
        source: Option<String>,
        /// Grant what they ask for without a question
        #[arg(long, short)]
        yes: bool,
    },
    /// Remove what was installed from a source
    Remove {
        /// The source as it was installed, or the name of one of its extensions
        source: String,
    },
    /// Show what an extension asks for, and grant it
    Grant {
        /// The extension's name or file
        extension: String,
        /// Grant it without a question
        #[arg(long, short)]
        yes: bool,
        /// Refuse it without a question
        #[arg(long, conflicts_with = "yes")]
        refuse: bool,
    },
}

/// Does it; the answer is the exit code.
pub(crate) fn run(command: Manage, paths: Paths) -> anyhow::Result<i32> {
    let cwd = std::env::current_dir().context("the current folder is gone")?;
    runtime::with(async move {
        let place = Place { paths, cwd };
        match command {
            Manage::List => list::run(&place).await,
            Manage::Validate { paths } => inspect::validate(&place, &paths).await,
            Manage::Init { name, rust } => init::run(&place, &name, rust),
            Manage::Test { paths } => test::run(&place, &paths).await,
            Manage::Install { source, local, yes } => install::run(&place, &source, local, yes).await,
            Manage::Update { source, yes } => install::update(&place, source.as_deref(), yes).await,
            Manage::Remove { source } => install::remove(&place, &source),
            Manage::Grant { extension, yes, refuse } => grant::run(&place, &extension, yes, refuse).await,
        }
    })
}

/// Where the command runs.
pub(crate) struct Place {
    paths: Paths,
    cwd: PathBuf,
}

impl Place {
    /// The user's extensions.
    fn own(&self) -> PathBuf {
        self.paths.config.join("extensions")
    }

    /// The project's extensions.
    fn project(&self) -> PathBuf {
        self.cwd.join(".kit/extensions")
    }

    /// The folders that count for this folder: the project's only when it is trusted.
    fn folders(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.own()];
        if Trust::new(&self.paths).is_trusted(&self.cwd) {
            folders.push(self.project());
        }
        folders
    }

    /// A path as a person reads it: below this folder without it.
    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.cwd).unwrap_or(path).display().to_string()
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}").context("stdout is closed")
}

/// Asks a yes-or-no question on the terminal; no answer is a no.
fn agrees(question: &str) -> anyhow::Result<bool> {
    Ok(answer(&format!("{question} [y/N]"))?.unwrap_or(false))
}

/// Asks a yes-or-no question on the terminal; nothing where the answer is neither.
fn answer(question: &str) -> anyhow::Result<Option<bool>> {
    write!(std::io::stdout(), "{question} ").context("stdout is closed")?;
    std::io::stdout().flush().context("stdout is closed")?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("stdin cannot be read")?;
    Ok(match line.trim().to_lowercase().as_str() {
        "y" | "yes" => Some(true),
        "n" | "no" => Some(false),
        _ => None,
    })
}

/// What an extension asks for, one line each.
fn described(permissions: &Permissions) -> Vec<String> {
    let Permissions { http, exec, fs, env } = permissions;
    let rows = [
        ("requests to", http),
        ("runs", exec),
        ("reads", &fs.read),
        ("writes", &fs.write),
        ("reads the environment variables", env),
    ];
    let rows = rows.into_iter().filter(|(_, list)| !list.is_empty());
    rows.map(|(what, list)| format!("{what} {}", list.join(", "))).collect()
}
