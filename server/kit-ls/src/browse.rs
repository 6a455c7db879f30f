//! `kit-ls sessions`: what is stored, told to a terminal or a script.
//!
//! Everything here goes through the same [`Sessions`](kit_session::Sessions) as the editors' commands, so that locks,
//! formats and errors are theirs.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;
use kit_lsp::{Application as _, NoWindow, Running, Startup};
use kit_protocol::{
    ErrorKind, Event, KitError, ListScope, ReviewState, SessionArguments, SessionId, SessionListArguments,
    SessionOnly, SessionSummary, Status,
};
use kit_session::Sink;
use kit_workspace::{DiskEditor, Paths, Root};
use serde_json::{Value, json};

use crate::application::Kit;
use crate::arguments::Options;
use crate::{runtime, say};

/// What to do with stored sessions.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub(crate) enum Stored {
    /// List the sessions of this folder, newest first
    List {
        /// Those of all folders
        #[arg(long)]
        all: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a session as Markdown
    Show { session: String },
    /// Print a session's entries with their branches
    Tree {
        session: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Copy a session into a file; Markdown when its name ends in .md
    Export { session: String, path: String },
    /// Name a session
    Rename { session: String, name: String },
    /// Delete a session
    Delete { session: String },
}

/// Does it and returns the exit code.
pub(crate) fn run(stored: &Stored, options: Options, paths: Paths) -> anyhow::Result<i32> {
    runtime::with(async {
        let folder = std::env::current_dir().context("the current folder is gone")?;
        let kit = Kit::new(paths, options);
        let running = kit.start(Startup {
            roots: vec![Root::new(&folder)],
            options: Value::Null,
            client: "kit-ls sessions".to_owned(),
            editor: Arc::new(DiskEditor),
            window: Arc::new(NoWindow),
            sink: Arc::new(Silent),
        })?;
        let done = work(stored, &running).await;
        running.sessions.shutdown().await;
        done.map(|()| 0)
    })
}

async fn work(stored: &Stored, running: &Running) -> anyhow::Result<()> {
    let sessions = &running.sessions;
    match stored {
        Stored::List { all, json } => {
            let scope = if *all { ListScope::All } else { ListScope::Root };
            let listed = sessions.list(SessionListArguments { scope }).await?;
            if *json {
                return say(&serde_json::to_string_pretty(&listed)?);
            }
            if listed.sessions.is_empty() {
                return say("There is no session of this folder yet; --all lists those of every folder.");
            }
            for session in listed.sessions {
                let title = session.name.filter(|name| !name.is_empty()).unwrap_or(session.first_message);
                let title = title.lines().next().unwrap_or_default();
                let mut line =
                    format!("{}  {}  {:>4}  {title}", session.id, session.modified, session.message_count);
                if *all {
                    line.push_str(&format!("  ({})", session.cwd));
                }
                say(&line)?;
            }
            Ok(())
        }
        Stored::Show { session } => {
            let id = named(running, session).await?;
            say(sessions.content(&format!("kit-session:{id}")).await?.trim_end())
        }
        Stored::Tree { session, json } => {
            let session = named(running, session).await?;
            let tree = sessions.tree(SessionOnly { session }).await?;
            if *json {
                return say(&serde_json::to_string_pretty(&tree)?);
            }
            for node in tree.nodes {
                let mark = if node.current { '*' } else { ' ' };
                let role = node.role.map(|role| format!(" {}", json!(role).as_str().unwrap_or_default()));
                let text = node.text.lines().next().unwrap_or_default();
                say(&format!("{mark} {} {}{} {text}", node.id, node.r#type, role.unwrap_or_default()))?;
            }
            Ok(())
        }
        Stored::Export { session, path } => {
            let session = named(running, session).await?;
            let path = std::path::absolute(path)?.to_string_lossy().into_owned();
            let arguments =
                SessionArguments { session: Some(session), path: Some(path), ..SessionArguments::default() };
            let exported = sessions.export(arguments).await?;
            say(&format!("Written to {}.", exported.path.unwrap_or_default()))
        }
        Stored::Rename { session, name } => {
            let session = named(running, session).await?;
            let arguments = SessionArguments {
                session: Some(session),
                name: Some(name.clone()),
                ..SessionArguments::default()
            };
            sessions.rename(arguments).await?;
            say(&match name.trim() {
                "" => "The session has no name now.".to_owned(),
                name => format!("The session is called {name} now."),
            })
        }
        Stored::Delete { session } => {
            let session = named(running, session).await?;
            let arguments = SessionArguments { session: Some(session), ..SessionArguments::default() };
            let deleted = sessions.delete(arguments).await?;
            say(&format!("The session {} is deleted.", deleted.session))
        }
    }
}

/// The session that a person means: by file, by id, by the only id that begins so, or by the only one of that name.
pub(crate) async fn named(running: &Running, name: &str) -> Result<SessionId, KitError> {
    if Path::new(name).is_file() {
        let arguments = SessionArguments { path: Some(name.to_owned()), ..SessionArguments::default() };
        return Ok(running.sessions.open(arguments).await?.session);
    }
    let listed = running.sessions.list(SessionListArguments { scope: ListScope::All }).await?;
    let by_id = |session: &&SessionSummary| session.id.as_str().starts_with(name);
    let by_name = |session: &&SessionSummary| session.name.as_deref() == Some(name);
    let all = &listed.sessions;
    let ids: Vec<&SessionSummary> = all.iter().filter(by_id).collect();
    let matching = if ids.is_empty() { all.iter().filter(by_name).collect() } else { ids };
    match matching.as_slice() {
        [only] => Ok(only.id.clone()),
        [_, _, ..] => Err(KitError::new(
            ErrorKind::InvalidRequest,
            format!("several sessions begin with {name} or are called so; give more of the id"),
        )),
        [] => {
            let arguments =
                SessionArguments { session: Some(SessionId::new(name)), ..SessionArguments::default() };
            let opened = running.sessions.open(arguments).await.map(|opened| opened.session);
            opened.map_err(|error| {
                if error.kind != ErrorKind::NotFound {
                    return error;
                }
                let text = format!("{}; `kit-ls sessions list --all` lists them", error.message);
                KitError::new(ErrorKind::NotFound, text)
            })
        }
    }
}

/// Hears nothing: these subcommands run no turn.
struct Silent;

impl Sink for Silent {
    fn event(&self, _event: Event) {}
    fn status(&self, _status: Status) {}
    fn review(&self, _state: ReviewState) {}
}
