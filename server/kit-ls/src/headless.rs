//! `kit-ls run`: one prompt through the whole core, with the disk as its editor.
//!
//! The same wiring serves as behind an editor; only the ports differ: files are written on disk, questions go to the
//! terminal where a person sits at one and count as unanswered otherwise, and events go to [`Feed`]. A run waits for the
//! end of its turn, whatever the turn ends with, and lets the sessions save before the process ends. The first
//! interrupt cancels the turn; the second ends the process at once.
//!
//! Exit codes: 0 the model finished, 1 an error, 2 a wrong command line, 3 a limit ended the turn (steps, budget, tokens,
//! a refusal), 130 cancelled.

mod feed;
mod messages;
mod output;
mod terminal;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use kit_lsp::{Application as _, NoWindow, Running, Startup};
use kit_protocol::{
    Event, EventBody, KitError, PromptArguments, SessionArguments, SessionId, SessionListArguments,
    StopReason, TurnId,
};
use kit_text::Encoding;
use kit_workspace::{DocumentUri, Paths, Root};
use serde_json::{Map, Value, json};

use self::feed::Feed;
use self::messages::Mark;
use self::output::Output;
use self::terminal::Terminal;
use crate::application::Kit;
use crate::arguments::Options;
use crate::{logging, runtime};

/// The turn was ended by a limit.
const LIMITED: i32 = 3;
/// What shells say of a process that was interrupted.
const INTERRUPTED: i32 = 130;

/// Ask once and wait for the answer
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub(crate) struct Run {
    /// The prompt; `-` reads it from stdin, and @FILE attaches a file
    #[arg(value_name = "PROMPT | @FILE", required = true)]
    words: Vec<String>,
    /// Print one JSON object at the end
    #[arg(long, conflicts_with_all = ["events", "quiet"])]
    json: bool,
    /// Print every event as a line of JSON
    #[arg(long, conflicts_with = "quiet")]
    events: bool,
    /// Print the answer alone
    #[arg(long, short)]
    quiet: bool,
    /// Go on with the newest session of this folder
    #[arg(long = "continue", short = 'c', conflicts_with_all = ["session", "no_session"])]
    resume: bool,
    /// Go on with this session, by id or by file
    #[arg(long, short, value_name = "ID", conflicts_with = "no_session")]
    session: Option<String>,
    /// Keep no session file
    #[arg(long)]
    no_session: bool,
    /// The most model calls
    #[arg(long, value_name = "N")]
    max_steps: Option<u32>,
    /// The most money in USD; the run ends before the model call that would cost more
    #[arg(long, value_name = "USD")]
    budget: Option<f64>,
}

/// What the run prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// The answer as it comes, and what the agent does on stderr.
    Text,
    /// The answer alone.
    Quiet,
    /// One object.
    Json,
    /// A line for each event.
    Events,
}

impl Run {
    fn style(&self) -> Style {
        match (self.json, self.events, self.quiet) {
            (true, ..) => Style::Json,
            (_, true, _) => Style::Events,
            (_, _, true) => Style::Quiet,
            (false, false, false) => Style::Text,
        }
    }

    fn settings(&self) -> Map<String, Value> {
        let steps = self.max_steps.map(|steps| ("maxSteps".to_owned(), Value::from(steps)));
        let budget = self.budget.map(|usd| ("budget".to_owned(), json!({"turn": {"usd": usd}})));
        steps.into_iter().chain(budget).collect()
    }
}

/// Runs the prompt in the current folder and returns the exit code. Errors of the command line and of the start are
/// told in the style that was asked for, too.
pub(crate) fn run(run: Run, options: Options, mut paths: Paths) -> anyhow::Result<i32> {
    let mut output = Output::new(run.style());
    let prompt = match Prompt::read(&run.words) {
        Ok(prompt) => prompt,
        Err(error) => {
            let error = KitError::new(kit_protocol::ErrorKind::InvalidRequest, format!("{error:#}"));
            output.failed(&error)?;
            return Ok(crate::MISUSED);
        }
    };
    // The folder of a session that is not kept goes away with this value.
    let mut unkept = None;
    if run.no_session {
        let folder = tempfile::tempdir().context("there is no place for a temporary file")?;
        paths.sessions = folder.path().to_owned();
        unkept = Some(folder);
    }
    let log = logging::start(&paths.logs, runtime::environment("KIT_LOG").as_deref());
    let ended = runtime::with(async {
        match turn(&run, prompt, options, paths, &mut output).await {
            Ok(code) => Ok(code),
            Err(error) => output.failed(&error).map(|()| 1),
        }
    });
    drop(log);
    drop(unkept);
    ended
}

/// A prompt with its attachments.
#[derive(Debug, PartialEq)]
struct Prompt {
    text: String,
    attachments: Vec<PathBuf>,
}

impl Prompt {
    fn read(words: &[String]) -> anyhow::Result<Self> {
        let mut text = Vec::new();
        let mut attachments = Vec::new();
        for word in words {
            match word.strip_prefix('@') {
                Some(path) if !path.is_empty() && !path.contains(char::is_whitespace) => {
                    let path = std::path::absolute(path).context("the current folder is gone")?;
                    if !path.exists() {
                        bail!(
                            "there is no file {}; without `@` the word is part of the prompt",
                            path.display()
                        );
                    }
                    attachments.push(path);
                }
                _ if word == "-" => text.push(standard_input()?),
                Some(_) | None => text.push(word.clone()),
            }
        }
        let text = text.join(" ");
        if text.trim().is_empty() && attachments.is_empty() {
            bail!("the prompt is empty: say what to do, for example kit-ls run \"explain this project\"");
        }
        Ok(Self { text, attachments })
    }
}

fn standard_input() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("stdin is not text")?;
    Ok(text)
}

async fn turn(
    run: &Run,
    prompt: Prompt,
    options: Options,
    paths: Paths,
    output: &mut Output,
) -> Result<i32, KitError> {
    let kit = Kit::new(paths, options.with_settings(run.settings()));
    let feed = Arc::new(Feed::default());
    let folder = std::env::current_dir().map_err(|error| {
        KitError::new(kit_protocol::ErrorKind::Unavailable, format!("the current folder is gone: {error}"))
    })?;
    let running = kit.start(Startup {
        roots: vec![Root::new(&folder)],
        options: Value::Null,
        client: "kit-ls run".to_owned(),
        editor: Arc::new(Terminal::new(run.style() == Style::Text)),
        window: Arc::new(NoWindow),
        sink: Arc::clone(&feed) as _,
    })?;
    for problem in kit.problems() {
        output.notice(&problem);
    }
    let ended = converse(run, prompt, &running, &feed, output).await;
    running.sessions.shutdown().await;
    ended
}

async fn converse(
    run: &Run,
    prompt: Prompt,
    running: &Running,
    feed: &Feed,
    output: &mut Output,
) -> Result<i32, KitError> {
    let session = session(run, running).await?;
    let before = match &session {
        Some(session) => Mark::of(&path_of(running, session).await?),
        None => Mark::default(),
    };
    let attachments = prompt.attachments.iter().map(|path| DocumentUri::from_path(path).to_string());
    let asked = PromptArguments {
        text: prompt.text,
        session,
        attachments: attachments.collect(),
        context: Vec::new(),
        mode: None,
        model: None,
        thinking: None,
        delivery: None,
    };
    let accepted = running.sessions.prompt(asked, Encoding::Utf8, TurnId::random()).await?;
    let end = follow(running, feed, output, &accepted.turn).await;
    let path = path_of(running, &accepted.session).await?;
    let kept = (!run.no_session).then_some(&accepted.session);
    output.ended(&end, kept, running.sessions.status().model, &before.messages_since(&path));
    Ok(exit_code(&end))
}

/// The session to go on with; `None` begins a new one.
async fn session(run: &Run, running: &Running) -> Result<Option<SessionId>, KitError> {
    if run.resume {
        let listed = running.sessions.list(SessionListArguments::default()).await?;
        let newest = listed.sessions.into_iter().find(|session| session.parent_session.is_none());
        let none = || {
            KitError::new(
                kit_protocol::ErrorKind::NotFound,
                "there is no session of this folder to go on with; leave out --continue",
            )
        };
        return newest.map(|session| Some(session.id)).ok_or_else(none);
    }
    let Some(name) = &run.session else { return Ok(None) };
    let arguments = if Path::new(name).is_file() {
        SessionArguments { path: Some(name.clone()), ..SessionArguments::default() }
    } else {
        SessionArguments { session: Some(SessionId::new(name.clone())), ..SessionArguments::default() }
    };
    Ok(Some(running.sessions.open(arguments).await?.session))
}

async fn path_of(running: &Running, session: &SessionId) -> Result<PathBuf, KitError> {
    let arguments = SessionArguments { session: Some(session.clone()), ..SessionArguments::default() };
    Ok(PathBuf::from(running.sessions.open(arguments).await?.path.unwrap_or_default()))
}

/// Passes events on until the turn ends.
async fn follow(running: &Running, feed: &Feed, output: &mut Output, turn: &TurnId) -> Event {
    let mut interrupts = 0;
    loop {
        let event = tokio::select! {
            event = feed.next() => event,
            Ok(()) = tokio::signal::ctrl_c() => {
                interrupts += 1;
                if interrupts > 1 {
                    std::process::exit(INTERRUPTED);
                }
                running.sessions.cancel_turn(turn);
                continue;
            }
        };
        output.event(&event);
        let is_end = matches!(event.body, EventBody::TurnEnd { .. });
        if is_end && event.agent.is_none() && event.turn.as_ref() == Some(turn) {
            return event;
        }
    }
}

fn exit_code(end: &Event) -> i32 {
    match &end.body {
        EventBody::TurnEnd { stop_reason, .. } => match stop_reason {
            StopReason::EndTurn | StopReason::ToolUse => 0,
            StopReason::Error => 1,
            StopReason::Cancelled => INTERRUPTED,
            StopReason::MaxTokens | StopReason::Refusal | StopReason::Budget | StopReason::MaxSteps => {
                LIMITED
            }
        },
        _ => 1,
    }
}
