//! Sends one prompt to an agent that works in the current folder and prints what happens as JSON lines:
//! `cargo run -p kit-session --example one_prompt -- "Explain this project."`
//!
//! The model is the one of `KIT_MODEL`, else the default for the keys and servers that are there. Files are edited on
//! disk, since no editor is there, and what would need an answer of the user is refused.
#![allow(clippy::print_stdout, reason = "it is a command-line program")]

use std::error::Error;
use std::sync::Arc;

use kit_protocol::{Event, EventBody, PromptArguments, ReviewState, Settings, Status, TurnId};
use kit_provider::{Environment, Models, ProviderSettings};
use kit_session::{
    Attention, Contributions, CurrentSetup, Dependencies, NoHooks, Projects, ReviewDesk, Sessions, Setup,
    Sink,
};
use kit_text::Encoding;
use kit_tools::{Policy, Registry, ToolSettings};
use kit_workspace::{DiskEditor, Documents, Paths, Root, Workspace};
use tokio::sync::Notify;

/// Prints events, and tells when the turn is over.
struct Printer {
    ended: Notify,
}

impl Sink for Printer {
    fn event(&self, event: Event) {
        match serde_json::to_string(&event) {
            Ok(line) => println!("{line}"),
            Err(error) => tracing::error!(%error, "an event cannot be printed"),
        }
        if matches!(event.body, EventBody::TurnEnd { .. }) {
            self.ended.notify_one();
        }
    }

    fn status(&self, _status: Status) {}

    fn review(&self, _state: ReviewState) {}
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let text = std::env::args().nth(1).unwrap_or_else(|| "Say hello.".to_owned());
    let settings = Settings { model: std::env::var("KIT_MODEL").ok(), ..Settings::default() };
    let paths = Paths::discover(|name| std::env::var_os(name))?;
    let documents = Arc::new(Documents::new());

    // The desk and the attention come first, because the workspace reports to them.
    let (desk, attention) = (ReviewDesk::new(), Attention::new());
    let workspace = Arc::new(Workspace::new(
        vec![Root::new(std::env::current_dir()?)],
        Arc::clone(&documents),
        attention.watch(Arc::new(DiskEditor)),
        desk.clone(),
    ));
    let printer = Arc::new(Printer { ended: Notify::new() });
    let sessions = Sessions::new(Dependencies {
        workspace,
        documents,
        tools: Arc::new(Registry::builtin(&settings)),
        projects: Projects::new(&paths, &settings),
        policy: Arc::new(Policy::new(&paths, &[])),
        paths,
        setup: CurrentSetup::from(Setup {
            models: Arc::new(Models::new(&ProviderSettings::from(&settings), Environment::capture())),
            tool_settings: Arc::new(ToolSettings::new(&settings, None)),
            settings,
        }),
        sink: printer.clone(),
        desk,
        attention,
        contributions: Contributions::new(),
        hooks: Arc::new(NoHooks),
    });

    let prompt = PromptArguments {
        text,
        session: None,
        context: Vec::new(),
        attachments: Vec::new(),
        mode: None,
        model: None,
        thinking: None,
        delivery: None,
    };
    sessions.prompt(prompt, Encoding::Utf8, TurnId::random()).await?;
    printer.ended.notified().await;
    sessions.shutdown().await;
    Ok(())
}
