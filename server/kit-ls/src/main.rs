//! The `kit-ls` binary: reads the command line, starts the log, wires the crates together and serves.
//!
//! stdout carries protocol frames only while serving. The process ends by `exit` and not by returning from `main`,
//! because tokio's stdin thread would keep it alive as long as the editor holds the pipe open.

mod acp;
mod address;
mod agents;
mod application;
mod arguments;
mod auth;
mod browse;
mod config;
mod configuration;
mod default_model;
mod doctor;
mod extension_ports;
mod generate;
mod headless;
mod live;
mod logging;
mod logins;
mod manage;
mod mcp;
mod models;
mod runtime;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser as _;
use kit_tools::sandbox;

use crate::application::Kit;
use crate::arguments::{Command, CommandLine, Options};
use crate::models::ModelsCommand;

/// The exit code of a wrong command line.
const MISUSED: i32 = 2;
/// The exit code of everything else that failed.
const FAILED: i32 = 1;
/// The exit code that shells use for a program that cannot be run.
const CANNOT_RUN: i32 = 126;

fn main() {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.peek().is_some_and(|argument| argument == sandbox::HELPER_ARGUMENT) {
        complain(&sandbox::run_helper(arguments.skip(1)).to_string());
        std::process::exit(CANNOT_RUN);
    }
    // Help, version and mistakes are printed here, and the process ends.
    let code = match run(CommandLine::parse()) {
        Ok(code) => code,
        // Whoever reads what is said, such as `head`, has enough of it.
        Err(error) if is_closed_pipe(&error) => FAILED,
        Err(error) => {
            complain(&format!("{error:#}"));
            FAILED
        }
    };
    std::process::exit(code);
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Says one sentence on stderr.
fn complain(sentence: &str) {
    // Nothing is left to tell it to when stderr is closed.
    let _closed = writeln!(std::io::stderr(), "kit-ls: {sentence}");
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}").context("stdout is closed")
}

fn run(line: CommandLine) -> anyhow::Result<i32> {
    let CommandLine { options, replay: recording, command, .. } = line;
    if let Some(file) = recording {
        return runtime::with(async { replay(&file, options).await });
    }
    match command {
        None | Some(Command::Serve { .. }) => runtime::with(async { serve_editor(options).await }),
        Some(Command::Acp { .. }) => acp::run(options, runtime::paths()?),
        Some(Command::Run(run)) => headless::run(run, options, runtime::paths()?),
        Some(Command::Sessions { stored }) => browse::run(&stored, options, runtime::paths()?),
        Some(Command::Agents(agents)) => agents::run(&agents, options, runtime::paths()?),
        Some(Command::Config(config)) => config::run(&config, options, runtime::paths()?),
        Some(Command::Auth { auth }) => auth::run(&auth, options, runtime::paths()?),
        Some(Command::Extensions { command }) => manage::run(command, runtime::paths()?),
        Some(Command::Mcp { command }) => mcp::command::run(&command, options, runtime::paths()?),
        Some(Command::Doctor) => runtime::with(async { report(options).await }),
        Some(Command::Models(command)) => runtime::with(async { list_models(&command, options).await }),
        Some(Command::Completions { shell }) => generate::completions(shell),
        Some(Command::Man { folder }) => generate::manual(folder.as_deref()),
    }
}

async fn serve_editor(options: Options) -> anyhow::Result<i32> {
    let paths = runtime::paths()?;
    let log = logging::start(&paths.logs, runtime::environment("KIT_LOG").as_deref());
    let record = options.record.clone();
    let kit = Arc::new(Kit::new(paths, options));
    let ended = kit_lsp::serve(tokio::io::stdin(), tokio::io::stdout(), kit, record.as_deref()).await?;
    drop(log);
    Ok(i32::from(ended.code()))
}

async fn replay(file: &Path, options: Options) -> anyhow::Result<i32> {
    let paths = runtime::paths()?;
    let log = logging::start(&paths.logs, runtime::environment("KIT_LOG").as_deref());
    let kit = Arc::new(Kit::new(paths, options));
    let mut stdout = std::io::stdout();
    let report = kit_lsp::replay(file, kit, |message| {
        // A closed stdout must not stop the replay, whose exit code still counts.
        let _closed = writeln!(stdout, "{message}");
    })
    .await
    .with_context(|| format!("the recording {} cannot be read", file.display()))?;
    drop(log);
    complain(&format!("{} messages replayed, {} missing", report.sent, report.missing.len()));
    for missing in &report.missing {
        complain(&format!("missing: {missing}"));
    }
    Ok(i32::from(!report.missing.is_empty()))
}

async fn list_models(command: &ModelsCommand, options: Options) -> anyhow::Result<i32> {
    let root = std::env::current_dir().ok();
    let models = Kit::new(runtime::paths()?, options).models_for(root.as_deref())?;
    say(&models::run(command, &models).await?)?;
    Ok(0)
}

async fn report(options: Options) -> anyhow::Result<i32> {
    let paths = runtime::paths()?;
    let root = std::env::current_dir().context("the current folder is gone")?;
    let kit = Kit::new(paths, options);
    let answer = kit.examine(&root)?;
    let mut failed = false;
    for check in &answer.checks {
        failed |= !check.ok;
        say(&format!("{} {}: {}", if check.ok { "ok  " } else { "FAIL" }, check.name, check.detail))?;
        if let Some(fix) = &check.fix {
            say(&format!("       {fix}"))?;
        }
    }
    Ok(i32::from(failed))
}
