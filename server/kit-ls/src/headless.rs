//! `kit-ls run`: one prompt through the whole core, with the disk as its editor.
//!
//! The same wiring serves as behind an editor; only the ports differ: files are written on disk, questions go to the
//! terminal where a person sits at one and count as unanswered otherwise, and events go to [`Feed`]. A prompt that begins
//! with a command of an extension runs it. A run waits for the end of its turn, whatever the turn ends with, for what
//! extensions do about it and for the turns that they ask for, and lets the sessions save before the process ends. The
//! first signal to end cancels the turn; the second waits for nothing but that the sessions are saved.
//!
//! [`EXIT_CODES`] says what the exit code means.

mod feed;
mod input;
mod messages;
mod output;
mod signals;
mod terminal;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use futures::FutureExt as _;
use kit_lsp::{Application as _, NoWindow, Running, Startup};
use kit_protocol::{
    CommandListArguments, CommandRunAnswer, CommandRunArguments, ErrorKind, Event, EventBody, FileProblem,
    KitError, PromptArguments, SessionArguments, SessionId, SessionListArguments, StopReason, TurnId,
};
use kit_text::Encoding;
use kit_workspace::{DocumentUri, Paths, Root};
use serde_json::{Map, Value, json};

use self::feed::{Feed, News};
use self::input::Input;
use self::messages::Mark;
use self::output::Output;
use self::signals::{INTERRUPTED, Signals};
use self::terminal::Terminal;
use crate::application::Kit;
use crate::arguments::Options;
use crate::{browse, logging, runtime};

/// The turn was ended by a limit.
const LIMITED: i32 = 3;
/// What is piped in, as a document.
const STDIN: &str = "untitled:stdin";

/// What the help of `run` ends with.
const EXIT_CODES: &str = "\
Piped text goes with the prompt: git diff | kit-ls run \"review this\"
Nothing of a folder that is not trusted is loaded: its settings, instructions, skills, agents and extensions.

Exit codes:
  0    the model finished
  1    an error
  2    a wrong command line
  3    a limit ended the turn: steps, budget, the length of the answer, a refusal
  129, 130, 143    ended by SIGHUP, SIGINT or SIGTERM";

/// Ask once and wait for the answer
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Run {
    /// The prompt; `-` reads it from stdin, and @FILE attaches a file
    #[arg(value_name = "PROMPT | @FILE")]
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
    /// Go on with this session, by the beginning of its id, by its name or by its file
    #[arg(long, short, value_name = "ID", conflicts_with = "no_session")]
    session: Option<String>,
    /// Keep no session file
    #[arg(long)]
    no_session: bool,
    /// The most model calls; 0 for no limit
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    max_steps: Option<u32>,
    /// The most money in USD; the run ends before the model call that would cost more
    #[arg(long, value_name = "USD", value_parser = money, allow_negative_numbers = true)]
    budget: Option<f64>,
    /// Trust this folder as long as the run lasts, and load what it brings
    #[arg(long)]
    trust: bool,
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

/// An amount of money on the command line.
fn money(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(usd) if usd.is_finite() && usd >= 0.0 => Ok(usd),
        Ok(_) | Err(_) => Err("it must be an amount in USD such as 0.50".to_owned()),
    }
}

/// Runs the prompt in the current folder and returns the exit code. Errors of the command line and of the start are
/// told in the style that was asked for, too.
pub(crate) fn run(run: Run, options: Options, mut paths: Paths) -> anyhow::Result<i32> {
    let mut output = Output::new(run.style());
    let input = match Input::read(&run.words) {
        Ok(input) => input,
        Err(error) => {
            let error = KitError::new(ErrorKind::InvalidRequest, format!("{error:#}"));
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
        match turn(&run, input, options, paths, &mut output).await {
            Ok(code) => Ok(code),
            Err(error) => output.failed(&error).map(|()| 1),
        }
    });
    drop(log);
    drop(unkept);
    ended
}

async fn turn(
    run: &Run,
    input: Input,
    options: Options,
    paths: Paths,
    output: &mut Output,
) -> Result<i32, KitError> {
    let unavailable = |what: &str, error| KitError::new(ErrorKind::Unavailable, format!("{what}: {error}"));
    let mut signals =
        Signals::new().map_err(|error| unavailable("signals of the system cannot be taken over", error))?;
    let folder = std::env::current_dir().map_err(|error| unavailable("the current folder is gone", error))?;
    let mut options = options.with_settings(run.settings());
    if run.trust {
        options = options.trusting(folder.clone());
    }
    let kit = Kit::new(paths, options);
    let feed = Arc::new(Feed::default());
    let running = kit.start(Startup {
        roots: vec![Root::new(&folder)],
        options: Value::Null,
        client: "kit-ls run".to_owned(),
        editor: Arc::new(Terminal::new(run.style() == Style::Text)),
        window: Arc::new(NoWindow),
        sink: Arc::clone(&feed) as _,
    })?;
    for problem in kit.problems().into_iter().chain(input.note.clone()) {
        output.notice(&problem);
    }
    let withheld = running.sessions.projects().withheld(&folder);
    if !withheld.is_empty() {
        let names = withheld.join(", ");
        output.notice(&format!("left out, because the folder is not trusted: {names}; --trust loads it"));
    }
    // What cannot be listed is told where the prompt needs it.
    let listed = running.sessions.command_list(CommandListArguments::default()).await;
    for FileProblem { path, line, message } in listed.map(|list| list.problems).unwrap_or_default() {
        output.notice(&format!("{path}:{}: {message}", line + 1));
    }
    let ended = converse(run, input, &running, &feed, &mut signals, output).await;
    running.shut_down().await;
    ended
}

async fn converse(
    run: &Run,
    input: Input,
    running: &Running,
    feed: &Feed,
    signals: &mut Signals,
    output: &mut Output,
) -> Result<i32, KitError> {
    let session = session(run, running).await?;
    let before = match &session {
        Some(session) => Mark::of(&path_of(running, session).await?),
        None => Mark::default(),
    };
    let attachments = input.attachments.iter().map(|path| DocumentUri::from_path(path).to_string());
    let mut attachments: Vec<String> = attachments.collect();
    if let Some(text) = &input.piped {
        running.documents.open(DocumentUri::parse(STDIN), "plaintext", 1, text);
        attachments.push(STDIN.to_owned());
    }
    let line = input.text.trim().to_owned();
    // A person at the terminal is asked by one program at a time, and answers before anything depends on it.
    tokio::select! {
        () = running.extensions.granted() => {}
        code = signals.next() => return Ok(code),
    }
    let begun = tokio::select! {
        begun = begin(running, input.text, attachments, session) => begun?,
        code = signals.next() => return Ok(code),
    };
    let Begun { session, turn, said } = begun;
    let said = said.filter(|_| turn.is_none());
    let mut kept = false;
    if let Some(said) = &said {
        kept = !run.no_session && keep(running, &session, &line).await?;
        output.said(said);
    }
    let (end, code) = match follow(running, feed, signals, output, &session, turn).await? {
        Followed::Ended(Some(end), code) => (end, code),
        Followed::Ended(None, code) => {
            if let Some(said) = &said {
                output.ended_without_turn(said, kept.then_some(&session), running.sessions.status().model);
            }
            return Ok(code);
        }
        Followed::Abandoned(code) => return Ok(code),
    };
    let path = path_of(running, &session).await?;
    let kept = (!run.no_session).then_some(&session);
    output.ended(&end, kept, running.sessions.status().model, &before.messages_since(&path));
    Ok(code)
}

/// Whether a session is kept. One in which nothing but a command ran has no file; it gets one, with the command as its
/// name, when an extension left state for it.
async fn keep(running: &Running, session: &SessionId, line: &str) -> Result<bool, KitError> {
    let path = path_of(running, session).await?;
    if !path.is_file() && kit_extension::sidecar(&path).is_file() {
        let name = Some(line.to_owned());
        let named = SessionArguments { session: Some(session.clone()), name, ..SessionArguments::default() };
        running.sessions.rename(named).await?;
    }
    Ok(path.is_file())
}

/// What a prompt began.
struct Begun {
    session: SessionId,
    /// Its turn; a command may have none.
    turn: Option<TurnId>,
    /// What a command answered.
    said: Option<CommandRunAnswer>,
}

/// Runs the command that a prompt names, or hands the prompt over.
async fn begin(
    running: &Running,
    text: String,
    attachments: Vec<String>,
    session: Option<SessionId>,
) -> Result<Begun, KitError> {
    let sessions = &running.sessions;
    let Some(command) = sessions.command_in(&text, session.clone()).await? else {
        let asked = PromptArguments { session, attachments, ..PromptArguments::new(text) };
        let accepted = sessions.prompt(asked, Encoding::Utf8, TurnId::random()).await?;
        return Ok(Begun { session: accepted.session, turn: Some(accepted.turn), said: None });
    };
    let session = match session {
        Some(session) => session,
        None => sessions.new_session(SessionArguments::default()).await?.session,
    };
    let arguments = CommandRunArguments { attachments, session: Some(session.clone()), ..command };
    let said = sessions.run_command(arguments, Encoding::Utf8, TurnId::random()).await?;
    Ok(Begun { session: said.session.clone().unwrap_or(session), turn: said.turn.clone(), said: Some(said) })
}

/// The session to go on with; `None` begins a new one.
async fn session(run: &Run, running: &Running) -> Result<Option<SessionId>, KitError> {
    if run.resume {
        let listed = running.sessions.list(SessionListArguments::default()).await?;
        let newest = listed.sessions.into_iter().find(|session| session.subagent_task.is_none());
        let none = || {
            KitError::new(
                ErrorKind::NotFound,
                "there is no session of this folder to go on with; leave out --continue",
            )
        };
        return newest.map(|session| Some(session.id)).ok_or_else(none);
    }
    let Some(name) = &run.session else { return Ok(None) };
    browse::named(running, name).await.map(Some)
}

async fn path_of(running: &Running, session: &SessionId) -> Result<PathBuf, KitError> {
    let arguments = SessionArguments { session: Some(session.clone()), ..SessionArguments::default() };
    Ok(PathBuf::from(running.sessions.open(arguments).await?.path.unwrap_or_default()))
}

/// How a run was followed.
enum Followed {
    /// To the end of its last turn, if it had any, with the exit code that says how it ended.
    Ended(Option<Box<Event>>, i32),
    /// Until a second signal came; the exit code is the signal's.
    Abandoned(i32),
}

/// Passes news on until everything is over: the turn, what extensions do about it, and the turns that they ask for.
async fn follow(
    running: &Running,
    feed: &Feed,
    signals: &mut Signals,
    output: &mut Output,
    session: &SessionId,
    first: Option<TurnId>,
) -> Result<Followed, KitError> {
    let sessions = &running.sessions;
    let (mut turn, mut last, mut signalled) = (first, None, None);
    loop {
        while let Some(runs) = &turn {
            let news = tokio::select! {
                news = feed.next() => news,
                code = signals.next() => {
                    if signalled.is_some() {
                        return Ok(Followed::Abandoned(code));
                    }
                    signalled = Some(code);
                    sessions.cancel_turn(runs);
                    continue;
                }
            };
            output.news(&news);
            if let Some(end) = end_of_turn(news) {
                turn = turn.filter(|turn| end.turn.as_ref() != Some(turn));
                last = Some(end);
            }
        }
        tokio::select! {
            () = running.extensions.settle() => {}
            code = signals.next() => return Ok(Followed::Abandoned(code)),
        }
        if signalled.is_none() && sessions.exit_requested().now_or_never().is_none() {
            turn = sessions.view(session).await?.running;
        }
        if turn.is_some() {
            continue;
        }
        while let Some(news) = feed.take() {
            output.news(&news);
            last = end_of_turn(news).or(last);
        }
        let code = match last.as_ref().map(|end| &end.body) {
            Some(EventBody::TurnEnd { stop_reason, .. }) => exit_code(*stop_reason, signalled),
            Some(_) | None => signalled.unwrap_or_default(),
        };
        return Ok(Followed::Ended(last, code));
    }
}

/// The event, if a turn of the run ends with it.
fn end_of_turn(news: News) -> Option<Box<Event>> {
    match news {
        News::Event(event) if event.agent.is_none() && matches!(event.body, EventBody::TurnEnd { .. }) => {
            Some(event)
        }
        News::Event(_) | News::Shown(_) | News::Problem(_) => None,
    }
}

fn exit_code(stop_reason: StopReason, signalled: Option<i32>) -> i32 {
    match stop_reason {
        StopReason::EndTurn | StopReason::ToolUse => 0,
        StopReason::Error => 1,
        StopReason::Cancelled => signalled.unwrap_or(INTERRUPTED),
        StopReason::MaxTokens | StopReason::Refusal | StopReason::Budget | StopReason::MaxSteps => LIMITED,
    }
}
