//! `cargo xtask demo`: the main job in a real Neovim, told as it happens.
//!
//! Nothing is pretended: the server and the client are those of this repository, the editor is a real Neovim whose
//! screen is read, and the model is the built-in script, because a demonstration must not need a key. Each step is
//! printed when it was observed; one that does not come ends the program with an error.

use std::path::PathBuf;

use anyhow::{Result, bail};
use kit_testkit::cache::{Installed, install};
use kit_testkit::{KitNvim, Project, Screen};

use crate::run;

const FILE: &str = "shopping.rs";
const SAMPLE: &str = "\
//! A shopping list.

struct Item {
    name: String,
    cents: u32,
}

fn total(items: &[Item]) -> u32 {
    items.iter().map(|item| item.cents).sum()
}

fn main() {
    let items = [Item { name: \"bread\".into(), cents: 349 }];
    println!(\"{} cents for {}\", total(&items), items[0].name);
}
";
const TYPED: &str = "// This line was typed and never saved.";

/// Builds the server, brings Neovim and runs the main job.
pub(crate) fn run() -> Result<()> {
    step("building kit-ls");
    let server = run::build_server("dev")?;
    step("looking for Neovim in the cache, installing it if it is missing");
    let neovim = match install("neovim") {
        Installed::At(program) => program,
        Installed::Unsupported(why) => bail!("{why}"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(main_job(neovim, server));
    println!("\nThat was the main job: a prompt in the editor became a reviewed edit of an unsaved buffer.");
    Ok(())
}

/// The status line of the screen.
fn status_line(screen: &Screen) -> String {
    screen.lines().into_iter().rev().find(|line| line.contains(FILE)).unwrap_or_default().trim().to_owned()
}

async fn main_job(neovim: PathBuf, server: PathBuf) {
    let project = Project::new();
    step("starting Neovim with the client, the server and a sample project");
    project.write(FILE, SAMPLE);
    let options = KitNvim {
        program: neovim,
        server,
        project: &project,
        environment: vec![("KIT_MODEL".into(), "scripted/demo".into())],
        repository: run::root(),
    };
    let nvim = options.start(FILE).await;

    step("typing a line into the buffer without saving it");
    // `<C-u>` removes the comment leader that the editor puts in front.
    nvim.input(&format!("ggO<C-u>{TYPED}<Esc>")).await;
    nvim.shows(TYPED).await;

    step("asking: \"add comments to shopping.rs\"");
    nvim.command("Kit ask add comments to shopping.rs").await;
    let streaming = nvim.screen_until("the beginning of the answer", |screen| {
        let text = screen.text();
        text.contains("Hello! I am") && !text.contains("Keep or undo each")
    });
    let streaming = streaming.await;
    step("the answer streams into the session beside the buffer");
    show(&streaming);

    let done = nvim.screen_until("two hunks", |screen| status_line(screen).contains("2 hunks")).await;
    step("the turn has edited the unsaved buffer; both changes wait as hunks");
    show(&done);
    let on_disk = project.text(FILE);
    assert_eq!(on_disk, SAMPLE, "the file on disk is as it was");
    step("on disk the file is as it was: the buffer had unsaved text, so nothing was saved");
    let words: Vec<String> = status_line(&done).split_whitespace().map(str::to_owned).collect();
    step(&format!("status line: {}", words.join(" ")));
    let priced =
        nvim.screen_until("a cost in the status line", |screen| status_line(screen).contains('$')).await;
    assert!(status_line(&priced).contains('%'), "the status line shows how full the context is");

    nvim.command(&format!("call win_gotoid(bufwinid('{FILE}')) | call cursor(1, 1)")).await;
    nvim.command("Kit next").await;
    nvim.command("Kit keep").await;
    nvim.screen_until("one hunk left", |screen| status_line(screen).contains("1 hunk")).await;
    step("kept the first hunk");
    nvim.command("Kit next").await;
    nvim.command("Kit undo").await;
    let reviewed = nvim.screen_until("no hunk left", |screen| !status_line(screen).contains("hunk")).await;
    step("undid the second hunk");
    show(&reviewed);

    let lines = nvim.lines(&project.path(FILE)).await;
    assert!(lines.iter().any(|line| line == TYPED), "the typed line is still there");
    let added =
        lines.iter().filter(|line| !SAMPLE.lines().chain([TYPED]).any(|known| known == *line)).count();
    assert_eq!(added, 1, "one change was kept, one was undone: {lines:#?}");
    step("the buffer holds the typed line and the kept change, and nothing else");
    nvim.quit().await;
}

fn step(what: &str) {
    println!("\n\u{25b8} {what}");
}

/// Prints a screen in a frame, without the rows on which nothing is.
fn show(screen: &Screen) {
    let empty = |line: &String| line.chars().all(|c| matches!(c, '~' | '│' | ' '));
    let lines: Vec<String> = screen.lines().into_iter().filter(|line| !empty(line)).collect();
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or_default();
    println!("  ┌{}┐", "─".repeat(width + 2));
    for line in &lines {
        println!("  │ {line}{} │", " ".repeat(width - line.chars().count()));
    }
    println!("  └{}┘", "─".repeat(width + 2));
}
